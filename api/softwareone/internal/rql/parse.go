package rql

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parse parses the raw query of a URL. The error is an [*Error].
func Parse(raw string) (*Query, error) {
	if len(raw) > MaxBytes {
		return nil, &Error{Detail: "the query is too long"}
	}
	p := &parser{}
	if err := p.decode(raw); err != nil {
		return nil, err
	}
	q := &Query{}
	var filters []*Expr
	for {
		for p.take(separator) { // skip empty parts, also at the start and the end
		}
		if p.pos == len(p.text) {
			break
		}
		f, err := p.part(q)
		if err != nil {
			return nil, err
		}
		if f != nil {
			filters = append(filters, f)
		}
		if p.spaces(); p.pos < len(p.text) && !p.at(separator) {
			return nil, p.fault("this does not belong here")
		}
	}
	switch len(filters) {
	case 0:
	case 1:
		q.Filter = filters[0]
	default:
		q.Filter = &Expr{Op: And, Args: filters}
	}
	return q, nil
}

// separator replaces each "&" that was not percent-encoded. The decoded text has no other NUL,
// since control characters are rejected.
const separator = "\x00"

// parser reads the decoded text from left to right.
type parser struct {
	text  string
	pos   int
	depth int
	nodes int
}

// decode decodes the percent encoding of raw into p.text. It replaces each "&" that separates parts
// with separator.
func (p *parser) decode(raw string) error {
	var b strings.Builder
	for part := range strings.SplitSeq(raw, "&") {
		text, err := url.PathUnescape(unform(part))
		control := strings.IndexFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f })
		switch {
		case err != nil:
			return &Error{"a percent sign without two hexadecimal digits", b.Len()}
		case control >= 0:
			return &Error{"a control character", b.Len() + control}
		case !utf8.ValidString(text):
			return &Error{"the query is not UTF-8", b.Len()}
		}
		b.WriteString(text)
		b.WriteString(separator)
	}
	p.text = strings.TrimSuffix(b.String(), separator)
	return nil
}

// unform undoes what HTTP libraries do to a part such as render(), which they take for the name of
// a form field without a value. They add a "=", and write a space as "+".
func unform(part string) string {
	field, ok := strings.CutSuffix(part, "=")
	if !ok || !strings.HasSuffix(field, ")") && !strings.HasSuffix(field, "%29") {
		return part
	}
	return strings.ReplaceAll(field, "+", " ")
}

func (p *parser) fault(detail string) *Error { return &Error{Detail: detail, Offset: p.pos} }

// at reports whether the rest of the text begins with s.
func (p *parser) at(s string) bool { return strings.HasPrefix(p.text[p.pos:], s) }

// take skips s if the rest of the text begins with s. It reports whether it skipped s.
func (p *parser) take(s string) bool {
	if !p.at(s) {
		return false
	}
	p.pos += len(s)
	return true
}

// while skips characters as long as in reports true for them, and returns these characters.
func (p *parser) while(in func(rune) bool) string {
	rest := p.text[p.pos:]
	after := strings.TrimLeftFunc(rest, in)
	p.pos = len(p.text) - len(after)
	return strings.TrimSuffix(rest, after)
}

func (p *parser) spaces() { p.while(func(c rune) bool { return c == ' ' }) }

// close reads the parenthesis that closes an operator.
func (p *parser) close() error {
	if p.spaces(); !p.take(")") {
		return p.fault("a parenthesis is missing")
	}
	return nil
}

// part reads one part. It returns the condition of a filter, and nil for any other part. The parts
// limit, offset, order and select set a field of q. The part render(), which asks for rendered
// texts, is ignored.
func (p *parser) part(q *Query) (*Expr, error) {
	p.spaces()
	name := p.name()
	switch {
	case name == "render" && p.take("("):
		return nil, p.close()
	case name == "limit" && p.take("="):
		return nil, p.number(&q.Limit)
	case name == "offset" && p.take("="):
		return nil, p.number(&q.Offset)
	case name == "order" && p.take("="):
		return nil, p.terms(&q.Order, MaxOrder)
	case name == "select" && p.take("="):
		return nil, p.terms(&q.Select, MaxTerms)
	}
	return p.condition(name, false)
}

// condition reads the rest of a condition that begins with a name. nested is true inside the
// parentheses of an operator.
func (p *parser) condition(name string, nested bool) (*Expr, error) {
	switch {
	case name == "":
		return nil, p.fault("a name is missing")
	case p.take("("):
		return p.call(name)
	case !p.take("="):
		return nil, p.fault("neither an operator nor field=value")
	}
	v, err := p.value(nested)
	return &Expr{Op: Eq, Field: name, Values: []Value{v}}, err
}

// name reads the name of an operator or a field. It returns "" if no name follows. A name does not
// begin with "-" or ".".
func (p *parser) name() string {
	if p.at("-") || p.at(".") {
		return ""
	}
	return p.while(func(c rune) bool {
		return unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("._-$", c)
	})
}

// count counts one more operator or value. It returns an error if the query has too many.
func (p *parser) count() error {
	if p.nodes++; p.nodes > MaxNodes {
		return p.fault("the query has too many conditions and values")
	}
	return nil
}

// call reads the arguments of the operator with a name, and the parenthesis behind them.
func (p *parser) call(name string) (*Expr, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	if p.depth++; p.depth > MaxDepth {
		return nil, p.fault("the query is too deep")
	}
	defer func() { p.depth-- }()
	e := &Expr{Op: Op(name)}
	switch e.Op {
	case And, Or, Not:
		return e, p.conditions(e)
	case Any, All:
		return e, p.collection(e)
	case Eq, Ne, Gt, Ge, Lt, Le, Like, Ilike, In, Out:
		return e, p.comparison(e)
	}
	return nil, p.fault("unknown operator")
}

// conditions reads conditions with commas between them.
func (p *parser) conditions(e *Expr) error {
	for {
		p.spaces()
		arg, err := p.condition(p.name(), true)
		if err != nil {
			return err
		}
		e.Args = append(e.Args, arg)
		p.spaces()
		switch {
		case p.take(","):
		case !p.take(")"):
			return p.fault("a comma or a parenthesis is missing")
		case e.Op != And && e.Op != Or && len(e.Args) != 1:
			return p.fault("not, any and all take one condition")
		default:
			return nil
		}
	}
}

// collection reads the collection and the condition of any and all. any can lack the condition.
func (p *parser) collection(e *Expr) error {
	switch err := p.field(e); {
	case err == nil:
		return p.conditions(e)
	case e.Op == Any && e.Field != "" && p.take(")"):
		return nil
	default:
		return err
	}
}

// field reads the field of an operator and the comma behind it.
func (p *parser) field(e *Expr) error {
	p.spaces()
	if e.Field = p.name(); e.Field == "" {
		return p.fault("a field is missing")
	}
	if p.spaces(); !p.take(",") {
		return p.fault("a comma is missing")
	}
	p.spaces()
	return nil
}

// comparison reads the field and the values of a comparison. The values of in and out can have
// parentheses of their own.
func (p *parser) comparison(e *Expr) error {
	if err := p.field(e); err != nil {
		return err
	}
	many := e.Op == In || e.Op == Out
	inner := many && p.take("(")
	for {
		v, err := p.value(true)
		if err != nil {
			return err
		}
		e.Values = append(e.Values, v)
		if !many || !p.take(",") {
			break
		}
	}
	if inner {
		if err := p.close(); err != nil {
			return err
		}
	}
	return p.close()
}

// value reads one value: null(), empty() or a text. ofOperator is true inside the parentheses of
// an operator, and false in a part field=value. A text without quotes ends at a separator, or at a
// character that has to be in quotes.
func (p *parser) value(ofOperator bool) (Value, error) {
	if err := p.count(); err != nil {
		return Value{}, err
	}
	needQuotes := "()'\"="
	if ofOperator {
		needQuotes = "(),'\""
		p.spaces()
		defer p.spaces()
	}
	switch {
	case p.take("null()"):
		return Value{Kind: Null}, nil
	case p.take("empty()"):
		return Value{Kind: Empty}, nil
	case p.at("'"), p.at(`"`):
		quote := p.text[p.pos : p.pos+1]
		p.pos++
		end := strings.Index(p.text[p.pos:], quote)
		if end < 0 {
			return Value{}, p.fault("a quote does not end")
		}
		text := strings.ReplaceAll(p.text[p.pos:p.pos+end], separator, "&")
		p.pos += end + 1
		return Value{Text: text}, nil
	}
	text := strings.TrimSpace(p.while(func(c rune) bool {
		return !strings.ContainsRune(separator+needQuotes, c)
	}))
	if text == "" {
		return Value{}, p.fault("a value is missing")
	}
	return Value{Text: text}, nil
}

// number reads a whole number into *into. The number cannot be negative.
func (p *parser) number(into **int) error {
	if *into != nil {
		return p.fault("limit and offset can be given once")
	}
	digits := p.while(func(c rune) bool { return '0' <= c && c <= '9' })
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return p.fault("a number is missing, or is too large")
	}
	*into = new(int(n))
	return nil
}

// terms reads the value of order or select: a list of fields, each with or without a sign. limit is
// the largest number of fields.
func (p *parser) terms(into *[]Term, limit int) error {
	for {
		p.spaces()
		var t Term
		if t.Less = p.take("-"); !t.Less {
			p.take("+")
		}
		if p.take("*") {
			t.Path = "*"
		} else if t.Path = p.name(); t.Path == "" {
			return p.fault("a field is missing")
		}
		if *into = append(*into, t); len(*into) > limit {
			return p.fault("too many fields")
		}
		p.spaces()
		if !p.take(",") {
			return nil
		}
	}
}
