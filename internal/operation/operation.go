// Package operation is the form in which edits of a configuration travel from package patch, which
// makes them, to package installation, which applies them.
package operation

import (
	"errors"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/masked"
)

// Operation is one edit of a configuration. Make it with package patch.
type Operation struct {
	kind    masked.OpKind
	pointer string
	array   string
	value   crypto.Secret
}

// New returns an operation of a kind at a pointer (RFC 6901). The value is JSON text, or the string
// itself for [masked.SetSecret].
func New(kind masked.OpKind, pointer string, value crypto.Secret) Operation {
	return Operation{kind: kind, pointer: pointer, value: value}
}

// NewPut returns an operation that puts JSON text at a pointer and makes the objects around it.
// array is the pointer of the array that the place is an element of; "" = none.
func NewPut(pointer, array string, value crypto.Secret) Operation {
	return Operation{kind: masked.Put, pointer: pointer, array: array, value: value}
}

// Kind returns what the operation does; "" for the zero Operation.
func (o Operation) Kind() masked.OpKind { return o.kind }

// Pointer returns the place that the operation is about.
func (o Operation) Pointer() string { return o.pointer }

// Array returns the pointer of the array that an update mask names an element of; "" = none.
func (o Operation) Array() string { return o.array }

// Value returns the JSON text, or the string of a secret.
func (o Operation) Value() crypto.Secret { return o.value }

// Below returns the operation for a value that stands at a pointer in the configuration, from one
// that was made for the value alone.
func (o Operation) Below(pointer string) Operation {
	o.pointer = pointer + o.pointer
	if o.array != "" {
		o.array = pointer + o.array
	}
	return o
}

// MarshalJSON fails: an operation may contain a secret, which would be lost.
func (o Operation) MarshalJSON() ([]byte, error) {
	return nil, errors.New("installation: an operation cannot be written as JSON")
}
