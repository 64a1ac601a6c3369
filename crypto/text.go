package crypto

import (
	"encoding/base64"
	"strings"
)

// Prefixes of the text forms.
const (
	valuePrefix = "isv1."
	wrapPrefix  = "isk1."
)

// encoding is base64url without padding (RFC 4648, section 5). Strict refuses bits that encode nothing, so that each value
// has one text. It still skips line breaks; decode does not.
var encoding = base64.RawURLEncoding.Strict()

// EncodeText returns the text form of a sealed value: "isv1." and base64url without padding. It is for logs, tickets and
// formats that have no bytes; a store keeps the bytes.
func EncodeText(sealed []byte) string { return valuePrefix + encoding.EncodeToString(sealed) }

// ParseText returns the sealed value in its text form. There is exactly one text for a value, and anything else is refused
// with an error that matches [ErrSealed]: plain text is never taken for a sealed value, nor the other way round. The value
// has the right form then; whether it opens only [DataKey.Open] can tell.
func ParseText(text string) ([]byte, error) {
	rest, ok := strings.CutPrefix(text, valuePrefix)
	if !ok {
		return nil, ErrSealed
	}
	sealed, err := decode(rest)
	if err != nil {
		return nil, err
	}
	if _, err := checkValue(sealed); err != nil {
		return nil, err
	}
	return sealed, nil
}

// Text returns the text form of a wrapped key: "isk1.", the id of its key-encryption key, "." and base64url without padding.
func (w Wrapped) Text() string {
	return wrapPrefix + w.KeyID + "." + encoding.EncodeToString(w.Bytes)
}

// ParseWrapped returns the wrapped key in its text form. It is as strict as [ParseText].
func ParseWrapped(text string) (Wrapped, error) {
	rest, ok := strings.CutPrefix(text, wrapPrefix)
	if !ok {
		return Wrapped{}, ErrSealed
	}
	id, rest, ok := strings.Cut(rest, ".")
	if !ok || !validKeyID(id) {
		return Wrapped{}, ErrSealed
	}
	b, err := decode(rest)
	if err != nil {
		return Wrapped{}, err
	}
	if _, err := checkWrapped(b); err != nil {
		return Wrapped{}, err
	}
	return Wrapped{KeyID: id, Bytes: b}, nil
}

// maxText is the longest base64 that can hold a sealed value.
var maxText = encoding.EncodedLen(headerSize + chachaNonceSize + maxPadded + tagSize)

// decode decodes base64url. Its errors do not quote what they read.
func decode(text string) ([]byte, error) {
	if len(text) > maxText || strings.ContainsAny(text, "\r\n") {
		return nil, ErrSealed
	}
	b, err := encoding.DecodeString(text)
	if err != nil {
		return nil, ErrSealed
	}
	return b, nil
}
