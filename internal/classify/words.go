// Package classify judges values by the words of their names and by their form: whether they are
// secret, and whether they can be a part of an address. It has no keys, performs no I/O, and keeps
// nothing.
package classify

import (
	"slices"
	"strings"
	"unicode"
)

func wordSet(s string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(s) {
		set[w] = true
	}
	return set
}

// maxName is the length in bytes of the longest name that is read. A longer one counts as that of a
// secret, and of an address.
const maxName = 256

// Says is what the words of a name say.
type Says struct {
	IsSecret  bool   // the name itself has the form of a secret
	degree    degree // which values are sensitive
	describes bool   // the value only tells something about the secrets around it
	role      role   // in a pair
	Below     Class  // of the values there and below
	Own       Class  // of the values directly there
}

// Names remembers what names say, because names repeat, and each is asked a few times in a write.
// nil remembers nothing.
type Names struct {
	known map[string]Says
	spend func(steps int)
}

// NewNames returns Names that remember nothing yet. It calls spend before it reads a name.
func NewNames(spend func(steps int)) *Names { return &Names{make(map[string]Says), spend} }

// Sensitive reports whether the value is a secret by its name.
func (s Says) Sensitive() bool { return s.degree > plain }

// IsValue reports whether the name is that of the value in a pair.
func (s Says) IsValue() bool { return s.role == valueRole }

// Of returns what a name says.
func (m *Names) Of(name string) Says {
	if m != nil {
		if says, ok := m.known[name]; ok {
			return says
		}
	}
	if m == nil {
		return readName(name)
	}
	m.spend(30 + len(name)) // about as long as so many visits of a value
	says := readName(name)
	m.known[name] = says
	return says
}

func readName(name string) Says {
	says := Says{IsSecret: sensitiveText(name)}
	if len(name) > maxName {
		says.degree, says.Below, says.Own = strong, Label, Label
		return says
	}
	usual := splitName(name, capital)
	says.role = pairRole(usual)
	if n := len(usual); n > 0 {
		says.describes = meaningOf(usual[n-1])&ofLabel != 0
	}
	for _, words := range append(otherReadings(name, usual), usual) {
		says.degree = max(says.degree, sensitiveWords(words))
		below, own := classOf(words)
		says.Below, says.Own = says.Below|below, says.Own|own
	}
	return says
}

// dictionary maps words to what they say. Most words of names are in no list, so it first compares
// length, first and last letter with those of its words.
type dictionary[T ~uint8] struct {
	says   map[string]T
	shapes [1 << 14]bool
}

// newDictionary reads lists of words. A word can be in several.
func newDictionary[T ~uint8](lists map[T]string) *dictionary[T] {
	d := &dictionary[T]{says: make(map[string]T)}
	for says, words := range lists {
		for word := range strings.FieldsSeq(words) {
			d.says[word] |= says
			d.shapes[shapeOf(word)] = true
		}
	}
	return d
}

func (d *dictionary[T]) of(word string) T {
	if word == "" || !d.shapes[shapeOf(word)] {
		return 0
	}
	return d.says[word]
}

func shapeOf(word string) int {
	return len(word)&15<<10 | int(word[0]&31)<<5 | int(word[len(word)-1]&31)
}

// withoutNumber returns a word without the digits at its end.
func withoutNumber(word string) string {
	for word != "" && '0' <= word[len(word)-1] && word[len(word)-1] <= '9' {
		word = word[:len(word)-1]
	}
	return word
}

// reading is how a name is split into words where small letters follow a run of capitals.
type reading int

const (
	capital reading = iota // the last capital begins the next word: API|Key
	run                    // the run is a word: PASSWORD|old
)

// otherReadings returns the words of a name for each less common way to split it.
func otherReadings(name string, usual []string) [][]string {
	if strings.IndexFunc(name, unicode.IsUpper) < 0 {
		return nil
	}
	var others [][]string
	if hasRun(name) {
		if words := splitName(name, run); !slices.Equal(usual, words) {
			others = append(others, words)
		}
	}
	isSeparator := func(r rune) bool { return !isWordRune(r) }
	if len(usual) > 1 && !strings.ContainsFunc(name, isSeparator) {
		// ignoring letter case, tOKEN is token
		others = append(others, []string{stem(fold(name))})
	}
	return others
}

// hasRun reports whether two capitals stand side by side.
func hasRun(name string) bool {
	last := false
	return strings.ContainsFunc(name, func(r rune) bool {
		before := last
		last = unicode.IsUpper(r)
		return before && last
	})
}

// splitName returns the words of a name in lower case. It splits at every character that is neither
// a letter nor a digit. In camelCase, it splits before a capital that follows a small letter or
// digit, and before the last capital of a run that a small letter follows. Examples are
// adobe|Secret, API|Key, oauth2|Token. A run of capitals includes a plural s after it, and ends
// before a v with a number: JWTs, TOKEN|v2.
func splitName(name string, how reading) []string {
	count(len(name))
	var words []string
	runes := []rune(name)
	start := 0
	cut := func(end int) {
		if end > start {
			words = append(words, stem(fold(string(runes[start:end]))))
		}
		start = end
	}
	for i, r := range runes {
		if !isWordRune(r) {
			cut(i)
			start = i + 1
			continue
		}
		if i == start {
			continue
		}
		switch capitals, small := unicode.IsUpper(runes[i-1]), unicode.IsLower(r); {
		case unicode.IsUpper(r):
			if !capitals || how == capital && len(smallBehind(runes, i+1)) > 0 &&
				!endsRun(runes, i+1) {
				cut(i)
			}
		case !capitals || !small || i-start < 2:
		case endsRun(runes, i):
			if r == 'v' {
				cut(i)
			}
		case how == run:
			cut(i)
		}
	}
	cut(len(runes))
	return words
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// smallBehind returns the small letters from position i on.
func smallBehind(runes []rune, i int) []rune {
	end := i
	for end < len(runes) && unicode.IsLower(runes[end]) {
		end++
	}
	return runes[i:end:end]
}

// endsRun reports whether the small letters at position i do not continue the last capital as a
// word: they are the s of a plural, or the v of a version.
func endsRun(runes []rune, i int) bool {
	if i < 2 || !unicode.IsUpper(runes[i-2]) || i >= len(runes) {
		return false
	}
	switch small := string(smallBehind(runes, i)); small {
	case "s":
		return true
	case "v":
		return i+1 < len(runes) && unicode.IsDigit(runes[i+1])
	}
	return false
}

// fold returns a text in lower case. It folds letters as encoding/json does to compare names, so
// the long s becomes s, and the Kelvin sign becomes k.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= unicode.MaxASCII {
			return unicode.ToLower(r)
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return unicode.ToLower(least)
	}, s)
}

// stem removes a trailing number and a plural s from a word if the rest has a meaning for the name
// rule: password2 and apiKeys are as secret as one password.
func stem(word string) string {
	if meaningOf(word) != 0 {
		return word
	}
	unnumbered := withoutNumber(word)
	for _, w := range []string{unnumbered, strings.TrimSuffix(unnumbered, "s")} {
		if len(w) < len(word) && meaningOf(w) != 0 {
			return w
		}
	}
	return word
}

// counted is called with the length of each text that the rules read. Only tests set it.
var counted func(bytes int)

func count(bytes int) {
	if counted != nil {
		counted(bytes)
	}
}
