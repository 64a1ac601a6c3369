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

// The ciphertexts of the vectors cannot be given to a DataKey or a Keyring, and no other interface could change that but one to the cipher
// beneath. The key of that cipher is derived by HKDF, so that a data key for the key of a vector would be a preimage under SHA-256; its
// additional data begins with the name of the format, that of no vector does; and it encrypts multiples of 64 bytes.
//
// What can be given is everything else. Here values and wrapped keys are made from each vector without package crypto: its key is the data
// key or key-encryption key, its nonce the nonce or salt, its message the content, its additional data the id of the record, and
// whatever an invalid vector changed in ciphertext and tag is changed in the same way. Package crypto has to open what is made of the valid
// ones, and to refuse the others without a panic.

// pae is the encoding of additional data, which the package comment of crypto describes.
func pae(parts ...string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(parts)))
	for _, p := range parts {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
	}
	return b
}

// change is what a vector did to its ciphertext and tag, as a mask for exclusive or; all zero if it did nothing. aead is the cipher with its
// own key and nonce.
func (v vector) change(aead cipher.AEAD) (body, tag []byte) {
	mask := aead.Seal(nil, v.Nonce, v.Plain, v.Additional)
	subtle.XORBytes(mask, mask, append(bytes.Clone(v.Cipher), v.Tag...))
	return mask[:len(v.Plain)], mask[len(v.Plain):]
}

// spoil does the same to something sealed, in which the message begins at a place.
func spoil(sealed, body, tag []byte, message int) {
	subtle.XORBytes(sealed[message:], sealed[message:], body)
	end := sealed[len(sealed)-len(tag):]
	subtle.XORBytes(end, end, tag)
}

func TestDataKey(t *testing.T) {
	for _, file := range []struct {
		name    string
		suite   crypto.Suite
		nonce   int
		count   int
		newAEAD func(key []byte) (cipher.AEAD, error)
	}{
		{"xchacha20_poly1305_test.json", crypto.SuiteXChaCha20Poly1305, 24, 315, chacha20poly1305.NewX},
		{"aes_gcm_test.json", crypto.SuiteAES256GCM, 12, 66, gcm},
	} {
		t.Run(file.name, func(t *testing.T) {
			c := &tally{name: "DataKey, " + file.name}
			for _, v := range read(t, file.name) {
				if file.suite == crypto.SuiteAES256GCM && (len(v.Key) != 32 || len(v.Nonce) != 12) {
					continue
				}
				k, err := crypto.DataKeyFromBytes(v.Key, 1, file.suite)
				if err != nil {
					t.Fatal(err)
				}
				defer k.Destroy()
				place := crypto.Place{Record: string(v.Additional), Kind: "wycheproof"}
				plain, err := k.OpenBinary(nil, place, seal(t, v, file.suite, file.nonce, file.newAEAD))
				if err != nil && !errors.Is(err, crypto.ErrSealed) {
					t.Errorf("test %d: %v", v.ID, err)
				}
				c.check(t, v, err == nil, bytes.Equal(plain, v.Plain))
			}
			c.print(t, file.count)
		})
	}
}

// seal makes the sealed value of a vector.
func seal(t *testing.T, v vector, suite crypto.Suite, nonceSize int, newAEAD func(key []byte) (cipher.AEAD, error)) []byte {
	t.Helper()
	header := []byte{1, byte(suite), 0, 0, 0, 1}
	content := append(binary.BigEndian.AppendUint32(nil, uint32(len(v.Plain))), v.Plain...)
	content = append(content, make([]byte, 64-len(content)%64)...)
	out := append(bytes.Clone(header), v.Nonce...)
	if len(v.Nonce) != nonceSize {
		return append(append(out, content...), v.Tag...) // no cipher can encrypt with that nonce
	}
	key, err := hkdf.Expand(sha256.New, v.Key, "isv1/enc", 32)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := newAEAD(key)
	if err != nil {
		t.Fatal(err)
	}
	own, err := newAEAD(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	out = inner.Seal(out, v.Nonce, content, pae("isv1", string(header), string(v.Additional), "wycheproof", ""))
	body, tag := v.change(own)
	spoil(out, body, tag, len(header)+nonceSize+4)
	return out
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func TestKeyring(t *testing.T) {
	const name = "chacha20_poly1305_test.json"
	c := &tally{name: "Keyring, " + name}
	for _, v := range read(t, name) {
		key, err := crypto.NewKey("k1", v.Key)
		if err != nil {
			t.Fatal(err)
		}
		ring, err := crypto.NewKeyring(key)
		if err != nil {
			t.Fatal(err)
		}
		data := sha256.Sum256(v.Plain)
		k, err := ring.Unwrap(t.Context(), wrap(t, v, data[:]), crypto.Binding{Tenant: "wycheproof", Record: string(v.Additional)})
		if err != nil {
			if !errors.Is(err, crypto.ErrSealed) {
				t.Errorf("test %d: %v", v.ID, err)
			}
			c.check(t, v, false, false)
			continue
		}
		got, err := k.Reveal()
		if err != nil {
			t.Fatal(err)
		}
		c.check(t, v, true, bytes.Equal(got, data[:]))
	}
	c.print(t, 325)
}

// wrap makes the wrapped key of a vector.
func wrap(t *testing.T, v vector, data []byte) crypto.Wrapped {
	t.Helper()
	header := []byte{1, byte(crypto.SuiteXChaCha20Poly1305), 0, 0, 0, 1}
	salt := append(bytes.Clone(v.Nonce), make([]byte, 24)...)
	if len(v.Nonce) <= 24 {
		salt = salt[:24]
	}
	out := append(bytes.Clone(header), salt...)
	okm, err := hkdf.Key(sha256.New, v.Key, salt, "isk1/wrap", 64)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := chacha20poly1305.New(okm[:32])
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, okm[32:]...)
	at := len(out)
	out = inner.Seal(out, make([]byte, 12), data, pae("isk1", string(header), "k1", "wycheproof", string(v.Additional)))
	if len(v.Nonce) != 12 {
		// What is wrong with the vector is its nonce, which is the salt here: one byte of it changes, and with it the commitment.
		out[len(header)] ^= 1
		return crypto.Wrapped{KeyID: "k1", Bytes: out}
	}
	own, err := chacha20poly1305.New(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	body, tag := v.change(own)
	spoil(out, body[:min(len(body), len(data))], tag, at)
	return crypto.Wrapped{KeyID: "k1", Bytes: out}
}
