package rql

import "fmt"

// Limits of a query.
const (
	MaxBytes = 8 << 10 // of the raw text
	MaxDepth = 16      // of operators inside each other
	MaxNodes = 128     // operators and values
	MaxTerms = 64      // of select
	MaxOrder = 8       // terms of order
)

// Query is what a client asks of a list.
type Query struct {
	Filter *Expr  // nil = everything
	Order  []Term // by the first, then by the next
	Select []Term // a later one wins
	Limit  *int   // nil = not said
	Offset *int   // nil = not said
}

// Op is an operator.
type Op string

// Operators.
const (
	And   Op = "and"
	Or    Op = "or"
	Not   Op = "not"
	Eq    Op = "eq"
	Ne    Op = "ne"
	Gt    Op = "gt"
	Ge    Op = "ge"
	Lt    Op = "lt"
	Le    Op = "le"
	In    Op = "in"
	Out   Op = "out"
	Like  Op = "like"
	Ilike Op = "ilike"
)

// Expr is one condition. And, Or and Not have Args, Not exactly one; the others have a Field
// and Values, exactly one but for In and Out.
type Expr struct {
	Op     Op
	Args   []*Expr
	Field  string
	Values []Value
}

// Kind tells values apart.
type Kind byte

// Kinds of values.
const (
	Text  Kind = iota
	Null       // null()
	Empty      // empty()
)

// Value is an operand. Only a Text has a text, decoded and without quotes.
type Value struct {
	Kind Kind
	Text string
}

// Term is an entry of order or select.
type Term struct {
	Path string
	Less bool // "-": descending, or leave out
}

// Error is what a query is refused for. It quotes nothing of it.
type Error struct {
	Detail string // for people
	Offset int    // in bytes of the decoded text
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s, at byte %d", e.Detail, e.Offset) }

// Conjuncts returns the conditions that all have to hold: those of an And, and of those within
// it, else e alone.
func (e *Expr) Conjuncts() []*Expr {
	switch {
	case e == nil:
		return nil
	case e.Op != And:
		return []*Expr{e}
	}
	var all []*Expr
	for _, a := range e.Args {
		all = append(all, a.Conjuncts()...)
	}
	return all
}
