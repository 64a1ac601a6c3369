// Package operation has the type of an edit to a configuration. Package patch makes operations, and
// package installation applies them.
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

// NewPut returns an operation that puts JSON text at a pointer and creates missing objects around
// the place. array is the pointer of the innermost array around the place, which has to exist; "" =
// none.
func NewPut(pointer, array string, value crypto.Secret) Operation {
	return Operation{kind: masked.Put, pointer: pointer, array: array, value: value}
}

// Kind returns what the operation does; "" for the zero Operation.
func (o Operation) Kind() masked.OpKind { return o.kind }

// Pointer returns the JSON Pointer of the place that the operation changes or tests.
func (o Operation) Pointer() string { return o.pointer }

// Array returns the pointer of the array that must exist around the place, see [NewPut]; "" = none.
func (o Operation) Array() string { return o.array }

// Value returns the JSON text, or the string of a secret.
func (o Operation) Value() crypto.Secret { return o.value }

// Below returns the operation with pointer put in front of its pointers. Use it if o was made for a
// single value, and the value is at pointer in the configuration.
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
