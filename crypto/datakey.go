package crypto

import (
	"bytes"
	"cmp"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"
)

const (
	// keySize is the size of the key of a cipher or of a MAC, in bytes.
	keySize = 32
	// dataKeySize is the size of a data key, in bytes: a key to seal, then a key for
	// fingerprints.
	dataKeySize = 2 * keySize
)

// DataKey is the secret key of one installation. It seals and opens the values of that
// installation and computes fingerprints. It has 64 random bytes: the first 32 are the key of
// its one cipher, the last 32 the key of the fingerprints. Nothing is derived from them.
//
// Each key has a number. An installation numbers its keys from 1 and never uses a number twice.
//
// All methods are safe for concurrent use, Destroy included. A DataKey prints as "***" in every
// form. Pass it as a pointer: a copy shares the key.
type DataKey struct {
	number uint32
	suite  Suite

	// state returns the key material. Code that prints by reflection follows unexported
	// pointers, but it cannot look into a function.
	state func() *keyState
}

// keyState is the material of a DataKey.
type keyState struct {
	mu   sync.Mutex
	raw  []byte // nil = destroyed
	aead cipher.AEAD
}

// NewDataKey returns a new random key. The number must be 1 or more, else the error matches
// [ErrKeyring]. The key seals with suite and opens only values of this suite. The error matches
// [ErrSuite] if this process cannot use suite.
func NewDataKey(number uint32, suite Suite) (*DataKey, error) {
	if number == 0 { // possibly an overflow of the highest number
		return nil, fmt.Errorf("%w: the number of a data key starts at 1", ErrKeyring)
	}
	raw := make([]byte, dataKeySize)
	rand.Read(raw) // never fails: it crashes the program instead
	return takeDataKey(raw, number, suite)
}

// DataKeyFromBytes returns the key with these 64 bytes, which an earlier [DataKey.Reveal]
// returned. It is for implementations of [KeyWrapper]; everyone else calls [NewDataKey]. It
// copies raw, and the caller should clear raw. The error matches [ErrSealed] if raw does not have
// 64 bytes or the number is 0, and [ErrSuite] if this process cannot use suite.
func DataKeyFromBytes(raw []byte, number uint32, suite Suite) (*DataKey, error) {
	if len(raw) != dataKeySize || number == 0 {
		return nil, ErrSealed
	}
	return takeDataKey(bytes.Clone(raw), number, suite)
}

// takeDataKey makes a key of raw and takes over the slice. On an error it clears raw.
func takeDataKey(raw []byte, number uint32, suite Suite) (*DataKey, error) {
	suite = cmp.Or(suite, SuiteXChaCha20Poly1305)
	aead, err := suite.aead(raw[:keySize])
	if err != nil {
		clear(raw)
		return nil, err
	}
	s := &keyState{raw: raw, aead: aead}
	return &DataKey{number: number, suite: suite, state: func() *keyState { return s }}, nil
}

// Number returns the number of the key. Every sealed value contains the number of its key. A
// value with a different number does not open.
func (k *DataKey) Number() uint32 {
	if k == nil {
		return 0
	}
	return k.number
}

// Suite returns the suite of the key.
func (k *DataKey) Suite() Suite {
	if k == nil {
		return 0
	}
	return k.suite
}

// Reveal returns a copy of the 64 bytes of the key. The caller should clear the copy after use.
// Reveal is for implementations of [KeyWrapper]: these bytes open everything that the key sealed.
// The error matches [ErrDestroyed] if the key is destroyed.
func (k *DataKey) Reveal() ([]byte, error) {
	s, err := k.lock()
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return bytes.Clone(s.raw), nil
}

// Destroy wipes the key. Running calls may finish; later calls return an error that matches
// [ErrDestroyed]. The copy inside the cipher stays in memory until it is garbage collected.
// Destroying a key twice, or a nil key, does nothing.
func (k *DataKey) Destroy() {
	s, err := k.lock()
	if err != nil {
		return
	}
	defer s.mu.Unlock()
	clear(s.raw)
	s.raw, s.aead = nil, nil
}

// Fingerprint returns HMAC-SHA256 (RFC 2104) of the list of parts, under the key that serves
// only this purpose. Equal lists have equal fingerprints. Without the key a fingerprint reveals
// nothing about the parts. The error matches [ErrDestroyed] if the key is destroyed.
func (k *DataKey) Fingerprint(parts ...[]byte) ([32]byte, error) {
	var sum [32]byte
	s, err := k.lock()
	if err != nil {
		return sum, err
	}
	mac := hmac.New(sha256.New, s.raw[keySize:])
	s.mu.Unlock()
	b := newScratch(parts...)
	defer b.free()
	mac.Write(b.buf)
	clear(b.buf) // the parts may contain secrets, and the next call gets the buffer
	mac.Sum(sum[:0])
	return sum, nil
}

// clone returns a key with a copy of the material, so that each key can be destroyed alone. The two
// keys share a cipher, which never changes.
func (k *DataKey) clone() (*DataKey, error) {
	s, err := k.lock()
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := &keyState{raw: bytes.Clone(s.raw), aead: s.aead}
	return &DataKey{number: k.number, suite: k.suite, state: func() *keyState { return c }}, nil
}

// cipher returns the cipher that seals and opens values.
func (k *DataKey) cipher() (cipher.AEAD, error) {
	s, err := k.lock()
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.aead, nil
}

// lock returns the locked material, or [ErrDestroyed] if the key is destroyed, nil or zero.
func (k *DataKey) lock() (*keyState, error) {
	if k == nil || k.state == nil {
		return nil, ErrDestroyed
	}
	s := k.state()
	s.mu.Lock()
	if s.raw == nil {
		s.mu.Unlock()
		return nil, ErrDestroyed
	}
	return s, nil
}

// Format prints "***" for every verb and flag.
func (k DataKey) Format(f fmt.State, _ rune) { printText(f, Mask) }

// String returns "***".
func (k DataKey) String() string { return Mask }

// GoString returns "***".
func (k DataKey) GoString() string { return Mask }

// LogValue returns "***".
func (k DataKey) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText returns "***", which JSON and XML use too. Use a [KeyWrapper] to store a key.
func (k DataKey) MarshalText() ([]byte, error) { return []byte(Mask), nil }
