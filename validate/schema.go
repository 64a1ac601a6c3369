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

// SchemaSource names the JSON Schema of a configuration and loads its text. The zero value is
// no schema.
//
// The text is JSON Schema 2020-12, or an earlier draft named by $schema. Formats are checked. A
// reference must stay within the text: nothing is ever loaded for one. These keywords have a
// meaning beyond the standard:
//
//	writeOnly, format: password, x-sensitive, x-secret, secret, airbyte_secret
//	                    the value is a secret, even if only one branch says so; a mark
//	                    anywhere under contentSchema counts too
//	x-sensitive: false  nothing here or below is a secret, whatever its name or value,
//	                    except for marks
//	x-names: false      someone else named the members of this object, so their names
//	                    are no sign of a secret; the names inside them are
//	x-key: "name"       this member identifies the elements of the array
//	x-exposes: [...]    the secrets at these places go to the address in this value; each
//	                    place is a JSON Pointer, or a relative one ("1/token": next
//	                    to this value); [] = no secrets
//	default             value of a member that is missing from a changed document;
//	                    ignored in branches
//
// A flag that is null counts as true. A flag with another value than true, false or null is a
// fault. Formats ignore letter case.
//
// A keyword that removes protection must apply to every document. In an anyOf or oneOf,
// x-sensitive: false, x-names: false and x-exposes count only if every branch that describes
// the place has them; all x-exposes lists are then joined. A condition (if, then, else,
// dependentSchemas, contains) alone never removes protection. Keywords under not never count.
// In drafts before 2019-09, only marks count next to a $ref.
//
// A kept secret must satisfy the schema like any other value, so a writer may learn whether it
// does. A writer cannot learn whether it equals another value: uniqueItems treats an element
// with a secret as different from all others.
//
// Schemas and documents are bounded. A number has at most 1000 digits and an exponent of at
// most 1000, except a number that a document had before. The patterns of a schema have at most
// 50,000 instructions, where a repeat counts as often as it may occur. A write is rejected with
// [RuleTooComplex] if the document is too much work, measured in schema objects applied to
// values. A stored document that is too much work for a new revision is [SchemaTooComplex]
// until the schema changes.
type SchemaSource struct {
	// Revision names the text. Another text must have another revision, or stored documents
	// stay masked by the old text. At most [MaxSchemaRevision] bytes; "" is no schema.
	Revision string
	// Load returns the text. It is called if the revision is not cached. An error means that
	// the schema is unreachable for now. Its text is shown to nobody.
	Load func(ctx context.Context) ([]byte, error)
}

// SchemaText returns a source for text, with its hash as revision. Reuse the source instead of
// creating one for each request.
func SchemaText(text []byte) SchemaSource {
	sum := sha256.Sum256(text)
	kept := strings.Clone(string(text))
	return SchemaSource{
		Revision: "sha256." + base64.RawURLEncoding.EncodeToString(sum[:]),
		Load:     func(context.Context) ([]byte, error) { return []byte(kept), nil },
	}
}

// CheckSchema compiles the text of a schema and returns its faults as a [*SchemaError]. Call it
// when you receive a schema, before anyone writes a configuration.
func CheckSchema(text []byte) error {
	_, err := schema.Compile(text)
	if fault, ok := errors.AsType[*schema.Error](err); ok {
		return &SchemaError{Fault: SchemaFault(fault.Fault), Pointer: fault.Pointer}
	}
	return err
}

// ErrSchema matches every [*SchemaError].
var ErrSchema = errors.New("installation: the schema of the configuration cannot be used")

// SchemaFault is the reason why a schema is unusable. The values are stable. Values not listed
// here are rules of a document.
type SchemaFault string

// Faults of schemas.
const (
	// SchemaUnreachable means that the resolver or Load failed; a retry may succeed.
	SchemaUnreachable SchemaFault = "unreachable"
	// SchemaRevision means that the name of the revision is too long or invalid UTF-8.
	SchemaRevision SchemaFault = "revision"
	// SchemaKeyword means that a keyword has an invalid value, such as a pattern that Go
	// rejects or a number that is too long.
	SchemaKeyword SchemaFault = SchemaFault(schema.Keyword)
	// SchemaReference means that a reference leads to a missing place or another text.
	SchemaReference SchemaFault = SchemaFault(schema.Reference)
	// SchemaTooComplex means too many parts, too large patterns, or too much work for the
	// stored document.
	SchemaTooComplex SchemaFault = SchemaFault(schema.Complex)
	// SchemaTooLarge means more than MaxSchema bytes.
	SchemaTooLarge SchemaFault = SchemaFault(RuleTooLarge)
	// SchemaSyntax means that the text is not JSON.
	SchemaSyntax SchemaFault = SchemaFault(RuleSyntax)
)

// SchemaError is the error for an unusable schema. Documents can still be read, with every
// value masked, but configurations cannot be written. The error quotes only names of members,
// and nothing of the error of Load.
type SchemaError struct {
	Revision string
	Fault    SchemaFault
	Pointer  string // JSON Pointer into the schema, if known
	// Ended is context.Canceled or context.DeadlineExceeded if that is why Load failed.
	Ended error
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
