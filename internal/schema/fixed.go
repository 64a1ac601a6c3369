package schema

import (
	"maps"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/go-installation/installation/internal/jsontree"
)

// Lists reports whether a schema that can apply to the place lists the value in an enum or const.
// Such a value is no secret: everyone who reads the schema knows it.
func (p *Place) Lists(n *jsontree.Node) bool {
	l := p.listing()
	if n.IsContainer() && l.containers == 0 || !p.walk.spend(len(l.others)+n.Weight()) {
		return false
	}
	v := toAny(n)
	if key, ok := key(v); ok && l.scalars[key] {
		return true
	}
	return slices.ContainsFunc(l.others, func(c *choice) bool {
		return (!n.IsContainer() || p.walk.spend(c.weight)) && c.has(v)
	})
}

// listing is what the schemas list for a place.
type listing struct {
	scalars    map[string]bool // by key: the values of short lists
	others     []*choice
	containers int // how many of the others list arrays or objects
}

// listing collects the lists once for all elements that share declarations. Short lists are joined,
// because a union often has a const in each of many branches.
func (p *Place) listing() *listing {
	if p.like != nil {
		return p.like.listing()
	}
	if p.listed != nil {
		return p.listed
	}
	p.listed = &listing{scalars: make(map[string]bool)}
	for _, a := range p.applied {
		g := noteOf(a.sch).gate
		if g == nil {
			continue
		}
		for _, c := range g.choice {
			switch {
			case len(c.others) > 0:
				p.listed.containers++
				fallthrough
			case len(c.scalars) > 4:
				p.listed.others = append(p.listed.others, c)
			default:
				maps.Copy(p.listed.scalars, c.scalars)
			}
		}
	}
	return p.listed
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
	f := &fixing{walk: w.fixed, text: text, path: p.path(), known: make(map[question]bool)}
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

// fixing decides what schemas say about a string at the end of a path.
type fixing struct {
	*walk
	text  string
	path  []step
	known map[question]bool
}

// question is what is asked about a schema that applies after some steps of the path: whether it
// fixes the string, or whether it rejects it.
type question struct {
	sch     *jsonschema.Schema
	depth   int
	rejects bool
}

// fixes reports whether sch, which applies after depth steps, fixes the string.
func (f *fixing) fixes(sch *jsonschema.Schema, depth int) bool {
	return f.answer(question{sch, depth, false}, func() bool {
		if depth == len(f.path) && f.lists(sch) {
			return true
		}
		return f.any(sch, depth, f.fixes) || f.all(sch.AnyOf, depth) || f.all(sch.OneOf, depth)
	})
}

// rejects reports whether sch, which applies after depth steps, certainly accepts no document with
// the string at the end of the path. It need not find every reason.
func (f *fixing) rejects(sch *jsonschema.Schema, depth int) bool {
	return f.answer(question{sch, depth, true}, func() bool {
		every := func(branches []*jsonschema.Schema) bool {
			return len(branches) > 0 && !slices.ContainsFunc(branches,
				func(b *jsonschema.Schema) bool { return !f.rejects(b, depth) })
		}
		return sch.Bool != nil && !*sch.Bool || f.refuses(sch, depth) ||
			f.any(sch, depth, f.rejects) || every(sch.AnyOf) || every(sch.OneOf)
	})
}

// answer answers a question once. Within a circle of references, the answer is no.
func (f *fixing) answer(q question, find func() bool) bool {
	if q.sch == nil || !f.spend(1) {
		return false
	}
	answer, ok := f.known[q]
	if !ok {
		f.known[q] = false
		answer = find()
		f.known[q] = answer
	}
	return answer
}

// any asks about the schemas that apply wherever sch does, and about those that sch has for the
// next step of the path.
func (f *fixing) any(
	sch *jsonschema.Schema, depth int, ask func(*jsonschema.Schema, int) bool,
) bool {
	if depth < len(f.path) {
		for _, s := range f.next(sch, depth) {
			if ask(s, depth+1) {
				return true
			}
		}
	}
	return ask(sch.Ref, depth) || slices.ContainsFunc(sch.AllOf, func(s *jsonschema.Schema) bool {
		return ask(s, depth)
	})
}

// all reports whether every branch fixes the string or rejects it. At least one has to fix it.
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

// refuses reports whether sch itself rejects what is at its place.
func (f *fixing) refuses(sch *jsonschema.Schema, depth int) bool {
	g, kind := noteOf(sch).gate, "string"
	if depth < len(f.path) {
		if kind = "object"; f.path[depth].array {
			kind = "array"
		}
		if kind == "object" && sch.AdditionalProperties == false && f.next(sch, depth)[0] == nil {
			return true
		}
	}
	switch {
	case g == nil:
		return false
	case g.types != nil && !slices.Contains(g.types, kind):
		return true
	case depth < len(f.path):
		return false
	}
	return slices.ContainsFunc(g.choice, func(c *choice) bool { return !c.has(f.text) }) ||
		g.format != nil && plainFormats[g.format.Name] && g.format.Validate(f.text) != nil
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
