package masked

import "github.com/go-installation/installation/internal/jsontree"

// align maps the index of each element in the new array b to the same element in the old array a.
// Elements match by the secret in them, or else by the member that the schema names as key. Without
// a key, an unchanged element matches, or the element at the same index in arrays of equal length.
// Elements that only changed places keep their match.
func (c *comparison) align(a, b *jsontree.Node, s spot) map[string]*jsontree.Node {
	was := make(map[string]*jsontree.Node, b.Len())
	taken := make(map[*jsontree.Node]bool, a.Len())
	take := func(i string, e *jsontree.Node) bool {
		if e == nil || was[i] != nil || taken[e] {
			return false
		}
		was[i], taken[e] = e, true
		return true
	}
	holder := make(map[*jsontree.Node]*jsontree.Node)
	for _, e := range a.Children() {
		for _, secret := range c.secretsIn(e) {
			holder[secret] = e
		}
	}
	for i, e := range b.Children() {
		for _, secret := range c.secretsIn(e) {
			take(i, holder[secret])
		}
	}
	if key := s.key(); key != "" {
		counterpart := keyed(b, a, key, false)
		for i := range b.Children() {
			e, _ := counterpart(i)
			take(i, e)
		}
		return was
	}
	// The remaining elements have no stored secret, so equal elements are interchangeable.
	like := make(map[string][]*jsontree.Node)
	for _, e := range a.Children() {
		if !taken[e] {
			like[look(e)] = append(like[look(e)], e)
		}
	}
	for i, e := range b.Children() {
		if same := like[look(e)]; was[i] == nil && len(same) > 0 && c.unchanged(same[0], e) {
			take(i, same[0])
			like[look(e)] = same[1:]
		}
	}
	if a.Len() == b.Len() {
		for i := range b.Children() {
			take(i, a.Child(i))
		}
	}
	return was
}

// secretsIn returns the secrets at n and below that were stored before the write.
func (d *draft) secretsIn(n *jsontree.Node) []*jsontree.Node {
	if d.stored[n] {
		return []*jsontree.Node{n}
	}
	var found []*jsontree.Node
	for _, child := range n.Children() {
		found = append(found, d.secretsIn(child)...)
	}
	return found
}
