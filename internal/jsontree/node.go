// Package jsontree parses JSON text into a tree that loses nothing, for code that must return a
// document as it came. Members keep their order and numbers their digits. Parse never repairs text.
// It rejects text that two readers could understand differently: a member named twice, invalid
// UTF-8, half a surrogate pair.
//
// A tree is immutable. An edit returns a new root and shares the unchanged nodes with the old tree,
// so many goroutines can keep and read trees without copying. An unchanged node keeps its Go
// address across edits, even if its place in the document changes.
//
// Trees can hold secrets. No error of this package quotes its input, and printing a node shows only
// its kind.
package jsontree

import (
	"fmt"
	"io"
	"iter"
	"strconv"
)

// Kind is the type of a JSON value.
type Kind uint8

// Kinds of values, in the words of RFC 8259 section 3.
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
	names := [...]string{"null", "boolean", "number", "string", "array", "object"}
	if int(k) < len(names) {
		return names[k]
	}
	return "invalid"
}

// Node is one value of a tree. Nodes come from [Parse], the constructors and edits of other nodes.
// The lookup methods treat a nil Node as a value without children, so lookups can be chained.
type Node struct {
	kind   Kind
	weight uint32 // see Weight
	// in is a pointer, so that fmt prints an address and not the content. If a Node is in an
	// unexported field, fmt cannot call Format and would print the fields of a struct.
	in *content
}

type content struct {
	text string // decoded string; number as written; boolean: "true" or "false"
	kids []kid  // elements or members, in order
}

// kid is an element, or a member with its name.
type kid struct {
	name string
	node *Node
}

// Shared nodes of null and the booleans.
var (
	nullNode  = scalar(Null, "")
	trueNode  = scalar(Bool, "true")
	falseNode = scalar(Bool, "false")
)

func scalar(k Kind, text string) *Node {
	return &Node{kind: k, weight: 1 + uint32(len(text)/64), in: &content{text: text}}
}

func container(k Kind, kids []kid) *Node {
	n := &Node{kind: k, weight: 1, in: &content{kids: kids}}
	for _, kid := range kids {
		n.weight += kid.weight()
	}
	return n
}

// weight is what the kid adds to the weight of the node around it.
func (k kid) weight() uint32 {
	if k.node == nil {
		return 0
	}
	return k.node.weight + uint32(len(k.name)/64)
}

// edited returns n with other kids. The kid was replaced by the kid is; either can be empty.
func (n *Node) edited(kids []kid, was, is kid) *Node {
	return &Node{
		kind: n.kind, weight: n.weight - was.weight() + is.weight(), in: &content{kids: kids},
	}
}

// NewString returns a new string node on every call. It rejects invalid UTF-8, which has no
// JSON form, with an [*Error].
func NewString(s string) (*Node, error) {
	if i := invalidUTF8([]byte(s)); i >= 0 {
		return nil, &Error{Fault: UTF8, Offset: i}
	}
	return scalar(String, s), nil
}

// NewObject returns an object without members. Add them with [Node.Set].
func NewObject() *Node { return container(Object, nil) }

// Kind returns the type of n.
func (n *Node) Kind() Kind { return n.kind }

// Text returns the decoded text of a string, the digits of a number as written, or "true" or
// "false" for a boolean. Other kinds return "".
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

// Weight is a measure of the work to walk the tree once: the number of values in it, and one more
// for every 64 bytes of a text or name. The weight of nil is 0.
func (n *Node) Weight() int {
	if n == nil {
		return 0
	}
	return int(n.weight)
}

// Children yields the elements or members in order, each with its unescaped reference token
// (RFC 6901): the name of a member, or the index of an element.
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

// Child returns the member or element with this reference token, or nil. An index is decimal,
// without a sign or leading zeros.
func (n *Node) Child(token string) *Node {
	if i := n.position(token); i >= 0 {
		return n.in.kids[i].node
	}
	return nil
}

// Any reports whether f holds for n or a value below.
func (n *Node) Any(f func(n *Node) bool) bool {
	if n == nil || f(n) {
		return n != nil
	}
	for i := range n.in.kids {
		if n.in.kids[i].node.Any(f) {
			return true
		}
	}
	return false
}

// Element returns the element or member at a position, or nil beyond the last.
func (n *Node) Element(i int) *Node {
	if i < 0 || i >= n.Len() {
		return nil
	}
	return n.in.kids[i].node
}

// At returns the value at a JSON Pointer, given as reference tokens. It returns nil if there is
// none, and n without tokens.
func (n *Node) At(tokens []string) *Node {
	for _, t := range tokens {
		n = n.Child(t)
	}
	return n
}

// position returns the position of the child with this token, or -1.
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
		i, err := strconv.Atoi(token)
		if err == nil && 0 <= i && i < len(n.in.kids) && strconv.Itoa(i) == token {
			return i
		}
	}
	return -1
}

// fewNames is the number of names up to which a scan is faster than a map.
const fewNames = 16

// Lookup returns a function that works like [Node.Child] on an object. If there are many members,
// it uses a map instead of a scan. Comparing two large objects with Child takes quadratic time, and
// the author of the document could exploit that.
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

// Format implements [fmt.Formatter]. Every verb prints only the kind, because the value can be a
// secret.
func (n *Node) Format(f fmt.State, _ rune) {
	if n == nil {
		io.WriteString(f, "json(nil)")
		return
	}
	io.WriteString(f, "json("+n.kind.String()+")")
}
