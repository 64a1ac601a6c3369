package schema

import (
	"context"
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/go-installation/installation/internal/jsontree"
)

// member is the name of an object member and the default value of the member.
type member struct {
	name  string
	value *jsontree.Node
}

// Defaults returns the document with those missing members added that have a default. It ignores
// defaults inside other defaults and in branches, such as an anyOf. It stops once the defaults
// exceed the size limit of a document, because the result is then too large as well.
func (s *Schema) Defaults(doc *jsontree.Node) *jsontree.Node {
	left := jsontree.DefaultBytes
	return s.Root().addDefaults(doc, &left)
}

func (p *Place) addDefaults(n *jsontree.Node, left *int) *jsontree.Node {
	array := n.Kind() == jsontree.Array
	filled := n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		if !child.IsContainer() || *left < 0 || p.walk.left < 0 {
			return child
		}
		return p.Child(token, array).addDefaults(child, left)
	})
	if n.Kind() != jsontree.Object {
		return filled
	}
	have := n.Lookup()
	return filled.Extend(func(yield func(string, *jsontree.Node) bool) {
		for _, m := range p.defaultMembers() {
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

// defaultMembers returns the members that have a default, sorted by name.
func (p *Place) defaultMembers() []member {
	if p.like != nil {
		return p.like.defaultMembers()
	}
	if p.defaultsKnown {
		return p.defaults
	}
	p.defaultsKnown = true
	names := make(map[string]bool)
	for _, a := range p.applied {
		if a.branch == (branch{}) {
			for name := range a.sch.Properties {
				names[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if v := p.Child(name, false).defaultValue(); v != nil {
			p.defaults = append(p.defaults, member{name, v})
		}
	}
	return p.defaults
}

func (p *Place) defaultValue() *jsontree.Node {
	for _, a := range p.applied {
		if n := noteOf(a.sch); a.branch == (branch{}) && n.defaultText != nil {
			return n.defaultValue()
		}
	}
	return nil
}

// checkDefaults returns an [*Error] if a default that Defaults can add violates the schema of its
// member, or is or contains a mask. Every write that leaves out the member would fail.
func (s *Schema) checkDefaults() error {
	known := make(map[*jsonschema.Schema]*jsonschema.Schema)
	var bad []string
	err := s.metered(context.Background(), nil, func() {
		for _, sch := range closure([]*jsonschema.Schema{s.root}, s.constant) {
			for _, of := range sch.Properties {
				at := s.defaultOf(of, known)
				if at == nil {
					continue
				}
				v := noteOf(at).defaultValue()
				if !hasMask(v) && validate(of, toAny(v)) == nil {
					continue
				}
				pointer, _ := pointerOf(at)
				bad = append(bad, pointer)
			}
		}
	})
	if err != nil || len(bad) == 0 {
		return err
	}
	return &Error{Fault: Default, Pointer: slices.Min(bad) + "/default"}
}

// hasMask reports whether a value is or contains the mask of a secret, the Text of package masked.
func hasMask(n *jsontree.Node) bool {
	if n.IsString("***") {
		return true
	}
	for _, c := range n.Children() {
		if hasMask(c) {
			return true
		}
	}
	return false
}

// defaultOf returns the schema whose default counts for a member described by sch: sch itself, or
// one that applies wherever sch does. Without one, it returns nil.
func (s *Schema) defaultOf(
	sch *jsonschema.Schema, known map[*jsonschema.Schema]*jsonschema.Schema,
) *jsonschema.Schema {
	if found, ok := known[sch]; ok {
		return found
	}
	known[sch] = nil // the answer within a circle of references
	if noteOf(sch).defaultText != nil {
		known[sch] = sch
		return sch
	}
	for _, same := range always(s, sch) {
		if found := s.defaultOf(same, known); found != nil {
			known[sch] = found
			break
		}
	}
	return known[sch]
}
