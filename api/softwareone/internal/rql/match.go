package rql

import "strings"

// Pattern is the right side of like and ilike. "*" stands for any text, and `\*` for itself. A
// pattern without "*" matches texts that contain it.
type Pattern struct {
	parts []string // between the stars
}

// NewPattern parses a pattern. With fold it is for texts in lower case, whatever its own case is.
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

// Match reports whether a text matches the pattern. The time grows with the sum of their lengths,
// not with the product.
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
