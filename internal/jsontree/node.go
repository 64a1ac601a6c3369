// Package jsontree reads JSON text into a tree that loses nothing of it, for code that must give back what it was given:
// members keep their order, numbers keep their digits, and whatever two readers could understand differently (a member
// named twice, text that is not UTF-8, half a surrogate pair) is refused instead of repaired.
//
// A tree never changes once it is made. An edit returns a new root that shares the rest with the old one, so trees may be
// kept, shared and read by many goroutines without copying, and a node can be recognised by its address wherever an edit
// has moved it.
//
// Trees may hold secrets. No error of this package quotes its input, and a node prints as its kind alone.
package jsontree

import (
	"fmt"
	"io"
	"iter"
	"strconv"
)

// Kind is the type of a JSON value.
type Kind uint8

// Kinds of values, as RFC 8259 section 3 names them.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String returns the name of k as JSON Schema writes it.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "boolean"
	case Number:
		return "number"
	case String:
		return "string"
	case Array:
		return "array"
	case Object:
		return "object"
	}
	return "invalid"
}

// Node is one value of a tree. Nodes come from [Parse], the constructors and edits of other nodes. The methods that look
// for children take nil for a value without any, so that lookups can be chained.
type Node struct {
	kind Kind
	in   *content // behind a pointer: fmt cannot call Format on an unexported field and would print what is in the struct
}

type content struct {
	text string // of a string, decoded; of a number, as it was written; of a boolean, "true" or "false"
	kids []kid  // of an array or object, in order
}

// kid is an element, or a member with its name.
type kid struct {
	name string
	node *Node
}

// The three values that need no text of their own.
var (
	nullNode  = scalar(Null, "")
	trueNode  = scalar(Bool, "true")
	falseNode = scalar(Bool, "false")
)

func scalar(k Kind, text string) *Node { return &Node{kind: k, in: &content{text: text}} }

func container(k Kind, kids []kid) *Node { return &Node{kind: k, in: &content{kids: kids}} }

// NewString returns a string node, a new one on each call. A text that is not valid UTF-8 has no JSON form and is refused
// with an [*Error].
func NewString(s string) (*Node, error) {
	if i := invalidUTF8([]byte(s)); i >= 0 {
		return nil, &Error{Fault: UTF8, Offset: i}
	}
	return scalar(String, s), nil
}

// NewObject returns an object without members, to be filled by [Node.Set].
func NewObject() *Node { return container(Object, nil) }

// Kind returns the type of n.
func (n *Node) Kind() Kind { return n.kind }

// Text returns the text of a string without quotes and escapes, the digits of a number as they were written, "true" or
// "false" for a boolean, and "" for the other kinds.
func (n *Node) Text() string { return n.in.text }

// IsString reports whether n is a string with exactly the text s.
func (n *Node) IsString(s string) bool { return n != nil && n.kind == String && n.in.text == s }

// IsContainer reports whether n is an array or an object.
func (n *Node) IsContainer() bool { return n != nil && (n.kind == Array || n.kind == Object) }

// Len returns the number of elements or members.
func (n *Node) Len() int {
	if n == nil {
		return 0
	}
	return len(n.in.kids)
}

// Children returns the elements or members in order, each with its reference token (RFC 6901) as it is before escaping:
// the name of a member, the index of an element.
func (n *Node) Children() iter.Seq2[string, *Node] {
	return func(yield func(string, *Node) bool) {
		for i := range n.Len() {
			if !yield(n.token(i), n.in.kids[i].node) {
				return
			}
		}
	}
}

// token returns the reference token of the child at position i.
func (n *Node) token(i int) string {
	if n.kind == Array {
		return strconv.Itoa(i)
	}
	return n.in.kids[i].name
}

// Child returns the member or element that a reference token names, or nil. An index is written in decimal, without sign
// or leading zeros.
func (n *Node) Child(token string) *Node {
	if i := n.position(token); i >= 0 {
		return n.in.kids[i].node
	}
	return nil
}

// At returns the value that a pointer names, given as its reference tokens, or nil. No tokens name n itself.
func (n *Node) At(tokens []string) *Node {
	for _, t := range tokens {
		n = n.Child(t)
	}
	return n
}

// position returns where among the children the one with the token stands, or -1.
func (n *Node) position(token string) int {
	if n == nil {
		return -1
	}
	switch n.kind {
	case Object:
		for i := range n.in.kids {
			if n.in.kids[i].name == token {
				return i
			}
		}
	case Array:
		if i, ok := arrayIndex(token); ok && i < len(n.in.kids) {
			return i
		}
	}
	return -1
}

// fewNames is up to how many names a scan is faster than a map.
const fewNames = 16

// Lookup returns a function that does what [Node.Child] does for an object, without a scan per call where there are many
// members: comparing two large objects by Child would take quadratic time, which whoever writes the document could exploit.
func (n *Node) Lookup() func(name string) *Node {
	if n == nil || n.kind != Object || len(n.in.kids) <= fewNames {
		return n.Child
	}
	byName := make(map[string]*Node, len(n.in.kids))
	for _, k := range n.in.kids {
		byName[k.name] = k.node
	}
	return func(name string) *Node { return byName[name] }
}

// Format implements [fmt.Formatter]: every verb prints the kind and nothing else, because the value may be a secret.
func (n *Node) Format(f fmt.State, _ rune) {
	if n == nil {
		io.WriteString(f, "json(nil)")
		return
	}
	io.WriteString(f, "json("+n.kind.String()+")")
}
