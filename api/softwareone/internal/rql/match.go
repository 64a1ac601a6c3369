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
	p := Pattern{parts: []string{""}}
	for i := 0; i < len(text); i++ {
		last := len(p.parts) - 1
		switch {
		case text[i] == '*':
			p.parts = append(p.parts, "")
			continue
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '*':
			i++
		}
		p.parts[last] += text[i : i+1]
	}
	if len(p.parts) == 1 {
		p.parts = []string{"", p.parts[0], ""}
	}
	return p
}

// Match reports whether a text matches the pattern. Its time grows with the sum of the lengths of
// text and pattern, not with the product.
func (p Pattern) Match(text string) bool {
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) ||
		!strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range p.parts[1 : len(p.parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}
