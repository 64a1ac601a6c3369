package jsontree

import (
	"iter"
	"slices"
	"strconv"
)

// Rewrite returns a copy of n in which each child is what f made of it; f is called in order, with the reference token and
// the child, and a child for which it returns nil is left out. If f changes nothing the result is n itself. A value
// without children is returned as it is.
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

// Set returns n with v at the place that the tokens name, and whether there is such a place. A value that is there is
// replaced and keeps its position; a member that is not there becomes the last; an array takes one more element at the
// index behind the last, which the token "-" also names. What is around the place must exist. Without tokens the result
// is v. A name must be valid UTF-8, as it is if it comes from [Parse] or [ParsePointer].
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
		name := ""
		if n.kind == Object {
			name = token
		}
		return container(n.kind, append(slices.Clip(n.in.kids), kid{name: name, node: v})), true
	}
	child, ok := n.in.kids[i].node.Set(rest, v)
	if !ok {
		return nil, false
	}
	kids := slices.Clone(n.in.kids)
	kids[i].node = child
	return container(n.kind, kids), true
}

// takes reports whether n can have a new child with this token.
func (n *Node) takes(token string) bool {
	if !n.IsContainer() {
		return false
	}
	return n.kind == Object || token == "-" || token == strconv.Itoa(len(n.in.kids))
}

// Remove returns n without the value that the tokens name, and whether it was there. Later elements of an array move up.
// Without tokens the result is nil.
func (n *Node) Remove(tokens []string) (*Node, bool) {
	if len(tokens) == 0 {
		return nil, n != nil
	}
	i := n.position(tokens[0])
	if i < 0 {
		return nil, false
	}
	child, ok := n.in.kids[i].node.Remove(tokens[1:])
	if !ok {
		return nil, false
	}
	kids := slices.Clone(n.in.kids)
	if child == nil {
		kids = slices.Delete(kids, i, i+1)
	} else {
		kids[i].node = child
	}
	return container(n.kind, kids), true
}

// Insert returns n with v at the place that the tokens name, and whether there is such a place. It differs from [Node.Set] in
// that an index of an array names the element before which v is put; later elements move down.
func (n *Node) Insert(tokens []string, v *Node) (*Node, bool) {
	if len(tokens) == 0 {
		return v, true
	}
	token, rest := tokens[0], tokens[1:]
	i := n.position(token)
	switch {
	case i < 0 || len(rest) == 0 && n.kind == Object:
		return n.Set(tokens, v)
	case len(rest) == 0:
		return container(Array, slices.Insert(slices.Clone(n.in.kids), i, kid{node: v})), true
	}
	child, ok := n.in.kids[i].node.Insert(rest, v)
	if !ok {
		return nil, false
	}
	kids := slices.Clone(n.in.kids)
	kids[i].node = child
	return container(n.kind, kids), true
}

// Extend returns an object with more members behind its own, or itself if there are none. The names must be new to it, and
// unlike each other.
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
