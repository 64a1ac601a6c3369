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
	MaxSchema         = schema.MaxBytes // bytes of a schema, 1 MiB
	MaxSchemaRevision = MaxID           // bytes of the name of a revision
)

// SchemaSource names the JSON Schema of a configuration and loads its text. The zero value means
// that there is no schema.
//
// The text is JSON Schema 2020-12, or an earlier draft named by $schema. Formats are checked. A
// reference must stay within the text, because no other text is ever loaded. These keywords have a
// meaning beyond the standard:
//
//	writeOnly, format: password, x-sensitive, x-secret, x-encrypted, secret, sensitive,
//	encrypted, isSecret, isSensitive, isEncrypted, is_secret, is_sensitive, is_encrypted,
//	airbyte_secret
//	                    mark the value as a secret, even if only one branch (of an anyOf,
//	                    an if and so on) has the keyword; a mark anywhere under
//	                    contentSchema counts too
//	x-sensitive: false  nothing here or below is a secret, whatever its name or value,
//	                    except for values that are marked further below
//	x-names: false      the names of the members of this object do not decide what is secret,
//	                    for example because end users choose them; names further below do
//	x-key: "name"       the member called name identifies the elements of this array
//	x-exposes: [...]    the secrets at these places go to the address in this value; each
//	                    place is a JSON Pointer or a relative one, such as "1/token" for
//	                    the member token next to this value; [] = no secrets
//	default             the value of a member that is missing from a changed document;
//	                    ignored in branches; it must satisfy the schema of the member,
//	                    and must not be or contain ***
//
// A mark that is null counts as true. Any other value of a mark, such as "yes", is a fault. Only
// x-sensitive: false removes a mark; the other marks say nothing if they are false. The names of
// formats ignore letter case.
//
// A mark that no value can have is a fault, because its author expects a secret to be hidden. It
// stands below not, propertyNames or a keyword that is unknown in the draft. For example, the
// schema is wrapped in another object. A mark in a definition ($defs, definitions) that nothing
// refers to is a fault only if the schema has no other marks.
//
// The values in an enum or const are no secrets, because they stand in the schema. They stay plain
// whatever their name, and even if they are marked, so that a form can show which branch of a oneOf
// was chosen. Any other value at the place, for example in another branch, is judged as if there
// were no enum. An empty string is no secret either.
//
// A keyword that removes protection counts only if it applies to every document. In an anyOf or
// oneOf, x-sensitive: false, x-names: false and x-exposes count only if every branch that describes
// the place has them; all x-exposes lists are then joined. A condition (if, then, else,
// dependentSchemas, contains) alone never removes protection. Keywords under not never count. Next
// to a $ref in drafts before 2019-09, no keyword removes protection.
//
// A secret that a write keeps must satisfy the schema like any other value. So a writer can learn
// whether the secret does. A writer cannot learn whether the secret equals another value:
// uniqueItems treats an element with a secret as different from all others.
//
// Schemas and documents are bounded. A schema has at most 1 MiB, 10,000 objects, 128 levels and
// 4096 bytes in a JSON Pointer to one of its values. A number has at most 1000 digits and an
// exponent of at most 1000, except a number that a document had before. The patterns of a schema
// have at most 50,000 instructions, where a repeated part counts as often as it can occur. A write
// is rejected with [RuleTooComplex] if the document causes too much work, measured in schema
// objects applied to values. If a new revision causes too much work for a stored document, the
// fault is [SchemaTooComplex] until the schema changes.
type SchemaSource struct {
	// Revision names the text. A changed text needs a new revision. Otherwise stored documents
	// stay masked by the old text. At most [MaxSchemaRevision] bytes; "" means no schema.
	Revision string
	// Load returns the text. It is called if the revision is not cached. An error means that
	// the schema is unreachable for now. The text of that error is not shown to anyone.
	Load func(ctx context.Context) ([]byte, error)
}

// SchemaText returns a source for text, with the hash of text as revision. Reuse the source instead
// of creating one for each request.
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

// SchemaFault is the reason why a schema is unusable. The values are stable. A fault can also be a
// [Rule] for JSON documents, such as [RuleTooDeep].
type SchemaFault string

// Faults of schemas.
const (
	// SchemaUnreachable means that Options.Schema or Load failed; a retry can succeed.
	SchemaUnreachable SchemaFault = "unreachable"
	// SchemaRevision means that the name of the revision is too long or invalid UTF-8.
	SchemaRevision SchemaFault = "revision"
	// SchemaKeyword means that a keyword has an invalid value, such as a pattern that Go
	// rejects or a number that is too long.
	SchemaKeyword SchemaFault = SchemaFault(schema.Keyword)
	// SchemaReference means that a reference leads to a missing place or to another text.
	SchemaReference SchemaFault = SchemaFault(schema.Reference)
	// SchemaMark means that a keyword marks a secret where no value of a document can be.
	SchemaMark SchemaFault = SchemaFault(schema.Mark)
	// SchemaDefault means that a default violates the schema of its member or contains ***, so that
	// every write without the member would fail.
	SchemaDefault SchemaFault = SchemaFault(schema.Default)
	// SchemaTooComplex means that the schema has too many parts or too large patterns, or causes
	// too much work for the stored document.
	SchemaTooComplex SchemaFault = SchemaFault(schema.Complex)
	// SchemaTooLarge means that the text has more than [MaxSchema] bytes.
	SchemaTooLarge SchemaFault = SchemaFault(RuleTooLarge)
	// SchemaSyntax means that the text is not JSON.
	SchemaSyntax SchemaFault = SchemaFault(RuleSyntax)
)

// SchemaError is the error for an unusable schema. Documents can still be read, with every value
// masked, but configurations cannot be written. The error quotes only names of members. It quotes
// nothing of the error that Load returned.
type SchemaError struct {
	Revision string
	Fault    SchemaFault
	Pointer  string // JSON Pointer into the schema, if known
	// Ended is context.Canceled or context.DeadlineExceeded if Load failed because a context ended.
	Ended error
}

// Error implements error.
func (e *SchemaError) Error() string {
	text := ErrSchema.Error() + ": " + string(e.Fault)
	if e.Pointer != "" {
		text += " at " + printable(e.Pointer)
	}
	switch e.Fault {
	case SchemaMark:
		text += ": no value can have this mark; use the part of the text that describes the " +
			"configuration, or refer to the definition, or remove the mark"
	case SchemaDefault:
		text += ": the default violates the schema of its member, or contains ***; " +
			"change or remove it"
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
