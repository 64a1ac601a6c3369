package crypto

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// Suite names a cipher. Every sealed value and wrapped key records its suite, so one store may use
// several suites. The zero value means [SuiteXChaCha20Poly1305].
type Suite byte

// Suites of format version 2.
const (
	// SuiteXChaCha20Poly1305 is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), the default.
	// Its 24-byte nonces are random and need no counting.
	SuiteXChaCha20Poly1305 Suite = 1

	// SuiteAES256GCM is AES-256-GCM (NIST SP 800-38D) with random 12-byte nonces, for processes
	// that run with GODEBUG=fips140=only. One key must not encrypt more than 2^32 times. A data
	// key of one installation stays far below that. A key-encryption key must be rotated before
	// it has wrapped 2^32 data keys.
	SuiteAES256GCM Suite = 2
)

// suiteKMS marks a wrapped key that a key service encrypted. It seals nothing.
const suiteKMS Suite = 0x80

// cipherSuites are the suites that name a cipher of this package.
var cipherSuites = [...]Suite{SuiteXChaCha20Poly1305, SuiteAES256GCM}

// errXChaCha explains why XChaCha20-Poly1305 is missing in this process.
var errXChaCha = fmt.Errorf("%w: %v is not approved for FIPS 140, use %v",
	ErrSuite, SuiteXChaCha20Poly1305, SuiteAES256GCM)

// String names the suite.
func (s Suite) String() string {
	switch s {
	case suiteKMS:
		return "key service"
	case 0, SuiteXChaCha20Poly1305:
		return "XChaCha20-Poly1305"
	case SuiteAES256GCM:
		return "AES-256-GCM"
	}
	return fmt.Sprintf("suite %d", byte(s))
}

// usable replaces the zero value with the default. It returns [ErrSuite] if this release does
// not know the suite or this process cannot use the suite.
func (s Suite) usable() (Suite, error) {
	s = cmp.Or(s, SuiteXChaCha20Poly1305)
	if _, err := s.aead(make([]byte, keySize)); err != nil {
		return 0, err
	}
	return s, nil
}

// nonceSize returns the size of the stored nonce, or 0 for an unknown suite.
func (s Suite) nonceSize() int {
	switch s {
	case SuiteXChaCha20Poly1305:
		return chacha20poly1305.NonceSizeX
	case SuiteAES256GCM:
		return gcmNonceSize
	}
	return 0
}

// aead returns the cipher under a copy of key, which must have 32 bytes.
func (s Suite) aead(key []byte) (cipher.AEAD, error) {
	switch s {
	case SuiteXChaCha20Poly1305:
		a, err := chacha20poly1305.NewX(key)
		if err != nil { // the key size is right, so the process runs in FIPS 140 mode
			return nil, errXChaCha
		}
		return a, nil
	case SuiteAES256GCM:
		return newGCM(key)
	}
	return nil, fmt.Errorf("%w: %v is unknown", ErrSuite, s)
}

// newGCM returns AES-256-GCM that draws its own nonce and puts it before the ciphertext. Its
// NonceSize is 0. fips140=only allows no other form of GCM.
func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%w: AES", ErrSuite)
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("%w: AES-GCM", ErrSuite)
	}
	return a, nil
}
