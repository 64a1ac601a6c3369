package masked

import (
	"slices"
	"strings"
	"unicode"
)

// sensitiveName judges a member name by its words.
func sensitiveName(name string) degree {
	usual := splitName(name, capital)
	found := sensitiveWords(usual)
	for _, words := range otherReadings(name, usual) {
		found = max(found, sensitiveWords(words))
	}
	return found
}

func sensitiveWords(words []string) degree {
	if len(words) == 0 {
		return plain
	}
	last := len(words) - 1
	isSessionID := last > 0 && words[last-1] == "session" && words[last] == "id"
	if aboutSecrets[words[last]] && !isSessionID {
		return plain
	}
	found := plain
	if isSessionID || words[last] == "key" && len(words) <= 2 {
		found = strong
	}
	for i, w := range words {
		switch {
		case numericSecrets[w]:
			return numeric
		case secretWords[w], i > 0 && secretPairs[words[i-1]] == w:
			found = strong
		}
	}
	return found
}

// Words that make a name sensitive.
var secretWords = wordSet(`password passwd pwd pass passphrase secret token apikey credential privatekey bearer jwt cookie
	otp pin pat signature dsn hmac seed pem pfx p12 keytab assertion certificate`)

// Words among these that make numbers sensitive too.
var numericSecrets = wordSet(`pin otp`)

// First words of pairs that do, each with its second word.
var secretPairs = map[string]string{
	"connection": "string", "session": "id",
	"api": "key", "private": "key", "secret": "key", "access": "key", "auth": "key", "app": "key", "signing": "key",
	"encryption": "key", "account": "key", "service": "key", "master": "key", "client": "key", "shared": "key",
	"license": "key", "consumer": "key", "ssh": "key",
}

// Last words that say that a name is about a secret and not one: tokenUrl, secretName, keyId.
var aboutSecrets = wordSet(`id url uri endpoint type name expiry expires ttl host enabled method count length policy path
	version prefix thumbprint domain`)

func wordSet(s string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(s) {
		set[w] = true
	}
	return set
}

// reading is how the words of a name are told apart where a run of capitals is followed by small letters.
type reading int

const (
	capital reading = iota // the last capital begins the next word: API|Key
	run                    // the capitals are a word: PASSWORD|old
)

// otherReadings returns the words of a name as they can be told apart beside the usual way.
func otherReadings(name string, usual []string) [][]string {
	if strings.IndexFunc(name, unicode.IsUpper) < 0 {
		return nil
	}
	var others [][]string
	if words := splitName(name, run); !slices.Equal(usual, words) {
		others = append(others, words)
	}
	if len(usual) > 1 && strings.IndexFunc(name, func(r rune) bool { return !isWordRune(r) }) < 0 {
		others = append(others, []string{stem(fold(name))}) // as one that ignores letter case finds tOKEN under token
	}
	return others
}

// splitName returns the words of a name in lower case. It is cut at everything that is neither letter nor digit, and as in camelCase, where a
// capital follows a letter or digit that is none, or ends a run of capitals: adobe|Secret, API|Key, oauth2|Token. A run of capitals keeps an
// s behind it, for a plural, and is cut before a v with a number, for a version: JWTs, TOKEN|v2.
func splitName(name string, how reading) []string {
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
			if !capitals || how == capital && len(smallBehind(runes, i+1)) > 0 && !endsRun(runes, i+1) {
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

// endsRun reports whether what stands behind two capitals or more, from position i on, goes with them: the s of a plural, or the v of a
// version.
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

// fold returns the lower case of a text as encoding/json compares names: letters that differ in case alone are one, the long s and the
// Kelvin sign among them.
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

// stem takes a trailing number, then a plural s off a word if the lists know what remains: password2 and apiKeys are no less
// secret than one password.
func stem(word string) string {
	unnumbered := strings.TrimRight(word, "0123456789")
	for _, w := range []string{word, unnumbered, strings.TrimSuffix(unnumbered, "s")} {
		if known(w) {
			return w
		}
	}
	return word
}

func known(w string) bool {
	return secretWords[w] || aboutSecrets[w] || w == "key" || w == "string" || secretPairs[w] != ""
}
