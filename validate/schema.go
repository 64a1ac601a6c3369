package validate

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-installation/installation/internal/schema"
)

// Limits of schemas.
const (
	MaxSchema         = schema.MaxBytes // bytes of a schema, 256 KiB
	MaxSchemaRevision = MaxID           // bytes of the name of a revision
)

// SchemaSource says which JSON Schema holds for a configuration, and where its text is. The zero value is no schema.
//
// The schema is one of JSON Schema 2020-12, or of an earlier draft that it names by $schema. Formats are checked. References
// must stay within the text: nothing is ever loaded for one. Beyond the standard these keywords count:
//
//	writeOnly, format: password, x-sensitive, x-secret, secret, airbyte_secret
//	                    the value is a secret; any branch that says so is enough, and so is a mark anywhere under contentSchema
//	x-sensitive: false  there is no secret here or below, whatever its name, but for what is marked
//	x-names: false      what the members of this object are called says nothing of secrets, as it is not the schema's author who named
//	                    them; what is in them is judged by the names there
//	x-key: "name"       the elements of this array are told apart by their member with this name
//	x-exposes: [...]    the value says where the secrets at these places go, each a JSON Pointer, or a relative one ("1/token":
//	                    beside this value); [] says that none do
//	default             for a member that is missing from a document that changes, but not in a branch
//
// A flag that is null marks like one that is true; one that is neither, nor false, is a fault. Formats are read in any letter case.
//
// What takes protection away has to hold whatever the document is. So x-sensitive: false, x-names: false and x-exposes in an anyOf or oneOf
// count only if every branch that describes the place says so, and then all their x-exposes lists together; and what only a condition says (if, then,
// else, dependentSchemas, contains) takes nothing away. What stands under not says nothing of secrets and destinations. In drafts before
// 2019-09 only marks count beside a $ref.
//
// A kept secret is held against the schema like any other value, so that a writer may learn whether it satisfies what the schema says of
// it; but not whether it equals a value of his own: uniqueItems takes an element with a secret in it for unlike every other.
//
// Schema and documents are bounded. A number of the schema has at most 1000 digits and an exponent of at most 1000, and so has one that is
// given in a document; one that was stored before stays. Its patterns have at most 50,000 instructions together, where a repeat counts as
// often as it may occur. A document that takes too much work, counted in schema objects held against values, is refused with
// [RuleTooComplex]; one that is stored already and too much for a new revision is a [SchemaTooComplex] until the schema is another.
type SchemaSource struct {
	// Revision names the text: another text must have another revision, or what is stored stays masked by the old one. At
	// most [MaxSchemaRevision] bytes; "" is no schema.
	Revision string
	// Load returns the text. It is called when the text of the revision is not at hand. Its error is taken to mean that the
	// schema cannot be reached for now, and its text is not shown to anyone.
	Load func(ctx context.Context) ([]byte, error)
}

// SchemaText returns a source with the given text, named by its hash. Keep it rather than make it for every request.
func SchemaText(text []byte) SchemaSource {
	sum := sha256.Sum256(text)
	kept := strings.Clone(string(text))
	return SchemaSource{
		Revision: "sha256." + base64.RawURLEncoding.EncodeToString(sum[:]),
		Load:     func(context.Context) ([]byte, error) { return []byte(kept), nil },
	}
}

// CheckSchema looks whether the text of a schema can be used, so that one who brings a schema learns of its faults before
// the configurations do. The error is a [*SchemaError].
func CheckSchema(text []byte) error {
	_, err := schema.Compile(text)
	if fault, ok := errors.AsType[*schema.Error](err); ok {
		return &SchemaError{Fault: SchemaFault(fault.Fault), Pointer: fault.Pointer}
	}
	return err
}

// ErrSchema is matched by every [*SchemaError].
var ErrSchema = errors.New("installation: the schema of the configuration cannot be used")

// SchemaFault says why a schema cannot be used. The values are stable; those not listed here are rules of a document.
type SchemaFault string

// Faults of schemas.
const (
	SchemaUnreachable SchemaFault = "unreachable"                 // the resolver or Load failed: a later try may succeed
	SchemaRevision    SchemaFault = "revision"                    // the name of the revision is too long, or not UTF-8
	SchemaKeyword     SchemaFault = SchemaFault(schema.Keyword)   // a keyword has a value that it cannot have, a pattern is not one of Go's, a number too long
	SchemaReference   SchemaFault = SchemaFault(schema.Reference) // a reference leads nowhere, or out of the text
	SchemaTooComplex  SchemaFault = SchemaFault(schema.Complex)   // too many parts, too large patterns, or too much work for the stored document
	SchemaTooLarge    SchemaFault = SchemaFault(RuleTooLarge)     // more than MaxSchema
	SchemaSyntax      SchemaFault = SchemaFault(RuleSyntax)       // not JSON
)

// SchemaError is a schema that cannot be used. Reading goes on, with every value masked; configurations cannot be written. It
// holds nothing of the schema but names of members, and nothing of what Load said.
type SchemaError struct {
	Revision string
	Fault    SchemaFault
	Pointer  string // JSON Pointer into the schema, as far as it is known
	Ended    error  // context.Canceled or context.DeadlineExceeded, if that is why it is unreachable
}

// Error implements error.
func (e *SchemaError) Error() string {
	text := ErrSchema.Error() + ": " + string(e.Fault)
	if e.Pointer != "" {
		text += " at " + printable(e.Pointer)
	}
	if e.Revision != "" {
		text += fmt.Sprintf(" (revision %s)", printable(e.Revision))
	}
	return text
}

// Is matches [ErrSchema].
func (e *SchemaError) Is(target error) bool { return target == ErrSchema }

// Unwrap returns Ended.
func (e *SchemaError) Unwrap() error { return e.Ended }
