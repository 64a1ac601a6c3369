package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// Suite is the cipher with which something is sealed. Its number is written into every sealed value and wrapped key, so
// both suites are readable side by side, whichever is chosen for new ones. The zero value means [SuiteXChaCha20Poly1305].
type Suite byte

// Suites of format version 1.
const (
	// SuiteXChaCha20Poly1305 seals values with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), whose 24-byte nonces can be
	// drawn at random without counting, and wraps keys with ChaCha20-Poly1305 (RFC 8439) under one-time keys. The default.
	SuiteXChaCha20Poly1305 Suite = 1

	// SuiteAES256GCM uses AES-256-GCM (NIST SP 800-38D) with random 12-byte nonces. It is the suite for processes that run
	// with GODEBUG=fips140=only. One key should seal no more than 2^32 values; a data key per installation stays far below.
	SuiteAES256GCM Suite = 2
)

// suiteService marks a wrapped key that a key service made; see KMS. It seals nothing else.
const suiteService Suite = 0x80

// String names the suite.
func (s Suite) String() string {
	switch s {
	case suiteService:
		return "key service"
	case 0, SuiteXChaCha20Poly1305:
		return "XChaCha20-Poly1305"
	case SuiteAES256GCM:
		return "AES-256-GCM"
	}
	return fmt.Sprintf("suite %d", byte(s))
}

// orDefault resolves the zero value and refuses suites that this release does not know or this process may not use.
func (s Suite) orDefault() (Suite, error) {
	if s == 0 {
		s = SuiteXChaCha20Poly1305
	}
	if _, err := s.aead(make([]byte, keySize)); err != nil {
		return 0, err
	}
	return s, nil
}

// nonceSize returns the length of the nonce in front of a sealed value, or false for a suite that is not known.
func (s Suite) nonceSize() (int, bool) {
	switch s {
	case SuiteXChaCha20Poly1305:
		return chachaNonceSize, true
	case SuiteAES256GCM:
		return gcmNonceSize, true
	}
	return 0, false
}

// aead returns the cipher that seals values. It copies key.
func (s Suite) aead(key []byte) (cipher.AEAD, error) {
	switch s {
	case SuiteXChaCha20Poly1305:
		a, err := chacha20poly1305.NewX(key)
		if err != nil { // the key has the right length, so this is the policy of the process
			return nil, fmt.Errorf("%w: %v is not approved, use %v", ErrSuite, s, SuiteAES256GCM)
		}
		return a, nil
	case SuiteAES256GCM:
		return newGCM(key)
	}
	return nil, fmt.Errorf("%w: %v is unknown", ErrSuite, s)
}

// wrapAEAD returns the cipher that wraps one data key under a key that is derived for this one use.
func (s Suite) wrapAEAD(key []byte) (cipher.AEAD, error) {
	switch s {
	case SuiteXChaCha20Poly1305:
		a, err := chacha20poly1305.New(key)
		if err != nil {
			return nil, fmt.Errorf("%w: %v is not approved, use %v", ErrSuite, s, SuiteAES256GCM)
		}
		return a, nil
	case SuiteAES256GCM:
		return newGCM(key)
	}
	return nil, fmt.Errorf("%w: %v is unknown", ErrSuite, s)
}

// newGCM returns AES-256-GCM that draws its own nonces and keeps them in front of the ciphertext: its NonceSize is 0. That
// is the only form of GCM which fips140=only admits.
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
