package crypto

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
)

// maxKeyID is the longest ID of a key, in bytes.
const maxKeyID = 32

// encoding is base64url without padding (RFC 4648, section 5). Strict rejects nonzero bits after
// the last byte, so each key has exactly one text. It still skips line breaks, so the caller must
// reject them.
var encoding = base64.RawURLEncoding.Strict()

// Key is a key-encryption key: 32 secret bytes with a public ID. It never changes. It prints as
// its ID in every form except [Key.Reveal]. The zero value is no key.
type Key struct {
	id string
	// secret returns the bytes. Code that prints by reflection cannot look into a function.
	secret func() *[keySize]byte
}

// NewKey returns the key with this ID and these 32 secret bytes. NewKey copies the bytes, and the
// caller should clear them. The ID is 1 to 32 ASCII letters, digits, "-" and "_". It is stored with
// everything that the key wraps, and errors and logs show it.
//
// The bytes must come from a random source or a key derivation function: whoever reads a stored
// record can test guesses of a weak key. NewKey rejects a key that repeats one byte. Errors
// match [ErrKeyring].
func NewKey(id string, secret []byte) (Key, error) {
	if err := checkKeyID(id); err != nil {
		return Key{}, err
	}
	if len(secret) != keySize {
		return Key{}, fmt.Errorf("%w: key %s has %d bytes, must have %d",
			ErrKeyring, id, len(secret), keySize)
	}
	if bytes.Count(secret, secret[:1]) == keySize {
		return Key{}, fmt.Errorf("%w: key %s repeats one byte, make one with GenerateKey",
			ErrKeyring, id)
	}
	b := [keySize]byte(secret)
	return Key{id: id, secret: func() *[keySize]byte { return &b }}, nil
}

// GenerateKey returns a new random key with this ID; see [NewKey] for the form of the ID. The
// library never calls GenerateKey: a key that the library made by itself would be lost with the
// process, and everything that the key wrapped would be lost with the key.
func GenerateKey(id string) (Key, error) {
	secret := make([]byte, keySize)
	defer clear(secret)
	rand.Read(secret)
	return NewKey(id, secret)
}

// ParseKey returns the key in text, in the form of [Key.Reveal]: ID, ":" and 32 bytes in
// base64url without padding. Errors match [ErrKeyring] and do not quote text.
func ParseKey(text []byte) (Key, error) {
	id, rest, ok := bytes.Cut(text, []byte(":"))
	if !ok {
		return Key{}, fmt.Errorf("%w: a key is written id:base64url", ErrKeyring)
	}
	size := encoding.EncodedLen(keySize)
	secret := make([]byte, keySize+1) // one byte more, to notice a key that is too long
	defer clear(secret)
	n := 0
	if len(rest) == size && !bytes.ContainsAny(rest, "\r\n") {
		n, _ = encoding.Decode(secret, rest)
	}
	if n != keySize {
		return Key{}, fmt.Errorf("%w: a key must have %d base64url characters after its ID",
			ErrKeyring, size)
	}
	return NewKey(string(id), secret[:n])
}

// ID returns the ID, or "" for the zero value.
func (k Key) ID() string { return k.id }

// Reveal returns the ID and the secret bytes as text, in the form that [ParseKeyring] reads. It
// is for the operator who makes a key and puts it where the program will find it. The zero
// value returns "".
func (k Key) Reveal() string {
	if k.secret == nil {
		return ""
	}
	return k.id + ":" + encoding.EncodeToString(k.secret()[:])
}

// String returns the ID and "***".
func (k Key) String() string { return k.id + ":" + Mask }

// GoString returns the ID and "***".
func (k Key) GoString() string { return k.String() }

// Format prints the ID and "***" for every verb and flag.
func (k Key) Format(f fmt.State, _ rune) { printText(f, k.String()) }

// LogValue returns the ID and "***".
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns the ID and "***", which JSON and XML use too. See [Key.Reveal].
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// checkKeyID returns an error that matches [ErrKeyring] unless id is valid.
func checkKeyID(id string) error {
	if !validKeyID(id) {
		return fmt.Errorf("%w: a key ID is 1 to %d characters of A-Z a-z 0-9 - _",
			ErrKeyring, maxKeyID)
	}
	return nil
}

// validKeyID reports whether id has the form of a key ID. IDs come from stores; a valid ID is safe
// to log.
func validKeyID(id string) bool {
	return 0 < len(id) && len(id) <= maxKeyID && !strings.ContainsFunc(id, notInKeyID)
}

// notInKeyID reports whether r cannot be in a key ID. The alphabet is that of base64url.
func notInKeyID(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_'
}
