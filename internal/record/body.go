package record

import (
	"slices"

	"github.com/go-installation/installation/crypto"
)

// Body is the content of a stored record. Its slices are not copied when it is decoded.
type Body struct {
	Lifecycle []byte         // encoded Lifecycle, in plain
	Manifest  []byte         // sealed; nil = dropped when the record was purged without its key
	Key       crypto.Wrapped // data key; zero once shredded
	Values    []Value        // sealed values, strictly ascending by Ref
}

// Value is a sealed secret. Ref names it: a kind, then a JSON Pointer (RFC 6901) within what
// the kind names, such as "config/api_key".
type Value struct {
	Ref    string
	Sealed []byte
}

// Append appends the stored form of b to dst. Values must be strictly ascending.
func (b *Body) Append(dst []byte) []byte {
	dst = slices.Grow(dst, b.size())
	return Append(append(dst, Version), b, bodyFields)
}

// DecodeBody reads a stored body, which shares the memory of raw. The error is
// [crypto.ErrSealed], or a [*crypto.VersionError] for an unknown version.
func DecodeBody(raw []byte) (*Body, error) { return DecodeStored(raw, "record", bodyFields) }

// size returns about how many bytes the stored form takes, and never less.
func (b *Body) size() int {
	const overhead = 32 // tags and lengths
	n := len(b.Lifecycle) + len(b.Manifest) + len(b.Key.KeyID) + len(b.Key.Bytes) + overhead
	for _, v := range b.Values {
		n += len(v.Ref) + len(v.Sealed) + overhead
	}
	return n
}

// The large manifest stands before the first string, so that reading copies little.
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
