package record

import (
	"slices"
	"strings"

	"github.com/go-installation/installation/crypto"
)

// Body is the content of a stored record. Its slices are not copied when it is decoded.
type Body struct {
	Lifecycle []byte         // encoded Lifecycle, in plain
	Manifest  []byte         // sealed; nil = dropped when the record was purged without its key
	Key       crypto.Wrapped // data key; zero once shredded
	Values    []Value        // sealed values, strictly ascending by Ref
}

// Ref names a sealed value of a record.
type Ref struct {
	Kind    string // "config", "credential", "connection", "extra" or "invitation"
	Pointer string // RFC 6901, within the document that the kind names
}

// Compare orders refs by kind, then by pointer, both bytewise.
func Compare(a, b Ref) int {
	if order := strings.Compare(a.Kind, b.Kind); order != 0 {
		return order
	}
	return strings.Compare(a.Pointer, b.Pointer)
}

// Value is a sealed value.
type Value struct {
	Ref
	Sealed []byte
}

// Append appends the stored form of b to dst. Values must be strictly ascending.
func (b *Body) Append(dst []byte) []byte {
	dst = slices.Grow(dst, b.Size())
	return Append(append(dst, Version), b, bodyFields)
}

// DecodeBody reads a stored body, which shares the memory of raw. The error is
// [crypto.ErrSealed], or a [*crypto.VersionError] for an unknown version.
func DecodeBody(raw []byte) (*Body, error) {
	message, err := CheckVersion(raw, "record")
	if err != nil {
		return nil, err
	}
	b := new(Body)
	if err := Decode(message, b, bodyFields); err != nil {
		return nil, err
	}
	return b, nil
}

// Size returns about how many bytes the stored form takes, and never less.
func (b *Body) Size() int {
	const overhead = 32 // tags and lengths
	n := len(b.Lifecycle) + len(b.Manifest) + len(b.Key.KeyID) + len(b.Key.Bytes) + overhead
	for _, v := range b.Values {
		n += len(v.Kind) + len(v.Pointer) + len(v.Sealed) + overhead
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
		c.Require(Compare(b.Values[i-1].Ref, b.Values[i].Ref) < 0)
	}
}

func valueFields(c *Coder, v *Value) {
	String(c, 1, &v.Kind)
	String(c, 2, &v.Pointer)
	Bytes(c, 3, &v.Sealed)
	c.Require(v.Kind != "" && len(v.Sealed) > 0)
}
