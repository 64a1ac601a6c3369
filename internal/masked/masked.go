// Package masked is the round trip of documents that hold secrets: what in a document is sensitive, what a reader sees, and
// what a document that comes back with masks in it means. It is made of pure functions over trees: it has no keys, does
// no input or output, and never sees the plain text of a secret that is already stored.
//
// A stored document is kept in two parts, see [Stored]: a tree that has the mask "***" wherever a value is sealed, and the
// list of these places. The list is what makes a mask a mask; without it the same three characters are an ordinary
// string. A write says what becomes of each part, see [Result]: which sealed values stay, and where, and which plain
// values are to be sealed.
//
// What a mask in an incoming document means depends on what is stored, not on today's rule alone, because a rule that
// changed between reading and writing must not turn a secret into the text "***":
//
//	incoming                                     effect
//	"***" where a value is sealed                the sealed value stays
//	"***" where that very string is stored       it stays, an ordinary string
//	"***" anywhere else                          violation: mask-without-stored-value
//	nothing, or null, where a value is sealed    the sealed value goes, and the member with it
//	"" where a value is sealed                   violation: empty-secret
//	anything else where a value is sealed        is sealed in its place
//	anything else at a sensitive place           is sealed
//
// A schema can say that there is no secret at a place; a new value there is stored plain. Whatever is written, a write that
// changes where secrets go must bring them along, see the file destination.go.
package masked

import (
	"errors"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Text is what a reader sees in place of a sealed value, whatever its type and length.
const Text = "***"

// ErrStored says that the two parts of a [Stored] do not fit each other. It is no fault of the request: the record is
// damaged.
var ErrStored = errors.New("masked: sealed pointers and document do not fit")

// Rule decides what is sensitive by looking at a document. [NameRule] is one. A Rule is safe for use by many goroutines.
type Rule interface {
	// ID names the rule and its version. It is stored beside what was masked under the rule, so the same ID must always
	// decide the same way.
	ID() string

	// Sensitive returns the pointers (RFC 6901) of the values in doc, which is not nil, that must be sealed, in document
	// order, none below another. A pointer to an array or object has it sealed as one value. Values that are masked in doc
	// must be decided as if they were any other string. What is sealed already stays so even if Sensitive does not name it.
	Sensitive(doc *jsontree.Node) []string
}

// Stored is a document as it is kept. The zero value stands for no document.
type Stored struct {
	Doc    *jsontree.Node // with Text wherever a value is sealed; nil = nothing is stored
	Sealed []string       // pointers (RFC 6901) of the sealed values, in any order, none below another
}

// Result is what a write comes to. The new document has sealed values at Keep[i].To and at Seal[i].Pointer and nowhere
// else; a stored sealed value that Keep does not name is to be dropped.
type Result struct {
	Doc  *jsontree.Node // with Text wherever a value is or will be sealed; nil = no document any more
	Keep []Move         // sealed values that stay, in document order
	Seal []Plain        // values to be sealed, in document order

	// Changed holds the pointers of what is different for a reader, or was given anew at a sensitive place, even if it
	// is the same as before: to say otherwise would confirm a guess. It is sorted bytewise and empty if nothing changed.
	//
	// Seal may hold values while Changed is empty: they were stored plain under an older rule. Skipping such a write
	// leaves them plain until the next one.
	Changed []string

	// Redirected holds the pointers of the destinations that the write changes; of one that is gone, where it would be. It is for
	// secrets kept elsewhere that go there too; those of this document the write was checked for.
	Redirected []string
}

// Move says that a sealed value stays. From and To differ if it is in an array that lost an element before it; then it must
// be opened and sealed anew, because sealing binds the place.
type Move struct{ From, To string }

// Plain is a value to be sealed. It prints without the value, as [jsontree.Node] does.
type Plain struct {
	Pointer string
	Value   *jsontree.Node
}

// Parse reads an incoming document within the limits of package validate. The error is a [*validate.Error] whose violation
// names the fault below path.
func Parse(path string, b []byte) (*jsontree.Node, error) {
	n, err := jsontree.Parse(b, jsontree.Limits{})
	return n, refused(path, err)
}

// refused turns the refusal of a document into a violation.
func refused(path string, err error) error {
	fault, ok := errors.AsType[*jsontree.Error](err)
	if !ok {
		return err
	}
	var l validate.List
	l.Add(path+fault.Pointer, validate.Rule(fault.Fault), fault.Error())
	return l.Err()
}

// Mask returns doc as a reader may see it: Text wherever a value is sealed, and wherever the rule finds one sensitive that
// an older rule had stored plain. A sealed pointer that doc does not have is ignored.
func Mask(doc *jsontree.Node, sealed []string, rule Rule) *jsontree.Node {
	d := newDraft("", Stored{Doc: doc, Sealed: sealed}, rule)
	return d.doc
}

// Fill returns doc with the given values in place of what is at their pointers: the plain document, if these are the
// opened values of everything that is sealed. A pointer that doc does not have is ignored.
func Fill(doc *jsontree.Node, values map[string]*jsontree.Node) *jsontree.Node {
	return transform(doc, "", func(at string, n *jsontree.Node) (*jsontree.Node, bool) {
		v, ok := values[at]
		return v, ok
	})
}

// transform returns n with values replaced by what f has for their pointers; f is asked from the top, and about the children
// of a value only where it had nothing.
func transform(n *jsontree.Node, at string, f func(at string, n *jsontree.Node) (*jsontree.Node, bool)) *jsontree.Node {
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

// isMask reports whether n is the text of a mask. Only what is stored tells if it stands for a secret.
func isMask(n *jsontree.Node) bool { return n.IsString(Text) }
