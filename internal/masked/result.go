package masked

import (
	"cmp"
	"errors"
	"slices"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// result finishes the write. It hides the new values at sensitive places, checks the document,
// and collects what changed. It returns all violations, sorted by path.
func (d *draft) result() (Result, error) {
	d.dropNulls()
	d.rejectNames()
	d.cover(d.mayBeSealed)
	d.rejectLiterals()
	r := Result{Changed: d.changed()}
	if len(r.Changed) > 0 {
		filled := d.defaults()
		d.guard(filled, &r)
		if filled != d.doc {
			d.doc = filled
			d.cover(d.mayBeSealed)
			r.Changed = d.changed()
		}
	}
	r.Doc = d.doc
	hidden := 0
	newWalk(d.meter, nil).transform(d.doc, func(w walk, n *jsontree.Node) (*jsontree.Node, bool) {
		s, ok := d.secrets[n]
		switch {
		case !ok:
			return nil, false
		case s.plain == nil:
			r.Keep = append(r.Keep, Move{From: s.from, To: w.at.Pointer()})
		default:
			r.Seal = append(r.Seal, Plain{Pointer: w.at.Pointer(), Value: s.plain})
			hidden += max(0, len(s.plain.Append(nil))-len(`"***"`))
		}
		return n, true
	})
	d.limits(hidden, len(r.Keep)+len(r.Seal))
	if err := d.violations(); err != nil {
		return Result{Redirects: r.Redirects}, err
	}
	return r, nil
}

// rejectNames adds a violation for each new member name that has the form of a secret, such as a
// URL with a password. A name cannot be masked.
func (d *draft) rejectNames() {
	var had map[string]bool // names in the old document
	newWalk(d.meter, nil).transform(d.doc, func(w walk, n *jsontree.Node) (*jsontree.Node, bool) {
		if n.Kind() != jsontree.Object {
			return nil, false
		}
		for name := range n.Children() {
			if !d.names.Of(name).IsSecret {
				continue
			}
			if had == nil {
				had = make(map[string]bool)
				addNames(had, d.before)
			}
			if !had[name] {
				d.violation(w.at.Pointer(), validate.RuleFormat, "a member name looks like a "+
					"secret, and names cannot be masked: put the secret into a value")
			}
		}
		return nil, false
	})
}

func addNames(set map[string]bool, n *jsontree.Node) {
	for token, child := range n.Children() {
		set[token] = true
		addNames(set, child)
	}
}

// defaults returns the document with the defaults of the schema. The writer did not choose the
// defaults, so a destination among them does not count as changed by the write.
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
	d.diff(d.before, d.doc, jsontree.NewTrail(), &changed)
	slices.Sort(changed)
	return changed
}

// limits checks what edits can increase: the number of secrets, and the size of the document. The
// size counts the new plain secrets instead of their masks, and hidden is the difference in bytes.
func (d *draft) limits(hidden, secrets int) {
	if d.doc == nil {
		return
	}
	d.spendOn(d.doc)
	d.broken.Count(d.Path, secrets, validate.MaxSecrets)
	err := d.doc.Check(jsontree.Limits{Bytes: max(1, validate.MaxDocument-hidden)})
	_ = d.broken.Merge(rejected(d.Path, err)) // always a *validate.Error
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

// mayBeSealed reports whether a value can be sealed as a whole. It adds a violation and returns
// false if the value is or contains a mask, which would become part of the secret. The violation is
// at the whole value, because the names inside would be part of the secret too.
func (d *draft) mayBeSealed(at jsontree.Trail, n *jsontree.Node) bool {
	d.spendOn(n)
	switch {
	case n.Any(isMask):
		d.violation(at.Pointer(), validate.RuleMaskWithoutStoredValue, noSecretHere)
	case n.Any(func(n *jsontree.Node) bool {
		return n.Kind() == jsontree.String && classify.LooksMasked(n.Text())
	}):
		d.violation(at.Pointer(), validate.RuleMaskWithoutStoredValue, "looks like the mask of "+
			"another program: give the secret itself, or *** to keep a stored one; if it is the "+
			"secret, set it with patch.SetSecret")
	default:
		return true
	}
	return false
}

// rejectLiterals adds a violation for each mask that stands for no secret. A "***" that was stored
// as an ordinary string at the same place is allowed.
func (d *draft) rejectLiterals() {
	if !d.doc.Any(d.isLiteral) {
		return // most writes have none, and are spared the computation of ways
	}
	newWalk(d.meter, nil).transform(d.doc, func(w walk, n *jsontree.Node) (*jsontree.Node, bool) {
		if d.isLiteral(n) {
			d.violation(w.at.Pointer(), validate.RuleMaskWithoutStoredValue, noSecretHere)
		}
		return n, d.isSecret(n)
	})
}

func (d *draft) isLiteral(n *jsontree.Node) bool {
	return isMask(n) && !d.isSecret(n) && !d.literal[n]
}

// dropNulls removes each member that is null where a string would be sensitive. A null removes a
// stored secret together with its member. Without dropNulls, the same write sent a second time
// would find no secret and store the null. A null that was already stored stays, so a write of what
// was read changes nothing.
func (d *draft) dropNulls() {
	w := newWalk(d.meter, nil)
	filled := w.transform(d.doc, func(_ walk, n *jsontree.Node) (*jsontree.Node, bool) {
		return placeholder, n.Kind() == jsontree.Null
	})
	if filled == d.doc {
		return
	}
	d.spend(2 * filled.Weight())
	d.doc = dropNulls(d.doc, d.before, jsontree.PlacesOf(d.Rule.Sensitive(filled)))
}

// placeholder is the string that the rule judges in place of a null, because no rule finds a null
// sensitive.
var placeholder, _ = jsontree.NewString(Text)

func dropNulls(n, before *jsontree.Node, sensitive jsontree.Places) *jsontree.Node {
	if !sensitive.AnyBelow() {
		return n
	}
	stored := before.Lookup()
	return n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		if child.Kind() != jsontree.Null {
			return dropNulls(child, stored(token), sensitive.Child(token))
		}
		old := stored(token)
		if n.Kind() != jsontree.Object || !sensitive.Child(token).Here ||
			old != nil && old.Kind() == jsontree.Null {
			return child
		}
		return nil
	})
}

// maxChanged is how many changes are named. An event has no room for more.
const maxChanged = 1000

// diff appends the pointers of the differences between two states of the document. It compares
// children as long as both states have them. A secret is equal only to itself.
func (d *draft) diff(a, b *jsontree.Node, at jsontree.Trail, changed *[]string) {
	if d.spend(1); a == b || len(*changed) == maxChanged {
		return
	}
	if !bothHaveChildren(a, b) {
		if d.isSecret(a) || d.isSecret(b) || !a.Equal(b) {
			*changed = append(*changed, at.Pointer())
		}
		return
	}
	inA, inB := a.Lookup(), b.Lookup()
	for token, child := range a.Children() {
		d.diff(child, inB(token), at.Child(token), changed)
	}
	for token, child := range b.Children() {
		if inA(token) == nil {
			d.diff(nil, child, at.Child(token), changed)
		}
	}
}

// bothHaveChildren reports whether a and b are objects or arrays of equal length, so that
// comparing their children is more precise.
func bothHaveChildren(a, b *jsontree.Node) bool {
	return a.IsContainer() && b.IsContainer() && a.Kind() == b.Kind() &&
		(a.Kind() == jsontree.Object || a.Len() == b.Len())
}
