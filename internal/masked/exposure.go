package masked

import (
	"github.com/go-installation/installation/internal/jsontree"
)

// A schema declares by place which secrets go to a destination (x-exposes). If an element of an
// array is removed, the secrets of later elements move to the place of another element. Then they
// would go to the destination that is declared for that place. This file finds such secrets.

// exposures are the destinations that a schema declares with x-exposes, by the places of the
// secrets.
type exposures struct {
	// to maps the place of secrets to their destinations. These map the value of a destination, see
	// valueOf, to its pointer.
	to    map[string]map[string]string
	below map[string][]string // maps a place to the keys of to that are below it
}

// exposed returns the secrets that a write moves to a new declared destination, each with the
// pointer of that destination. A destination is not new if an old destination of the secret has the
// same value.
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
				continue // compare has checked a change there
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

// valueOf returns a text that identifies a value without the plain text of a secret.
func (d *draft) valueOf(n *jsontree.Node) string {
	switch secret, ok := d.secrets[n]; {
	case !ok:
		return "value " + look(n)
	case d.stored[n]:
		return "stored " + secret.from
	}
	return "given" // a new secret, which was no destination before
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

// of returns the destinations of the secret at a pointer: those declared for its place, one
// above, or one in it.
func (e *exposures) of(at string) map[string]map[string]string {
	found := make(map[string]map[string]string)
	tokens, _ := jsontree.ParsePointer(at) // always valid: it is our own
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
