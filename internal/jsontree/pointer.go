package jsontree

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// errPointer does not quote the text.
var errPointer = errors.New("not a JSON Pointer")

// The escapes of RFC 6901 section 3. A Replacer makes one pass from left to right, so "~01" becomes
// "~1" and never "/".
var (
	escapeToken   = strings.NewReplacer("~", "~0", "/", "~1")
	unescapeToken = strings.NewReplacer("~0", "~", "~1", "/")
)

// ParsePointer returns the unescaped reference tokens of a JSON Pointer (RFC 6901). The empty
// pointer names the whole document and has no tokens. ParsePointer rejects a pointer without a
// leading "/", with a "~" that is not an escape, or with invalid UTF-8.
func ParsePointer(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' || !utf8.ValidString(pointer) {
		return nil, errPointer
	}
	tokens := strings.Split(pointer[1:], "/")
	if !strings.Contains(pointer, "~") {
		return tokens, nil
	}
	for i, t := range tokens {
		if strings.Count(t, "~") != strings.Count(t, "~0")+strings.Count(t, "~1") {
			return nil, errPointer
		}
		tokens[i] = unescapeToken.Replace(t)
	}
	return tokens, nil
}

// JoinPointer returns the JSON Pointer with these reference tokens. It reverses [ParsePointer], and
// different tokens give different pointers.
func JoinPointer(tokens ...string) string {
	size := 0
	for _, t := range tokens {
		size += 1 + len(t)
	}
	b := make([]byte, 0, size)
	for _, t := range tokens {
		b = append(b, '/')
		if strings.IndexByte(t, '~') >= 0 || strings.IndexByte(t, '/') >= 0 {
			t = escapeToken.Replace(t)
		}
		b = append(b, t...)
	}
	return string(b)
}

// ChildPointer appends one reference token to a pointer.
func ChildPointer(pointer, token string) string {
	return pointer + "/" + escapeToken.Replace(token)
}

// tokenLen returns how many bytes a reference token adds to a pointer.
func tokenLen(token string) int {
	return 1 + len(token) + strings.Count(token, "~") + strings.Count(token, "/")
}

// Trail is the way to a value, as reference tokens. It makes a pointer only when one is needed. The
// trails of siblings share memory, so a trail must not be kept; its pointer may be.
type Trail []string

// NewTrail returns the trail of a whole document, with room for those below it.
func NewTrail() Trail { return make(Trail, 0, DefaultDepth+1) }

// Child returns the trail of a child.
func (t Trail) Child(token string) Trail { return append(t, token) }

// Pointer returns the trail as a JSON Pointer.
func (t Trail) Pointer() string { return JoinPointer(t...) }

// Places is a set of places in a document, as a tree.
type Places struct {
	Here  bool
	below map[string]Places
}

// PlacesOf returns the places that pointers name. It ignores invalid pointers.
func PlacesOf(pointers []string) Places {
	var set Places
	for _, p := range pointers {
		if tokens, err := ParsePointer(p); err == nil {
			set.add(tokens)
		}
	}
	return set
}

func (p *Places) add(tokens []string) {
	if len(tokens) == 0 {
		p.Here = true
		return
	}
	if p.below == nil {
		p.below = make(map[string]Places)
	}
	child := p.below[tokens[0]]
	child.add(tokens[1:])
	p.below[tokens[0]] = child
}

// Child returns the places at and below a child.
func (p Places) Child(token string) Places { return p.below[token] }

// AnyBelow reports whether there is a place below.
func (p Places) AnyBelow() bool { return len(p.below) > 0 }
