// Package masked hides the secrets of a document behind masks when the document is read. When the
// document comes back in a write, the package finds out what each mask means. It consists of pure
// functions over trees. It has no keys, performs no I/O, and never sees the plain text of a stored
// secret.
//
// A stored document has two parts, see [Stored]: a tree with the mask "***" at each sealed value,
// and the pointers of the sealed values. A "***" is a mask only if its pointer is in that list. Any
// other "***" is an ordinary string. The [Result] of a write says which sealed values stay, and
// where, and which plain values must be sealed.
//
// The meaning of a "***" in an incoming document depends on the stored document, not only on the
// current [Rule]. Otherwise a rule that changes between a read and a write could turn a secret into
// the text "***":
//
//	incoming                                     effect
//	"***" where a value is sealed                the sealed value stays
//	"***" where that very string is stored       the string stays, an ordinary string
//	"***" anywhere else                          violation: mask-without-stored-value
//	nothing, or null, where a value is sealed    removes the value and its member
//	"" where a value is sealed                   violation: empty-secret
//	anything else where a value is sealed        is sealed in its place
//	anything else at a sensitive place           is sealed
//
// A schema can declare that there is no secret at a place. Then a new value at that place is stored
// plain. A write that changes where secrets go must provide these secrets again, see
// destination.go.
package masked

import (
	"errors"
	"maps"
	"slices"

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
	// document order, none below another. doc is not nil. A returned array or object is sealed as
	// one value. Sensitive has to judge a mask in doc like any other string. A sealed value stays
	// sealed even if Sensitive does not return it.
	Sensitive(doc *jsontree.Node) []string
}

// Stored is a stored document. The zero value means that there is no document.
type Stored struct {
	Doc    *jsontree.Node // with Text at each sealed value; nil = no document
	Sealed []string       // pointers (RFC 6901) in any order, none below another
}

// Result is the result of a write. Sealed values of the new document are at Keep[i].To and
// Seal[i].Pointer and nowhere else. The caller has to drop each stored sealed value that is not in
// Keep.
type Result struct {
	Doc  *jsontree.Node // with Text at each sealed value; nil = no document
	Keep []Move         // sealed values that stay, in document order
	Seal []Plain        // values to seal, in document order

	// Changed are the pointers of the values that look different to a reader, and of the values
	// that the write gives at a sensitive place. A given value counts as changed even if it equals
	// the old one, because otherwise a writer could confirm a guess. Changed is sorted bytewise. It
	// has at most 1000 pointers, and none if nothing changed.
	//
	// Seal can have values although Changed is empty. These values were stored plain under an older
	// rule. If the caller skips such a write, the values stay plain until the next write.
	Changed []string

	// Redirects is the pointer of a change that can send secrets elsewhere, see destination.go. It
	// is "" without such a change. Use it to check secrets outside of the document. Those in the
	// document are already checked. If Write.AllowDestination let such a change pass, Allowed is
	// set. A rejected write has Redirects too.
	Redirects string
	Allowed   bool

	Steps int // the work of the write, see MaxSteps
}

// Move is a sealed value that stays. From and To differ if the value moved, for example because an
// element before it was removed from an array. The caller then has to open the value and seal it
// again, because a sealed value is bound to its place.
type Move struct{ From, To string }

// Plain is a value to seal. It prints without the value, as [jsontree.Node] does.
type Plain struct {
	Pointer string
	Value   *jsontree.Node
}

// Parse parses an incoming document within the limits of package validate. The error is a
// [*validate.Error]. The path of its violation is path and the pointer of the fault.
func Parse(path string, b []byte) (*jsontree.Node, error) {
	n, err := jsontree.Parse(b, jsontree.Limits{})
	return n, rejected(path, err)
}

// rejected turns an error of package jsontree into a [*validate.Error].
func rejected(path string, err error) error {
	fault, ok := errors.AsType[*jsontree.Error](err)
	if !ok {
		return err
	}
	var l validate.List
	l.Add(path+fault.Pointer, validate.Rule(fault.Fault), fault.Error())
	return l.Err()
}

// Write is a write of a document.
type Write struct {
	Path   string // of the document, for violations
	Stored Stored
	Rule   Rule
	// AllowDestination turns the destination rule off, see destination.go.
	AllowDestination bool
	// HasSchema says that this kind of document can have a schema, so that violations name it as a
	// way out.
	HasSchema bool
}

// Mask returns doc as a reader is allowed to see it, with Text at each sealed value. It also hides
// values that are sensitive under rule but were stored plain under an older rule. It ignores sealed
// pointers that doc does not have.
func Mask(doc *jsontree.Node, sealed []string, rule Rule) *jsontree.Node {
	return newDraft(Write{Stored: Stored{Doc: doc, Sealed: sealed}, Rule: rule}, nil).doc
}

// Fill returns doc with the given values at their pointers. If values has the opened value of every
// sealed place, the result is the plain document. Fill ignores pointers that doc does not have.
func Fill(doc *jsontree.Node, values map[string]*jsontree.Node) *jsontree.Node {
	w := newWalk(nil, slices.Collect(maps.Keys(values)))
	return w.transform(doc, func(w walk, n *jsontree.Node) (*jsontree.Node, bool) {
		if !w.places.Here {
			return n, !w.places.AnyBelow()
		}
		return values[w.at.Pointer()], true
	})
}

// isMask reports whether n is the text of a mask. Only the stored document tells whether the text
// stands for a secret.
func isMask(n *jsontree.Node) bool { return n.IsString(Text) }
