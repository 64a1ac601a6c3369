package rql

import "strings"

// Pattern is the value that like and ilike compare a field with. In a pattern, "*" matches any
// text, and `\*` matches a star. A pattern without "*" matches every text that contains it.
type Pattern struct {
	parts []string // between the stars
}

// NewPattern parses a pattern. With fold, the pattern is converted to lower case, and the texts to
// match have to be in lower case too.
func NewPattern(text string, fold bool) Pattern {
	if fold {
		text = strings.ToLower(text)
	}
	// A query has no control characters, so one can stand for a star that matches a star.
	const star = "\x00"
	text = strings.ReplaceAll(text, `\*`, star)
	if !strings.Contains(text, "*") {
		text = "*" + text + "*"
	}
	parts := strings.Split(text, "*")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], star, "*")
	}
	return Pattern{parts}
}

// Match reports whether a text matches the pattern. Its time grows with the sum of the lengths of
// text and pattern, not with the product.
func (p Pattern) Match(text string) bool {
	last := len(p.parts) - 1
	rest, ok := strings.CutPrefix(text, p.parts[0])
	for i := 1; ok && i < last; i++ {
		_, rest, ok = strings.Cut(rest, p.parts[i])
	}
	return ok && strings.HasSuffix(rest, p.parts[last])
}
