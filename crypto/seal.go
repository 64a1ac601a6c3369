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
	// MaxValue is the longest JSON text that [DataKey.Seal] accepts.
	MaxValue = 1 << 20
	// MaxBinary is the longest content that [DataKey.SealBinary] accepts.
	MaxBinary = 16 << 20
)

// Parts of the stored format. doc.go draws them.
const (
	version      = 2
	headerSize   = 1 + 1 + 4 // version, suite, number
	tagSize      = chacha20poly1305.Overhead
	gcmNonceSize = 12
	blockSize    = 64                // plaintexts are padded to a multiple of this
	maxPadded    = MaxBinary + 1<<10 // longest plaintext with its padding
	lengthSize   = 4                 // in front of binary content

	valueContext = "isv2" // first part of the additional data of a value
)

// Place is where a sealed value belongs. It is authenticated with the value, so a value that is
// moved does not open. Every byte of the fields counts, and the fields may contain any bytes.
type Place struct {
	Tenant  string
	Record  string // ID of the installation
	Kind    string // sort of value: "config", "credential", "manifest"
	Pointer string // place in the value's document, as a JSON pointer (RFC 6901)
	Extra   string // one more thing that the value depends on; "" = nothing
}

// Seal seals value for the place. It appends the sealed form to dst and returns the extended slice.
// The value is JSON text. Spaces pad the text, so that the sealed form reveals the length only in
// steps of 64 bytes. Open returns the text byte for byte, without spaces at the end. Seal does not
// validate the JSON syntax. Its errors match:
//
//   - [ErrValue] if value is empty or not UTF-8.
//   - [ErrSize] if value is longer than [MaxValue]; the detail is a [*SizeError].
//   - [ErrDestroyed] after [DataKey.Destroy].
//
// The nonce is random, so sealing a value twice gives two different results. Seal allocates
// nothing if dst has room for 180 bytes more than the value. The room must not overlap value.
// Seal neither changes nor keeps value.
func (k *DataKey) Seal(dst []byte, at Place, value []byte) ([]byte, error) {
	return k.sealText(dst, at, value, nil)
}

// SealBinary seals content for the place. It appends the sealed form to dst and returns the
// extended slice. It is [DataKey.Seal] for bytes that are not JSON text. The content may be empty,
// and its length is sealed with it. The limit is [MaxBinary].
func (k *DataKey) SealBinary(dst []byte, at Place, content []byte) ([]byte, error) {
	return k.sealBinary(dst, at, content, nil)
}

// Open opens a value that [DataKey.Seal] sealed for the place. It appends the JSON text to dst and
// returns the extended slice. The error matches [ErrDestroyed] after [DataKey.Destroy]. In all
// other cases it matches [ErrSealed]; for an unknown format it is a [*VersionError].
//
// Open may overwrite the unused room of dst. This room must not overlap sealed. Open neither
// changes nor keeps sealed. The caller should clear the result after use. Open allocates nothing if
// dst has room for the padded text.
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

// OpenBinary opens what [DataKey.SealBinary] sealed for the place. It appends the content to dst
// and returns the extended slice. Errors and memory are as with [DataKey.Open].
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
	// This moves content to the front, over the length prefix, in the same array. The clear
	// removes the bytes left behind it, which still show the end of content.
	result := append(out[:len(dst)], content...)
	clear(out[len(result):])
	return result, nil
}

// Tag returns the authentication tag of a sealed value: its last 16 bytes. It returns nil if
// sealed does not have the form of a sealed value. Two values sealed under one key have
// different tags, so a list of tags identifies an exact set of sealed values. Tag authenticates
// nothing. The result shares the memory of sealed.
func Tag(sealed []byte) []byte {
	if checkValue(sealed) != nil {
		return nil
	}
	return slices.Clip(sealed[len(sealed)-tagSize:])
}

// plaintext is what a sealed value encrypts: lead (the length of binary content, or nothing), then
// body, then padding.
type plaintext struct {
	lead, body []byte
	fill       byte
}

// size returns the padded size. Readers accept any amount of padding.
func (p plaintext) size() int {
	n := max(1, (len(p.lead)+len(p.body)+blockSize-1)/blockSize) * blockSize
	// x/crypto v0.58 on amd64 leaves the vector registers in a bad state after it opened
	// 512n+64 bytes. SHA-256 then takes 40 us instead of 0.5 until something resets them. Skip
	// these sizes.
	if n > 512 && n%512 == blockSize {
		n += blockSize
	}
	return n
}

// put writes the padded plaintext to b. len(b) must be p.size().
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

// sealBinary is SealBinary with a nonce; see seal.
func (k *DataKey) sealBinary(dst []byte, at Place, content, nonce []byte) ([]byte, error) {
	if len(content) > MaxBinary {
		return nil, &SizeError{Size: len(content), Limit: MaxBinary}
	}
	var length [lengthSize]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(content)))
	return k.seal(dst, at, plaintext{lead: length[:], body: content}, nonce)
}

// seal appends the sealed form of p to dst. A nil nonce means a random nonce. Only known-answer
// tests pass a nonce. If two values are sealed with the same key and nonce, both can leak.
func (k *DataKey) seal(dst []byte, at Place, p plaintext, nonce []byte) ([]byte, error) {
	aead, err := k.cipher()
	if err != nil {
		return nil, err
	}
	size := p.size()
	start := headerSize + aead.NonceSize() // NonceSize is 0 for GCM: its Seal writes the nonce
	total := start + size + aead.Overhead()
	out := slices.Grow(dst, total)[:len(dst)+total]
	box := out[len(dst):]
	box[0], box[1] = version, byte(k.suite)
	binary.BigEndian.PutUint32(box[2:], k.number)
	aad := at.additional(box[:headerSize])
	defer aad.free()

	if slot := box[headerSize:start]; copy(slot, nonce) == 0 {
		rand.Read(slot) // never fails: it crashes the program instead
	}
	// The plaintext goes where the ciphertext will be, so no copy of it remains.
	body := box[start:][:size]
	p.put(body)
	aead.Seal(body[:0], box[headerSize:start], body, aad.buf)
	return out, nil
}

// open appends the padded plaintext of sealed to dst.
func (k *DataKey) open(dst []byte, at Place, sealed []byte) ([]byte, error) {
	aead, err := k.cipher()
	if err != nil {
		return nil, err
	}
	if err := checkValue(sealed); err != nil {
		return nil, err
	}
	if Suite(sealed[1]) != k.suite || binary.BigEndian.Uint32(sealed[2:]) != k.number {
		return nil, ErrSealed
	}
	aad := at.additional(sealed[:headerSize])
	defer aad.free()
	start := headerSize + aead.NonceSize()
	out, err := aead.Open(dst, sealed[headerSize:start], sealed[start:], aad.buf)
	if err != nil {
		return nil, ErrSealed
	}
	return out, nil
}

// additional returns the additional data of a value with this header.
func (p Place) additional(header []byte) *scratch {
	h := string(header)
	if p.Extra == "" {
		return newScratch(valueContext, h, p.Tenant, p.Record, p.Kind, p.Pointer)
	}
	return newScratch(valueContext, h, p.Tenant, p.Record, p.Kind, p.Pointer, p.Extra)
}

// checkValue validates the form of a sealed value. It runs before any cipher, because ciphers
// panic on some malformed input.
func checkValue(sealed []byte) error {
	if len(sealed) < headerSize {
		return ErrSealed
	}
	suite := Suite(sealed[1])
	nonceSize := suite.nonceSize()
	if sealed[0] != version || nonceSize == 0 {
		return &VersionError{What: "value", Version: sealed[0], Suite: suite}
	}
	size := len(sealed) - headerSize - nonceSize - tagSize
	if size < blockSize || size%blockSize != 0 || size > maxPadded {
		return ErrSealed
	}
	return nil
}
