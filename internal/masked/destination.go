package masked

import (
	"cmp"
	"slices"
	"sync"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// The destination rule: a write that changes where secrets go must provide these secrets again.
// Otherwise anyone who may write a configuration, but not read its secrets, could send them to
// a host of their own.
//
// A destination is
//
//   - a string whose name, or the name of an object or array around it, is that of an address; a
//     number called port;
//   - a string that looks like an address, before or after the write, whatever its name;
//   - a member name that looks like an address;
//   - a value that the schema declares with x-exposes or the format of an address, except with
//     x-exposes: [].
//
// The lists of names and forms are in addresses.go. In a pair such as {"name": "API_HOST", "value":
// ...}, the name counts for the value.
//
// A destination changes if it is added or set to any other value: scheme, host, port, user
// information, path and query all count. It also changes if it is removed from an object that
// stays, or if another value replaces the object around it. It does not change if the object or
// element around it is removed without a replacement. A removed destination with a default in the
// schema changes to that default. Switches next to a destination, such as one for the verification
// of certificates, are not checked.
//
// A secret is exposed to each destination of its document, except those whose x-exposes does not
// list the secret. A secret is kept if it is stored before and after the write, because of a mask
// or because the write does not mention it. A secret that is itself a destination, such as a
// connection string, is a destination for the other secrets.

// destination is a destination that the write changes.
type destination struct {
	at      string     // in the new document; of a removed one, its former place
	exposes [][]string // places of the secrets that go there, as reference tokens
	said    bool       // whether only these go there; otherwise all secrets do
}

// guard rejects the write if it changes a destination of secrets that it keeps. It adds one
// violation for each such secret. It returns the pointers of all destinations that change. filled
// is the document of the draft with the defaults of the schema.
func (d *draft) guard(filled *jsontree.Node) []string {
	if d.doc == nil {
		return nil
	}
	c := comparison{draft: d, filled: make(map[*jsontree.Node]*jsontree.Node)}
	c.pairFilled(d.doc, filled)
	c.compare(d.before, d.doc, d.top(), naming{})
	d.rejectKept(c.changed, d.exposed())
	var pointers []string
	for _, to := range c.changed {
		pointers = append(pointers, to.at)
	}
	return pointers
}

// rejectKept reports the stored secrets that go to a changed destination, and those that moved
// to another destination.
func (d *draft) rejectKept(changed []destination, moved map[*jsontree.Node]string) {
	if len(d.stored) == 0 || len(changed)+len(moved) == 0 {
		return
	}
	transform(d.doc, "", func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		if !d.stored[n] {
			return nil, false
		}
		i := slices.IndexFunc(changed, func(to destination) bool { return to.reaches(at) })
		if i >= 0 {
			d.redirection(at, changed[i].at,
				"goes to a destination that this write changes: give it again")
		} else if to, ok := moved[n]; ok {
			d.redirection(at, to,
				"moves to where it goes to another destination: give it again")
		}
		return n, true
	})
}

func (d *draft) redirection(secret, to, detail string) {
	d.broken.AddViolation(validate.Violation{Path: d.path + secret, Related: d.path + to,
		Rule: validate.RuleDestination, Detail: detail})
}

// reaches reports whether the secret at a place is exposed to the destination.
func (to destination) reaches(at string) bool {
	if !to.said {
		return true
	}
	tokens, _ := jsontree.ParsePointer(at) // always valid: it is our own
	return slices.ContainsFunc(to.exposes, func(place []string) bool {
		n := min(len(place), len(tokens))
		return slices.Equal(place[:n], tokens[:n])
	})
}

// comparison finds the destinations that differ between two states of the document.
type comparison struct {
	*draft
	changed []destination
	// filled maps an object of the new document to the same object with defaults, if the schema
	// adds any.
	filled map[*jsontree.Node]*jsontree.Node
	named  map[string]bool // see byName
}

// pairFilled records the objects in n to which the schema adds members.
func (c *comparison) pairFilled(n, filled *jsontree.Node) {
	if n == filled {
		return
	}
	c.filled[n] = filled
	child := filled.Lookup()
	for token, n := range n.Children() {
		c.pairFilled(n, child(token))
	}
}

// naming describes the names on the path to a value.
type naming struct {
	name   string // the innermost name
	reach  reach  // of this name or of a name around it
	beside bool   // the name is that of a part of an address, such as path, next to another part
	// sealed is the pointer of the secret that contains the value, or "". Names below that pointer
	// must not be shown.
	sealed string
}

// into returns the naming of a child of n. It calls address only if it matters whether n has an
// address.
func (k naming) into(n *jsontree.Node, token string, address func() bool) naming {
	k.beside = false
	if n.Kind() != jsontree.Object {
		return k
	}
	k.name = token
	if k.reach < reachBelow {
		k.reach = addressReach(token)
	}
	switch {
	case isPairValue(token):
		for name, sibling := range n.Children() {
			if pairNames[squeeze(name)] && sibling.Kind() == jsontree.String &&
				addressReach(sibling.Text()) > k.reach {
				k.name, k.reach = sibling.Text(), addressReach(sibling.Text())
			}
		}
	case addressCompanions[squeeze(token)]:
		k.beside = address()
	}
	return k
}

// addressIn returns a function that reports whether one of the objects has an address among its
// members. The function computes the answer only once.
func (c *comparison) addressIn(s spot, k naming, objects ...*jsontree.Node) func() bool {
	return sync.OnceValue(func() bool {
		return slices.ContainsFunc(objects, func(n *jsontree.Node) bool {
			for name, child := range n.Children() {
				below := k.into(n, name, func() bool { return false })
				if child.IsContainer() && below.reach == reachBelow ||
					s.child(n, name).isDestination(below, child) {
					return true
				}
			}
			return false
		})
	})
}

// compare finds the changes from a, which is nil for a new value, to b.
func (c *comparison) compare(a, b *jsontree.Node, s spot, k naming) {
	switch {
	case a == b:
	case a == nil:
		c.added(b, s, k)
	case c.isSecret(a) || c.isSecret(b) || !a.IsContainer() && !b.IsContainer():
		if !c.unchanged(a, b) && !c.leaf(a, b, s, k) && !c.hidden(a, b, s, k) {
			c.removed(a, s, k, true)
			c.added(b, s, k)
		}
	case a.Kind() == jsontree.Object && b.Kind() == jsontree.Object:
		c.members(a, b, s, k)
	case a.Kind() == jsontree.Array && b.Kind() == jsontree.Array:
		was := c.align(a, b, s)
		for i, child := range b.Children() {
			c.compare(was[i], child, s.child(b, i), k.into(b, i, nil))
		}
	default:
		c.removed(a, s, k, b.Kind() != jsontree.Null)
		c.added(b, s, k)
	}
}

// members finds the changes from one object to another.
func (c *comparison) members(a, b *jsontree.Node, s spot, k naming) {
	address := c.addressIn(s, k, a, b)
	inA, inB := a.Lookup(), b.Lookup()
	for name, child := range b.Children() {
		old := inA(name)
		if c.sameLeaf(old, child) && !isPairValue(name) {
			continue
		}
		below, now := s.child(b, name), k.into(b, name, address)
		switch was := k.into(a, name, address); {
		case old == nil:
			c.name(name, below, k)
			c.added(child, below, now)
		case was.name != now.name: // the value now belongs to another name
			c.removed(old, below, was, true)
			c.added(child, below, now)
		default:
			c.compare(old, child, below, now)
		}
	}
	standard := c.filled[b].Lookup()
	for name, child := range a.Children() {
		if inB(name) != nil {
			continue
		}
		below, was := s.child(a, name), k.into(a, name, address)
		if given := standard(name); given != nil {
			c.compare(child, given, below, was)
			continue
		}
		c.name(name, below, k)
		c.removed(child, below, was, false)
	}
}

// sameLeaf reports whether two values without children are equal.
func (c *comparison) sameLeaf(a, b *jsontree.Node) bool {
	return a == b || a != nil && !a.IsContainer() && !c.isSecret(a) && !c.isSecret(b) &&
		a.Equal(b)
}

// name notes an added or removed member whose name is a destination: an address, or a host in
// an object of addresses.
func (c *comparison) name(name string, s spot, k naming) {
	exposes, said := s.exposes()
	if (isAddress(name) || k.reach > reachNone && looksLikeHost(name)) &&
		(!said || len(exposes) > 0) {
		c.note(s, k, exposes, said)
	}
}

// added finds destinations in a new value.
func (c *comparison) added(n *jsontree.Node, s spot, k naming) {
	if given := c.secrets[n].plain; given != nil {
		k.sealed = cmp.Or(k.sealed, s.at)
		c.added(given, s, k)
		return
	}
	if !n.IsContainer() {
		c.leaf(nil, n, s, k)
		return
	}
	address := c.addressIn(s, k, n)
	for token, child := range n.Children() {
		if n.Kind() == jsontree.Object {
			c.name(token, s.child(n, token), k)
		}
		c.added(child, s.child(n, token), k.into(n, token, address))
	}
}

// removed finds destinations in a value that was removed from an existing object. If an object or
// array is removed without a replacement, its destinations do not count as changed, unless its name
// or the schema says that it holds addresses.
func (c *comparison) removed(n *jsontree.Node, s spot, k naming, replaced bool) {
	if was := c.secrets[n].plain; was != nil {
		k.sealed = cmp.Or(k.sealed, s.at)
		c.removed(was, s, k, replaced)
		return
	}
	if !n.IsContainer() {
		c.leaf(n, nil, s, k)
		return
	}
	if _, said := s.exposes(); k.reach < reachHere && !said && !replaced {
		return
	}
	address := c.addressIn(s, k, n)
	for token, child := range n.Children() {
		if n.Kind() == jsontree.Object {
			c.name(token, s.child(n, token), k)
		}
		c.removed(child, s.child(n, token), k.into(n, token, address), replaced)
	}
}

// leaf reports whether a changed value is a destination. If so, it notes the destination.
func (c *comparison) leaf(a, b *jsontree.Node, s spot, k naming) bool {
	if !s.isDestination(k, a, b) {
		return false
	}
	exposes, said := s.exposes()
	c.note(s, k, exposes, said)
	return true
}

// hidden is leaf for a replaced secret whose old value cannot be read. If neither the place nor the
// name made the old value a secret, it may have been a URL with a password. hidden treats it as one
// if a host replaces it.
func (c *comparison) hidden(a, b *jsontree.Node, s spot, k naming) bool {
	from, given := c.secrets[a].from, c.secrets[b].plain
	if given == nil {
		given = b
	}
	if !c.stored[a] || c.secrets[a].plain != nil || !textIs(given, looksLikeHost) ||
		c.byName()[from] {
		return false
	}
	exposes, said := s.exposes()
	if said && len(exposes) == 0 {
		return false
	}
	c.note(s, k, exposes, said)
	return true
}

// byName returns the places of the stored document that are sensitive whatever their value.
func (c *comparison) byName() map[string]bool {
	if c.named == nil {
		c.named = pointerSet(c.rule.Sensitive(c.before))
	}
	return c.named
}

func (c *comparison) note(s spot, k naming, exposes [][]string, said bool) {
	at := cmp.Or(k.sealed, s.at)
	if n := len(c.changed); n > 0 && c.changed[n-1].at == at {
		return
	}
	c.changed = append(c.changed, destination{at, exposes, said})
}

// isDestination reports whether one of the values, which may be nil, is a destination at this
// place.
func (s spot) isDestination(k naming, values ...*jsontree.Node) bool {
	exposes, said := s.exposes()
	switch {
	case said:
		return len(exposes) > 0
	case s.place != nil && s.place.Address():
		return true
	}
	return slices.ContainsFunc(values, func(n *jsontree.Node) bool {
		return k.says(n) || textIs(n, isAddress)
	})
}

// exposes returns the declarations of the schema about the secrets that go to the value here.
func (s spot) exposes() (places [][]string, said bool) {
	if s.place == nil {
		return nil, false
	}
	return s.place.Exposes()
}

// says reports whether the names make n a destination.
func (k naming) says(n *jsontree.Node) bool {
	switch {
	case n == nil || k.reach == reachNone && !k.beside || isCredential(k.name):
		return false
	case n.Kind() == jsontree.Number:
		return k.reach == reachBelow && isPort(k.name)
	case k.reach == reachHosts || k.reach > reachNone && aboutAddress(k.name):
		return textIs(n, looksLikeHost)
	}
	return n.Kind() == jsontree.String
}

// unchanged reports whether a and b look the same to a reader and have the very same secrets.
func (d *draft) unchanged(a, b *jsontree.Node) bool {
	var changed []string
	d.diff(a, b, "", &changed)
	return len(changed) == 0
}
