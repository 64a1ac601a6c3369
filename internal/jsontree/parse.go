package jsontree

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Limits bound the input of [Parse]. A zero field has its default.
type Limits struct {
	// Bytes is the maximum size of the text, by default [DefaultBytes]. It is checked before
	// reading.
	Bytes int
	// Depth is the maximum number of nested arrays and objects, by default [DefaultDepth].
	// Parsing never recurses deeper.
	Depth int
	// Pointer is the maximum length of a JSON Pointer (RFC 6901) to any value, in bytes, by
	// default [DefaultPointer]. Without this limit, a small document with long names could have
	// pointers many times its own size.
	Pointer int
	// Values is the maximum weight of the tree, see [Node.Weight], by default [DefaultValues]. It
	// bounds the work that a small text can cause: [0,0,...] has a value for every two bytes.
	Values int
}

// Defaults of [Limits].
const (
	DefaultBytes   = 256 << 10
	DefaultDepth   = 64
	DefaultPointer = 1024
	DefaultValues  = 20_000
)

// orDefault returns the limits with defaults in place of zeros.
func (l Limits) orDefault() Limits {
	l.Bytes = cmp.Or(l.Bytes, DefaultBytes)
	l.Depth = cmp.Or(l.Depth, DefaultDepth)
	l.Pointer = cmp.Or(l.Pointer, DefaultPointer)
	l.Values = cmp.Or(l.Values, DefaultValues)
	return l
}

// Fault is the reason why a text was rejected. The values are stable.
type Fault string

// Faults of a text.
const (
	Syntax       Fault = "syntax"        // not RFC 8259; also empty text and trailing data
	UTF8         Fault = "utf8"          // invalid UTF-8, or half of a surrogate pair
	DuplicateKey Fault = "duplicate-key" // a member name occurs twice in one object
	TooLarge     Fault = "too-large"     // more than Limits.Bytes
	TooDeep      Fault = "too-deep"      // more than Limits.Depth
	TooLong      Fault = "too-long"      // a pointer of more than Limits.Pointer
	TooMany      Fault = "too-many"      // more values than Limits.Values
)

// Error is the error of [Parse], [Node.Check] and [NewString].
type Error struct {
	Fault   Fault
	Pointer string // to the innermost value entered; for TooLong, to its parent
	Offset  int    // in bytes from the start of the text; -1 = no offset
}

// details describe each fault for people.
var details = map[Fault]string{
	Syntax:       "not valid JSON",
	UTF8:         "not valid UTF-8",
	DuplicateKey: "a member is named twice",
	TooLarge:     "too large",
	TooDeep:      "nested too deep",
	TooLong:      "member names too long for a pointer",
	TooMany:      "too many values",
}

// Error returns the fault and its offset. It quotes no text and no names of the input.
func (e *Error) Error() string {
	if e.Offset < 0 {
		return "json: " + details[e.Fault]
	}
	return fmt.Sprintf("json: %s (byte %d)", details[e.Fault], e.Offset)
}

// Parse parses one JSON text (RFC 8259). It rejects input only for the reasons that [Fault] lists,
// with an [*Error]. The tree holds copies, so it does not keep b and its secrets alive.
func Parse(b []byte, lim Limits) (*Node, error) {
	p := parser{in: b, lim: lim.orDefault()}
	if len(b) > p.lim.Bytes {
		return nil, &Error{Fault: TooLarge, Offset: -1}
	}
	if i := invalidUTF8(b); i >= 0 {
		p.at = i
		return nil, p.fail(UTF8)
	}
	n, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.next(); p.at < len(p.in) {
		return nil, p.fail(Syntax)
	}
	if n.Weight() > p.lim.Values {
		return nil, &Error{Fault: TooMany, Offset: -1}
	}
	return n, nil
}

// parser reads the text in from left to right. After an error, path names the place of the error.
type parser struct {
	in   []byte
	at   int
	lim  Limits
	path []string // reference tokens of the current value
	size int      // bytes of the pointer with these tokens
}

func (p *parser) fail(f Fault) error {
	return &Error{Fault: f, Pointer: JoinPointer(p.path...), Offset: p.at}
}

// peek returns the next byte without consuming it. At the end it returns the byte 0, which no rule
// of the grammar accepts.
func (p *parser) peek() byte {
	if p.at < len(p.in) {
		return p.in[p.at]
	}
	return 0
}

// next skips white space. Then it returns the next byte as peek does.
func (p *parser) next() byte {
	for {
		switch c := p.peek(); c {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return c
		}
	}
}

// accept consumes text if it comes next.
func (p *parser) accept(text string) bool {
	if !bytes.HasPrefix(p.in[p.at:], []byte(text)) {
		return false
	}
	p.at += len(text)
	return true
}

func (p *parser) value() (*Node, error) {
	switch c := p.next(); {
	case c == '{':
		return p.container(Object, "}")
	case c == '[':
		return p.container(Array, "]")
	case c == '"':
		s, err := p.str()
		if err != nil {
			return nil, err
		}
		return scalar(String, s), nil
	case c == '-' || isDigit(c):
		return p.number()
	case p.accept("null"):
		return nullNode, nil
	case p.accept("true"):
		return trueNode, nil
	case p.accept("false"):
		return falseNode, nil
	}
	return nil, p.fail(Syntax)
}

// enter descends into the child with this token; leave returns to its parent.
func (p *parser) enter(token string) error {
	if p.size+tokenLen(token) > p.lim.Pointer {
		return p.fail(TooLong)
	}
	p.size += tokenLen(token)
	p.path = append(p.path, token)
	return nil
}

func (p *parser) leave() {
	last := len(p.path) - 1
	p.size -= tokenLen(p.path[last])
	p.path = p.path[:last]
}

// more consumes the comma or closing bracket after a child. It reports whether another child
// follows.
func (p *parser) more(closing string) (bool, error) {
	p.next()
	switch {
	case p.accept(","):
		return true, nil
	case p.accept(closing):
		return false, nil
	}
	return false, p.fail(Syntax)
}

// container consumes an array or object from its opening bracket on.
func (p *parser) container(k Kind, closing string) (*Node, error) {
	if len(p.path) >= p.lim.Depth {
		return nil, p.fail(TooDeep)
	}
	p.at++
	if p.next(); p.accept(closing) {
		return container(k, nil), nil
	}
	var kids []kid
	var seen nameSet
	for more := true; more; {
		name, err := p.enterNext(k, &seen, kids)
		if err != nil {
			return nil, err
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		p.leave()
		kids = append(kids, kid{name: name, node: v})
		if more, err = p.more(closing); err != nil {
			return nil, err
		}
	}
	return container(k, kids), nil
}

// enterNext enters the child that follows kids. In an object, it first consumes the name and the
// colon.
func (p *parser) enterNext(k Kind, seen *nameSet, kids []kid) (name string, err error) {
	if k == Array {
		return "", p.enter(strconv.Itoa(len(kids)))
	}
	if p.next() != '"' {
		return "", p.fail(Syntax)
	}
	if name, err = p.str(); err != nil {
		return "", err
	}
	if p.next() != ':' {
		return "", p.fail(Syntax) // without entering: name could be a misplaced value
	}
	p.at++
	if err := p.enter(name); err != nil {
		return "", err
	}
	if !seen.add(name, kids) {
		return "", p.fail(DuplicateKey)
	}
	return name, nil
}

// nameSet finds duplicate names in an object. As long as an object has few members, the set stays
// nil and add scans the members instead.
type nameSet map[string]struct{}

// add reports whether name is new.
func (s *nameSet) add(name string, kids []kid) bool {
	if *s == nil {
		if len(kids) < fewNames {
			return !slices.ContainsFunc(kids, func(k kid) bool { return k.name == name })
		}
		*s = make(nameSet, 2*len(kids))
		for _, k := range kids {
			(*s)[k.name] = struct{}{}
		}
	}
	if _, dup := (*s)[name]; dup {
		return false
	}
	(*s)[name] = struct{}{}
	return true
}

func (p *parser) number() (*Node, error) {
	start := p.at
	p.accept("-")
	if !p.accept("0") && !p.digits() {
		return nil, p.fail(Syntax)
	}
	if p.accept(".") && !p.digits() {
		return nil, p.fail(Syntax)
	}
	if p.accept("e") || p.accept("E") {
		if !p.accept("+") {
			p.accept("-")
		}
		if !p.digits() {
			return nil, p.fail(Syntax)
		}
	}
	return scalar(Number, string(p.in[start:p.at])), nil
}

func (p *parser) digits() bool {
	start := p.at
	for isDigit(p.peek()) {
		p.at++
	}
	return p.at > start
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
