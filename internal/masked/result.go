package masked

import (
	"cmp"
	"errors"
	"slices"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// result finishes the write. It hides the new values at sensitive places, checks the document,
// and collects what changed. It returns all violations, sorted by path.
func (d *draft) result() (Result, error) {
	d.dropNulls()
	d.cover(d.rejectMasks)
	d.rejectLiterals()
	r := Result{Changed: d.changed()}
	if len(r.Changed) > 0 {
		filled := d.defaults()
		r.Redirected = d.guard(filled)
		if filled != d.doc {
			d.doc = filled
			d.cover(d.rejectMasks)
			r.Changed = d.changed()
		}
	}
	r.Doc = d.doc
	hidden := 0
	transform(d.doc, "", func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		s, ok := d.secrets[n]
		switch {
		case !ok:
			return nil, false
		case s.plain == nil:
			r.Keep = append(r.Keep, Move{From: s.from, To: at})
		default:
			r.Seal = append(r.Seal, Plain{Pointer: at, Value: s.plain})
			hidden += max(0, len(s.plain.Append(nil))-len(`"***"`))
		}
		return n, true
	})
	d.limits(hidden, len(r.Keep)+len(r.Seal))
	if err := d.violations(); err != nil {
		return Result{}, err
	}
	return r, nil
}

// defaults returns the document with the defaults of the schema. They are not values of the
// writer, so a destination among them is not one that the write changes.
func (d *draft) defaults() *jsontree.Node {
	if d.schema == nil || d.doc == nil {
		return d.doc
	}
	return d.schema.Defaults(d.doc)
}

// changed returns the pointers of the values that differ from the stored document, sorted
// bytewise.
func (d *draft) changed() []string {
	var changed []string
	d.diff(d.before, d.doc, "", &changed)
	slices.Sort(changed)
	return changed
}

// limits checks what edits can increase: the number of secrets, and the size of the document
// with masks and with the values of this write, which add hidden bytes.
func (d *draft) limits(hidden, secrets int) {
	if d.doc == nil {
		return
	}
	d.broken.Count(d.path, secrets, validate.MaxSecrets)
	err := d.doc.Check(jsontree.Limits{Bytes: max(1, validate.MaxDocument-hidden)})
	_ = d.broken.Merge(rejected(d.path, err)) // always a *validate.Error
}

// violations returns the violations sorted by path, because masks and sensitive values are
// found in separate passes.
func (d *draft) violations() error {
	err := d.broken.Err()
	if e, ok := errors.AsType[*validate.Error](err); ok {
		slices.SortStableFunc(e.Violations, func(a, b validate.Violation) int {
			return cmp.Compare(a.Path, b.Path)
		})
	}
	return err
}

// noSecretHere explains why a mask is rejected.
const noSecretHere = "no secret is stored here that *** could stand for"

// rejectMasks reports a value to be sealed as a whole that is or contains a mask, which would
// become part of the secret. It returns whether there is none. The names inside are part of the
// secret too, so it reports the whole value.
func (d *draft) rejectMasks(at string, n *jsontree.Node) bool {
	if !hasMask(n) {
		return true
	}
	d.violation(at, validate.RuleMaskWithoutStoredValue, noSecretHere)
	return false
}

func hasMask(n *jsontree.Node) bool {
	if isMask(n) {
		return true
	}
	for _, child := range n.Children() {
		if hasMask(child) {
			return true
		}
	}
	return false
}

// rejectLiterals reports each mask without a secret. A mask that was stored as a plain string
// at the same place stays one.
func (d *draft) rejectLiterals() {
	if !d.hasLiteral(d.doc) {
		return
	}
	transform(d.doc, "", func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		if d.isLiteral(n) {
			d.violation(at, validate.RuleMaskWithoutStoredValue, noSecretHere)
		}
		return n, d.isSecret(n)
	})
}

// hasLiteral reports whether there is such a mask. It saves most writes the work with pointers.
func (d *draft) hasLiteral(n *jsontree.Node) bool {
	if d.isLiteral(n) {
		return true
	}
	for _, child := range n.Children() {
		if d.hasLiteral(child) {
			return true
		}
	}
	return false
}

func (d *draft) isLiteral(n *jsontree.Node) bool {
	return isMask(n) && !d.isSecret(n) && !d.literal[n]
}

// dropNulls removes members that are null where a string would be sensitive. Null deletes a
// secret together with its member. It must do so without a secret too, or the same write sent
// twice would have two results. A stored null from before the rule stays: an echo changes
// nothing.
func (d *draft) dropNulls() {
	filled := transform(d.doc, "", func(_ string, n *jsontree.Node) (*jsontree.Node, bool) {
		if n.Kind() != jsontree.Null {
			return nil, false
		}
		return placeholder, true
	})
	if filled == d.doc {
		return
	}
	sensitive := pointerSet(d.rule.Sensitive(filled))
	d.doc = dropNulls(d.doc, d.before, "", sensitive)
}

// placeholder is a string that the rule judges in place of a null, which no rule could find
// sensitive by its value.
var placeholder, _ = jsontree.NewString(Text)

func dropNulls(n, before *jsontree.Node, at string, sensitive map[string]bool) *jsontree.Node {
	stored := before.Lookup()
	return n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		at := jsontree.ChildPointer(at, token)
		if child.Kind() != jsontree.Null {
			return dropNulls(child, stored(token), at, sensitive)
		}
		old := stored(token)
		if n.Kind() != jsontree.Object || !sensitive[at] ||
			old != nil && old.Kind() == jsontree.Null {
			return child
		}
		return nil
	})
}

// diff appends the pointers of the differences between two states of the document, as deep as
// both have them. A secret is equal only to itself.
func (d *draft) diff(a, b *jsontree.Node, at string, changed *[]string) {
	if a == b {
		return
	}
	if !bothHaveChildren(a, b) {
		if d.isSecret(a) || d.isSecret(b) || !a.Equal(b) {
			*changed = append(*changed, at)
		}
		return
	}
	inA, inB := a.Lookup(), b.Lookup()
	for token, child := range a.Children() {
		d.diff(child, inB(token), jsontree.ChildPointer(at, token), changed)
	}
	for token, child := range b.Children() {
		if inA(token) == nil {
			d.diff(nil, child, jsontree.ChildPointer(at, token), changed)
		}
	}
}

// bothHaveChildren reports whether a and b are objects or arrays of equal length, so that
// comparing their children is more precise.
func bothHaveChildren(a, b *jsontree.Node) bool {
	return a.IsContainer() && b.IsContainer() && a.Kind() == b.Kind() &&
		(a.Kind() == jsontree.Object || a.Len() == b.Len())
}
