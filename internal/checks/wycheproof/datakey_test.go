package wycheproof

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/go-installation/installation/crypto"
)

// Package crypto cannot open the ciphertexts of the vectors: its additional data begins with
// the name of the format, and it encrypts multiples of 64 bytes. So these tests make a sealed
// value and a wrapped key of each vector, without package crypto:
//
//   - The key of the vector is the first half of the data key, or the key-encryption key.
//   - The nonce is the nonce, and the message is the content.
//   - The additional data is the ID of the record.
//   - The changes of an invalid vector to ciphertext and tag are made here too.
//
// Package crypto must open the valid ones, and reject the others without a panic.

// suites are the suites with their vectors.
var suites = []struct {
	name    string
	suite   crypto.Suite
	count   int
	newAEAD func(key []byte) (cipher.AEAD, error)
}{
	{"xchacha20_poly1305_test.json", crypto.SuiteXChaCha20Poly1305, 315, chacha20poly1305.NewX},
	{"aes_gcm_test.json", crypto.SuiteAES256GCM, 66, gcm},
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// skip reports whether the suite cannot express the vector.
func skip(suite crypto.Suite, v vector) bool {
	return suite == crypto.SuiteAES256GCM && (len(v.Key) != 32 || len(v.Nonce) != 12)
}

// pae is the encoding of additional data in the package comment of crypto.
func pae(parts ...string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(parts)))
	for _, p := range parts {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
	}
	return b
}

// seal appends nonce, ciphertext and tag of content to header, with the changes that the vector
// makes to its own ciphertext and tag. The message of the vector begins at byte start of
// content.
func (v vector) seal(
	header []byte, aead, own cipher.AEAD, content, aad []byte, start int,
) []byte {
	out := append(header, v.Nonce...)
	if len(v.Nonce) != aead.NonceSize() {
		return append(append(out, content...), v.Tag...) // no cipher takes this nonce
	}
	begin := len(out) + start
	out = aead.Seal(out, v.Nonce, content, aad)
	changes := own.Seal(nil, v.Nonce, v.Plain, v.Additional)
	subtle.XORBytes(changes, changes, append(bytes.Clone(v.Cipher), v.Tag...))
	body, tag := changes[:len(v.Plain)], changes[len(v.Plain):]
	subtle.XORBytes(out[begin:], out[begin:], body[:min(len(body), len(content)-start)])
	subtle.XORBytes(out[len(out)-len(tag):], out[len(out)-len(tag):], tag)
	return out
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestDataKey(t *testing.T) {
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			c := &tally{name: "DataKey, " + s.name}
			for _, v := range read(t, s.name) {
				if skip(s.suite, v) {
					continue
				}
				aead := must(s.newAEAD(v.Key))
				header := []byte{2, byte(s.suite), 0, 0, 0, 1}
				aad := pae("isv2", string(header), "", string(v.Additional), "wycheproof", "")
				content := binary.BigEndian.AppendUint32(nil, uint32(len(v.Plain)))
				content = append(content, v.Plain...)
				content = append(content, make([]byte, 64-len(content)%64)...)
				sealed := v.seal(header, aead, aead, content, aad, 4)

				raw := append(v.Key, make([]byte, 32)...)
				k := must(crypto.DataKeyFromBytes(raw, 1, s.suite))
				place := crypto.Place{Record: string(v.Additional), Kind: "wycheproof"}
				plain, err := k.OpenBinary(nil, place, sealed)
				if err != nil && !errors.Is(err, crypto.ErrSealed) {
					t.Errorf("test %d: %v", v.ID, err)
				}
				c.check(t, v, err == nil, bytes.Equal(plain, v.Plain))
			}
			c.print(t, s.count)
		})
	}
}

func TestKeyring(t *testing.T) {
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			c := &tally{name: "Keyring, " + s.name}
			for _, v := range read(t, s.name) {
				if skip(s.suite, v) {
					continue
				}
				expand := func(info string) []byte {
					return must(hkdf.Expand(sha256.New, v.Key, info, 32))
				}
				data := make([]byte, 64)
				copy(data, v.Plain)
				header := []byte{2, byte(s.suite), byte(s.suite), 0, 0, 0, 1}
				aad := pae("isk2", string(header), "k1", "wycheproof", string(v.Additional))
				front := append(bytes.Clone(header), expand("isk2/kcv")...)
				aead := must(s.newAEAD(expand("isk2/wrap/" + string([]byte{byte(s.suite)}))))
				wrapped := v.seal(front, aead, must(s.newAEAD(v.Key)), data, aad, 0)

				ring := must(crypto.NewKeyring(must(crypto.NewKey("k1", v.Key))))
				k, err := ring.Unwrap(t.Context(), crypto.Wrapped{KeyID: "k1", Bytes: wrapped},
					crypto.Binding{Tenant: "wycheproof", Record: string(v.Additional)})
				var got []byte
				if err == nil {
					got = must(k.Reveal())
				} else if !errors.Is(err, crypto.ErrSealed) {
					t.Errorf("test %d: %v", v.ID, err)
				}
				c.check(t, v, err == nil, bytes.Equal(got, data))
			}
			c.print(t, s.count)
		})
	}
}
