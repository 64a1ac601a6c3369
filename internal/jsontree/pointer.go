package jsontree

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errPointer does not quote the text.
var errPointer = errors.New("not a JSON Pointer")

// The escapes of RFC 6901 section 3.
var escapeToken = strings.NewReplacer("~", "~0", "/", "~1")

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
	for i, t := range tokens {
		plain, ok := unescapeToken(t)
		if !ok {
			return nil, errPointer
		}
		tokens[i] = plain
	}
	return tokens, nil
}

// unescapeToken reverses escapeToken in one pass from left to right: "~01" is "~1", never "/".
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

// JoinPointer returns the JSON Pointer with these reference tokens. It reverses [ParsePointer]:
// different tokens give different pointers.
func JoinPointer(tokens ...string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		_, _ = escapeToken.WriteString(&b, t) // a Builder never fails
	}
	return b.String()
}

// ChildPointer appends one reference token to a pointer.
func ChildPointer(pointer, token string) string {
	return pointer + "/" + escapeToken.Replace(token)
}

// tokenLen returns how many bytes a reference token adds to a pointer.
func tokenLen(token string) int {
	return 1 + len(token) + strings.Count(token, "~") + strings.Count(token, "/")
}

// arrayIndex parses an index as in RFC 6901 section 4: "0", or digits that do not start with 0.
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
