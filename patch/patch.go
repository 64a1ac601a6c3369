// Package patch makes the operations on a configuration for installation.PatchRequest. [Set],
// [SetSecret], [Unset] and [Test] make single operations. [FromJSON] reads a JSON Patch (RFC 6902),
// [FromMerge] a merge patch (RFC 7396), and [FromMask] an update mask.
//
// A patch applies all of its operations to the stored configuration or none. It never shows a
// secret.
package patch

import (
	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/operation"
)

// Set puts a JSON value at a pointer (RFC 6901) and replaces an existing value. The object or array
// around the place must exist. A pointer that ends in "/-" appends to an array.
//
// A "***" in the value keeps the stored secret. Inside an element of an array it keeps the secret
// only if the value is surely meant for the stored element. If the schema has an x-key for the
// array (see validate.SchemaSource), the element must have the same key. Otherwise the element must
// be unchanged.
func Set(pointer string, value installation.Document) installation.Operation {
	return operation.New(masked.Set, pointer, value.Text())
}

// SetSecret puts a string at a pointer and seals it, whatever its name. Only SetSecret can
// store a literal "***". If neither the name nor a schema says that it is a secret, it must not
// send other secrets elsewhere, like any value (see "Destinations" in package installation).
func SetSecret(pointer string, value crypto.Secret) installation.Operation {
	return operation.New(masked.SetSecret, pointer, value)
}

// Unset removes the value at a pointer. Setting null at a secret removes it too.
func Unset(pointer string) installation.Operation {
	return operation.New(masked.Remove, pointer, crypto.Secret{})
}

// Test rejects the whole write with installation.ErrInvalid unless the value at a pointer equals
// the given value. It always rejects a place at, above or below a secret, because the answer would
// confirm a guess.
func Test(pointer string, value installation.Document) installation.Operation {
	return operation.New(masked.Test, pointer, value.Text())
}
