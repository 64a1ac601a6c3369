package jsontree

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// str consumes a string and its quotes.
func (p *parser) str() (string, error) {
	p.at++
	var text []byte // decoded text up to the last escape
	start := p.at   // start of the text after that escape
	for p.at < len(p.in) {
		switch c := p.in[p.at]; {
		case c == '"':
			rest := p.in[start:p.at]
			p.at++
			if text == nil {
				return string(rest), nil
			}
			return string(append(text, rest...)), nil
		case c == '\\':
			text = append(text, p.in[start:p.at]...)
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			text = utf8.AppendRune(text, r)
			start = p.at
		case c < ' ':
			return "", p.fail(Syntax)
		default:
			p.at++
		}
	}
	return "", p.fail(Syntax)
}

// escapes maps the character after a backslash to the character that the escape stands for.
var escapes = [256]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape consumes one escape, or two escapes that form a surrogate pair.
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
	if p.accept("\\") && p.peek() == 'u' {
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
	r, err := strconv.ParseUint(string(p.in[p.at+1:p.at+5]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += 5
	return rune(r), true
}

// invalidUTF8 returns the offset of the first byte that is not part of valid UTF-8, or -1.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i, r := range string(b) {
		if r == utf8.RuneError && !bytes.HasPrefix(b[i:], []byte("\uFFFD")) {
			return i
		}
	}
	return -1
}
