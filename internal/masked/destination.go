package masked

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/redact"
	"github.com/go-installation/installation/internal/schema"
	"github.com/go-installation/installation/validate"
)

// The destination rule: a write that may send a kept secret elsewhere must give the secret again.
// Otherwise anyone who may write a configuration, but not read its secrets, could send them to a
// host of their own.
//
// So the rule asks of each value that a write adds, changes or removes: can the old or the new
// value be a part of an address, or switch a protection off? See classify.Counts. A name that comes
// or goes is asked like a string. A secret that moves to another index of an array has to be given
// again too, because the index can decide where it goes. It need not if the schema names a key of
// the elements, or if the object around it moves with it and no x-exposes speaks of places.
//
// A changed value reaches all secrets of its document, or those that the schema names (x-exposes).

// redirect is a change that can send secrets elsewhere.
type redirect struct {
	at      string     // in the new document; of a removed value, its former place
	exposes [][]string // places of the secrets that go there, as reference tokens
	said    bool       // whether only these go there; otherwise all secrets do
	gone    bool       // the places are those of the old document
}

// SentElsewhere is the detail of a violation of the rule.
const SentElsewhere = "can be sent elsewhere by this write: give it again, or set AllowDestination"

// comparison finds the redirects between two states of a document.
type comparison struct {
	*draft
	found []redirect
	moved map[*jsontree.Node]bool           // secrets that moved
	first map[*jsontree.Node]*jsontree.Node // see firstSecret
	said  bool                              // a violation shows the schema that opens the place
	all   string                            // the first place that redirects all secrets
}

// naming is what the names on the path to a value say about it.
type naming struct {
	below  classify.Class // of the innermost name and of the names around it
	own    classify.Class // of the innermost name alone
	secret bool           // the innermost name is that of a secret
	inside bool           // a name around it is that of a secret
	gone   bool           // it is in a removed element, whose index is that of the old array
	sealed string         // the secret that contains the value, or ""; names below it are not shown
}

// guard rejects the write if it redirects secrets that it keeps, with one violation for each
// secret. filled is the document with the defaults of the schema. A default redirects if it
// replaces a removed value; the writer did not choose the others.
func (d *draft) guard(filled *jsontree.Node, r *Result) {
	c := comparison{
		draft: d, moved: make(map[*jsontree.Node]bool),
		first: make(map[*jsontree.Node]*jsontree.Node),
	}
	c.compare(d.before, d.doc, filled, d.root, naming{})
	r.Redirects = c.all
	if len(d.stored) == 0 || len(c.found)+len(c.moved) == 0 {
		return
	}
	newWalk(d.meter, nil).transform(d.doc, func(w walk, n *jsontree.Node) (*jsontree.Node, bool) {
		if d.stored[n] && c.redirects(w.at, n) {
			r.Allowed = true
		}
		return n, d.isSecret(n)
	})
	r.Allowed = r.Allowed && d.AllowDestination
}

// redirects reports whether the write redirects the secret n at a pointer, and rejects it unless
// that is allowed.
func (c *comparison) redirects(at jsontree.Trail, n *jsontree.Node) bool {
	v := validate.Violation{
		Path: c.Path + at.Pointer(), Rule: validate.RuleDestination,
		Detail: "moves to another index, which can decide where it goes: give it again, or set " +
			"AllowDestination; a schema can name the member that identifies elements (x-key)",
	}
	if !c.moved[n] {
		i := slices.IndexFunc(c.found, func(to redirect) bool {
			c.spend(1 + len(to.exposes))
			return to.reaches(at, c.secrets[n].from)
		})
		if i < 0 {
			return false
		}
		to := c.found[i].at
		v.Related = c.Path + to
		v.Detail = SentElsewhere
		if c.HasSchema && !c.said && redact.Path(to) == to {
			c.said = true
			v.Detail += "; if no secret goes there, say so in the schema: " +
				schema.Opening(to, c.doc, c.before)
		}
	}
	if !c.AllowDestination {
		c.broken.AddViolation(v)
	}
	return true
}

// reaches reports whether the secret at a place, and before the write at from, goes to the changed
// value.
func (to redirect) reaches(tokens []string, from string) bool {
	if !to.said {
		return true
	}
	if to.gone {
		tokens, _ = jsontree.ParsePointer(from) // always valid: it is our own
	}
	return slices.ContainsFunc(to.exposes, func(place []string) bool {
		n := min(len(place), len(tokens))
		return slices.Equal(place[:n], tokens[:n])
	})
}

// compare finds the redirects in a change from a to b. Either is nil if there is no such value. f
// is b with the defaults of the schema.
func (c *comparison) compare(a, b, f *jsontree.Node, s spot, k naming) {
	c.spend(1)
	kind := cmp.Or(b, a)
	switch {
	case a == b, c.all != "":
	case c.isSecret(a) || c.isSecret(b):
		c.secret(a, b, s, k)
	case a != nil && b != nil && a.Kind() != b.Kind() && (a.IsContainer() || b.IsContainer()):
		c.compare(a, nil, nil, s, k)
		c.compare(nil, b, b, s, k)
	case kind.Kind() == jsontree.Object:
		c.members(a, b, f, s, k)
	case kind.Kind() == jsontree.Array:
		c.elements(a, b, f, s, k)
	case !a.Equal(b):
		c.leaf(a, b, s, k)
	}
}

func (c *comparison) members(a, b, f *jsontree.Node, s spot, k naming) {
	inA, inB, inF := a.Lookup(), b.Lookup(), f.Lookup()
	was, now := c.names.Pair(a), c.names.Pair(b)
	for name, child := range b.Children() {
		if was == now && c.same(inA(name), child) {
			continue
		}
		below := s.child(b, name)
		if inA(name) == nil {
			c.name(name, below, k)
		} else if was != now && c.names.Of(name).IsValue() { // it now belongs to another name
			c.compare(inA(name), nil, nil, below, c.into(k, name, was))
			c.compare(nil, child, inF(name), below, c.into(k, name, now))
			continue
		}
		c.compare(inA(name), child, inF(name), below, c.into(k, name, now))
	}
	for name, child := range a.Children() {
		if inB(name) != nil {
			continue
		}
		below, standard := s.child(a, name), inF(name)
		if standard == nil {
			c.name(name, below, k)
		}
		c.compare(child, standard, standard, below, c.into(k, name, was))
	}
}

// elements compares arrays. Elements match by the secret in them. An array or object that an edit
// left as it was matches itself. The others match by the member that the schema names as key, or
// else by their index.
func (c *comparison) elements(a, b, f *jsontree.Node, s spot, k naming) {
	was := make(map[*jsontree.Node]int) // index of old elements and of the secrets in them
	for i := range a.Len() {
		e := a.Element(i)
		if secret := c.firstSecret(e); secret != nil {
			was[secret] = i
		}
		if e.IsContainer() { // equal booleans are the same node
			was[e] = i
		}
	}
	from, matched := make([]int, b.Len()), make([]bool, a.Len())
	match := func(i, old int) {
		if old < len(matched) && !matched[old] {
			from[i], matched[old] = old+1, true
		}
	}
	for i := range b.Len() {
		e := b.Element(i)
		old, ok := was[c.firstSecret(e)]
		if !ok {
			old, ok = was[e]
		}
		if !ok {
			continue
		}
		if match(i, old); old != i && s.key() == "" {
			c.shift(e)
		}
	}
	counterpart := func(i int) int { return i }
	if s.key() != "" && a != nil && b != nil {
		keyed := c.keyed(b, a, s.key(), false)
		counterpart = func(i int) int {
			e, _ := keyed(strconv.Itoa(i))
			if old, ok := was[e]; ok {
				return old
			}
			return len(matched)
		}
	}
	for i := range b.Len() {
		if from[i] == 0 {
			match(i, counterpart(i))
		}
		if old, e := a.Element(from[i]-1), b.Element(i); !c.same(old, e) {
			c.compare(old, e, f.Element(i), s.child(b, strconv.Itoa(i)), k)
		}
	}
	k.gone = true
	for i := range a.Len() {
		if !matched[i] {
			c.compare(a.Element(i), nil, nil, s.child(a, strconv.Itoa(i)), k)
		}
	}
}

// same reports whether two values without children are equal. It saves the work of comparing them.
func (c *comparison) same(a, b *jsontree.Node) bool {
	c.spend(1)
	return a == b || a != nil && b != nil && !a.IsContainer() && !c.isSecret(a) && !c.isSecret(b) &&
		a.Equal(b)
}

// firstSecret returns the first secret at n or below that was stored before the write, or nil.
func (c *comparison) firstSecret(n *jsontree.Node) *jsontree.Node {
	if c.stored[n] {
		return n
	}
	if !n.IsContainer() || !c.hasSecret(n) {
		return nil
	}
	first, known := c.first[n]
	if !known {
		for _, child := range n.Children() {
			c.spend(1)
			if first = c.firstSecret(child); first != nil {
				break
			}
		}
		c.first[n] = first
	}
	return first
}

// shift notes the secrets in an element that has another index than before.
func (c *comparison) shift(n *jsontree.Node) {
	switch {
	case c.isSecret(n):
		c.moved[n] = true
	case c.schema != nil && c.schema.Exposes && c.hasSecret(n):
		for _, child := range n.Children() {
			c.shift(child)
		}
	}
}

// name judges the name of a member that comes or goes, like a string around the member.
func (c *comparison) name(name string, s spot, k naming) {
	c.spend(1 + len(name)/64)
	exposes, said := s.exposes()
	if len(exposes) > 0 || !said && classify.TextCounts(name, nil, k.below, 0) {
		c.note(s, k)
	}
}

// leaf judges a changed value without children. In a given secret, a value with the name of a
// secret is no address, unless it looks like one.
func (c *comparison) leaf(a, b *jsontree.Node, s spot, k naming) {
	c.spend(a.Weight() + b.Weight())
	exposes, said := s.exposes()
	found := false
	switch {
	case said:
		found = len(exposes) > 0
	case k.sealed != "" && k.secret:
		found = classify.IsAddress(b, k.own)
	default:
		found = classify.Counts(a, s.place, k.below, k.own) ||
			classify.Counts(b, s.place, k.below, k.own)
	}
	if found {
		c.note(s, k)
	}
}

// secret judges a change in which a or b is a secret.
func (c *comparison) secret(a, b *jsontree.Node, s spot, k naming) {
	if c.stored[b] {
		c.moved[b] = true
		b = nil
	}
	k.sealed = cmp.Or(k.sealed, s.at.Pointer())
	old, given := c.secrets[a], c.secrets[b]
	k.secret = k.secret || s.place != nil && s.place.Verdict() == schema.Secret
	exposes, said := s.exposes()
	switch {
	case said && len(exposes) == 0:
	case said, c.isSecret(a) && old.plain == nil && k.unknownCounts():
		c.note(s, k)
	default:
		for _, n := range []*jsontree.Node{cmp.Or(old.plain, a), cmp.Or(given.plain, b)} {
			if !c.isSecret(n) {
				c.compare(nil, n, n, spot{at: s.at}, k)
			}
		}
	}
}

// unknownCounts reports whether a sealed value, which cannot be read here, can be an address. The
// names decide. Where no name makes it a secret, its form did, and most such forms are addresses.
func (k naming) unknownCounts() bool {
	switch {
	case k.secret:
		return k.own&classify.Label != 0
	case k.inside:
		return k.below&(classify.Label|classify.Number|classify.Guarded) != 0
	}
	return true
}

func (c *comparison) note(s spot, k naming) {
	exposes, said := s.exposes()
	at := cmp.Or(k.sealed, s.at.Pointer())
	if !said {
		c.all = at
	}
	if n := len(c.found); n == 0 || c.found[n-1].at != at {
		c.found = append(c.found, redirect{at, exposes, said, k.gone})
	}
}

// into returns the naming of a member.
func (c *comparison) into(k naming, name string, p classify.Pair) naming {
	says := c.names.In(p, name)
	return naming{
		below: says.Below | k.below, own: says.Own, secret: says.Sensitive(),
		inside: k.inside || k.secret, gone: k.gone, sealed: k.sealed,
	}
}

// exposes returns the places of the secrets that go to the value here, as the schema declares them.
func (s spot) exposes() (places [][]string, said bool) {
	if s.place == nil {
		return nil, false
	}
	return s.place.Exposes()
}
