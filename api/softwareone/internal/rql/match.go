package rql

import "strings"

// Pattern is the right side of like and ilike: "*" stands for any text, `\*` for itself. A
// pattern without any "*" matches what contains it.
type Pattern struct {
	parts []string // between the stars
}

// NewPattern reads a pattern; fold ignores letter case, for texts in lower case.
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

// Match reports whether a text is of the pattern. One that ignores letter case wants the text
// in lower case, which it cannot know to be done. The time it takes grows with the text and the
// pattern and not with their product.
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
