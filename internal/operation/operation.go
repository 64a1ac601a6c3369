// Package operation has the type of an edit to a configuration or a connection. Package patch makes
// operations, and package installation applies them.
package operation

import (
	"errors"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/masked"
)

// Target is what an operation edits.
type Target uint8

// What operations edit. The zero Target is the configuration.
const (
	Configuration Target = iota
	Metadata             // of the connection
	Credentials          // of the connection
)

// Kinds of operations on credentials, besides the kinds of package masked for documents.
const (
	SetCredential   masked.OpKind = "set-credential"
	UnsetCredential masked.OpKind = "unset-credential"
	SetTokenType    masked.OpKind = "set-token-type" // the value is the type
)

// Operation is one edit of a configuration, or of the metadata or a credential of a connection.
// Make it with package patch. The zero Operation is rejected.
type Operation struct {
	kind            masked.OpKind
	target          Target
	pointer         string
	array           string
	value           crypto.Secret
	issued, expires time.Time
}

// New returns an operation of a kind at a pointer (RFC 6901). The value is JSON text, or the string
// itself for [masked.SetSecret].
func New(kind masked.OpKind, pointer string, value crypto.Secret) Operation {
	return Operation{kind: kind, pointer: pointer, value: value}
}

// NewPut returns an operation that puts JSON text at a pointer and creates missing objects around
// the place. array is the pointer of the innermost array around the place, which has to exist; "" =
// none.
func NewPut(pointer, array string, value crypto.Secret) Operation {
	return Operation{kind: masked.Put, pointer: pointer, array: array, value: value}
}

// NewCredential returns an operation of a kind on the credential that ref names, such as
// "credential/access_token". The times are for [SetCredential]. They can be zero.
func NewCredential(
	kind masked.OpKind, ref string, value crypto.Secret, issued, expires time.Time,
) Operation {
	return Operation{
		kind: kind, target: Credentials, pointer: ref, value: value,
		issued: issued, expires: expires,
	}
}

// InMetadata returns the operation for Connection.Metadata instead of the configuration. Its
// pointers are then places in the metadata. An operation on a credential stays as it is.
func (o Operation) InMetadata() Operation {
	if o.target == Configuration {
		o.target = Metadata
	}
	return o
}

// Target returns what the operation edits.
func (o Operation) Target() Target { return o.target }

// Content returns all that the operation asks for, in an order that does not change. It includes
// plain secrets, each as a [crypto.Secret].
func (o Operation) Content() []any {
	return []any{
		string(o.kind), o.pointer, o.array, o.value, uint8(o.target), o.issued, o.expires,
	}
}

// Kind returns what the operation does; "" for the zero Operation.
func (o Operation) Kind() masked.OpKind { return o.kind }

// Pointer returns the JSON Pointer of the place that the operation changes or tests. For an
// operation on a credential it returns the ref of the credential.
func (o Operation) Pointer() string { return o.pointer }

// Array returns the pointer of the array that must exist around the place, see [NewPut]; "" = none.
func (o Operation) Array() string { return o.array }

// Value returns the JSON text, or the string of a secret.
func (o Operation) Value() crypto.Secret { return o.value }

// Times returns when a credential was issued and when it expires, each zero if not known.
func (o Operation) Times() (issued, expires time.Time) { return o.issued, o.expires }

// Below returns the operation with pointer put in front of its pointers. Use it if o was made for a
// single value, and the value is at pointer in the document. It is not for operations on
// credentials.
func (o Operation) Below(pointer string) Operation {
	o.pointer = pointer + o.pointer
	if o.array != "" {
		o.array = pointer + o.array
	}
	return o
}

// MarshalJSON fails, because an operation can contain a secret and JSON would lose it.
func (o Operation) MarshalJSON() ([]byte, error) {
	return nil, errors.New("installation: an operation cannot be written as JSON")
}
