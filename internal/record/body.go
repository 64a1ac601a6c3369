package record

import (
	"slices"

	"github.com/go-installation/installation/crypto"
)

// Body is the content of a stored record. A decoded Body shares memory with the input, see
// [DecodeBody].
type Body struct {
	Lifecycle []byte         // encoded Lifecycle, not sealed
	Manifest  []byte         // sealed [Manifest]; nil = dropped by a purge without the key
	Key       crypto.Wrapped // wrapped data key; zero once it was destroyed
	Values    []Value        // sealed values, strictly ascending by Ref
}

// Value is a sealed secret. Ref is the kind of the secret and a JSON Pointer (RFC 6901). For
// example, "config/api_key" is the secret at "/api_key" in the configuration.
type Value struct {
	Ref    string
	Sealed []byte
}

// Append appends the stored form of b to dst. b.Values must be strictly ascending by Ref.
func (b *Body) Append(dst []byte) []byte {
	dst = slices.Grow(dst, b.size())
	return Append(append(dst, Version), b, bodyFields)
}

// DecodeBody decodes the stored form of a body. Byte slices of the result share the memory of raw.
// The error is [crypto.ErrSealed], or a [*crypto.VersionError] for an unknown version.
func DecodeBody(raw []byte) (*Body, error) { return DecodeStored(raw, "record", bodyFields) }

// size returns an upper bound, close to the exact value, for the length of the stored form.
func (b *Body) size() int {
	const overhead = 32 // tags and lengths
	n := len(b.Lifecycle) + len(b.Manifest) + len(b.Key.KeyID) + len(b.Key.Bytes) + overhead
	for _, v := range b.Values {
		n += len(v.Ref) + len(v.Sealed) + overhead
	}
	return n
}

// bodyFields puts the large manifest before the first string, because decoding copies the input
// from its first string on.
func bodyFields(c *Coder, b *Body) {
	Bytes(c, 1, &b.Lifecycle)
	Bytes(c, 2, &b.Manifest)
	String(c, 3, &b.Key.KeyID)
	Bytes(c, 4, &b.Key.Bytes)
	Messages(c, 5, &b.Values, valueFields)
	c.Require(len(b.Lifecycle) > 0)
	for i := 1; i < len(b.Values); i++ {
		c.Require(b.Values[i-1].Ref < b.Values[i].Ref)
	}
}

func valueFields(c *Coder, v *Value) {
	String(c, 1, &v.Ref)
	Bytes(c, 2, &v.Sealed)
	c.Require(v.Ref != "" && len(v.Sealed) > 0)
}
