package masked

import (
	"context"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
	"github.com/go-installation/installation/validate"
)

// draft is a document during a write.
//
// Each secret in it is a mask node of its own, created by hide. Nodes never change, and an edit
// moves a node without a copy. So the Go address of the node identifies the secret wherever the
// node moves, and no JSON Pointers need updates during the write. A mask in a request is a
// different node and cannot be mistaken for a secret.
type draft struct {
	Write
	*meter
	schema  *schema.Schema // of the rule; nil = none
	doc     *jsontree.Node
	before  *jsontree.Node // doc before the write
	sealed  int            // number of sealed pointers with a mask in the document
	secrets map[*jsontree.Node]secret
	stored  map[*jsontree.Node]bool // the secrets before the write
	literal map[*jsontree.Node]bool // the strings "***" before the write that are no masks
	holds   map[*jsontree.Node]bool // see hasSecret
	names   *classify.Names
	root    spot // of the whole document
	broken  validate.List
}

// secret is the value behind a mask node.
type secret struct {
	from  string         // pointer at which the value is sealed or was stored plain; "" = new
	plain *jsontree.Node // the value if it is not sealed yet, else nil
}

// newDraft returns the stored document as a reader sees it.
func newDraft(w Write, m *meter) *draft {
	d := &draft{
		Write: w, meter: m,
		secrets: make(map[*jsontree.Node]secret, len(w.Stored.Sealed)),
		literal: make(map[*jsontree.Node]bool),
		holds:   make(map[*jsontree.Node]bool),
		names:   classify.NewNames(m.spend),
	}
	d.root.at = jsontree.NewTrail()
	switch r := w.Rule.(type) {
	case classify.NameRule:
		d.Rule = r.With(d.names)
	case classify.SchemaRule:
		d.Rule, d.schema, d.root.place = r.With(d.names), r.Schema, r.Schema.Root()
	}
	all := newWalk(m, w.Stored.Sealed)
	d.doc = all.transform(w.Stored.Doc, func(w walk, n *jsontree.Node) (*jsontree.Node, bool) {
		if !w.places.Here {
			if isMask(n) {
				d.literal[n] = true
			}
			return nil, false
		}
		if isMask(n) {
			d.sealed++
		}
		return d.hide(secret{from: w.at.Pointer()}), true
	})
	d.cover(func(jsontree.Trail, *jsontree.Node) bool { return true })
	d.before = d.doc
	d.stored = make(map[*jsontree.Node]bool, len(d.secrets))
	for n := range d.secrets {
		d.stored[n] = true
	}
	return d
}

// run opens the stored document, applies edit and finishes the write. It fails with [ErrStored] if
// there is no mask at a sealed pointer, because the write would silently drop that sealed value. If
// edit returns false, run returns its violations at once.
func (w Write) run(ctx context.Context, edit func(d *draft) (ok bool)) (Result, error) {
	return metered(w.Path, func() (Result, error) {
		m := &meter{ctx: ctx, left: MaxSteps, polled: MaxSteps + pollSteps}
		d := newDraft(w, m)
		if d.sealed != len(w.Stored.Sealed) {
			return Result{}, ErrStored
		}
		if !edit(d) {
			return Result{Steps: MaxSteps - m.left}, d.violations()
		}
		r, err := d.result()
		r.Steps = MaxSteps - m.left
		return r, err
	})
}

func (d *draft) hide(s secret) *jsontree.Node {
	mask, _ := jsontree.NewString(Text) // cannot fail: Text is valid UTF-8
	d.secrets[mask] = s
	return mask
}

func (d *draft) isSecret(n *jsontree.Node) bool {
	_, ok := d.secrets[n]
	return ok
}

// hasSecret reports whether there is a secret at n or below. It remembers the answer for each
// array and object, because an edit leaves most of them as they are.
func (d *draft) hasSecret(n *jsontree.Node) bool {
	if !n.IsContainer() {
		return d.isSecret(n)
	}
	has, known := d.holds[n]
	if known {
		return has
	}
	for _, c := range n.Children() {
		d.spend(1)
		if has = d.hasSecret(c); has {
			break
		}
	}
	d.holds[n] = has
	return has
}

func (d *draft) violation(at string, rule validate.Rule, detail string) {
	d.broken.Add(d.Path+at, rule, detail)
}

// cover hides sensitive values that are not hidden yet. It calls may to find out whether a value
// can be sealed. If may returns false, it has added a violation that rejects the write, and cover
// puts a mask without meaning in place of the value. An empty string is never a secret.
func (d *draft) cover(may func(at jsontree.Trail, n *jsontree.Node) bool) {
	if d.doc == nil {
		return
	}
	d.spendOn(d.doc)
	var seal func(at jsontree.Trail, n *jsontree.Node, singly bool) *jsontree.Node
	seal = func(at jsontree.Trail, n *jsontree.Node, singly bool) *jsontree.Node {
		switch {
		case d.isSecret(n), n.IsString(""):
			return n
		case n.IsContainer() && (singly || d.hasSecret(n)):
			// Some values in it were sealed one by one under another rule and cannot be opened
			// here. So the others are sealed one by one too.
			return n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
				return seal(at.Child(token), child, true)
			})
		case !may(at, n):
			return d.hide(secret{})
		}
		return d.hide(secret{from: at.Pointer(), plain: n})
	}
	found := d.Rule.Sensitive(d.doc)
	if d.stored != nil && len(found) > validate.MaxSecrets { // in a write, which is rejected
		var l validate.List
		l.Count(d.Path, len(found), validate.MaxSecrets)
		panic(stop{l.Err()})
	}
	for _, pointer := range found {
		d.spend(1 + len(pointer)/8)
	}
	w := newWalk(d.meter, found)
	d.doc = w.transform(d.doc, func(w walk, n *jsontree.Node) (*jsontree.Node, bool) {
		if w.places.Here {
			return seal(w.at, n, false), true
		}
		return n, !w.places.AnyBelow()
	})
}

// spot is a place in a document: the way to it, and what the schema declares about it. place is nil
// without a schema.
type spot struct {
	at    jsontree.Trail
	place *schema.Place
}

// child returns the spot of a child of n, where s is the spot of n.
func (s spot) child(n *jsontree.Node, token string) spot {
	c := spot{at: s.at.Child(token)}
	if s.place != nil {
		c.place = s.place.Child(token, n.Kind() == jsontree.Array)
	}
	return c
}

// spot returns the spot that the reference tokens name.
func (d *draft) spot(tokens []string) spot {
	s, n := d.root, d.doc
	for _, token := range tokens {
		around := n
		if n == nil {
			around = jsontree.NewObject()
		}
		s, n = s.child(around, token), n.Child(token)
	}
	return s
}

// isOpen reports whether the schema declares that n is no secret here.
func (s spot) isOpen(n *jsontree.Node) bool {
	return s.place != nil && (s.place.Verdict() == schema.Open || s.place.Lists(n))
}

// key returns the name of the member that identifies elements of the array here, or "".
func (s spot) key() string {
	if s.place == nil {
		return ""
	}
	return s.place.Key()
}
