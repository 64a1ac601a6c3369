// Package patch makes the operations for installation.PatchRequest. [Set], [SetSecret], [Unset] and
// [Test] make single operations on a configuration. [FromJSON] reads a JSON Patch (RFC 6902),
// [FromMerge] a merge patch (RFC 7396), and [FromMask] an update mask. The method InMetadata
// directs such an operation at Connection.Metadata instead:
//
//	patch.Set("/plan", installation.JSON(`"gold"`)).InMetadata()
//
// [SetCredential] and [UnsetCredential] change one credential of the connection, and [SetTokenType]
// the type of its access token. Everything that no operation names stays as it is.
//
// A patch applies all of its operations or none. It never shows a secret. Operations on metadata
// and credentials need a stored connection.
package patch

import (
	"time"

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

// SetCredential replaces one credential of the stored connection, with its times. ref is
// "credential/access_token", "credential/refresh_token" or "credential/api_key". The other
// credentials, the token type and the metadata stay. A zero time in token removes the stored one.
// An API key has no times, so the write rejects times for it.
//
// The value must be plain: the write rejects a masked, zero or empty Secret, and text that looks
// like the mask of another program. To refresh tokens, set both in one request:
//
//	[]installation.Operation{
//		patch.SetCredential("credential/access_token", access),
//		patch.SetCredential("credential/refresh_token", refresh),
//	}
func SetCredential(ref installation.Ref, token installation.Token) installation.Operation {
	return operation.NewCredential(
		operation.SetCredential, string(ref), token.Value, token.Issued, token.Expires)
}

// UnsetCredential removes one credential of the stored connection, with its times. ref is as in
// [SetCredential]. The token type goes with the access token. The write is rejected if no such
// credential is stored, as with [Unset].
func UnsetCredential(ref installation.Ref) installation.Operation {
	return operation.NewCredential(
		operation.UnsetCredential, string(ref), crypto.Secret{}, time.Time{}, time.Time{})
}

// SetTokenType sets the type of the access token, such as "Bearer", which is no secret. "" removes
// it.
func SetTokenType(tokenType string) installation.Operation {
	return operation.NewCredential(operation.SetTokenType, "", crypto.NewSecret(tokenType),
		time.Time{}, time.Time{})
}
