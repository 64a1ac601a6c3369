package rql

import "fmt"

// Limits of a query.
const (
	MaxBytes = 8 << 10 // of the raw text
	MaxDepth = 16      // of nested operators
	MaxNodes = 128     // operators and values
	MaxTerms = 64      // terms of select
	MaxOrder = 8       // terms of order
)

// Query is a parsed query.
type Query struct {
	Filter *Expr  // nil = no filter
	Order  []Term // each term orders what is equal by the terms before it
	Select []Term // of several terms for one field, the last counts
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
	Any   Op = "any" // at least one item of a collection matches
	All   Op = "all" // all items of a collection match; true for an empty one
)

// Expr is a condition. With And, Or or Not it has Args, and with Not exactly one. With Any or All
// it has the collection as Field, and one condition in Args, in which fields are those of an item;
// Any can lack the condition. With any other operator it has a Field and at least one value. Only
// In and Out can have several values.
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

// Value is a value to compare a field with. Only the kind Text has a text. The text is decoded and
// has no quotes around it.
type Value struct {
	Kind Kind
	Text string
}

// Term is one field of order or select.
type Term struct {
	Path string // name of the field; "*" = all fields
	Less bool   // it has a "-": order descending, or do not select
}

// Error says why a query is invalid. It does not quote the query.
type Error struct {
	Detail string // for people
	Offset int    // in bytes of the decoded text, or where a part begins that cannot be decoded
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s, at byte %d", e.Detail, e.Offset) }

// Conjuncts splits e into conditions that all have to match. For And, these are the Conjuncts of
// its Args. A nil e has no conditions, and any other e is a single condition.
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
