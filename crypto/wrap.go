package crypto

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// KeyWrapper encrypts data keys under key-encryption keys, so that they can be stored beside what they protect. [Keyring] is
// one; a key service in the network can be another. Most programs only hand one on and need not look further.
//
// Duties of an implementation: all methods may be called from many goroutines at once; a context that is already over is
// refused with its error; the binding is authenticated with the key, so that a wrapped key which is moved does not open; the
// key is chosen by the id in [Wrapped] alone, and no other one is tried; errors match those of this package and carry no
// key material.
type KeyWrapper interface {
	// Primary returns the id of the key that Wrap uses.
	Primary() string

	// KeyIDs returns the ids of all keys that Unwrap can use, sorted. The slice is the caller's.
	KeyIDs() []string

	// Suite returns the suite with which new data keys should seal, and with which those from Unwrap do.
	Suite() Suite

	// Wrap encrypts k under the primary key. It neither keeps nor changes k. Wrapping twice gives two different results.
	Wrap(ctx context.Context, k *DataKey, b Binding) (Wrapped, error)

	// Unwrap returns the data key in w. The error matches [ErrUnknownKey] if the named key is not at hand,
	// [ErrKeyUnavailable] if a later try may succeed, and [ErrSealed] if w does not open under it. The data key is the
	// caller's, who may destroy it: an implementation that caches keys hands out copies.
	Unwrap(ctx context.Context, w Wrapped, b Binding) (*DataKey, error)
}

// Wrapped is a data key encrypted under a key-encryption key. It is no secret.
type Wrapped struct {
	KeyID string // id of the key-encryption key; see [NewKey] for its form
	Bytes []byte // binary form
}

// Binding is what a wrapped key belongs to. It is authenticated with the key. The tenant is bound here and not in each
// sealed value, so that moving an installation to another tenant means wrapping one key anew.
type Binding struct {
	Tenant string
	Record string // id of the installation
}

// Parts of the stored format; doc.go draws them.
const (
	saltSize       = 24
	commitmentSize = 32
	wrapFront      = headerSize + saltSize + commitmentSize

	wrapContext = "isk1"      // first part of the additional data of a wrapped key
	infoWrap    = "isk1/wrap" // purpose of what is derived from a key-encryption key
)

// wrap encrypts data, a data key of the given generation, under kek. The salt is nil except where a test reproduces a known
// answer.
func wrap(kek, data []byte, generation uint32, suite Suite, keyID string, b Binding, salt []byte) ([]byte, error) {
	out := make([]byte, wrapFront, wrapFront+gcmNonceSize+keySize+tagSize)
	out[0], out[1] = version, byte(suite)
	binary.BigEndian.PutUint32(out[2:], generation)
	slot := out[headerSize : headerSize+saltSize]
	if salt == nil {
		rand.Read(slot)
	} else {
		copy(slot, salt)
	}
	key, commitment, err := deriveWrap(kek, slot)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	copy(out[headerSize+saltSize:], commitment)
	aead, err := suite.wrapAEAD(key)
	if err != nil {
		return nil, err
	}
	aad := newWrapAAD(out[:headerSize], keyID, b)
	defer aad.free()
	return aead.Seal(out, wrapNonce(aead), data, aad.buf), nil
}

// unwrap returns the data key in wrapped and its generation.
func unwrap(kek, wrapped []byte, keyID string, b Binding) (data []byte, generation uint32, err error) {
	suite, err := checkWrapped(wrapped)
	if err != nil {
		return nil, 0, err
	}
	if suite == suiteService {
		return nil, 0, ErrSealed // what a key service made opens under none of our own keys
	}
	key, commitment, err := deriveWrap(kek, wrapped[headerSize:headerSize+saltSize])
	if err != nil {
		return nil, 0, err
	}
	defer clear(key)
	// These ciphers do not commit to their key: a ciphertext can be made that opens under two. The commitment rules that
	// out, and with it any oracle that a chosen key-encryption key might offer; so it comes before the cipher.
	if subtle.ConstantTimeCompare(commitment, wrapped[headerSize+saltSize:wrapFront]) != 1 {
		return nil, 0, ErrSealed
	}
	aead, err := suite.wrapAEAD(key)
	if err != nil {
		return nil, 0, err
	}
	aad := newWrapAAD(wrapped[:headerSize], keyID, b)
	defer aad.free()
	data, err = aead.Open(make([]byte, 0, keySize), wrapNonce(aead), wrapped[wrapFront:], aad.buf)
	if err != nil {
		return nil, 0, ErrSealed
	}
	return data, binary.BigEndian.Uint32(wrapped[2:]), nil
}

// deriveWrap derives the key that wraps one data key, and the commitment to it, by HKDF with SHA-256 (RFC 5869).
func deriveWrap(kek, salt []byte) (key, commitment []byte, err error) {
	okm, err := hkdf.Key(sha256.New, kek, salt, infoWrap, keySize+commitmentSize)
	if err != nil {
		return nil, nil, err
	}
	return okm[:keySize], okm[keySize:], nil
}

// wrapNonce returns the nonce for the one use of a derived key: all zero, or none where the cipher draws its own.
func wrapNonce(aead cipher.AEAD) []byte { return make([]byte, aead.NonceSize()) }

// newWrapAAD returns the additional data of a wrapped key: what it is wrapped with, and for what.
func newWrapAAD(header []byte, keyID string, b Binding) *scratch {
	s := scratches.Get().(*scratch)
	s.buf = appendPAE(s.buf[:0], wrapContext, string(header), keyID, b.Tenant, b.Record)
	return s
}

// checkWrapped checks the form of a wrapped key before any cipher sees it, and returns its suite. Each suite has exactly one
// length: were shorter ones let through, they could be made to fit several keys. What a key service made says its own.
func checkWrapped(wrapped []byte) (Suite, error) {
	if len(wrapped) < headerSize {
		return 0, ErrSealed
	}
	suite := Suite(wrapped[1])
	if wrapped[0] == version && suite == suiteService {
		return suite, checkBlob(wrapped[headerSize:])
	}
	if _, known := suite.nonceSize(); wrapped[0] != version || !known {
		return 0, &VersionError{What: "key", Version: wrapped[0], Suite: suite}
	}
	size := wrapFront + keySize + tagSize
	if suite == SuiteAES256GCM {
		size += gcmNonceSize
	}
	if len(wrapped) != size {
		return 0, ErrSealed
	}
	return suite, nil
}
