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

// Errors of encoding and decoding a Secret. They say nothing of the value.
var (
	errSecretStored = errors.New("installation: a Secret is not stored: seal what it reveals")
	errSecretJSON   = errors.New("installation: a secret is a JSON string, or null")
	errSecretText   = errors.New("installation: a secret is UTF-8")
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

// MarshalText returns "***", or nothing if s is zero.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.text()), nil }

// MarshalXML writes an element with "***", or none if s is zero.
func (s Secret) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if s.IsZero() {
		return nil
	}
	return e.EncodeElement(Mask, start)
}

// MarshalXMLAttr returns an attribute with "***", or none if s is zero.
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

// MarshalBinary always fails: binary forms are for storing, and "***" stored in place of a secret would be its end.
func (s Secret) MarshalBinary() ([]byte, error) { return nil, errSecretStored }

// GobEncode always fails; see [Secret.MarshalBinary].
func (s Secret) GobEncode() ([]byte, error) { return nil, errSecretStored }

// Value always fails, so that a Secret cannot be an argument of a database query; see [Secret.MarshalBinary].
func (s Secret) Value() (driver.Value, error) { return nil, errSecretStored }

// UnmarshalJSON reads a JSON string as the secret text. "***" is read as a masked secret, so that a masked document can be
// sent back, and null as the zero Secret; a secret that really is "***" is made by [NewSecret]. Anything but a string or
// null, and text that is not UTF-8 or that the decoder had to repair, is refused with an error that does not quote it.
func (s *Secret) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*s = Secret{}
		return nil
	}
	var text string
	if len(b) == 0 || b[0] != '"' || json.Unmarshal(b, &text) != nil {
		return errSecretJSON
	}
	// The decoder puts this rune in place of what is not UTF-8 and of half a surrogate pair. A secret that changed on its way
	// in is worse than one that was refused.
	if strings.ContainsRune(text, utf8.RuneError) {
		return errSecretText
	}
	*s = fromText(text)
	return nil
}

// UnmarshalText reads b as the secret text, "***" as a masked secret, and no text as the zero Secret. It copies b. Text that
// is not UTF-8 is refused with an error that does not quote it.
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

// fromText returns the secret that a document means by text.
func fromText(text string) Secret {
	if text == Mask {
		return Masked()
	}
	return NewSecret(text)
}
