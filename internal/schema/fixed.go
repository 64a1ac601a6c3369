package schema

import (
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/go-installation/installation/internal/jsontree"
)

// Lists reports whether a schema that can apply to the place lists the value in an enum or const.
// Such a value is no secret: everyone who reads the schema knows it.
func (p *Place) Lists(n *jsontree.Node) bool {
	for _, a := range p.applied {
		g := noteOf(a.sch).gate
		if g == nil {
			continue
		}
		for _, c := range g.choice {
			if n.IsContainer() && len(c.others) == 0 {
				continue
			}
			if !p.walk.spend(1 + c.weight) {
				return false
			}
			if c.has(toAny(n)) {
				return true
			}
		}
	}
	return false
}

// Fixed reports whether the schema leaves a writer no free choice of the string at this place: the
// string is in an enum or const, or is valid for the format date, time, date-time, duration, uuid
// or email. This has to follow from the schema for every document. In an anyOf or oneOf, each
// branch has to say it, or accept no string here. What a condition says does not count.
func (p *Place) Fixed(text string) bool {
	w := p.walk
	if w.left < 0 {
		return false
	}
	if w.fixed == nil {
		w.fixed = &walk{schema: w.schema, left: placeSteps}
	}
	f := &fixing{walk: w.fixed, text: text, path: p.path(), known: make(map[applyingAt]bool)}
	return f.fixes(w.schema.root, 0) && w.fixed.left >= 0
}

// step is a reference token, of a member or of an element.
type step struct {
	token string
	array bool
}

// path returns the steps from the root to the place.
func (p *Place) path() []step {
	var path []step
	for ; p.parent != nil; p = p.parent {
		path = append(path, step{p.tokens[len(p.tokens)-1], p.array})
	}
	slices.Reverse(path)
	return path
}

// fixing decides whether schemas fix a string at the end of a path.
type fixing struct {
	*walk
	text  string
	path  []step
	known map[applyingAt]bool
}

// applyingAt is a schema that applies after some steps of the path.
type applyingAt struct {
	sch   *jsonschema.Schema
	depth int
}

// fixes reports whether sch, which applies after depth steps, fixes the string.
func (f *fixing) fixes(sch *jsonschema.Schema, depth int) bool {
	if sch == nil || !f.spend(1) {
		return false
	}
	at := applyingAt{sch, depth}
	if known, ok := f.known[at]; ok {
		return known
	}
	f.known[at] = false // the answer within a circle of references
	below := func(s *jsonschema.Schema) bool { return f.fixes(s, depth+1) }
	same := func(s *jsonschema.Schema) bool { return f.fixes(s, depth) }
	f.known[at] = depth == len(f.path) && f.lists(sch) ||
		depth < len(f.path) && slices.ContainsFunc(f.next(sch, depth), below) ||
		slices.ContainsFunc(sch.AllOf, same) || same(sch.Ref) ||
		f.all(sch.AnyOf, depth) || f.all(sch.OneOf, depth)
	return f.known[at]
}

// all reports whether every branch fixes the string or accepts none. At least one has to fix it.
func (f *fixing) all(branches []*jsonschema.Schema, depth int) bool {
	fixed := false
	for _, b := range branches {
		if f.fixes(b, depth) {
			fixed = true
		} else if !f.rejects(b, depth) {
			return false
		}
	}
	return fixed
}

// lists reports whether sch itself lists the string, or declares a format that the string has.
func (f *fixing) lists(sch *jsonschema.Schema) bool {
	g := noteOf(sch).gate
	if g == nil {
		return false
	}
	return slices.ContainsFunc(g.choice, func(c *choice) bool { return c.has(f.text) }) ||
		g.format != nil && plainFormats[g.format.Name] && g.format.Validate(f.text) == nil
}

// next returns the schemas that sch has for the next step of the path.
func (f *fixing) next(sch *jsonschema.Schema, depth int) []*jsonschema.Schema {
	if to := f.path[depth]; !to.array {
		return f.described(sch, to.token)
	}
	first, rest := elements(sch)
	if i, _ := strconv.Atoi(f.path[depth].token); i < len(first) {
		return first[i : i+1]
	}
	return []*jsonschema.Schema{rest}
}

// rejects reports whether sch, which applies after depth steps, certainly accepts no document with
// a string at the end of the path. It looks only at keywords that stand in sch itself or in schemas
// below it, which is enough to tell the branches of a union apart.
func (f *fixing) rejects(sch *jsonschema.Schema, depth int) bool {
	if sch == nil || !f.spend(1) {
		return false
	}
	if sch.Bool != nil {
		return !*sch.Bool
	}
	kind := "string"
	if depth < len(f.path) {
		kind = "object"
		if f.path[depth].array {
			kind = "array"
		}
	}
	g := noteOf(sch).gate
	if g != nil && g.types != nil && !slices.Contains(g.types, kind) {
		return true
	}
	if depth == len(f.path) {
		return g != nil && slices.ContainsFunc(g.choice, func(c *choice) bool { return !c.strings })
	}
	below := f.next(sch, depth)
	if !f.path[depth].array && sch.AdditionalProperties == false && below[0] == nil {
		return true
	}
	return slices.ContainsFunc(below, func(s *jsonschema.Schema) bool {
		return f.rejects(s, depth+1)
	})
}
