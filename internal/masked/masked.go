// Package masked computes what readers see of a document with secrets, and what a document with
// masks in it means when it comes back. It consists of pure functions over trees. It has no
// keys, performs no I/O, and never sees the plain text of a stored secret.
//
// A stored document has two parts, see [Stored]: a tree with the mask "***" at each sealed
// value, and the list of these places. The list makes a mask a mask; without it, the same three
// characters are an ordinary string. A [Result] says which sealed values stay, and where, and
// which plain values must be sealed.
//
// The meaning of a mask in an incoming document depends on the stored document, and not only on
// the current rule. A rule that changes between reading and writing must not turn a secret into
// the text "***":
//
//	incoming                                     effect
//	"***" where a value is sealed                the sealed value stays
//	"***" where that very string is stored       it stays, an ordinary string
//	"***" anywhere else                          violation: mask-without-stored-value
//	nothing, or null, where a value is sealed    removes the value and its member
//	"" where a value is sealed                   violation: empty-secret
//	anything else where a value is sealed        is sealed in its place
//	anything else at a sensitive place           is sealed
//
// A schema can declare that there is no secret at a place; a new value there is stored plain. A
// write that changes where secrets go must provide them again, see destination.go.
package masked

import (
	"errors"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Text is what a reader sees instead of a sealed value, whatever its type and length.
const Text = "***"

// ErrStored means that the two parts of a [Stored] disagree: the record is damaged, and the
// request is not at fault.
var ErrStored = errors.New("masked: sealed pointers and document do not fit")

// Rule decides which values of a document are sensitive, as [NameRule] does. It is safe for use
// by many goroutines.
type Rule interface {
	// ID names the rule and its version. It is stored with the documents masked under the rule,
	// so the same ID must always decide the same way.
	ID() string

	// Sensitive returns the pointers (RFC 6901) of the values in doc that must be sealed, in
	// document order, none below another. doc is not nil. An array or object is sealed as one
	// value. A mask in doc must be judged like any other string. A sealed value stays sealed
	// even if Sensitive does not return it.
	Sensitive(doc *jsontree.Node) []string
}

// Stored is a stored document. The zero value is no document.
type Stored struct {
	Doc    *jsontree.Node // with Text at each sealed value; nil = no document
	Sealed []string       // pointers (RFC 6901) in any order, none below another
}

// Result is the result of a write. Sealed values of the new document are at Keep[i].To and
// Seal[i].Pointer and nowhere else. A stored sealed value not in Keep must be dropped.
type Result struct {
	Doc  *jsontree.Node // with Text at each sealed value; nil = no document
	Keep []Move         // sealed values that stay, in document order
	Seal []Plain        // values to seal, in document order

	// Changed are the pointers of the values that changed for a reader or that the write gave
	// at a sensitive place. Such a value counts even if it equals the old one, because anything
	// else would confirm a guess. Changed is sorted bytewise and empty if nothing changed.
	//
	// Seal may have values although Changed is empty: they were stored plain under an older
	// rule. If such a write is skipped, they stay plain until the next one.
	Changed []string

	// Redirected are the pointers of the destinations that the write changes; of a removed one,
	// its former place. Use it for secrets outside of the document that go there too. For its
	// own secrets, the write was already checked.
	Redirected []string
}

// Move is a sealed value that stays. From and To differ if its array lost an element before it.
// Then open it and seal it again, because a sealed value is bound to its place.
type Move struct{ From, To string }

// Plain is a value to seal. It prints without the value, as [jsontree.Node] does.
type Plain struct {
	Pointer string
	Value   *jsontree.Node
}

// Parse parses an incoming document within the limits of package validate. The error is a
// [*validate.Error] with the fault at a path below path.
func Parse(path string, b []byte) (*jsontree.Node, error) {
	n, err := jsontree.Parse(b, jsontree.Limits{})
	return n, rejected(path, err)
}

// rejected turns the error of a document into a violation.
func rejected(path string, err error) error {
	fault, ok := errors.AsType[*jsontree.Error](err)
	if !ok {
		return err
	}
	var l validate.List
	l.Add(path+fault.Pointer, validate.Rule(fault.Fault), fault.Error())
	return l.Err()
}

// Mask returns doc as a reader may see it, with Text at each sealed value. It also hides values
// that are sensitive under rule but were stored plain under an older one. It ignores sealed
// pointers that doc does not have.
func Mask(doc *jsontree.Node, sealed []string, rule Rule) *jsontree.Node {
	d := newDraft("", Stored{Doc: doc, Sealed: sealed}, rule)
	return d.doc
}

// Fill returns doc with the given values at their pointers. With the opened values of all
// sealed places, this is the plain document. It ignores pointers that doc does not have.
func Fill(doc *jsontree.Node, values map[string]*jsontree.Node) *jsontree.Node {
	return transform(doc, "", func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		v, ok := values[at]
		return v, ok
	})
}

// transform returns n with the values that f returns for their pointers. It calls f from the
// top, and for the children of a value only if f did not replace it.
func transform(
	n *jsontree.Node, at string, f func(at string, n *jsontree.Node) (*jsontree.Node, bool),
) *jsontree.Node {
	if n == nil {
		return nil
	}
	if v, ok := f(at, n); ok {
		return v
	}
	return n.Rewrite(func(token string, child *jsontree.Node) *jsontree.Node {
		return transform(child, jsontree.ChildPointer(at, token), f)
	})
}

// isMask reports whether n is the text of a mask. Only the stored document tells whether it
// stands for a secret.
func isMask(n *jsontree.Node) bool { return n.IsString(Text) }
