package masked

import (
	"context"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Replace computes the result of a write that replaces the stored document as a whole. If incoming
// is nil, it removes the document. Masks have the meanings in the package comment.
//
// In an array with secrets, Replace accepts a mask inside an element that the member named by the
// schema (x-key) identifies, wherever the element moved. Without such a member, it accepts masks if
// the whole array is unchanged, or inside an unchanged, unique element at the same index of an
// array of the same length. If the index alone counted, a write that removes an element would give
// the secrets of later elements to their neighbours.
//
// The error is a [*validate.Error] with paths below Path, [ErrStored], or that of the context.
func (w Write) Replace(ctx context.Context, incoming *jsontree.Node) (Result, error) {
	return w.run(ctx, func(d *draft) bool {
		d.doc = d.merge(incoming, d.doc, d.root, false)
		return true
	})
}

// merge returns in with the secrets of old in place of masks. It returns nil if the value is to be
// omitted. If unsure is set, in and old can be different things, such as two elements matched by
// index only. Then merge accepts no mask, but still seals what replaces a secret.
func (d *draft) merge(in, old *jsontree.Node, s spot, unsure bool) *jsontree.Node {
	d.spend(1)
	switch {
	case in == nil:
		return nil
	case isMask(in):
		return d.resolve(in, old, s.at, unsure)
	case d.isSecret(old):
		return d.overwrite(in, old, s)
	case !unsure && in.Kind() == jsontree.Array && d.hasSecret(old) && d.equal(in, old):
		return old
	}
	counterpart := d.pair(in, old, s, unsure)
	return in.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		old, unsure := counterpart(token)
		merged := d.merge(child, old, s.child(in, token), unsure)
		if merged == nil && in.Kind() == jsontree.Array {
			return child // a null, because an omission would move the elements behind it
		}
		return merged
	})
}

// resolve returns the secret that a mask stands for. If nothing or a plain value is stored, it
// returns the mask, which rejectLiterals rejects. The writer of such a mask saw a mask there, for
// example in another installation or while the schema was unusable, and expects the value to stay.
// A stored "***" stays an ordinary string.
func (d *draft) resolve(in, old *jsontree.Node, at jsontree.Trail, unsure bool) *jsontree.Node {
	switch {
	case unsure:
		d.violation(at.Pointer(), validate.RuleAmbiguousMask,
			"*** in an array, or in place of one, that changed: give the secret again, or name "+
				"the member that identifies the elements in the schema (x-key)")
		return d.hide(secret{})
	case d.isSecret(old), d.literal[old]:
		return old
	case d.hasSecret(old):
		d.violation(at.Pointer(), validate.RuleMaskWithoutStoredValue,
			"*** cannot stand for an object or array")
		return d.hide(secret{})
	}
	return in
}

// overwrite returns the replacement of a secret. The replacement is sealed too, unless the schema
// declares that it is no secret here.
func (d *draft) overwrite(in, old *jsontree.Node, s spot) *jsontree.Node {
	switch {
	case in.Kind() == jsontree.Null:
		return nil
	case s.isOpen(in):
		return in
	case !d.mayBeSealed(s.at, in):
		return old
	case in.IsString(""):
		d.violation(s.at.Pointer(), validate.RuleEmptySecret,
			"an empty string cannot replace a secret; null removes it, *** keeps it")
		return old
	}
	return d.hide(secret{plain: in})
}

// pairing finds the stored value that a child of an incoming value replaces. It also reports
// whether the match is unsure.
type pairing func(token string) (old *jsontree.Node, unsure bool)

// pair returns the pairing for the children of two values.
func (d *draft) pair(in, old *jsontree.Node, s spot, unsure bool) pairing {
	switch {
	case old == nil || in.Kind() != old.Kind():
		unsure = unsure || d.hasSecret(old)
		return func(string) (*jsontree.Node, bool) { return nil, unsure }
	case in.Kind() == jsontree.Array:
		return d.elements(in, old, s, unsure)
	}
	member := old.Lookup()
	return func(token string) (*jsontree.Node, bool) { return member(token), unsure }
}

// elements returns the pairing for the elements of two arrays.
func (d *draft) elements(in, old *jsontree.Node, s spot, unsure bool) pairing {
	switch {
	case !d.hasSecret(old):
		return func(token string) (*jsontree.Node, bool) { return old.Child(token), unsure }
	case s.key() != "":
		return d.keyed(in, old, s.key(), unsure)
	}
	d.spend(in.Weight() + 2*old.Weight())
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

// equal is Node.Equal on the meter.
func (d *draft) equal(a, b *jsontree.Node) bool {
	d.spend(min(a.Weight(), b.Weight()))
	return a.Equal(b)
}

// keyed matches the elements with the same value in the member called key. An element matches
// nothing, and is unsure, if it has no such value or another element of its array has the same one.
func (d *draft) keyed(in, old *jsontree.Node, key string, unsure bool) pairing {
	d.spend(in.Weight() + old.Weight())
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

// identity returns the text or number in the member called key. It returns "" for a
// mask, because elements that hide the member all look alike.
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

// look returns a text for n as a reader sees it, with masks instead of secrets. A reader cannot
// tell apart two values with the same text.
func look(n *jsontree.Node) string { return string(n.AppendCanonical(nil)) }
