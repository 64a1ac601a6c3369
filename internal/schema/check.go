package schema

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/go-installation/installation/internal/jsontree"
)

// Violation is a place in a document that the schema does not accept.
type Violation struct {
	Pointer string // RFC 6901; for a member that is missing, where it should be
	Keyword string // that is not satisfied; "" for a number beyond what can be compared
	Want    string // the types that are allowed, for the keyword type, else ""
}

// steps is how much work one document may take. Schemas can be written that take time exponential in their size.
const steps = 500_000

// meter counts the work of one check. It is reached from every schema object.
type meter struct {
	mu   sync.Mutex
	left int
}

var errComplex = &Error{Fault: Complex}

// Validate is called by the library once for each schema object that it applies.
func (n *note) Validate(*jsonschema.ValidatorContext, any) {
	if n.meter.left--; n.meter.left < 0 {
		panic(errComplex)
	}
}

// Check returns where the schema does not accept a document, in the order of the pointers, each place and keyword once. The
// document is plain: it has the secrets in it. The error is an [*Error], for a schema that turns out not to be usable.
//
// One schema checks one document at a time; others wait.
func (s *Schema) Check(doc *jsontree.Node) (found []Violation, err error) {
	if bad := beyond(doc, ""); bad != nil {
		return bad, nil
	}
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	s.meter.left = steps
	defer func() {
		if p := recover(); p != nil { // what it says may quote the document
			found, err = nil, errComplex
		}
	}()
	invalid, ok := errors.AsType[*jsonschema.ValidationError](s.root.Validate(toAny(doc)))
	if !ok {
		return nil, nil
	}
	if !read(invalid, &found) {
		return nil, &Error{Fault: Reference}
	}
	slices.SortFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Keyword, b.Keyword))
	})
	return slices.Compact(found), nil
}

// read turns an error of the library into violations. It reports false for what is the fault of the schema.
func read(e *jsonschema.ValidationError, found *[]Violation) bool {
	at := jsontree.JoinPointer(e.InstanceLocation...)
	add := func(at, keyword, want string) { *found = append(*found, Violation{at, keyword, want}) }
	each := func(keyword string, names []string) {
		for _, name := range names {
			add(jsontree.ChildPointer(at, name), keyword, "")
		}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		for _, c := range e.Causes {
			if !read(c, found) {
				return false
			}
		}
	case *kind.RefCycle, *kind.InvalidJsonValue:
		return false
	case *kind.Required:
		each("required", k.Missing)
	case *kind.DependentRequired:
		each("dependentRequired", k.Missing)
	case *kind.Dependency:
		each("dependencies", k.Missing)
	case *kind.AdditionalProperties:
		each("additionalProperties", k.Properties)
	case *kind.PropertyNames:
		if len(e.InstanceLocation) > 0 {
			at = "" // the library keeps a slice here that it writes to later
		}
		add(at, "propertyNames", "")
	case *kind.Type:
		add(at, "type", strings.Join(k.Want, " or "))
	case *kind.Not:
		add(at, "not", "")
	case *kind.FalseSchema:
		add(at, "false", "")
	default:
		path := append(e.ErrorKind.KeywordPath(), "schema")
		add(at, path[0], "")
	}
	return true
}

// number is the type of numbers in what the library is given.
type number = json.Number

// Bounds of a number that the library can compare exactly. It takes them as fractions of whole numbers, and one of a few
// bytes can have a million digits, or be more than it can read.
const (
	maxDigits   = 1000
	maxExponent = "1000" // as many digits as it has, so that texts compare like numbers
)

// beyond returns the first number that is out of these bounds.
func beyond(n *jsontree.Node, at string) []Violation {
	if n.Kind() == jsontree.Number && !canCompare(n.Text()) {
		return []Violation{{Pointer: at}}
	}
	for token, c := range n.Children() {
		if bad := beyond(c, jsontree.ChildPointer(at, token)); bad != nil {
			return bad
		}
	}
	return nil
}

func canCompare(number string) bool {
	mantissa, exponent := number, ""
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		mantissa, exponent = number[:i], strings.TrimLeft(number[i+1:], "+-0")
	}
	switch {
	case len(mantissa) > maxDigits, len(exponent) > len(maxExponent):
		return false
	default:
		return len(exponent) < len(maxExponent) || exponent <= maxExponent
	}
}
