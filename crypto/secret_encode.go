package crypto

import (
	"database/sql/driver"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// Errors of encoding and decoding a Secret. They do not quote the value.
var (
	errSecretStored = errors.New("installation: Secret cannot be stored, seal its text instead")
	errSecretJSON   = errors.New("installation: secret is not a JSON string or null")
	errSecretText   = errors.New("installation: secret is not UTF-8")
)

// Format prints "***", or nothing if s is zero, for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { printText(f, s.text()) }

// String returns "***", or "" if s is zero.
func (s Secret) String() string { return s.text() }

// GoString returns "***", or "" if s is zero.
func (s Secret) GoString() string { return s.text() }

// LogValue returns "***", or "" if s is zero.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.text()) }

// MarshalJSON returns "***", or null if s is zero.
func (s Secret) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + Mask + `"`), nil
}

// MarshalText returns "***", or no text if s is zero.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.text()), nil }

// MarshalXML writes an element with "***", or no element if s is zero.
func (s Secret) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if s.IsZero() {
		return nil
	}
	return e.EncodeElement(Mask, start)
}

// MarshalXMLAttr returns an attribute with "***", or no attribute if s is zero.
func (s Secret) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	if s.IsZero() {
		return xml.Attr{}, nil
	}
	return xml.Attr{Name: name, Value: Mask}, nil
}

// MarshalYAML returns "***", or nil if s is zero. The common YAML packages call it.
func (s Secret) MarshalYAML() (any, error) {
	if s.IsZero() {
		return nil, nil
	}
	return Mask, nil
}

// MarshalBinary always fails. Binary forms are for storing, and storing "***" would lose the
// secret.
func (s Secret) MarshalBinary() ([]byte, error) { return nil, errSecretStored }

// GobEncode always fails. See [Secret.MarshalBinary].
func (s Secret) GobEncode() ([]byte, error) { return nil, errSecretStored }

// Value always fails, so that a Secret cannot be an argument of a database query. See
// [Secret.MarshalBinary].
func (s Secret) Value() (driver.Value, error) { return nil, errSecretStored }

// UnmarshalJSON decodes a JSON string. "***" becomes a masked secret, so that a masked document
// can be sent back, and null becomes the zero Secret. Use [NewSecret] for a secret whose text
// is "***". UnmarshalJSON rejects anything else, and text that is not UTF-8. Its errors do not
// quote b.
func (s *Secret) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*s = Secret{}
		return nil
	}
	var text string
	if len(b) == 0 || b[0] != '"' || json.Unmarshal(b, &text) != nil {
		return errSecretJSON
	}
	// The decoder replaces bytes that are not UTF-8, and half of a surrogate pair, by this
	// rune. A changed secret is worse than a rejected one.
	if strings.ContainsRune(text, utf8.RuneError) {
		return errSecretText
	}
	*s = fromText(text)
	return nil
}

// UnmarshalText decodes b as UnmarshalJSON decodes a string. Empty text becomes the zero
// Secret. UnmarshalText copies b. It rejects text that is not UTF-8, and the error does not quote
// the text.
func (s *Secret) UnmarshalText(b []byte) error {
	if !utf8.Valid(b) {
		return errSecretText
	}
	if len(b) == 0 {
		*s = Secret{}
		return nil
	}
	*s = fromText(string(b))
	return nil
}

// fromText returns the secret for a text in a document.
func fromText(text string) Secret {
	if text == Mask {
		return Masked()
	}
	return NewSecret(text)
}
