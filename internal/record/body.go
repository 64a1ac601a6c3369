package record

import (
	"github.com/go-installation/installation/crypto"
)

// Limits of a body in bytes. Writing is limited more than reading, so that everything that was
// written can be read.
const (
	MaxBody    = 8 << 20 // that is read
	MaxWritten = 4 << 20 // that is written
)

// Body is a decoded body.
type Body struct {
	Lifecycle []byte         // encoded; package installation knows its fields
	Key       crypto.Wrapped // the data key; empty once it is destroyed
	Manifest  []byte         // sealed; nil if it was dropped without a key
	Values    []Value        // the secrets, sorted by Ref
}

// Value is one sealed secret. Ref names it: a kind and a JSON Pointer, such as "config/api_key".
type Value struct {
	Ref    string
	Sealed []byte
}

// Append appends the encoding of b to dst.
func (b *Body) Append(dst []byte) []byte { return AppendVersioned(dst, b, codeBody) }

// DecodeBody reads an encoded body, whose memory it shares. The error is a [*crypto.VersionError]
// for a version that this release does not know, else [crypto.ErrSealed].
func DecodeBody(raw []byte) (*Body, error) {
	b := new(Body)
	if err := DecodeVersioned("record", raw, b, codeBody); err != nil {
		return nil, err
	}
	for i := 1; i < len(b.Values); i++ {
		if b.Values[i-1].Ref >= b.Values[i].Ref {
			return nil, crypto.ErrSealed
		}
	}
	return b, nil
}

func codeBody(c *Coder, b *Body) {
	Bytes(c, 1, &b.Lifecycle)
	String(c, 2, &b.Key.KeyID)
	Bytes(c, 3, &b.Key.Bytes)
	Bytes(c, 4, &b.Manifest)
	Messages(c, 5, &b.Values, codeValue)
}

func codeValue(c *Coder, v *Value) {
	String(c, 1, &v.Ref)
	Bytes(c, 2, &v.Sealed)
}

// AppendVersioned appends a version byte and the encoding of v to dst.
func AppendVersioned[T any](dst []byte, v *T, fields func(*Coder, *T)) []byte {
	return Append(append(dst, version), v, fields)
}

// DecodeVersioned reads what AppendVersioned wrote. what names it in the error for an unknown
// version.
func DecodeVersioned[T any](what string, b []byte, v *T, fields func(*Coder, *T)) error {
	switch {
	case len(b) == 0 || len(b) > MaxBody:
		return crypto.ErrSealed
	case b[0] != version:
		return &crypto.VersionError{What: what, Version: b[0]}
	}
	return Decode(b[1:], v, fields)
}
