// Package patch makes operations on a configuration, for installation.PatchRequest. They come from
// code, from a JSON Patch (RFC 6902), a merge patch (RFC 7396) or an update mask.
//
// A patch applies all of its operations to the stored configuration or none. It never shows
// a secret.
package patch

import (
	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/operation"
)

// Set puts a JSON value at a pointer (RFC 6901) and replaces an existing value. The object
// or array around it must exist. "-" appends to an array.
//
// A "***" in the value keeps the stored secret. In an element of an array it does so only if
// the element is surely the same: it has the same x-key (see validate.SchemaSource) or
// is otherwise unchanged.
func Set(pointer string, value installation.Document) installation.Operation {
	return operation.New(masked.Set, pointer, value.Text())
}

// SetSecret puts a string at a pointer and seals it, whatever its name. Only SetSecret can
// store a literal "***".
func SetSecret(pointer string, value crypto.Secret) installation.Operation {
	return operation.New(masked.SetSecret, pointer, value)
}

// Unset removes the value at a pointer. Setting null at a secret removes it too.
func Unset(pointer string) installation.Operation {
	return operation.New(masked.Remove, pointer, crypto.Secret{})
}

// Test rejects the whole write with installation.ErrInvalid unless a JSON value is at a pointer.
// At, above and below a secret it always rejects, since the answer would confirm a guess.
func Test(pointer string, value installation.Document) installation.Operation {
	return operation.New(masked.Test, pointer, value.Text())
}
