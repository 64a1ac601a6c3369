package crypto

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash"
	"log/slog"
	"sync"
	"sync/atomic"
)

// keySize is the length of every key of this package, in bytes.
const keySize = 32

// Purposes for which keys are derived from a data key. They are part of the stored format.
const (
	infoEncrypt     = "isv1/enc"
	infoFingerprint = "isv1/fp"
)

// DataKey is the secret key of one installation: it seals and opens the values of that installation, and computes
// fingerprints. The keys that an installation has one after the other are numbered by their generation. A key consists of 32 random bytes from which the working keys are derived by
// HKDF-Expand with SHA-256 (RFC 5869), each when it is first needed.
//
// All methods may be called from many goroutines at once, Destroy included. It prints as "***" however it is printed. Pass
// it as a pointer; a copy shares the key.
type DataKey struct {
	generation uint32
	suite      Suite

	// state returns the key material. It is behind a function because nothing that prints by reflection, not even code
	// that follows unexported pointers, can look into one.
	state func() *keyState
}

// keyState is the material behind a DataKey.
type keyState struct {
	ciphers [SuiteAES256GCM + 1]atomic.Pointer[cipher.AEAD] // by suite, made when first needed

	mu          sync.Mutex
	raw         []byte // nil = destroyed
	fingerprint []byte // derived when first needed
}

// NewDataKey returns a new random key, numbered with the given generation. New values are sealed with suite; both
// suites can be opened. It returns an error that matches [ErrSuite] if suite cannot be used in this process.
func NewDataKey(generation uint32, suite Suite) (*DataKey, error) {
	suite, err := suite.orDefault()
	if err != nil {
		return nil, err
	}
	raw := make([]byte, keySize)
	rand.Read(raw) // never fails: it crashes the program instead
	return takeDataKey(raw, generation, suite), nil
}

// DataKeyFromBytes returns the key that consists of raw, 32 bytes from an earlier [DataKey.Reveal]. It is for
// implementations of [KeyWrapper]; everyone else calls [NewDataKey]. It copies raw, which the caller should clear. Anything
// but 32 bytes is refused with an error that matches [ErrSealed].
func DataKeyFromBytes(raw []byte, generation uint32, suite Suite) (*DataKey, error) {
	if len(raw) != keySize {
		return nil, ErrSealed
	}
	suite, err := suite.orDefault()
	if err != nil {
		return nil, err
	}
	return takeDataKey(bytes.Clone(raw), generation, suite), nil
}

// takeDataKey makes a key of raw, which it keeps. The suite is one that is known.
func takeDataKey(raw []byte, generation uint32, suite Suite) *DataKey {
	s := &keyState{raw: raw}
	return &DataKey{generation: generation, suite: suite, state: func() *keyState { return s }}
}

// Generation returns the number of the key. It is written into everything sealed with the key, and what carries another one
// does not open.
func (k *DataKey) Generation() uint32 {
	if k == nil {
		return 0
	}
	return k.generation
}

// Suite returns the suite with which new values are sealed.
func (k *DataKey) Suite() Suite {
	if k == nil {
		return 0
	}
	return k.suite
}

// Reveal returns a copy of the key, 32 bytes, which the caller should clear after use. It is for implementations of
// [KeyWrapper]: whoever holds these bytes can open everything sealed with them. It returns an error that matches
// [ErrDestroyed] if there is no key any more.
func (k *DataKey) Reveal() ([]byte, error) {
	s, err := k.material()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raw == nil {
		return nil, ErrDestroyed
	}
	return bytes.Clone(s.raw), nil
}

// Destroy wipes the key. Calls already under way may finish; later ones return an error that matches [ErrDestroyed]. The
// copies within cipher states are out of reach and stay until they are garbage collected. Destroying a key again, or a nil
// one, does nothing.
func (k *DataKey) Destroy() {
	s, err := k.material()
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.raw)
	clear(s.fingerprint)
	s.raw, s.fingerprint = nil, nil
	for i := range s.ciphers {
		s.ciphers[i].Store(nil)
	}
}

// Fingerprint returns HMAC-SHA256 (RFC 2104) over the parts, under a key derived for this purpose alone: equal lists of
// parts have equal fingerprints, and without the key a fingerprint says nothing about them. Where one part ends and the next
// begins makes a difference. It returns an error that matches [ErrDestroyed] if there is no key any more.
func (k *DataKey) Fingerprint(parts ...[]byte) ([32]byte, error) {
	var sum [32]byte
	s, err := k.material()
	if err != nil {
		return sum, err
	}
	mac, err := s.mac()
	if err != nil {
		return sum, err
	}
	b := scratches.Get().(*scratch)
	defer b.free()
	b.buf = appendPAE(b.buf[:0], parts...)
	mac.Write(b.buf)
	clear(b.buf) // the parts may hold secrets, and the buffer is used again
	mac.Sum(sum[:0])
	return sum, nil
}

// clone returns a key of its own with the same material: destroying one leaves the other. What was derived already is handed on, so
// that a clone is ready to open values at once. Ciphers are shared; they never change.
func (k *DataKey) clone() (*DataKey, error) {
	s, err := k.material()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raw == nil {
		return nil, ErrDestroyed
	}
	c := &keyState{raw: bytes.Clone(s.raw), fingerprint: bytes.Clone(s.fingerprint)}
	for i := range s.ciphers {
		c.ciphers[i].Store(s.ciphers[i].Load())
	}
	return &DataKey{generation: k.generation, suite: k.suite, state: func() *keyState { return c }}, nil
}

// withSuite returns the same key, not a clone, for sealing with a suite that can be used.
func (k *DataKey) withSuite(suite Suite) *DataKey {
	return &DataKey{generation: k.generation, suite: suite, state: k.state}
}

// material returns what is behind k, or ErrDestroyed for a key that no constructor made.
func (k *DataKey) material() (*keyState, error) {
	if k == nil || k.state == nil {
		return nil, ErrDestroyed
	}
	return k.state(), nil
}

// cipher returns the cipher of suite under the key derived for sealing. After the first call it takes no lock.
func (s *keyState) cipher(suite Suite) (cipher.AEAD, error) {
	if p := s.ciphers[suite].Load(); p != nil {
		return *p, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := s.derive(infoEncrypt)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	a, err := suite.aead(key)
	if err != nil {
		return nil, err
	}
	s.ciphers[suite].Store(&a)
	return a, nil
}

// mac returns a MAC under the key derived for fingerprints.
func (s *keyState) mac() (hash.Hash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fingerprint == nil {
		key, err := s.derive(infoFingerprint)
		if err != nil {
			return nil, err
		}
		s.fingerprint = key
	}
	return hmac.New(sha256.New, s.fingerprint), nil
}

// derive returns the working key for a purpose. The caller holds s.mu and clears the key.
func (s *keyState) derive(info string) ([]byte, error) {
	if s.raw == nil {
		return nil, ErrDestroyed
	}
	return hkdf.Expand(sha256.New, s.raw, info, keySize)
}

// Format prints "***" for every verb and flag.
func (k DataKey) Format(f fmt.State, _ rune) { printText(f, Mask) }

// String returns "***".
func (k DataKey) String() string { return Mask }

// GoString returns "***".
func (k DataKey) GoString() string { return Mask }

// LogValue returns "***".
func (k DataKey) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText returns "***", which JSON and XML use too. Use [KeyWrapper] to store a key.
func (k DataKey) MarshalText() ([]byte, error) { return []byte(Mask), nil }
