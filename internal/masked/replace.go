package masked

import (
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Replace works out a write that puts a whole document in place of the stored one; nil removes the document. Masks in it
// stand for what is stored, as the package comment says.
//
// In an array that holds secrets a mask is taken inside an element that can be told from the others by the member that the
// schema names for that (x-key), wherever it has moved. Where none is named it is taken only inside an element that is
// exactly as it was, at the same index of an array of the same length, and unlike every other element there; or if the
// whole array is as it was. By index alone the secrets of all elements behind a removed one would go to their neighbours.
//
// The error is a [*validate.Error] with paths below path, or [ErrStored].
func Replace(path string, stored Stored, incoming *jsontree.Node, rule Rule) (Result, error) {
	d, err := open(path, stored, rule)
	if err != nil {
		return Result{}, err
	}
	d.doc = d.merge(incoming, d.doc, d.top(), false)
	return d.result()
}

// merge returns in with the secrets of old wherever a mask stands for one of them. Nil means that the value is to be left
// out. With unsure set, in and old may not be the same thing, as in two elements that only the index connects; then no mask
// can be taken, but what is sealed stays sealed.
func (d *draft) merge(in, old *jsontree.Node, s spot, unsure bool) *jsontree.Node {
	switch {
	case in == nil:
		return nil
	case isMask(in):
		return d.resolve(in, old, s.at, unsure)
	case d.isSecret(old):
		return d.overwrite(in, old, s)
	}
	counterpart := d.pair(in, old, s, unsure)
	return in.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		old, unsure := counterpart(token)
		merged := d.merge(child, old, s.child(in, token), unsure)
		if merged == nil && in.Kind() == jsontree.Array {
			return child // a null: leaving it out would move the elements behind it
		}
		return merged
	})
}

// resolve returns what a mask stands for. Where nothing is stored, or a plain value, it stands for nothing and is refused at the end: who
// wrote it was shown a mask there, as in another installation or under a schema that was out of order, and means the value. A literal
// that is stored stands for itself.
func (d *draft) resolve(in, old *jsontree.Node, at string, unsure bool) *jsontree.Node {
	switch {
	case unsure:
		d.violation(at, validate.RuleAmbiguousMask, "*** in an array, or in place of one, that changed: give the secret again")
		return d.hide(secret{})
	case d.isSecret(old), d.literal[old]:
		return old
	case d.holds(old):
		d.violation(at, validate.RuleMaskWithoutStoredValue, "*** cannot stand for an object or array")
		return d.hide(secret{})
	}
	return in
}

// overwrite returns what takes the place of a secret. What is sealed stays sealed, unless the schema says that there is no
// secret here.
func (d *draft) overwrite(in, old *jsontree.Node, s spot) *jsontree.Node {
	switch {
	case in.Kind() == jsontree.Null:
		return nil
	case s.isOpen():
		return in
	case !d.refuseMasks(s.at, in):
		return old
	case in.IsString(""):
		d.violation(s.at, validate.RuleEmptySecret, "an empty string cannot replace a secret; null removes it, *** keeps it")
		return old
	}
	return d.hide(secret{plain: in})
}

// pairing finds, for a child of an incoming value, the stored value that it takes the place of, and whether that is unsure.
type pairing func(token string) (old *jsontree.Node, unsure bool)

// pair connects the children of two values.
func (d *draft) pair(in, old *jsontree.Node, s spot, unsure bool) pairing {
	switch {
	case old == nil || in.Kind() != old.Kind():
		unsure = unsure || d.holds(old)
		return func(string) (*jsontree.Node, bool) { return nil, unsure }
	case in.Kind() == jsontree.Array:
		return d.elements(in, old, s, unsure)
	}
	member := old.Lookup()
	return func(token string) (*jsontree.Node, bool) { return member(token), unsure }
}

// elements connects the elements of two arrays.
func (d *draft) elements(in, old *jsontree.Node, s spot, unsure bool) pairing {
	switch {
	case !d.holds(old) || in.Equal(old):
		return func(token string) (*jsontree.Node, bool) { return old.Child(token), unsure }
	case s.key() != "":
		return keyed(in, old, s.key(), unsure)
	}
	looks := make(map[string]int)
	for _, o := range old.Children() {
		looks[look(o)]++
	}
	return func(token string) (*jsontree.Node, bool) {
		o := old.Child(token)
		recognised := in.Len() == old.Len() && in.Child(token).Equal(o) && looks[look(o)] == 1
		return o, unsure || !recognised
	}
}

// key returns the name of the member by which elements of the array here are told apart, "" if none is declared.
func (s spot) key() string {
	if s.place == nil {
		return ""
	}
	return s.place.Key()
}

// keyed connects the elements that have the same value in the member called key. One that others in its array share it with, or
// that has none, is connected with nothing, and unsure.
func keyed(in, old *jsontree.Node, key string, unsure bool) pairing {
	given, stored := byKey(in, key), byKey(old, key)
	return func(token string) (*jsontree.Node, bool) {
		id := identity(in.Child(token), key)
		if id == "" || len(given[id]) != 1 || len(stored[id]) != 1 {
			return nil, true
		}
		return stored[id][0], unsure
	}
}

// byKey returns the elements of an array by their identity.
func byKey(array *jsontree.Node, key string) map[string][]*jsontree.Node {
	found := make(map[string][]*jsontree.Node, array.Len())
	for _, e := range array.Children() {
		if id := identity(e, key); id != "" {
			found[id] = append(found[id], e)
		}
	}
	return found
}

// identity returns what tells an element from others: the text or number in the member called key. A mask is none: elements
// that hide the member all look alike.
func identity(element *jsontree.Node, key string) string {
	if element == nil || element.Kind() != jsontree.Object {
		return ""
	}
	v := element.Child(key)
	if v == nil || isMask(v) || v.Kind() != jsontree.String && v.Kind() != jsontree.Number {
		return ""
	}
	return look(v)
}

// look returns what a reader can tell an element by. It holds no secret: these are masks.
func look(n *jsontree.Node) string { return string(n.AppendCanonical(nil)) }
