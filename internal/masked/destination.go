package masked

import (
	"slices"
	"strings"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// The destination rule: a write that changes where secrets go must bring these secrets along. Otherwise whoever may write a
// configuration, but not read its secrets, has them sent to a host of his own.
//
// A destination is
//
//   - a string whose name says so, see addressName, or below an object or array with such a name; a number called port;
//   - a string that begins like a URL, before or after the write, whatever its name;
//   - what the schema declares with x-exposes or with the format of an address; but nothing where it declares x-exposes: [].
//
// It changes if it is added, or set to anything else: scheme, host, port, user information, path and query alike. It also
// does if it is taken out of an object that stays; taken out together with the object or element around it, it does not.
//
// A secret is exposed to every destination of its document, unless x-exposes says to which. It is kept if it was stored
// before the write and still is after it, whether a mask said so or nothing did.

// destination is one that the write changes.
type destination struct {
	at      string     // in the new document; of one that is gone, where it would be
	exposes [][]string // places of secrets, as reference tokens
	said    bool       // only these
}

// guard refuses the write if it changes a destination of secrets that it keeps, with one violation for each of these. It
// returns the pointers of all destinations that change.
func (d *draft) guard() []string {
	if d.doc == nil {
		return nil
	}
	c := comparison{draft: d}
	c.compare(d.before, d.doc, d.top(), naming{})
	d.refuseKept(c.changed)
	var pointers []string
	for _, to := range c.changed {
		pointers = append(pointers, to.at)
	}
	return pointers
}

// refuseKept reports the secrets that were stored before and go to a destination that is now another.
func (d *draft) refuseKept(changed []destination) {
	if len(d.stored) == 0 || len(changed) == 0 {
		return
	}
	transform(d.doc, "", func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		if !d.stored[n] {
			return nil, false
		}
		for _, to := range changed {
			if to.reaches(at) {
				d.broken.AddViolation(validate.Violation{
					Path: d.path + at, Related: d.path + to.at, Rule: validate.RuleDestination,
					Detail: "goes to a destination that this write changes: give it again",
				})
				break
			}
		}
		return n, true
	})
}

// reaches reports whether the secret at a place is exposed to the destination.
func (to destination) reaches(at string) bool {
	if !to.said {
		return true
	}
	tokens, _ := jsontree.ParsePointer(at) // our own pointers parse
	return slices.ContainsFunc(to.exposes, func(place []string) bool {
		n := min(len(place), len(tokens))
		return slices.Equal(place[:n], tokens[:n])
	})
}

// comparison finds the destinations that differ between two states of the document.
type comparison struct {
	*draft
	changed []destination
}

// naming is what the names on the way to a value say.
type naming struct {
	name   string // the innermost one
	within bool   // it or one around it is that of an address
	sealed string // pointer of the secret that the value is part of; names below are not to be shown
}

// into returns the naming of a child of n.
func (k naming) into(n *jsontree.Node, token string) naming {
	if n.Kind() == jsontree.Object {
		k.name = token
		k.within = k.within || addressName(token)
	}
	return k
}

// compare looks for changes from a to b, either of which may be nil for nothing.
func (c *comparison) compare(a, b *jsontree.Node, s spot, k naming) {
	switch {
	case a == b:
	case a == nil:
		c.added(b, s, k)
	case b == nil:
		c.removed(a, s, k)
	case c.isSecret(a) || c.isSecret(b) || !a.IsContainer() && !b.IsContainer():
		if !c.unchanged(a, b) && !c.leaf(a, b, s, k) {
			c.removed(a, s, k)
			c.added(b, s, k)
		}
	case a.Kind() == jsontree.Object && b.Kind() == jsontree.Object:
		inA, inB := a.Lookup(), b.Lookup()
		for name, child := range b.Children() {
			c.compare(inA(name), child, s.child(b, name), k.into(b, name))
		}
		for name, child := range a.Children() {
			if inB(name) == nil {
				c.removed(child, s.child(a, name), k.into(a, name))
			}
		}
	case a.Kind() == jsontree.Array && b.Kind() == jsontree.Array:
		was := c.align(a, b, s)
		for i, child := range b.Children() {
			c.compare(was[i], child, s.child(b, i), k.into(b, i))
		}
	default:
		c.removed(a, s, k)
		c.added(b, s, k)
	}
}

// added looks for destinations in what is new.
func (c *comparison) added(n *jsontree.Node, s spot, k naming) {
	if given := c.secrets[n].plain; given != nil {
		if k.sealed == "" {
			k.sealed = s.at
		}
		c.added(given, s, k)
		return
	}
	if !n.IsContainer() {
		c.leaf(nil, n, s, k)
		return
	}
	for token, child := range n.Children() {
		c.added(child, s.child(n, token), k.into(n, token))
	}
}

// removed looks for destinations in what is gone from an object that is still there.
func (c *comparison) removed(n *jsontree.Node, s spot, k naming) {
	if !n.IsContainer() {
		c.leaf(n, nil, s, k)
		return
	}
	if _, said := s.exposes(); !k.within && !said {
		return
	}
	for token, child := range n.Children() {
		c.removed(child, s.child(n, token), k.into(n, token))
	}
}

// leaf notes a changed value if it is a destination, and reports whether it is.
func (c *comparison) leaf(a, b *jsontree.Node, s spot, k naming) bool {
	exposes, said := s.exposes()
	switch {
	case said && len(exposes) == 0:
		return false
	case said, s.place != nil && s.place.Address():
	case !k.says(a) && !k.says(b) && !isURL(a) && !isURL(b):
		return false
	}
	at := s.at
	if k.sealed != "" {
		at = k.sealed
	}
	c.changed = append(c.changed, destination{at, exposes, said})
	return true
}

// exposes returns what the schema says of the secrets that go to the value here.
func (s spot) exposes() (places [][]string, said bool) {
	if s.place == nil {
		return nil, false
	}
	return s.place.Exposes()
}

// says reports whether the names make n a destination.
func (k naming) says(n *jsontree.Node) bool {
	if n == nil || !k.within || aboutAddress(k.name) {
		return false
	}
	return n.Kind() == jsontree.String || n.Kind() == jsontree.Number && isPort(k.name)
}

// isURL reports whether n is a string that begins with a scheme and "://".
func isURL(n *jsontree.Node) bool {
	if n == nil || n.Kind() != jsontree.String {
		return false
	}
	scheme, _, found := strings.Cut(strings.TrimLeft(n.Text(), spaces), "://")
	return found && scheme != "" && strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// unchanged reports whether a and b are the same to a reader, and have the very same secrets in them.
func (d *draft) unchanged(a, b *jsontree.Node) bool {
	var changed []string
	d.diff(a, b, "", &changed)
	return len(changed) == 0
}

// align finds, for each element of b by its index, the one of a that it was: by the member that the schema names for that, or
// else one that is unchanged, or has the same secret in it, or, in arrays of one length, is at the same index. Elements that
// only changed places are the same ones.
func (c *comparison) align(a, b *jsontree.Node, s spot) map[string]*jsontree.Node {
	was := make(map[string]*jsontree.Node, b.Len())
	if key := s.key(); key != "" {
		counterpart := keyed(b, a, key, false)
		for i := range b.Children() {
			was[i], _ = counterpart(i)
		}
		return was
	}
	taken := make(map[*jsontree.Node]bool, a.Len())
	take := func(i string, e *jsontree.Node) {
		if e != nil && was[i] == nil && !taken[e] {
			was[i], taken[e] = e, true
		}
	}
	like, holder := make(map[string][]*jsontree.Node), make(map[*jsontree.Node]*jsontree.Node)
	for _, e := range a.Children() {
		like[look(e)] = append(like[look(e)], e)
		for _, secret := range c.secretsIn(e) {
			holder[secret] = e
		}
	}
	for i, e := range b.Children() {
		for n, old := range like[look(e)] {
			if c.unchanged(old, e) {
				take(i, old)
				like[look(e)] = slices.Delete(like[look(e)], n, n+1)
				break
			}
		}
	}
	for i, e := range b.Children() {
		for _, secret := range c.secretsIn(e) {
			take(i, holder[secret])
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
