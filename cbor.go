package installation

import "github.com/fxamacker/cbor/v2"

// Stored forms are CBOR (RFC 8949): byte strings without base64, and a decoder with hard limits.
var (
	encoding = must(cbor.EncOptions{Sort: cbor.SortBytewiseLexical, NilContainers: cbor.NilContainerAsNull}.EncMode())
	decoding = must(limits.DecMode())
	// decodingAnyText is for what a store may be given with any bytes in its strings.
	decodingAnyText = func() cbor.DecMode {
		lenient := limits
		lenient.UTF8 = cbor.UTF8DecodeInvalid
		return must(lenient.DecMode())
	}()
)

var limits = cbor.DecOptions{
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	IndefLength:       cbor.IndefLengthForbidden,
	TagsMd:            cbor.TagsForbidden,
	UTF8:              cbor.UTF8RejectInvalid,
	MaxNestedLevels:   16,
	MaxArrayElements:  65536,
	MaxMapPairs:       65536,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
}

// must is for options that are constants of this file.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// encode writes a stored form. It cannot fail: the forms are made of strings, numbers, bytes, and slices and maps of these.
func encode(v any) []byte { return must(encoding.Marshal(v)) }

// decode reads a stored form. Its error says nothing of the content.
func decode(b []byte, v any) error {
	if err := decoding.Unmarshal(b, v); err != nil {
		return ErrSealed
	}
	return nil
}
