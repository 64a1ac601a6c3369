package schema

import (
	"maps"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/go-installation/installation/internal/jsontree"
)

// Verdict is the secrecy that a schema declares for a place. A keyword such as writeOnly marks the
// place as secret, and x-sensitive: false unmarks it. The nearest mark or unmark at or above the
// place decides.
type Verdict int

// Verdicts.
const (
	Unsaid Verdict = iota // neither marked nor unmarked
	Secret                // marked
	Open                  // unmarked
)

// Place is a place in documents, such as /api/key, with all that a schema declares about it. The
// declarations do not depend on the document. A masked document does not show which branch (of an
// anyOf, an if and so on) it satisfies, so all branches count. One mark in any branch makes the
// place secret. A declaration that removes protection (x-sensitive: false, x-names: false, a list
// of x-exposes) counts only if it applies to every document; see agreed.
//
// A Place is for one goroutine. Start with [Schema.Root] and go down with [Place.Child]. A Place
// caches its children, so visiting a document computes each of its places once.
type Place struct {
	walk    *walk
	parent  *Place
	tokens  []string
	array   bool // an element
	applied []applied
	verdict Verdict
	// like is the place of an earlier element with the same declarations, or nil.
	like          *Place
	children      map[string]*Place // unset if like is set
	defaults      []member          // unset if like is set
	defaultsKnown bool
	listed        *listing      // unset if like is set
	declares      *declarations // unset if like is set
	exposed       *exposed
}

// applied is a schema that applies to a place, and the condition under which it does.
type applied struct {
	sch    *jsonschema.Schema
	branch branch
}

// branch is the condition under which a schema applies. The zero value means always.
type branch struct {
	sch *jsonschema.Schema // the innermost branch
	// may is set if it is possible that no branch of the group applies. One branch of an anyOf or
	// oneOf always applies. A condition such as if can be unmet, and then the branches in it do not
	// apply.
	may bool
}

// placeSteps caps the work to compute the places of one document or session.
const placeSteps = 250_000

// walk counts the work of computing places, for one document or session.
type walk struct {
	schema *Schema
	left   int
	fixed  *walk // for Fixed, whose answer is the safe one if its own budget is spent
}

// Session returns a copy of the schema for one call and one goroutine. All places of the copy share
// one cache and one budget of work.
func (s *Schema) Session() *Schema {
	session := *s
	session.sessionRoot = nil
	session.sessionRoot = session.Root()
	return &session
}

// Overran reports whether the places of a session caused too much work. From then on, places return
// the safe answer, such as secret, instead of the declarations of the schema.
func (s *Schema) Overran() bool { return s.sessionRoot != nil && s.sessionRoot.walk.left < 0 }

// Fits reports whether all places of a document can be computed within the budget.
func (s *Schema) Fits(doc *jsontree.Node) bool {
	p := s.Root()
	p.visit(doc)
	return p.walk.left >= 0
}

func (p *Place) visit(n *jsontree.Node) {
	for token, c := range n.Children() {
		if child := p.Child(token, n.Kind() == jsontree.Array); p.walk.left >= 0 {
			child.visit(c)
		}
	}
}

// Root returns the place of the whole document.
func (s *Schema) Root() *Place {
	if s.sessionRoot != nil {
		return s.sessionRoot
	}
	w := &walk{schema: s, left: placeSteps}
	p := &Place{walk: w}
	w.apply(p, make(map[applied]bool), s.root, branch{})
	p.verdict = p.computeVerdict()
	return p
}

// apply adds a schema to the schemas of a place, together with its subschemas for the same place.
func (w *walk) apply(p *Place, seen map[applied]bool, sch *jsonschema.Schema, b branch) {
	if sch == nil || !w.spend(1) {
		return
	}
	a := applied{sch, b}
	if seen[a] {
		return
	}
	seen[a] = true
	p.applied = append(p.applied, a)
	for _, same := range always(w.schema, sch) {
		w.apply(p, seen, same, b)
	}
	for _, list := range [][]*jsonschema.Schema{sch.AnyOf, sch.OneOf} {
		for _, one := range list {
			w.apply(p, seen, one, branch{one, b.may})
		}
	}
	for _, one := range conditions(sch) {
		w.apply(p, seen, one, branch{one, true})
	}
}

// spend counts work and reports whether some is left.
func (w *walk) spend(n int) bool {
	if w.left >= 0 {
		w.left -= n
	}
	return w.left >= 0
}

// always returns the schemas that apply wherever sch does.
func always(s *Schema, sch *jsonschema.Schema) []*jsonschema.Schema {
	all := sch.AllOf
	if sch.Ref != nil {
		all = append(slices.Clip(all), sch.Ref)
	}
	if sch.RecursiveRef != nil {
		all = append(append(slices.Clip(all), sch.RecursiveRef), s.anchors[""]...)
	}
	if d := sch.DynamicRef; d != nil {
		all = append(append(slices.Clip(all), d.Ref), s.anchors[d.Anchor]...)
	}
	return all
}

// conditions returns the schemas that apply where sch does if a condition is met. It leaves out the
// keyword not, which declares nothing.
func conditions(sch *jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	if sch.If != nil {
		all = append(all, sch.If, sch.Then, sch.Else)
	}
	all = slices.AppendSeq(all, maps.Values(sch.DependentSchemas))
	for _, s := range sch.Dependencies {
		all = append(all, asSchema(s))
	}
	return all
}

// Child returns the place of the member or element with this reference token. array tells whether
// it is an element of an array.
func (p *Place) Child(token string, array bool) *Place {
	tokens := append(slices.Clip(p.tokens), token)
	if p.like != nil {
		return p.sameAs(p.like.Child(token, array), tokens)
	}
	index, memo := -1, "."+token
	if array {
		index, _ = strconv.Atoi(token)
		memo = strconv.Itoa(min(index, p.declared().first))
	}
	if c := p.children[memo]; c != nil {
		if c.tokens[len(c.tokens)-1] != token {
			return p.sameAs(c, tokens)
		}
		return c
	}
	c := &Place{walk: p.walk, parent: p, tokens: tokens, array: array}
	seen := make(map[applied]bool)
	for _, a := range p.applied {
		if array {
			p.walk.element(c, seen, a, index)
		} else {
			p.walk.member(c, seen, a, token)
		}
	}
	c.verdict = c.computeVerdict()
	if p.children == nil {
		p.children = make(map[string]*Place)
	}
	p.children[memo] = c
	return c
}

// sameAs returns a child of p with the declarations of the place like.
func (p *Place) sameAs(like *Place, tokens []string) *Place {
	return &Place{
		walk: p.walk, parent: p, tokens: tokens, array: like.array,
		applied: like.applied, verdict: like.verdict, like: like,
	}
}

// member adds what a.sch declares about a member to c, the place of the member.
func (w *walk) member(c *Place, seen map[applied]bool, a applied, name string) {
	for _, sch := range w.described(a.sch, name) {
		w.apply(c, seen, sch, a.branch)
	}
	if rest := a.sch.UnevaluatedProperties; rest != nil && !w.evaluates(a.sch, name, 0) {
		w.apply(c, seen, rest, branch{rest, a.branch.may})
	}
}

// described returns the schemas for a member in properties, patternProperties and
// additionalProperties of sch.
func (w *walk) described(sch *jsonschema.Schema, name string) []*jsonschema.Schema {
	var found []*jsonschema.Schema
	if s := sch.Properties[name]; s != nil {
		found = append(found, s)
	}
	for re, s := range sch.PatternProperties {
		p, ok := re.(*pattern)
		if !ok || !w.spend(p.steps(name)) || p.Regexp.MatchString(name) {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		found = append(found, asSchema(sch.AdditionalProperties))
	}
	return found
}

// evaluates reports whether other keywords of sch certainly evaluate a member, so that its
// unevaluatedProperties do not apply.
func (w *walk) evaluates(sch *jsonschema.Schema, name string, depth int) bool {
	if sch == nil || depth > MaxDepth || !w.spend(1) {
		return false
	}
	if w.described(sch, name)[0] != nil || sch.AdditionalProperties != nil {
		return true
	}
	return slices.ContainsFunc(always(w.schema, sch), func(s *jsonschema.Schema) bool {
		return w.evaluates(s, name, depth+1)
	})
}

// element adds what a.sch declares about an element to c, the place of the element.
func (w *walk) element(c *Place, seen map[applied]bool, a applied, i int) {
	sch := a.sch
	first, rest := elements(sch)
	if i < len(first) {
		w.apply(c, seen, first[i], a.branch)
	} else {
		w.apply(c, seen, rest, a.branch)
		if rest == nil {
			w.apply(c, seen, sch.UnevaluatedItems, branch{sch.UnevaluatedItems, a.branch.may})
		}
	}
	w.apply(c, seen, sch.Contains, branch{sch.Contains, true})
}

// elements returns the schemas of the first elements, and that of all others, which may be nil.
func elements(sch *jsonschema.Schema) (first []*jsonschema.Schema, rest *jsonschema.Schema) {
	if list, ok := sch.Items.([]*jsonschema.Schema); ok {
		return list, asSchema(sch.AdditionalItems)
	}
	if sch.Items != nil {
		return sch.PrefixItems, asSchema(sch.Items)
	}
	return sch.PrefixItems, sch.Items2020
}

func (p *Place) computeVerdict() Verdict {
	if p.walk.left < 0 {
		return Secret // the declarations are unknown
	}
	for _, a := range p.applied {
		if noteOf(a.sch).sensitive {
			return Secret
		}
	}
	if p.agreed(func(n *note) bool { return n.unmarked }) {
		return Open
	}
	if p.parent != nil {
		return p.parent.verdict
	}
	return Unsaid
}

// agreed reports whether a declaration applies to every document. says finds the declaration in a
// note. It has to be outside of all branches, or in every branch that describes the place. A
// condition (if, then, else, dependentSchemas, contains) is not enough on its own, because some
// documents do not meet the condition.
func (p *Place) agreed(says func(n *note) bool) bool {
	said := make(map[branch]bool)
	for _, a := range p.applied {
		said[a.branch] = said[a.branch] || says(noteOf(a.sch))
	}
	if said[branch{}] {
		return true
	}
	agreed := false
	for b, ok := range said {
		switch {
		case b == branch{}:
		case !ok:
			return false
		case !b.may:
			agreed = true
		}
	}
	return agreed
}

// Verdict returns the declared secrecy of the place.
func (p *Place) Verdict() Verdict { return p.verdict }
