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

// Query is a parsed query.
type Query struct {
	Filter *Expr  // nil = all
	Order  []Term // the first decides, then the next
	Select []Term // the last one counts
	Limit  *int   // nil = not given
	Offset *int   // nil = not given
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

// Expr is a condition. And, Or and Not have Args, and Not has exactly one. The others have a Field
// and Values; only In and Out may have several.
type Expr struct {
	Op     Op
	Args   []*Expr
	Field  string
	Values []Value
}

// Kind is the kind of a value.
type Kind byte

// Kinds of values.
const (
	Text  Kind = iota
	Null       // null()
	Empty      // empty()
)

// Value is an operand. Only the kind Text has a text, decoded and without quotes.
type Value struct {
	Kind Kind
	Text string
}

// Term is an entry of order or select.
type Term struct {
	Path string
	Less bool // "-": descending, or leave out
}

// Error says why a query is invalid. It does not quote the query.
type Error struct {
	Detail string // for people
	Offset int    // in bytes of the decoded text
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s, at byte %d", e.Detail, e.Offset) }

// Conjuncts returns the conditions that must all match: the arguments of nested Ands, or e alone.
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
