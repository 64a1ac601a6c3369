package masked

import (
	"github.com/go-installation/installation/internal/jsontree"
)

// A schema that says by place which secrets go where (x-exposes) also says so of a secret that moves: one that goes up in its array when an
// element before it is removed would go to the destination of the removed one.

// exposures are the destinations that a schema declares, by what they are exposed to.
type exposures struct {
	to    map[string]map[string]string // place of secrets, value of a destination, pointer of that
	below map[string][]string          // place, those in to below it
}

// exposed returns the secrets that a write moves to where they are exposed to a declared destination that they did not go to before,
// each with the pointer of that destination. One that has the same value as one it went to is no other.
func (d *draft) exposed() map[*jsontree.Node]string {
	found := make(map[*jsontree.Node]string)
	if d.schema == nil {
		return found
	}
	var before, after *exposures
	transform(d.doc, "", func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		from := d.secrets[n].from
		if !d.stored[n] || from == at {
			return n, d.isSecret(n)
		}
		if before == nil {
			before, after = d.exposures(d.before), d.exposures(d.doc)
		}
		went := before.of(from)
		for place, destinations := range after.of(at) {
			if _, same := went[place]; same {
				continue // what changed there, the comparison has found
			}
			for value, pointer := range destinations {
				if !knows(went, value) {
					found[n] = max(found[n], pointer)
				}
			}
		}
		return n, true
	})
	return found
}

func knows(went map[string]map[string]string, value string) bool {
	for _, destinations := range went {
		if _, ok := destinations[value]; ok {
			return true
		}
	}
	return false
}

// exposures returns the declared destinations of a document.
func (d *draft) exposures(doc *jsontree.Node) *exposures {
	e := &exposures{make(map[string]map[string]string), make(map[string][]string)}
	var walk func(n *jsontree.Node, s spot)
	walk = func(n *jsontree.Node, s spot) {
		for token, child := range n.Children() {
			walk(child, s.child(n, token))
		}
		if n.Len() > 0 {
			return
		}
		places, _ := s.exposes()
		for _, place := range places {
			e.add(place, d.valueOf(n), s.at)
		}
	}
	walk(doc, d.top())
	return e
}

// valueOf returns a text that tells a value from others, without the plain one of a secret.
func (d *draft) valueOf(n *jsontree.Node) string {
	switch secret, ok := d.secrets[n]; {
	case !ok:
		return "value " + look(n)
	case d.stored[n]:
		return "stored " + secret.from
	}
	return "given" // went nowhere before
}

func (e *exposures) add(place []string, value, at string) {
	key := jsontree.JoinPointer(place...)
	if e.to[key] == nil {
		e.to[key] = make(map[string]string)
		for i := range place {
			above := jsontree.JoinPointer(place[:i]...)
			e.below[above] = append(e.below[above], key)
		}
	}
	e.to[key][value] = at
}

// of returns the part of e.to that the secret at a pointer is exposed to: what is declared for its place, one above, or one in it.
func (e *exposures) of(at string) map[string]map[string]string {
	found := make(map[string]map[string]string)
	tokens, _ := jsontree.ParsePointer(at) // our own pointers parse
	for i := range len(tokens) + 1 {
		if key := jsontree.JoinPointer(tokens[:i]...); e.to[key] != nil {
			found[key] = e.to[key]
		}
	}
	for _, key := range e.below[at] {
		found[key] = e.to[key]
	}
	return found
}
