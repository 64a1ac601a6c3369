package masked

import (
	"cmp"
	"errors"
	"slices"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// result ends the write: it hides what was given at sensitive places, checks the whole, and reads off what has become of
// everything. If there were violations it returns them all, by path.
func (d *draft) result() (Result, error) {
	d.dropNulls()
	d.cover(d.refuseMasks)
	d.refuseLiterals()
	r := Result{Changed: d.changed()}
	if len(r.Changed) > 0 {
		filled := d.defaults()
		r.Redirected = d.guard(filled)
		if filled != d.doc {
			d.doc = filled
			d.cover(d.refuseMasks)
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

// defaults returns the document with what the schema has defaults for. These values are not the writer's, so a destination among them is
// none that the write changes.
func (d *draft) defaults() *jsontree.Node {
	if d.schema == nil || d.doc == nil {
		return d.doc
	}
	return d.schema.Defaults(d.doc)
}

// changed returns the pointers of what is different from what was stored, sorted bytewise.
func (d *draft) changed() []string {
	var changed []string
	d.diff(d.before, d.doc, "", &changed)
	slices.Sort(changed)
	return changed
}

// limits checks what edits can have let grow: the number of secrets and the document, both as it is with masks and with the
// values of this write in it, which make it larger by hidden bytes.
func (d *draft) limits(hidden, secrets int) {
	if d.doc == nil {
		return
	}
	d.broken.Count(d.path, secrets, validate.MaxSecrets)
	err := d.doc.Check(jsontree.Limits{Bytes: max(1, validate.MaxDocument-hidden)})
	_ = d.broken.Merge(refused(d.path, err)) // is a *validate.Error
}

// violations returns what was found, sorted by path: masks and sensitive values are looked at in separate passes.
func (d *draft) violations() error {
	err := d.broken.Err()
	if e, ok := errors.AsType[*validate.Error](err); ok {
		slices.SortStableFunc(e.Violations, func(a, b validate.Violation) int { return cmp.Compare(a.Path, b.Path) })
	}
	return err
}

// noSecretHere says why a mask is refused.
const noSecretHere = "no secret is stored here that *** could stand for"

// refuseMasks reports a value that is to be sealed as a whole and is or has a mask, which would become part of the secret, and whether it
// has none. The names in it are part of the secret too, so the report is of the whole.
func (d *draft) refuseMasks(at string, n *jsontree.Node) bool {
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

// refuseLiterals reports each mask that stands for nothing. One that was stored as a plain string stays one at its place.
func (d *draft) refuseLiterals() {
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

// hasLiteral reports whether there is one. It saves most writes the pointers.
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

func (d *draft) isLiteral(n *jsontree.Node) bool { return isMask(n) && !d.isSecret(n) && !d.literal[n] }

// dropNulls removes members that are null where a string would be sensitive. Null deletes a secret together with its member;
// it has to do so even if there is no secret, or else the same write made twice would come to two documents. A null that
// is stored already, from before the rule, stays: an echo changes nothing.
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

// placeholder is a string for the rule to judge in place of a null, which no rule could find sensitive by its value.
var placeholder, _ = jsontree.NewString(Text)

func dropNulls(n, before *jsontree.Node, at string, sensitive map[string]bool) *jsontree.Node {
	stored := before.Lookup()
	return n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		at := jsontree.ChildPointer(at, token)
		if child.Kind() != jsontree.Null {
			return dropNulls(child, stored(token), at, sensitive)
		}
		old := stored(token)
		if n.Kind() != jsontree.Object || !sensitive[at] || old != nil && old.Kind() == jsontree.Null {
			return child
		}
		return nil
	})
}

// diff appends the pointers of what differs between two states of the document, each as far down as both have it. A secret
// is the same only if it is the very one.
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

// bothHaveChildren reports whether a and b are objects, or arrays of one length, so that it says more to compare their children.
func bothHaveChildren(a, b *jsontree.Node) bool {
	return a.IsContainer() && b.IsContainer() && a.Kind() == b.Kind() && (a.Kind() == jsontree.Object || a.Len() == b.Len())
}
