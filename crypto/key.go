package crypto

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
)

// maxKeyID is the longest id of a key, in bytes.
const maxKeyID = 32

// Key is a key-encryption key: 32 secret bytes with a public id. It never changes and prints as its id however it is printed,
// but for [Key.Reveal]. The zero value is no key.
type Key struct {
	id string
	// secret returns the bytes. It is behind a function because nothing that prints by reflection can look into one.
	secret func() *[keySize]byte
}

// NewKey returns the key with the given id and 32 secret bytes, which it copies; the caller should clear them. The id is 1 to
// 32 letters, digits, "-" and "_" of ASCII; it is stored with everything the key wraps and shows up in errors and logs. The
// bytes must come from a random source or a key derivation function: a key that repeats one byte is refused. Errors match
// [ErrKeyring].
func NewKey(id string, secret []byte) (Key, error) {
	if !validKeyID(id) {
		return Key{}, fmt.Errorf("%w: a key id is 1 to %d characters of A-Z a-z 0-9 - _", ErrKeyring, maxKeyID)
	}
	if len(secret) != keySize {
		return Key{}, fmt.Errorf("%w: key %s has %d bytes, must have %d", ErrKeyring, id, len(secret), keySize)
	}
	if bytes.Count(secret, secret[:1]) == keySize {
		return Key{}, fmt.Errorf("%w: key %s repeats one byte, make one with GenerateKey", ErrKeyring, id)
	}
	b := [keySize]byte(secret)
	return Key{id: id, secret: func() *[keySize]byte { return &b }}, nil
}

// GenerateKey returns a new random key with the given id; see [NewKey] for its form. Nothing in this library calls it: a key
// that appeared by itself would be lost with the process that made it, and everything wrapped under it.
func GenerateKey(id string) (Key, error) {
	secret := make([]byte, keySize)
	defer clear(secret)
	rand.Read(secret)
	return NewKey(id, secret)
}

// ParseKey returns the key in text, which has the form that [Key.Reveal] returns: id, ":" and 32 bytes in base64url without
// padding. Errors match [ErrKeyring] and do not quote text.
func ParseKey(text []byte) (Key, error) {
	id, rest, ok := bytes.Cut(text, []byte(":"))
	if !ok {
		return Key{}, fmt.Errorf("%w: a key is written id:base64url", ErrKeyring)
	}
	secret := make([]byte, keySize+1) // one more, to notice a key that is too long
	defer clear(secret)
	if len(rest) != encoding.EncodedLen(keySize) || bytes.ContainsAny(rest, "\r\n") {
		return Key{}, fmt.Errorf("%w: a key is %d characters of base64url after its id", ErrKeyring, encoding.EncodedLen(keySize))
	}
	n, err := encoding.Decode(secret, rest)
	if err != nil {
		return Key{}, fmt.Errorf("%w: a key is %d characters of base64url after its id", ErrKeyring, encoding.EncodedLen(keySize))
	}
	return NewKey(string(id), secret[:n])
}

// ID returns the id, or "" for the zero value.
func (k Key) ID() string { return k.id }

// Reveal returns the key as text, id and secret, in the form that [ParseKeyring] reads. It is for the operator who makes a
// key and puts it where the program will find it. The zero value gives "".
func (k Key) Reveal() string {
	if k.secret == nil {
		return ""
	}
	return k.id + ":" + encoding.EncodeToString(k.secret()[:])
}

// String returns the id and "***".
func (k Key) String() string { return k.id + ":" + Mask }

// GoString returns the id and "***".
func (k Key) GoString() string { return k.String() }

// Format prints the id and "***" for every verb and flag.
func (k Key) Format(f fmt.State, _ rune) { printText(f, k.String()) }

// LogValue returns the id and "***".
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns the id and "***", which JSON and XML use too. See [Key.Reveal].
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// validKeyID reports whether id has the form of a key id. Ids come from stores, and one of this form is safe to log.
func validKeyID(id string) bool {
	return 0 < len(id) && len(id) <= maxKeyID && !strings.ContainsFunc(id, notOfKeyID)
}

// notOfKeyID reports whether r is none of the characters of a key id, which are those of base64url too.
func notOfKeyID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
