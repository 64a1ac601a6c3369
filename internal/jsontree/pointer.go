package jsontree

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrPointer says that a text is not a JSON Pointer. It does not quote the text.
var ErrPointer = errors.New("not a JSON Pointer")

// The escapes of RFC 6901 section 3.
var escapeToken = strings.NewReplacer("~", "~0", "/", "~1")

// ParsePointer returns the reference tokens of a JSON Pointer (RFC 6901), unescaped. The empty pointer names the whole
// document and has none. A pointer that does not start with "/", has a "~" that is no escape, or is not valid UTF-8 is
// refused with [ErrPointer].
func ParsePointer(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' || !utf8.ValidString(pointer) {
		return nil, ErrPointer
	}
	tokens := strings.Split(pointer[1:], "/")
	for i, t := range tokens {
		plain, ok := unescapeToken(t)
		if !ok {
			return nil, ErrPointer
		}
		tokens[i] = plain
	}
	return tokens, nil
}

// unescapeToken undoes escapeToken in one pass from left to right: "~01" is "~1", never "/".
func unescapeToken(t string) (string, bool) {
	if !strings.Contains(t, "~") {
		return t, true
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(t, "~")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), true
		case strings.HasPrefix(after, "0"):
			b.WriteByte('~')
		case strings.HasPrefix(after, "1"):
			b.WriteByte('/')
		default:
			return "", false
		}
		t = after[1:]
	}
}

// JoinPointer returns the JSON Pointer with these reference tokens: the inverse of [ParsePointer]. Different tokens give
// different pointers.
func JoinPointer(tokens ...string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		_, _ = escapeToken.WriteString(&b, t) // a Builder does not fail
	}
	return b.String()
}

// ChildPointer returns the pointer to the child with this reference token of the value at pointer.
func ChildPointer(pointer, token string) string {
	return pointer + "/" + escapeToken.Replace(token)
}

// tokenLen returns how many bytes a reference token adds to a pointer.
func tokenLen(token string) int {
	return 1 + len(token) + strings.Count(token, "~") + strings.Count(token, "/")
}

// arrayIndex reads a token as RFC 6901 section 4 wants an index: "0", or digits that do not start with 0.
func arrayIndex(token string) (int, bool) {
	if token == "" || len(token) > 9 || token[0] == '0' && token != "0" {
		return 0, false
	}
	for i := range len(token) {
		if !isDigit(token[i]) {
			return 0, false
		}
	}
	n, err := strconv.Atoi(token)
	return n, err == nil
}
