package masked

import (
	"fmt"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// OpKind is what an [Op] does. The zero value is refused.
type OpKind string

// Kinds of edits.
const (
	// Set puts Value at Pointer. What is there is replaced, by the rules of [Replace] for that part of the document: a
	// mask in Value keeps a secret, null at a secret removes it, and a plain value at a secret is sealed anew. A member
	// that is not there is added; an array takes one more element at "-" or at the index behind the last. The object or
	// array around it must exist, but for a document that does not exist: it starts as {}.
	//
	// An index does not say which element is meant, as another writer may have moved them. So masks in what takes the place of
	// an element are taken only if it has the value of the old one in the member that the schema names for that, and no other
	// element has it; or if it looks exactly like the old one.
	Set OpKind = "set"

	// Add is Set, but that an index of an array names the element before which Value is put. Masks in it stand for nothing
	// there. It is the add of RFC 6902.
	Add OpKind = "add"

	// SetExisting is Set for a place that is there already.
	SetExisting OpKind = "replace"

	// Put is Set, but that the objects around the place are made if they are not there.
	Put OpKind = "put"

	// Merge merges Value into what is at Pointer, by RFC 7396: null removes a member, other members are as with Set, and those
	// that Value does not name stay.
	Merge OpKind = "merge"

	// SetSecret puts Value at Pointer, sealed as a whole whatever the rule says. It alone takes "***" and "" for what
	// they are: the secret.
	SetSecret OpKind = "set-secret"

	// Remove removes what is at Pointer, with the secrets in it. Later elements of an array move up and keep theirs.
	Remove OpKind = "remove"

	// Test refuses the patch unless the value at Pointer equals Value. At, above and below a secret it always does, as
	// the answer would allow to guess it.
	Test OpKind = "test"
)

// Op is one edit of a document. It prints without the value, as [jsontree.Node] does.
type Op struct {
	Kind    OpKind
	Pointer string         // RFC 6901, into the document as the edits before left it
	Value   *jsontree.Node // of all kinds but Remove
	Array   string         // of Put: pointer of an array around the place, which must be there and is not made; "" = none
}

// Apply works out a patch of the stored document, edit by edit. Secrets that no edit touches stay. At the first edit that
// cannot be made it stops, with all that is wrong with that edit; the rule is asked once, about the document at the end.
//
// The error is a [*validate.Error] with paths below path, or [ErrStored].
func Apply(path string, stored Stored, ops []Op, rule Rule) (Result, error) {
	d, err := open(path, stored, rule)
	if err != nil {
		return Result{}, err
	}
	if len(ops) > validate.MaxEdits {
		d.broken.Count(path, len(ops), validate.MaxEdits)
		return Result{}, d.violations()
	}
	for i, op := range ops {
		d.apply(i, op)
		if err := d.violations(); err != nil {
			return Result{}, err
		}
	}
	return d.result()
}

func (d *draft) apply(i int, op Op) {
	tokens, err := jsontree.ParsePointer(op.Pointer)
	switch {
	case err != nil || len(op.Pointer) > validate.MaxPointer:
		d.violation("", validate.RuleFormat, fmt.Sprintf("edit %d has no valid JSON Pointer", i))
		return
	case op.Value == nil && op.Kind != Remove:
		d.violation(op.Pointer, validate.RuleRequired, "the edit needs a value")
		return
	case d.insideSecret(tokens):
		d.violation(op.Pointer, validate.RuleSealed, "leads into a secret")
		return
	}
	switch op.Kind {
	case Set, Add, SetExisting, Put, Merge:
		d.write(op, tokens)
	case SetSecret:
		d.set(op.Pointer, tokens, d.hide(secret{plain: op.Value}))
	case Remove:
		d.remove(op.Pointer, tokens)
	case Test:
		d.test(op.Pointer, d.doc.At(tokens), op.Value)
	default:
		d.violation(op.Pointer, validate.RuleUnknown, "no such kind of edit")
	}
}

// insideSecret reports whether the place is below a secret, where nothing can be seen or changed.
func (d *draft) insideSecret(tokens []string) bool {
	for i := range tokens {
		if d.isSecret(d.doc.At(tokens[:i])) {
			return true
		}
	}
	return false
}

// write makes an edit of a kind that brings a value. A null at a secret removes the member with it, but leaves a null in an
// array, where a removal would move the elements behind it.
func (d *draft) write(op Op, tokens []string) {
	old := d.doc.At(tokens)
	switch {
	case op.Kind == SetExisting && old == nil:
		d.violation(op.Pointer, validate.RuleNotFound, "there is nothing here to replace")
		return
	case op.Kind == Add && old != nil && d.parentIsArray(tokens):
		d.insert(op, tokens)
		return
	case op.Kind == Put && !d.hasArray(op.Array):
		d.violation(op.Array, validate.RuleNotFound, "there is no array here to put the element into")
		return
	case op.Kind == Put:
		d.around(tokens)
	}
	unsure := d.parentIsArray(tokens) && !d.recognised(op.Value, old, tokens)
	var v *jsontree.Node
	if op.Kind == Merge {
		v = d.mergePatch(op.Value, old, d.spot(tokens), unsure)
	} else {
		v = d.merge(op.Value, old, d.spot(tokens), unsure)
	}
	if v == nil && d.parentIsArray(tokens) {
		v = op.Value
	}
	if v == nil {
		d.remove(op.Pointer, tokens)
		return
	}
	d.set(op.Pointer, tokens, v)
}

// recognised reports whether a value for an element of an array is sure to be meant for the one that is there, if that holds secrets. For
// a secret alone there is nothing to mistake: its mask leaves it as it is.
func (d *draft) recognised(in, old *jsontree.Node, tokens []string) bool {
	around := tokens[:len(tokens)-1]
	key := d.spot(around).key()
	switch {
	case !d.holds(old):
		return true
	case key == "" || in.Kind() != jsontree.Object:
		return in.Equal(old)
	}
	id := identity(in, key)
	return id != "" && id == identity(old, key) && len(byKey(d.doc.At(around), key)[id]) == 1
}

// hasArray reports whether there is an array at a pointer, if one is asked for.
func (d *draft) hasArray(pointer string) bool {
	tokens, err := jsontree.ParsePointer(pointer)
	if err != nil || pointer == "" {
		return err == nil
	}
	n := d.doc.At(tokens)
	return n != nil && n.Kind() == jsontree.Array
}

// insert puts a value before an element of an array.
func (d *draft) insert(op Op, tokens []string) {
	v := d.merge(op.Value, nil, d.spot(tokens), true)
	d.doc, _ = d.doc.Insert(tokens, v) // does not fail: the element is there
}

// around makes the objects around a place that are not there.
func (d *draft) around(tokens []string) {
	for i := range tokens {
		if d.doc.At(tokens[:i]) != nil {
			continue
		}
		doc, ok := d.doc.Set(tokens[:i], jsontree.NewObject())
		if !ok {
			return // set will say so
		}
		d.doc = doc
	}
}

// mergePatch returns old with a patch merged into it. What the patch brings in place of something of another kind has no
// counterpart; a mask in it is refused if there were secrets.
func (d *draft) mergePatch(patch, old *jsontree.Node, s spot, unsure bool) *jsontree.Node {
	switch {
	case patch.Kind() != jsontree.Object:
		return d.merge(patch, old, s, unsure)
	case d.isSecret(old):
		d.violation(s.at, validate.RuleSealed, "is a secret, which nothing can be merged into")
		return old
	case old == nil || old.Kind() != jsontree.Object:
		unsure = unsure || d.holds(old)
		old = jsontree.NewObject()
	}
	given, have := patch.Lookup(), old.Lookup()
	merged := old.Rewrite(func(name string, child *jsontree.Node) *jsontree.Node {
		v := given(name)
		switch {
		case v == nil:
			return child
		case v.Kind() == jsontree.Null:
			return nil
		}
		return d.mergePatch(v, child, s.child(old, name), unsure)
	})
	return merged.Extend(func(yield func(string, *jsontree.Node) bool) {
		for name, v := range patch.Children() {
			if have(name) != nil || v.Kind() == jsontree.Null {
				continue
			}
			if !yield(name, d.mergePatch(v, nil, s.child(old, name), unsure)) {
				return
			}
		}
	})
}

func (d *draft) parentIsArray(tokens []string) bool {
	if len(tokens) == 0 {
		return false
	}
	parent := d.doc.At(tokens[:len(tokens)-1])
	return parent != nil && parent.Kind() == jsontree.Array
}

func (d *draft) set(at string, tokens []string, v *jsontree.Node) {
	doc := d.doc
	if doc == nil && len(tokens) > 0 {
		doc = jsontree.NewObject()
	}
	doc, ok := doc.Set(tokens, v)
	if !ok {
		d.violation(at, validate.RuleNotFound, "there is nothing here to put the value into")
		return
	}
	d.doc = doc
}

func (d *draft) remove(at string, tokens []string) {
	doc, ok := d.doc.Remove(tokens)
	if !ok {
		d.violation(at, validate.RuleNotFound, "there is nothing here to remove")
		return
	}
	d.doc = doc
}

func (d *draft) test(at string, have, want *jsontree.Node) {
	switch {
	case d.holds(have):
		d.violation(at, validate.RuleSealed, "cannot be compared: it is or holds a secret")
	case have == nil || !have.Equal(want):
		d.violation(at, validate.RuleTest, "does not have the expected value")
	}
}
