package schema

import (
	"maps"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/go-installation/installation/internal/jsontree"
)

// Verdict says what is declared of the secrecy of a place.
type Verdict int

// Verdicts.
const (
	Unsaid Verdict = iota
	Secret         // marked, or below a place that is
	Open           // un-marked, or below a place that is, with no mark between
)

// Place is a place in documents, with all that a schema declares of it. What is declared does not depend on what stands
// there or elsewhere in the document: every branch that could apply does. A mark in any of them counts, as a document that
// is masked cannot be asked which branch it satisfies. An un-mark (x-sensitive: false) in a branch (anyOf, oneOf, if,
// dependentSchemas and the like) counts only if every branch that describes the place un-marks it.
//
// A Place is for one goroutine. Places are made from each other, beginning with [Schema.Root], and are remembered, so that
// going over a document takes one step for each of its places.
type Place struct {
	walk     *walk
	parent   *Place
	tokens   []string
	applied  []applied
	verdict  Verdict
	like     *Place            // another place, of an element before this one, that the schema says the same of; nil = none
	children map[string]*Place // of one without
}

// applied is a schema that applies to a place, if a branch is taken: always, if that is nil.
type applied struct {
	sch    *jsonschema.Schema
	branch *jsonschema.Schema
}

// walk is one run over a document.
type walk struct {
	schema *Schema
	left   int
}

// Root returns the place of a whole document.
func (s *Schema) Root() *Place {
	w := &walk{schema: s, left: steps}
	p := &Place{walk: w}
	w.apply(p, make(map[applied]bool), s.root, nil)
	p.verdict = p.judge()
	return p
}

// apply adds a schema to a place, with all that it applies to the same place.
func (w *walk) apply(p *Place, seen map[applied]bool, sch, branch *jsonschema.Schema) {
	a := applied{sch, branch}
	if w.left--; w.left < 0 || sch == nil || seen[a] {
		return
	}
	seen[a] = true
	p.applied = append(p.applied, a)
	for _, same := range always(w.schema, sch) {
		w.apply(p, seen, same, branch)
	}
	for _, b := range branches(sch) {
		w.apply(p, seen, b, b)
	}
}

// always returns the schemas that apply wherever sch does.
func always(s *Schema, sch *jsonschema.Schema) []*jsonschema.Schema {
	all := slices.Concat([]*jsonschema.Schema{sch.Ref, sch.RecursiveRef}, sch.AllOf)
	if sch.RecursiveRef != nil {
		all = append(all, s.anchors[""]...)
	}
	if d := sch.DynamicRef; d != nil {
		all = append(append(all, d.Ref), s.anchors[d.Anchor]...)
	}
	return all
}

// branches returns the schemas that may apply where sch does. What is said under "not" is said of nothing.
func branches(sch *jsonschema.Schema) []*jsonschema.Schema {
	all := slices.Concat(sch.AnyOf, sch.OneOf, []*jsonschema.Schema{sch.If, sch.Then, sch.Else})
	for _, name := range slices.Sorted(maps.Keys(sch.DependentSchemas)) {
		all = append(all, sch.DependentSchemas[name])
	}
	for _, name := range slices.Sorted(maps.Keys(sch.Dependencies)) {
		all = append(all, asSchema(sch.Dependencies[name]))
	}
	return all
}

// Child returns the place of the child that a reference token names, of an array or an object.
func (p *Place) Child(token string, array bool) *Place {
	tokens := append(slices.Clip(p.tokens), token)
	if p.like != nil {
		return p.sameAs(p.like.Child(token, array), tokens)
	}
	index, memo := -1, "."+token
	if array {
		index, _ = strconv.Atoi(token)
		memo = strconv.Itoa(min(index, p.apart()))
	}
	if c := p.children[memo]; c != nil {
		if c.tokens[len(c.tokens)-1] != token {
			return p.sameAs(c, tokens)
		}
		return c
	}
	c := &Place{walk: p.walk, parent: p, tokens: tokens}
	seen := make(map[applied]bool)
	for _, a := range p.applied {
		if array {
			p.walk.element(c, seen, a, index)
		} else {
			p.walk.member(c, seen, a, token)
		}
	}
	c.verdict = c.judge()
	if p.children == nil {
		p.children = make(map[string]*Place)
	}
	p.children[memo] = c
	return c
}

// sameAs returns a child of p of which the schema says the same as of another place.
func (p *Place) sameAs(like *Place, tokens []string) *Place {
	return &Place{walk: p.walk, parent: p, tokens: tokens, applied: like.applied, verdict: like.verdict, like: like}
}

// apart returns how many elements at the start of an array have schemas of their own.
func (p *Place) apart() int {
	n := 0
	for _, a := range p.applied {
		n = max(n, len(a.sch.PrefixItems))
		if list, ok := a.sch.Items.([]*jsonschema.Schema); ok {
			n = max(n, len(list))
		}
	}
	return n
}

// member adds to c what a schema declares of its member.
func (w *walk) member(c *Place, seen map[applied]bool, a applied, name string) {
	for _, sch := range described(a.sch, name) {
		w.apply(c, seen, sch, a.branch)
	}
	if rest := a.sch.UnevaluatedProperties; rest != nil && !w.evaluates(a.sch, name, 0) {
		w.apply(c, seen, rest, rest)
	}
}

// described returns what properties, patternProperties and additionalProperties of one schema say of a member.
func described(sch *jsonschema.Schema, name string) []*jsonschema.Schema {
	var found []*jsonschema.Schema
	if s := sch.Properties[name]; s != nil {
		found = append(found, s)
	}
	for pattern, s := range sch.PatternProperties {
		if pattern.MatchString(name) {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		found = append(found, asSchema(sch.AdditionalProperties))
	}
	return found
}

// evaluates reports whether a member is sure to be described by sch beside its unevaluatedProperties.
func (w *walk) evaluates(sch *jsonschema.Schema, name string, depth int) bool {
	if sch == nil || depth > MaxDepth {
		return false
	}
	if w.left--; w.left < 0 {
		return false
	}
	if described(sch, name)[0] != nil || sch.AdditionalProperties != nil {
		return true
	}
	return slices.ContainsFunc(always(w.schema, sch), func(s *jsonschema.Schema) bool { return w.evaluates(s, name, depth+1) })
}

// element adds to c what a schema declares of its element.
func (w *walk) element(c *Place, seen map[applied]bool, a applied, i int) {
	sch := a.sch
	first, rest := sch.PrefixItems, sch.Items2020
	if list, ok := sch.Items.([]*jsonschema.Schema); ok {
		first, rest = list, asSchema(sch.AdditionalItems)
	} else if sch.Items != nil {
		rest = asSchema(sch.Items)
	}
	if i < len(first) {
		w.apply(c, seen, first[i], a.branch)
	} else {
		w.apply(c, seen, rest, a.branch)
		if rest == nil {
			w.apply(c, seen, sch.UnevaluatedItems, sch.UnevaluatedItems)
		}
	}
	w.apply(c, seen, sch.Contains, sch.Contains)
}

// judge works out the verdict.
func (p *Place) judge() Verdict {
	if p.walk.left < 0 {
		return Secret // nobody knows what the schema says
	}
	unmarks := make(map[*jsonschema.Schema]bool) // by branch
	for _, a := range p.applied {
		n := noteOf(a.sch)
		if n.sensitive {
			return Secret
		}
		unmarks[a.branch] = unmarks[a.branch] || n.plain
	}
	open := unmarks[nil]
	delete(unmarks, nil)
	if open || len(unmarks) > 0 && !slices.Contains(slices.Collect(maps.Values(unmarks)), false) {
		return Open
	}
	if p.parent != nil {
		return p.parent.verdict
	}
	return Unsaid
}

// Verdict says whether the place is marked or un-marked.
func (p *Place) Verdict() Verdict { return p.verdict }

// Key returns the name of the member by which the elements of the array at the place are told apart, "" if none is declared,
// or more than one.
func (p *Place) Key() string {
	found := ""
	for _, a := range p.applied {
		key := noteOf(a.sch).key
		if key != "" && found != "" && key != found {
			return ""
		}
		found = max(found, key)
	}
	return found
}

// Address reports whether the place has the format of an address.
func (p *Place) Address() bool {
	return p.walk.left < 0 || slices.ContainsFunc(p.applied, func(a applied) bool { return noteOf(a.sch).destination })
}

// Exposes returns the places of the secrets that go to where the value at this place says, each as reference tokens. said is
// false if nothing is declared of that, here or above.
func (p *Place) Exposes() (places [][]string, said bool) {
	if p.walk.left < 0 {
		return nil, false
	}
	for _, a := range p.applied {
		n := noteOf(a.sch)
		said = said || n.saysExposes
		for _, e := range n.exposes {
			places = append(places, e.from(p.tokens))
		}
	}
	if !said && p.parent != nil {
		return p.parent.Exposes()
	}
	return places, said
}

// Defaults returns the document with the members that it lacks and the schema has a default for. Defaults in branches do not
// count, and neither do those for members of a default.
func (s *Schema) Defaults(doc *jsontree.Node) *jsontree.Node { return s.Root().fill(doc) }

func (p *Place) fill(n *jsontree.Node) *jsontree.Node {
	array := n.Kind() == jsontree.Array
	filled := n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		if !child.IsContainer() {
			return child
		}
		return p.Child(token, array).fill(child)
	})
	if n.Kind() != jsontree.Object {
		return filled
	}
	have := n.Lookup()
	missing := func(yield func(string, *jsontree.Node) bool) {
		for _, name := range p.names() {
			if have(name) != nil {
				continue
			}
			if v := p.Child(name, false).standard(); v != nil && !yield(name, v) {
				return
			}
		}
	}
	return filled.Extend(missing)
}

// names returns the names of the members that are always described, sorted.
func (p *Place) names() []string {
	names := make(map[string]bool)
	for _, a := range p.applied {
		if a.branch == nil {
			for name := range a.sch.Properties {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (p *Place) standard() *jsontree.Node {
	for _, a := range p.applied {
		if n := noteOf(a.sch); a.branch == nil && n.standard != nil {
			return n.standard
		}
	}
	return nil
}
