package jsontree

import (
	"iter"
	"slices"
	"strconv"
)

// Rewrite returns a copy of n with each child replaced by the result of f. It calls f in order
// with the reference token and the child, and drops the child if f returns nil. If f changes
// nothing, Rewrite returns n itself. A scalar has no children and is returned as it is.
func (n *Node) Rewrite(f func(token string, child *Node) *Node) *Node {
	var kids []kid
	changed := false
	for i := range n.Len() {
		old := n.in.kids[i]
		child := f(n.token(i), old.node)
		if child != old.node && !changed {
			changed = true
			kids = append(make([]kid, 0, len(n.in.kids)), n.in.kids[:i]...)
		}
		if changed && child != nil {
			kids = append(kids, kid{name: old.name, node: child})
		}
	}
	if !changed {
		return n
	}
	return container(n.kind, kids)
}

// Set returns n with v at the place that the reference tokens name. It replaces an existing value
// in its position. It adds a new member last. A new element of an array needs the length of the
// array or "-" as its index. Set reports false if the value around the place does not exist or
// cannot take the child. Without tokens it returns v. A new name has to be valid UTF-8, as tokens
// from [Parse] and [ParsePointer] are.
func (n *Node) Set(tokens []string, v *Node) (*Node, bool) {
	if len(tokens) == 0 {
		return v, true
	}
	token, rest := tokens[0], tokens[1:]
	i := n.position(token)
	if i < 0 {
		if len(rest) > 0 || !n.takes(token) {
			return nil, false
		}
		added := kid{node: v}
		if n.kind == Object {
			added.name = token
		}
		return n.edited(append(slices.Clip(n.in.kids), added), kid{}, added), true
	}
	child, ok := n.in.kids[i].node.Set(rest, v)
	if !ok {
		return nil, false
	}
	kids := slices.Clone(n.in.kids)
	kids[i].node = child
	return n.edited(kids, n.in.kids[i], kids[i]), true
}

// takes reports whether a new child with this token can be added to n.
func (n *Node) takes(token string) bool {
	if !n.IsContainer() {
		return false
	}
	return n.kind == Object || token == "-" || token == strconv.Itoa(len(n.in.kids))
}

// Remove returns n without the value that the tokens name. It reports false if that value does not
// exist. Later elements of an array move up by one. Without tokens the result is nil.
func (n *Node) Remove(tokens []string) (*Node, bool) {
	if len(tokens) == 0 {
		return nil, n != nil
	}
	around, i := n.parent(tokens)
	if i < 0 {
		return nil, false
	}
	kids := slices.Delete(slices.Clone(around.in.kids), i, i+1)
	return n.Set(tokens[:len(tokens)-1], around.edited(kids, around.in.kids[i], kid{}))
}

// parent returns the value that contains the place named by tokens, and the position of the place
// in that value, or -1.
func (n *Node) parent(tokens []string) (around *Node, i int) {
	last := len(tokens) - 1
	around = n.At(tokens[:last])
	return around, around.position(tokens[last])
}

// Insert returns n with v at the place that the tokens name. It works like [Node.Set], except that
// in an array it inserts v before the element at the index.
func (n *Node) Insert(tokens []string, v *Node) (*Node, bool) {
	if len(tokens) == 0 {
		return v, true
	}
	around, i := n.parent(tokens)
	if i < 0 || around.kind == Object {
		return n.Set(tokens, v)
	}
	added := kid{node: v}
	kids := slices.Insert(slices.Clone(around.in.kids), i, added)
	return n.Set(tokens[:len(tokens)-1], around.edited(kids, kid{}, added))
}

// Extend returns the object n with members added last, or n itself if there are no members. The
// names have to be unique and new to n.
func (n *Node) Extend(members iter.Seq2[string, *Node]) *Node {
	kids := slices.Clip(n.in.kids)
	for name, v := range members {
		kids = append(kids, kid{name: name, node: v})
	}
	if len(kids) == len(n.in.kids) {
		return n
	}
	return container(Object, kids)
}
