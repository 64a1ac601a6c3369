package masked

import (
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
	path    string // of the document, for violations
	rule    Rule
	schema  *schema.Schema // of the rule; nil = none
	doc     *jsontree.Node
	before  *jsontree.Node // doc before the write
	sealed  int            // number of sealed pointers with a mask in the document
	secrets map[*jsontree.Node]secret
	stored  map[*jsontree.Node]bool // the secrets before the write
	literal map[*jsontree.Node]bool // the strings "***" before the write that are no masks
	root    *schema.Place           // see top
	broken  validate.List
}

// secret is the value behind a mask node.
type secret struct {
	from  string         // pointer at which the value is sealed or was stored plain; "" = new
	plain *jsontree.Node // the value if it is not sealed yet, else nil
}

// newDraft returns the stored document as a reader sees it.
func newDraft(path string, stored Stored, rule Rule) *draft {
	d := &draft{
		path:    path,
		rule:    rule,
		secrets: make(map[*jsontree.Node]secret, len(stored.Sealed)),
		literal: make(map[*jsontree.Node]bool),
	}
	if r, ok := rule.(SchemaRule); ok {
		d.schema = r.Schema
	}
	sealed := pointerSet(stored.Sealed)
	d.doc = transform(stored.Doc, "", func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		if !sealed[at] {
			if isMask(n) {
				d.literal[n] = true
			}
			return nil, false
		}
		if isMask(n) {
			d.sealed++
		}
		return d.hide(secret{from: at}), true
	})
	d.cover(func(string, *jsontree.Node) bool { return true })
	d.before = d.doc
	d.stored = make(map[*jsontree.Node]bool, len(d.secrets))
	for n := range d.secrets {
		d.stored[n] = true
	}
	return d
}

// open is newDraft for a write. It fails with [ErrStored] if there is no mask at a sealed pointer,
// because the write would silently drop that sealed value.
func open(path string, stored Stored, rule Rule) (*draft, error) {
	d := newDraft(path, stored, rule)
	if d.sealed != len(stored.Sealed) {
		return nil, ErrStored
	}
	return d, nil
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

// hasSecret reports whether there is a secret at n or below.
func (d *draft) hasSecret(n *jsontree.Node) bool {
	if d.isSecret(n) {
		return true
	}
	for _, c := range n.Children() {
		if d.hasSecret(c) {
			return true
		}
	}
	return false
}

func (d *draft) violation(at string, rule validate.Rule, detail string) {
	d.broken.Add(d.path+at, rule, detail)
}

// cover hides sensitive values that are not hidden yet. It calls may to find out whether a value
// can be sealed. If may returns false, it has added a violation that rejects the write, and cover
// puts a mask without meaning in place of the value.
func (d *draft) cover(may func(at string, n *jsontree.Node) bool) {
	if d.doc == nil {
		return
	}
	sensitive := pointerSet(d.rule.Sensitive(d.doc))
	if len(sensitive) == 0 {
		return
	}
	d.doc = transform(d.doc, "", func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		switch {
		case d.isSecret(n):
			return n, true
		case !sensitive[at]:
			return nil, false
		case n.IsContainer() && d.hasSecret(n):
			return d.coverLeaves(n, at, may), true
		case !may(at, n):
			return d.hide(secret{}), true
		}
		return d.hide(secret{from: at, plain: n}), true
	})
}

// coverLeaves hides the values in a container one by one. The rule wants the container to be sealed
// as one value, but some values in it were already sealed one by one under another rule. These
// values cannot be opened here.
func (d *draft) coverLeaves(
	n *jsontree.Node, at string, may func(at string, n *jsontree.Node) bool,
) *jsontree.Node {
	return transform(n, at, func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		if n.IsContainer() {
			return nil, false
		}
		switch {
		case d.isSecret(n):
			return n, true
		case !may(at, n):
			return d.hide(secret{}), true
		}
		return d.hide(secret{from: at, plain: n}), true
	})
}

// spot is a place in a document: its pointer, and what the schema declares about it. place is nil
// without a schema.
type spot struct {
	at    string
	place *schema.Place
}

// top returns the spot of the whole document. It is computed once, because a schema can declare a
// lot about it.
func (d *draft) top() spot {
	if d.root == nil && d.schema != nil {
		d.root = d.schema.Root()
	}
	return spot{place: d.root}
}

// child returns the spot of a child of n, where s is the spot of n.
func (s spot) child(n *jsontree.Node, token string) spot {
	c := spot{at: jsontree.ChildPointer(s.at, token)}
	if s.place != nil {
		c.place = s.place.Child(token, n.Kind() == jsontree.Array)
	}
	return c
}

// spot returns the spot that the reference tokens name.
func (d *draft) spot(tokens []string) spot {
	s, n := d.top(), d.doc
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

func pointerSet(pointers []string) map[string]bool {
	set := make(map[string]bool, len(pointers))
	for _, p := range pointers {
		set[p] = true
	}
	return set
}
