package masked

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// result finishes the write. It hides the new values at sensitive places, checks the document,
// and collects what changed. It returns all violations, sorted by path.
func (d *draft) result() (Result, error) {
	d.dropNulls()
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
			r.Keep = append(r.Keep, Move{From: s.from, To: w.at.pointer()})
		default:
			r.Seal = append(r.Seal, Plain{Pointer: w.at.pointer(), Value: s.plain})
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
	d.diff(d.before, d.doc, newTrail(), &changed)
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
func (d *draft) mayBeSealed(at trail, n *jsontree.Node) bool {
	d.spendOn(n)
	switch {
	case hasText(n, func(s string) bool { return s == Text }):
		d.violation(at.pointer(), validate.RuleMaskWithoutStoredValue, noSecretHere)
	case hasText(n, LooksMasked):
		d.violation(at.pointer(), validate.RuleMaskWithoutStoredValue, "looks like the mask of another "+
			"program: give the secret itself, or *** to keep a stored one; if it is the secret, "+
			"set it with patch.SetSecret")
	default:
		return true
	}
	return false
}

func hasText(n *jsontree.Node, is func(string) bool) bool {
	if n.Kind() == jsontree.String {
		return is(n.Text())
	}
	for _, child := range n.Children() {
		if hasText(child, is) {
			return true
		}
	}
	return false
}

// maskRunes are asterisks and bullets, with which programs write over the characters of a secret.
const maskRunes = "*＊∗✱•●∙⚫⬤◦‣⁃·‧・■▪█"

// LooksMasked reports whether a text is the mask of some program, or a secret with a part masked:
// ********, sk-t****u9XK, sk-...u9XK, xxxx4242, <redacted>.
func LooksMasked(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	run := 0
	for _, r := range text {
		if run++; !strings.ContainsRune(maskRunes, r) {
			run = 0
		}
		if run == 3 {
			return true
		}
	}
	first, _ := utf8.DecodeRuneInString(text)
	switch {
	case strings.HasPrefix(text, "xxxx") && len(text) < 64,
		!isWordRune(first) && utf8.RuneCountInString(text) > 2 &&
			strings.Trim(text, string(first)) == "",
		strings.Contains(text, "…"), strings.Contains(text, "..."):
		return !strings.ContainsAny(text, blanks)
	}
	words := []string{"redacted", "filtered", "hidden", "masked"}
	for _, brackets := range []string{"<>", "[]", "()", "{{}}"} {
		half := len(brackets) / 2
		if strings.HasPrefix(text, brackets[:half]) && strings.HasSuffix(text, brackets[half:]) {
			says := func(word string) bool { return strings.Contains(text, word) }
			return slices.ContainsFunc(append(words, "secret", "sensitive"), says)
		}
	}
	return slices.Contains(words, text)
}

// rejectLiterals adds a violation for each mask that stands for no secret. A "***" that was stored
// as an ordinary string at the same place is allowed.
func (d *draft) rejectLiterals() {
	if !d.hasLiteral(d.doc) {
		return
	}
	newWalk(d.meter, nil).transform(d.doc, func(w walk, n *jsontree.Node) (*jsontree.Node, bool) {
		if d.isLiteral(n) {
			d.violation(w.at.pointer(), validate.RuleMaskWithoutStoredValue, noSecretHere)
		}
		return n, d.isSecret(n)
	})
}

// hasLiteral reports whether rejectLiterals would find such a mask. Most writes have none, and are
// spared the computation of pointers.
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

// dropNulls removes each member that is null where a string would be sensitive. A null removes a
// stored secret together with its member. Without dropNulls, the same write sent a second time
// would find no secret and store the null. A null that was already stored stays, so a write of what
// was read changes nothing.
func (d *draft) dropNulls() {
	filled := newWalk(d.meter, nil).transform(d.doc, func(_ walk, n *jsontree.Node) (*jsontree.Node, bool) {
		return placeholder, n.Kind() == jsontree.Null
	})
	if filled == d.doc {
		return
	}
	d.spend(2 * filled.Weight())
	d.doc = dropNulls(d.doc, d.before, placesOf(d.Rule.Sensitive(filled)))
}

// placeholder is the string that the rule judges in place of a null, because no rule finds a null
// sensitive.
var placeholder, _ = jsontree.NewString(Text)

func dropNulls(n, before *jsontree.Node, sensitive places) *jsontree.Node {
	if len(sensitive.below) == 0 {
		return n
	}
	stored := before.Lookup()
	return n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		if child.Kind() != jsontree.Null {
			return dropNulls(child, stored(token), sensitive.below[token])
		}
		old := stored(token)
		if n.Kind() != jsontree.Object || !sensitive.below[token].here ||
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
func (d *draft) diff(a, b *jsontree.Node, at trail, changed *[]string) {
	if d.spend(1); a == b || len(*changed) == maxChanged {
		return
	}
	if !bothHaveChildren(a, b) {
		if d.isSecret(a) || d.isSecret(b) || !a.Equal(b) {
			*changed = append(*changed, at.pointer())
		}
		return
	}
	inA, inB := a.Lookup(), b.Lookup()
	for token, child := range a.Children() {
		d.diff(child, inB(token), at.child(token), changed)
	}
	for token, child := range b.Children() {
		if inA(token) == nil {
			d.diff(nil, child, at.child(token), changed)
		}
	}
}

// bothHaveChildren reports whether a and b are objects or arrays of equal length, so that
// comparing their children is more precise.
func bothHaveChildren(a, b *jsontree.Node) bool {
	return a.IsContainer() && b.IsContainer() && a.Kind() == b.Kind() &&
		(a.Kind() == jsontree.Object || a.Len() == b.Len())
}
