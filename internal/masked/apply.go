package masked

import (
	"context"
	"fmt"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// OpKind is the kind of an [Op]. The zero value is rejected.
type OpKind string

// Kinds of edits.
const (
	// Set puts Value at Pointer. It replaces an existing value by the rules of [Replace] for that
	// part of the document: a mask in Value keeps a secret, null removes a secret, and a plain
	// value in place of a secret is sealed. It adds a missing member. It appends to an array at "-"
	// or at the index after the last. The surrounding object or array must exist. A missing
	// document starts as {}.
	//
	// An index does not identify an element, because another writer may have moved the element. So
	// Set accepts masks in a replaced element only if the element keeps the value of the member
	// that the schema names as key, and no other element has that value. Without a key, the element
	// must look exactly like the old one.
	Set OpKind = "set"

	// Add is like Set, but in an array it inserts Value before the element at the index. It does
	// not accept masks in an inserted element. It is the add of RFC 6902.
	Add OpKind = "add"

	// SetExisting is like Set, but rejects a missing place.
	SetExisting OpKind = "replace"

	// Put is like Set, but also creates missing objects around the place.
	Put OpKind = "put"

	// Merge merges Value into the value at Pointer as in RFC 7396: null removes a member, other
	// members are set as by Set, and unnamed members stay.
	Merge OpKind = "merge"

	// SetSecret puts Value at Pointer and seals it as a whole, whatever the rule. It is the
	// only kind for which "***" and "" are ordinary secrets.
	SetSecret OpKind = "set-secret"

	// Remove removes the value at Pointer with its secrets. Later elements of an array move up and
	// keep their secrets.
	Remove OpKind = "remove"

	// Test rejects the patch unless the value at Pointer equals Value. It always rejects a
	// value at, above or below a secret, because the answer would confirm a guess.
	Test OpKind = "test"
)

// Op is one edit of a document. It prints without the value, as [jsontree.Node] does.
type Op struct {
	Kind    OpKind
	Pointer string         // RFC 6901, into the document after the previous edits
	Value   *jsontree.Node // for all kinds except Remove
	// Array is the pointer of an array around the place, or "". Put does not create this array, and
	// rejects the edit if it is missing.
	Array string
}

// Apply computes the result of a patch of the stored document, edit by edit. Secrets that no edit
// touches stay. It stops at the first invalid edit and returns all violations of that edit. It
// applies the rule once, to the final document.
//
// The error is a [*validate.Error] with paths below Path, [ErrStored], or that of the context.
func (w Write) Apply(ctx context.Context, ops []Op) (Result, error) {
	return w.run(ctx, func(d *draft) bool {
		if len(ops) > validate.MaxEdits {
			d.broken.Count(d.Path, len(ops), validate.MaxEdits)
			return false
		}
		for i, op := range ops {
			if d.apply(i, op); d.broken.Err() != nil {
				return false
			}
		}
		return true
	})
}

func (d *draft) apply(i int, op Op) {
	tokens, err := jsontree.ParsePointer(op.Pointer)
	switch {
	case err != nil || len(op.Pointer) > validate.MaxPointer:
		d.violation("", validate.RuleFormat,
			fmt.Sprintf("edit %d has no valid JSON Pointer", i))
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

// insideSecret reports whether a place is below a secret, where nothing can be read or changed. It
// also counts the steps of the edit, which searches and copies each object and array around the
// place a few times.
func (d *draft) insideSecret(tokens []string) bool {
	n := d.doc
	for _, token := range tokens {
		if d.isSecret(n) {
			return true
		}
		d.spend(1 + n.Len())
		n = n.Child(token)
	}
	return false
}

// write applies an edit with a value. A null in place of a secret removes the member. In an array,
// the null stays as an element, because a removal would move the elements after it.
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
		d.violation(op.Array, validate.RuleNotFound,
			"there is no array here to put the element into")
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

// recognised reports whether in is certainly meant for old, the existing element of an array. This
// matters only if old has secrets. If old is itself a secret, its mask is enough.
func (d *draft) recognised(in, old *jsontree.Node, tokens []string) bool {
	around := tokens[:len(tokens)-1]
	key := d.spot(around).key()
	switch {
	case !d.hasSecret(old):
		return true
	case key == "" || in.Kind() != jsontree.Object:
		return d.equal(in, old)
	}
	d.spendOn(d.doc.At(around))
	id := identity(in, key)
	return id != "" && id == identity(old, key) && len(byKey(d.doc.At(around), key)[id]) == 1
}

// hasArray reports whether there is an array at a pointer. The pointer "" requires no array, so the
// answer is true.
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
	d.doc, _ = d.doc.Insert(tokens, v) // cannot fail: the element exists
}

// around creates the missing objects around the place that tokens name, with a single change of the
// document.
func (d *draft) around(tokens []string) {
	missing, n := 0, d.doc
	for ; n != nil && missing < len(tokens); missing++ {
		n = n.Child(tokens[missing])
	}
	if n != nil || missing == len(tokens) {
		return
	}
	v := jsontree.NewObject()
	for i := len(tokens) - 2; i >= missing; i-- {
		v, _ = jsontree.NewObject().Set(tokens[i:i+1], v) // cannot fail: it is a new member
	}
	if doc, ok := d.doc.Set(tokens[:missing], v); ok { // otherwise set reports it
		d.doc = doc
	}
}

// mergePatch returns old with a patch merged into it. If an object of the patch replaces a value of
// another kind, its members have no stored counterparts. A mask in them is rejected as ambiguous if
// the replaced value had secrets.
func (d *draft) mergePatch(patch, old *jsontree.Node, s spot, unsure bool) *jsontree.Node {
	switch {
	case patch.Kind() != jsontree.Object:
		return d.merge(patch, old, s, unsure)
	case d.isSecret(old):
		d.violation(s.at.Pointer(), validate.RuleSealed,
			"is a secret, which nothing can be merged into")
		return old
	case old == nil || old.Kind() != jsontree.Object:
		unsure = unsure || d.hasSecret(old)
		old = jsontree.NewObject()
	}
	d.spend(patch.Len() + old.Len())
	given, have := patch.Lookup(), old.Child
	if patch.Len() > 8 { // a map of a large object costs more than a few searches
		have = old.Lookup()
	}
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
	case d.hasSecret(have):
		d.violation(at, validate.RuleSealed, "cannot be compared: it is or holds a secret")
	case have == nil || !d.equal(have, want):
		d.violation(at, validate.RuleTest, "does not have the expected value")
	}
}
