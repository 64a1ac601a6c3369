package masked

import "github.com/go-installation/installation/internal/jsontree"

// walk is the state of a walk down a document: where it is, and which of some places are there and
// below.
type walk struct {
	*meter
	at     jsontree.Trail
	places jsontree.Places
}

func (w walk) child(token string) walk {
	return walk{w.meter, w.at.Child(token), w.places.Child(token)}
}

// newWalk returns a walk from the top of a document.
func newWalk(m *meter, pointers []string) walk {
	return walk{m, jsontree.NewTrail(), jsontree.PlacesOf(pointers)}
}

// transform returns n with some values replaced. It calls f with each value, from the top down. If
// f returns true, the result of f replaces the value, and transform does not visit its children.
func (w walk) transform(
	n *jsontree.Node, f func(w walk, n *jsontree.Node) (*jsontree.Node, bool),
) *jsontree.Node {
	if n == nil {
		return nil
	}
	w.spend(1)
	switch v, ok := f(w, n); {
	case ok:
		return v
	case !n.IsContainer():
		return n
	}
	return n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		return w.child(token).transform(child, f)
	})
}
