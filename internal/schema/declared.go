package schema

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// declarations are what the schemas of a place declare, apart from secrecy. They are computed once
// for all elements that share them.
type declarations struct {
	first       int // how many elements at the start of an array have schemas of their own
	anyNames    bool
	key         string
	address     bool
	exposes     []exposure
	saysExposes bool
}

func (p *Place) declared() *declarations {
	if p.like != nil {
		return p.like.declared()
	}
	if p.declares != nil {
		return p.declares
	}
	d := &declarations{
		anyNames:    p.agreed(func(n *note) bool { return n.anyNames }),
		saysExposes: p.agreed(func(n *note) bool { return n.saysExposes }),
	}
	keys := make(map[string]bool)
	for _, a := range p.applied {
		n := noteOf(a.sch)
		d.first = max(d.first, len(a.sch.PrefixItems))
		if list, ok := a.sch.Items.([]*jsonschema.Schema); ok {
			d.first = max(d.first, len(list))
		}
		d.address = d.address || n.destination
		d.exposes = append(d.exposes, n.exposes...)
		if n.key != "" {
			d.key, keys[n.key] = n.key, true
		}
	}
	if len(keys) > 1 {
		d.key = ""
	}
	p.declares = d
	return d
}

// AnyNames reports whether the names of the members at the place are no sign of a secret,
// because someone other than the author of the schema chose them.
func (p *Place) AnyNames() bool { return p.walk.left >= 0 && p.declared().anyNames }

// Key returns the name of the member that identifies the elements of the array at this place
// (x-key). It returns "" if the schema declares none, or more than one.
func (p *Place) Key() string { return p.declared().key }

// Address reports whether the place has the format of an address.
func (p *Place) Address() bool { return p.walk.left < 0 || p.declared().address }

// exposed is the result of Exposes.
type exposed struct {
	places [][]string
	said   bool
}

// Exposes returns the places of the secrets that go to the address at this place (x-exposes), as
// reference tokens. If the lists declared here do not apply to every document, it adds the lists
// declared above. said is false if no list applies to every document.
func (p *Place) Exposes() (places [][]string, said bool) {
	if p.exposed == nil {
		p.exposed = p.computeExposed()
	}
	if p.walk.left < 0 {
		return nil, false
	}
	return p.exposed.places, p.exposed.said
}

func (p *Place) computeExposed() *exposed {
	d := p.declared()
	above := &exposed{}
	if p.parent != nil && !d.saysExposes {
		above.places, above.said = p.parent.Exposes()
	}
	switch {
	case !d.saysExposes && !above.said:
		return &exposed{}
	case len(d.exposes) == 0 && !d.saysExposes:
		return above
	case !p.walk.spend(len(d.exposes) + len(above.places)):
		return &exposed{}
	}
	var places [][]string
	for _, e := range d.exposes {
		places = append(places, e.from(p.tokens))
	}
	return &exposed{slices.Concat(places, above.places), true}
}
