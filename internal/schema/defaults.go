package schema

import (
	"maps"
	"slices"

	"github.com/go-installation/installation/internal/jsontree"
)

// member is a default.
type member struct {
	name  string
	value *jsontree.Node
}

// Defaults returns the document with the members that it lacks and the schema has a default for. Defaults in branches do not
// count, and neither do those for members of a default. It ends where they come to more bytes than a document may have: then the
// result is too large as well.
func (s *Schema) Defaults(doc *jsontree.Node) *jsontree.Node {
	left := jsontree.DefaultBytes
	return s.Root().fill(doc, &left)
}

func (p *Place) fill(n *jsontree.Node, left *int) *jsontree.Node {
	array := n.Kind() == jsontree.Array
	filled := n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		if !child.IsContainer() || *left < 0 || p.walk.left < 0 {
			return child
		}
		return p.Child(token, array).fill(child, left)
	})
	if n.Kind() != jsontree.Object {
		return filled
	}
	have := n.Lookup()
	return filled.Extend(func(yield func(string, *jsontree.Node) bool) {
		for _, m := range p.standards() {
			if have(m.name) != nil {
				continue
			}
			*left -= len(m.name) + len(`"":,`) + len(m.value.Append(nil))
			if !yield(m.name, m.value) || *left < 0 {
				return
			}
		}
	})
}

// standards returns the members that have a default, sorted by name.
func (p *Place) standards() []member {
	if p.like != nil {
		return p.like.standards()
	}
	if p.looked {
		return p.defaults
	}
	p.looked = true
	names := make(map[string]bool)
	for _, a := range p.applied {
		if a.branch == (branch{}) {
			for name := range a.sch.Properties {
				names[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if v := p.Child(name, false).standard(); v != nil {
			p.defaults = append(p.defaults, member{name, v})
		}
	}
	return p.defaults
}

func (p *Place) standard() *jsontree.Node {
	for _, a := range p.applied {
		if n := noteOf(a.sch); a.branch == (branch{}) && n.standard != nil {
			return n.standard
		}
	}
	return nil
}
