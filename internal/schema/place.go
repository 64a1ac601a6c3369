package schema

import (
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
// is masked cannot be asked which branch it satisfies. What takes something away, an un-mark (x-sensitive: false, x-names: false) or a
// list of x-exposes, counts only if it is said whatever the document is, see agreed.
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
	defaults []member          // of one without, once they were looked for
	looked   bool
}

// applied is a schema that applies to a place, if a branch is taken.
type applied struct {
	sch    *jsonschema.Schema
	branch branch
}

// branch is what has to hold for a schema to apply: always, if it is the zero value.
type branch struct {
	sch *jsonschema.Schema // the innermost one
	may bool               // it or one around it is a condition: of those of an anyOf or oneOf one holds, but of these perhaps none
}

// placeSteps is how much work the places of one document may take. What was worked out is kept until the call ends.
const placeSteps = 250_000

// walk is the work on one document, or of one session.
type walk struct {
	schema *Schema
	left   int
}

// Session returns the schema for one call, in one goroutine: what its places are is worked out once, within one budget for all.
func (s *Schema) Session() *Schema {
	session := *s
	session.top = nil
	session.top = session.Root()
	return &session
}

// Overran reports whether the places of a session were too much work. What was said of them since is the careful answer, such as
// that all is secret, and not what the schema declares.
func (s *Schema) Overran() bool { return s.top != nil && s.top.walk.left < 0 }

// Fits reports whether all places of a document can be worked out.
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

// Root returns the place of a whole document.
func (s *Schema) Root() *Place {
	if s.top != nil {
		return s.top
	}
	w := &walk{schema: s, left: placeSteps}
	p := &Place{walk: w}
	w.apply(p, make(map[applied]bool), s.root, branch{})
	p.verdict = p.judge()
	return p
}

// apply adds a schema to a place, with all that it applies to the same place.
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

// spend counts work, and reports whether there is still some left.
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

// conditions returns the schemas that may apply where sch does, or not. What is said under "not" is said of nothing.
func conditions(sch *jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	if sch.If != nil {
		all = append(all, sch.If, sch.Then, sch.Else)
	}
	for _, s := range sch.DependentSchemas {
		all = append(all, s)
	}
	for _, s := range sch.Dependencies {
		all = append(all, asSchema(s))
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
	for _, sch := range w.described(a.sch, name) {
		w.apply(c, seen, sch, a.branch)
	}
	if rest := a.sch.UnevaluatedProperties; rest != nil && !w.evaluates(a.sch, name, 0) {
		w.apply(c, seen, rest, branch{rest, a.branch.may})
	}
}

// described returns what properties, patternProperties and additionalProperties of one schema say of a member.
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

// evaluates reports whether a member is sure to be described by sch beside its unevaluatedProperties.
func (w *walk) evaluates(sch *jsonschema.Schema, name string, depth int) bool {
	if sch == nil || depth > MaxDepth || !w.spend(1) {
		return false
	}
	if w.described(sch, name)[0] != nil || sch.AdditionalProperties != nil {
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
			w.apply(c, seen, sch.UnevaluatedItems, branch{sch.UnevaluatedItems, a.branch.may})
		}
	}
	w.apply(c, seen, sch.Contains, branch{sch.Contains, true})
}

// judge works out the verdict.
func (p *Place) judge() Verdict {
	if p.walk.left < 0 {
		return Secret // nobody knows what the schema says
	}
	for _, a := range p.applied {
		if noteOf(a.sch).sensitive {
			return Secret
		}
	}
	if p.agreed(func(n *note) bool { return n.plain }) {
		return Open
	}
	if p.parent != nil {
		return p.parent.verdict
	}
	return Unsaid
}

// agreed reports whether something is said of the place whatever the document is: outside of branches, or by every branch that
// describes the place. A condition (if, then, else, dependentSchemas, contains) says nothing of documents that do not meet it, so one
// alone is not enough.
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

// Verdict says whether the place is marked or un-marked.
func (p *Place) Verdict() Verdict { return p.verdict }

// AnyNames reports whether what the members at the place are called says nothing, since somebody else chose their names.
func (p *Place) AnyNames() bool {
	return p.walk.left >= 0 && p.agreed(func(n *note) bool { return n.anyNames })
}

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
// false if nothing is declared of that, here or above, or only in branches that need not be taken; else all lists count.
func (p *Place) Exposes() (places [][]string, said bool) {
	if p.walk.left < 0 {
		return nil, false
	}
	for _, a := range p.applied {
		for _, e := range noteOf(a.sch).exposes {
			places = append(places, e.from(p.tokens))
		}
	}
	switch {
	case p.agreed(func(n *note) bool { return n.saysExposes }):
		return places, true
	case p.parent == nil:
		return nil, false
	}
	above, said := p.parent.Exposes()
	if !said {
		return nil, false
	}
	return append(places, above...), true
}
