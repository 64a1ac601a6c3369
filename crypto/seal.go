package crypto

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/chacha20poly1305"
)

// Limits of what can be sealed, in bytes before padding.
const (
	// MaxValue is the longest JSON text that [DataKey.Seal] takes.
	MaxValue = 1 << 20
	// MaxBinary is the longest content that [DataKey.SealBinary] takes.
	MaxBinary = 16 << 20
)

// Parts of the stored format; doc.go draws them.
const (
	version         = 1
	headerSize      = 1 + 1 + 4 // version, suite, generation
	tagSize         = chacha20poly1305.Overhead
	chachaNonceSize = chacha20poly1305.NonceSizeX
	gcmNonceSize    = 12
	blockSize       = 64                // plaintexts are padded to a multiple of this
	maxPadded       = MaxBinary + 1<<10 // longest plaintext with its padding
	lengthSize      = 4                 // in front of binary content

	valueContext = "isv1" // first part of the additional data of a value
)

// Place is where a sealed value belongs. It is authenticated with the value, so a value that is moved does not open. The
// fields are compared byte for byte and may hold anything.
type Place struct {
	Record  string // id of the installation
	Kind    string // what sort of value: "config", "credential", "manifest"
	Pointer string // where in it, as a JSON pointer (RFC 6901)
}

// Seal appends value, sealed for the place, to dst and returns the extended slice. The value is JSON text: it comes back
// byte for byte but for spaces at its end, which serve as padding, so that the sealed form shows its length only in steps of
// 64 bytes. Seal does not check the syntax; it refuses text that is empty or not UTF-8 with an error that matches
// [ErrValue], and text longer than [MaxValue] with a [*SizeError]. After [DataKey.Destroy] the error matches [ErrDestroyed].
//
// The nonce is drawn at random, so sealing twice gives two different results. With enough room in dst, up to 180 bytes
// more than the value, Seal allocates nothing. The room must not overlap value, which is neither changed nor kept.
func (k *DataKey) Seal(dst []byte, at Place, value []byte) ([]byte, error) {
	return k.sealText(dst, at, value, nil)
}

// SealBinary appends content, sealed for the place, to dst and returns the extended slice. It is [DataKey.Seal] for bytes
// that are not JSON text: their length is sealed with them and they may be empty. The limit is [MaxBinary].
func (k *DataKey) SealBinary(dst []byte, at Place, content []byte) ([]byte, error) {
	if len(content) > MaxBinary {
		return nil, &SizeError{Size: len(content), Limit: MaxBinary}
	}
	var length [lengthSize]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(content)))
	return k.seal(dst, at, plaintext{lead: length[:], body: content, fill: 0}, nil)
}

// Open appends the JSON text that was sealed for the place to dst and returns the extended slice. It accepts both suites.
// Whatever is wrong, the error matches [ErrSealed], unless the key is destroyed ([ErrDestroyed]) or the suite of the value is
// not allowed in this process ([ErrSuite]); see [VersionError] for formats of newer releases.
//
// The unused room of dst may be overwritten, and must not overlap sealed, which is neither changed nor kept. The result is
// the caller's, who should clear it after use. With enough room in dst Open allocates nothing.
func (k *DataKey) Open(dst []byte, at Place, sealed []byte) ([]byte, error) {
	out, err := k.open(dst, at, sealed)
	if err != nil {
		return nil, err
	}
	text := bytes.TrimRight(out[len(dst):], " ")
	if len(text) == 0 {
		return nil, ErrSealed
	}
	return out[:len(dst)+len(text)], nil
}

// OpenBinary appends the content that [DataKey.SealBinary] sealed for the place to dst and returns the extended slice. What
// [DataKey.Open] says of errors and memory holds here too.
func (k *DataKey) OpenBinary(dst []byte, at Place, sealed []byte) ([]byte, error) {
	out, err := k.open(dst, at, sealed)
	if err != nil {
		return nil, err
	}
	padded := out[len(dst):]
	n := uint64(binary.BigEndian.Uint32(padded))
	if n > uint64(len(padded)-lengthSize) {
		return nil, ErrSealed
	}
	content := padded[lengthSize : lengthSize+n]
	if len(bytes.TrimLeft(padded[lengthSize+n:], "\x00")) != 0 {
		return nil, ErrSealed
	}
	result := append(out[:len(dst)], content...) // moves it down over its length, within the same array
	clear(out[len(result):])                     // else its end would be there twice
	return result, nil
}

// Tag returns the authentication tag of a sealed value, its last 16 bytes, or nil if sealed does not have the form of a value.
// Two values sealed under one key have different tags, so a table of tags says exactly which values belong together. Tag does
// not verify anything. The result shares the memory of sealed.
func Tag(sealed []byte) []byte {
	if _, err := checkValue(sealed); err != nil {
		return nil
	}
	return slices.Clip(sealed[len(sealed)-tagSize:])
}

// plaintext is what a sealed value holds: an optional length, the content, and padding.
type plaintext struct {
	lead, body []byte
	fill       byte
}

// size returns the padded length. Readers accept any amount of padding, so it may be chosen freely.
func (p plaintext) size() int {
	n := max(1, (len(p.lead)+len(p.body)+blockSize-1)/blockSize) * blockSize
	// Where x/crypto v0.58 opens 512n+64 bytes on amd64, it leaves the vector registers in a state in which SHA-256 takes
	// 40 us instead of 0.5 until something resets it, and the next step is often to derive another key. Such lengths are
	// passed over.
	if n > 512 && n%512 == blockSize {
		n += blockSize
	}
	return n
}

// put writes the padded plaintext to b, which has its size.
func (p plaintext) put(b []byte) {
	n := copy(b, p.lead)
	n += copy(b[n:], p.body)
	for i := n; i < len(b); i++ {
		b[i] = p.fill
	}
}

// sealText is Seal with a nonce; see seal.
func (k *DataKey) sealText(dst []byte, at Place, value, nonce []byte) ([]byte, error) {
	value = bytes.TrimRight(value, " ")
	if len(value) > MaxValue {
		return nil, &SizeError{Size: len(value), Limit: MaxValue}
	}
	if len(value) == 0 || !utf8.Valid(value) {
		return nil, ErrValue
	}
	return k.seal(dst, at, plaintext{body: value, fill: ' '}, nonce)
}

// seal appends the sealed form of p to dst. The nonce is nil except where a test reproduces a known answer: a nonce that
// occurs twice under one key gives both values away.
func (k *DataKey) seal(dst []byte, at Place, p plaintext, nonce []byte) ([]byte, error) {
	s, err := k.material()
	if err != nil {
		return nil, err
	}
	aead, err := s.cipher(k.suite)
	if err != nil {
		return nil, err
	}
	size := p.size()
	total := headerSize + aead.NonceSize() + size + aead.Overhead()
	out := slices.Grow(dst, total)[:len(dst)+total]
	box := out[len(dst):]
	box[0], box[1] = version, byte(k.suite)
	binary.BigEndian.PutUint32(box[2:], k.generation)
	aad := newValueAAD(box[:headerSize], at)
	defer aad.free()

	// GCM draws its own nonce and puts it in front: its NonceSize is 0.
	start := headerSize + aead.NonceSize()
	slot := box[headerSize:start]
	if nonce == nil {
		rand.Read(slot) // never fails: it crashes the program instead
	} else {
		copy(slot, nonce)
	}
	// The plaintext is put where the ciphertext will be: no second buffer, and none left behind.
	body := box[start:][:size]
	p.put(body)
	aead.Seal(body[:0], slot, body, aad.buf)
	return out, nil
}

// open appends the padded plaintext of sealed to dst.
func (k *DataKey) open(dst []byte, at Place, sealed []byte) ([]byte, error) {
	s, err := k.material()
	if err != nil {
		return nil, err
	}
	suite, err := checkValue(sealed)
	if err != nil {
		return nil, err
	}
	aead, err := s.cipher(suite)
	if err != nil {
		return nil, err
	}
	if binary.BigEndian.Uint32(sealed[2:]) != k.generation {
		return nil, ErrSealed
	}
	aad := newValueAAD(sealed[:headerSize], at)
	defer aad.free()
	start := headerSize + aead.NonceSize()
	out, err := aead.Open(dst, sealed[headerSize:start], sealed[start:], aad.buf)
	if err != nil {
		return nil, ErrSealed
	}
	return out, nil
}

// newValueAAD returns the additional data of a value: what it is sealed with, and for where.
func newValueAAD(header []byte, at Place) *scratch {
	s := scratches.Get().(*scratch)
	s.buf = appendPAE(s.buf[:0], valueContext, string(header), at.Record, at.Kind, at.Pointer)
	return s
}

// checkValue checks the form of a sealed value before any cipher sees it, since ciphers panic on some malformed input, and
// returns its suite.
func checkValue(sealed []byte) (Suite, error) {
	if len(sealed) < headerSize {
		return 0, ErrSealed
	}
	suite := Suite(sealed[1])
	nonceSize, known := suite.nonceSize()
	if sealed[0] != version || !known {
		return 0, &VersionError{What: "value", Version: sealed[0], Suite: suite}
	}
	size := len(sealed) - headerSize - nonceSize - tagSize
	if size < blockSize || size%blockSize != 0 || size > maxPadded {
		return 0, ErrSealed
	}
	return suite, nil
}
