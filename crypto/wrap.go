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

// KeyWrapper encrypts data keys under key-encryption keys, so that a store can keep them.
// [Keyring] implements it in memory, [KMSKey] with a key service. Most programs only pass a
// KeyWrapper to installation.New.
//
// An implementation must meet these duties:
//
//   - All methods are safe for concurrent use.
//   - If the context has ended, a method returns the error of the context.
//   - Wrap authenticates the binding, so a wrapped key that was moved to another installation
//     does not open.
//   - Wrap also authenticates the number and the suite of the data key. Unwrap returns both with
//     the key.
//   - Unwrap uses only the key that Wrapped.KeyID names, and tries no other key.
//   - Errors match those of this package and contain no key material.
type KeyWrapper interface {
	// Primary returns the ID of the key that Wrap uses.
	Primary() string

	// KeyIDs returns the IDs of all keys that Unwrap can use, sorted. The caller owns the
	// slice.
	KeyIDs() []string

	// Suite returns the suite that new data keys should have.
	Suite() Suite

	// Wrap encrypts k, whatever its suite, under the primary key. It neither keeps nor changes
	// k. Wrapping twice gives two different results.
	Wrap(ctx context.Context, k *DataKey, b Binding) (Wrapped, error)

	// Unwrap returns the data key in w, with the suite and number that it was wrapped with. The
	// error matches:
	//
	//   - [ErrUnknownKey] if the named key is missing.
	//   - [ErrKeyUnavailable] if a key service failed. A retry may succeed.
	//   - [ErrSuite] if this process cannot use the suite of the data key or the wrap suite.
	//   - [ErrSealed] if w does not open under the named key. The detail may be a
	//     [*WrongKeyError].
	//
	// The caller owns the data key and may destroy it. An implementation with a cache returns
	// copies.
	Unwrap(ctx context.Context, w Wrapped, b Binding) (*DataKey, error)
}

// Wrapped is a data key that is encrypted under a key-encryption key. It is not secret.
type Wrapped struct {
	KeyID string // ID of the key-encryption key; see [NewKey] for its form
	Bytes []byte // binary form
}

// Binding is what a wrapped key belongs to. It is authenticated with the key.
type Binding struct {
	Tenant string
	Record string // ID of the installation
}

// Parts of the stored format. doc.go draws them.
const (
	wrapHeaderSize = 1 + 1 + 1 + 4 // version, wrap suite, suite, number
	checkSize      = keySize       // of a key check value
	wrapFront      = wrapHeaderSize + checkSize

	wrapContext = "isk2"       // first part of the additional data of a wrapped key
	infoWrap    = "isk2/wrap/" // HKDF info of a wrapping key; the suite follows as one byte
	infoCheck   = "isk2/kcv"   // HKDF info of a key check value
)

// wrapHeader is the authenticated header of a wrapped key.
type wrapHeader struct {
	wrapSuite Suite
	suite     Suite // of the data key
	number    uint32
}

func (h wrapHeader) append(dst []byte) []byte {
	dst = append(dst, version, byte(h.wrapSuite), byte(h.suite))
	return binary.BigEndian.AppendUint32(dst, h.number)
}

// additional returns the additional data of a wrapped key.
func (h wrapHeader) additional(keyID string, b Binding) *scratch {
	header := string(h.append(make([]byte, 0, wrapHeaderSize)))
	return newScratch(wrapContext, header, keyID, b.Tenant, b.Record)
}

// parseWrapped splits a wrapped key into its header and the rest. It validates the form before
// any cipher runs: under each suite of this package, a wrapped key has exactly one length.
func parseWrapped(wrapped []byte) (h wrapHeader, rest []byte, err error) {
	if len(wrapped) < wrapHeaderSize {
		return h, nil, ErrSealed
	}
	h = wrapHeader{
		wrapSuite: Suite(wrapped[1]),
		suite:     Suite(wrapped[2]),
		number:    binary.BigEndian.Uint32(wrapped[3:]),
	}
	unknown := func(s Suite) error {
		return &VersionError{What: "key", Version: wrapped[0], Suite: s}
	}
	nonceSize := h.wrapSuite.nonceSize()
	switch {
	case wrapped[0] != version, nonceSize == 0 && h.wrapSuite != suiteKMS:
		return h, nil, unknown(h.wrapSuite)
	case h.suite.nonceSize() == 0:
		return h, nil, unknown(h.suite)
	}
	rest = wrapped[wrapHeaderSize:]
	if h.wrapSuite == suiteKMS {
		return h, rest, checkBlob(rest)
	}
	if len(rest) != checkSize+nonceSize+dataKeySize+tagSize {
		return h, nil, ErrSealed
	}
	return h, rest, nil
}

// kek is a key-encryption key of a [Keyring], with everything that is derived from it.
type kek struct {
	id      string
	check   []byte                // key check value
	ciphers map[Suite]cipher.AEAD // of the suites that this process can use
}

// newKEK derives the check value and the wrapping keys. Nothing else derives keys: Wrap and
// Unwrap use the same ciphers every time.
func newKEK(k Key) *kek {
	e := &kek{id: k.id, check: k.derive(infoCheck), ciphers: make(map[Suite]cipher.AEAD)}
	for _, suite := range cipherSuites {
		key := k.derive(infoWrap + string([]byte{byte(suite)}))
		if aead, err := suite.aead(key); err == nil {
			e.ciphers[suite] = aead
		}
		clear(key)
	}
	return e
}

// derive returns 32 bytes for one purpose. HKDF does not fail for these sizes.
func (k Key) derive(info string) []byte {
	b, err := hkdf.Expand(sha256.New, k.secret()[:], info, keySize)
	if err != nil {
		panic(err)
	}
	return b
}

// wrap encrypts k. A nil nonce means a random nonce. Only known-answer tests pass a nonce.
func (e *kek) wrap(k *DataKey, suite Suite, b Binding, nonce []byte) ([]byte, error) {
	data, err := k.Reveal()
	if err != nil {
		return nil, err
	}
	defer clear(data)
	aead, ok := e.ciphers[suite]
	if !ok {
		return nil, errXChaCha
	}
	h := wrapHeader{wrapSuite: suite, suite: k.suite, number: k.number}
	out := make([]byte, 0, wrapFront+suite.nonceSize()+dataKeySize+tagSize)
	out = append(h.append(out), e.check...)
	// NonceSize is 0 for GCM, so slot is empty: the Seal of GCM writes the nonce.
	slot := out[len(out):][:aead.NonceSize()]
	if copy(slot, nonce) == 0 {
		rand.Read(slot) // never fails: it crashes the program instead
	}
	aad := h.additional(e.id, b)
	defer aad.free()
	return aead.Seal(out[:len(out)+len(slot)], slot, data, aad.buf), nil
}

// unwrap returns the data key in wrapped.
func (e *kek) unwrap(wrapped []byte, b Binding) (*DataKey, error) {
	h, rest, err := parseWrapped(wrapped)
	if err != nil {
		return nil, err
	}
	if h.wrapSuite == suiteKMS {
		return nil, ErrSealed
	}
	// The ciphers do not commit to their key: someone can make a ciphertext that opens under
	// two keys. The check value commits to the key, so it is compared before the cipher runs.
	if subtle.ConstantTimeCompare(rest[:checkSize], e.check) != 1 {
		return nil, &WrongKeyError{KeyID: e.id}
	}
	aead, ok := e.ciphers[h.wrapSuite]
	if !ok {
		return nil, errXChaCha
	}
	nonce, box := rest[checkSize:][:aead.NonceSize()], rest[checkSize+aead.NonceSize():]
	aad := h.additional(e.id, b)
	defer aad.free()
	data, err := aead.Open(make([]byte, 0, dataKeySize), nonce, box, aad.buf)
	if err != nil {
		return nil, ErrSealed
	}
	return takeDataKey(data, h.number, h.suite)
}
