package jsontree

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// str consumes a string and its quotes.
func (p *parser) str() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.in) {
		switch c := p.in[p.at]; {
		case c == '"':
			p.at++
			return string(p.in[start : p.at-1]), nil
		case c == '\\':
			return p.escapedStr(bytes.Clone(p.in[start:p.at]))
		case c < ' ':
			return "", p.fail(Syntax)
		}
		p.at++
	}
	return "", p.fail(Syntax)
}

// escapedStr consumes a string from its first escape on; text is the part before it.
func (p *parser) escapedStr(text []byte) (string, error) {
	for p.at < len(p.in) {
		switch c := p.in[p.at]; {
		case c == '"':
			p.at++
			return string(text), nil
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			text = utf8.AppendRune(text, r)
		case c < ' ':
			return "", p.fail(Syntax)
		default:
			text = append(text, c)
			p.at++
		}
	}
	return "", p.fail(Syntax)
}

// escapes maps the character behind a backslash to its meaning.
var escapes = [256]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape consumes one escape, or two that form a surrogate pair.
func (p *parser) escape() (rune, error) {
	p.at++
	c := p.peek()
	if c == 'u' {
		return p.unicodeEscape()
	}
	r := escapes[c]
	if r == 0 {
		return 0, p.fail(Syntax)
	}
	p.at++
	return r, nil
}

func (p *parser) unicodeEscape() (rune, error) {
	r, ok := p.hex()
	if !ok {
		return 0, p.fail(Syntax)
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if p.accept('\\') && p.peek() == 'u' {
		low, ok := p.hex()
		if !ok {
			return 0, p.fail(Syntax)
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, nil
		}
	}
	return 0, p.fail(UTF8)
}

// hex consumes the letter u and four hexadecimal digits.
func (p *parser) hex() (rune, bool) {
	if len(p.in)-p.at < 5 {
		return 0, false
	}
	var r rune
	for _, c := range p.in[p.at+1 : p.at+5] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	p.at += 5
	return r, true
}

// invalidUTF8 returns the offset of the first byte that is not part of valid UTF-8, or -1.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
