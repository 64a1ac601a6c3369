package base

import (
	"crypto/cipher"

	"golang.org/x/crypto/chacha20poly1305"
)

// Cipher is XChaCha20-Poly1305 alone: fixed nonce, given additional data, reused buffer, no
// padding. It is for one goroutine, but for OpenAlone.
type Cipher struct {
	aead                      cipher.AEAD
	nonce, additional, buffer []byte
}

// NewCipher returns a cipher.
func NewCipher() (*Cipher, error) {
	c, err := chacha20poly1305.NewX(make([]byte, chacha20poly1305.KeySize))
	if err != nil {
		return nil, err
	}
	return &Cipher{c, make([]byte, c.NonceSize()), make([]byte, 72), make([]byte, 0, 8<<10)}, nil
}

// Seal seals a text. The result lasts until the next call.
func (c *Cipher) Seal(text []byte) []byte {
	return c.aead.Seal(c.buffer, c.nonce, text, c.additional)
}

// Open opens what Sealed returns.
func (c *Cipher) Open(sealed []byte) error {
	_, err := c.aead.Open(c.buffer, c.nonce, sealed, c.additional)
	return err
}

// OpenAlone is Open with a buffer of its own.
func (c *Cipher) OpenAlone(sealed []byte) error {
	_, err := c.aead.Open(nil, c.nonce, sealed, c.additional)
	return err
}

// Sealed returns n bytes that Open can open.
func (c *Cipher) Sealed(n int) []byte {
	return c.aead.Seal(nil, c.nonce, make([]byte, n-c.aead.Overhead()), c.additional)
}
