package wycheproof

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
	"golang.org/x/crypto/chacha20poly1305"
)

// octets is a byte string that the vectors write in hexadecimal.
type octets []byte

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

// vector is a test of a cipher or of HKDF.
type vector struct {
	ID      int    `json:"tcId"`
	Comment string `json:"comment"`
	Result  string `json:"result"`

	Key        octets `json:"key"`
	Nonce      octets `json:"iv"`
	Additional octets `json:"aad"`
	Plain      octets `json:"msg"`
	Cipher     octets `json:"ct"`
	Tag        octets `json:"tag"`

	Secret octets `json:"ikm"`
	Salt   octets `json:"salt"`
	Info   octets `json:"info"`
	Size   int    `json:"size"`
	Output octets `json:"okm"`
}

// read returns all tests of a file.
func read(t *testing.T, name string) []vector {
	t.Helper()
	raw, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Count  int `json:"numberOfTests"`
		Groups []struct {
			Tests []vector `json:"tests"`
		} `json:"testGroups"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	var all []vector
	for _, g := range file.Groups {
		all = append(all, g.Tests...)
	}
	if len(all) == 0 || len(all) != file.Count {
		t.Fatalf("%s: read %d tests of %d", name, len(all), file.Count)
	}
	return all
}

// tally counts the outcomes of a file.
type tally struct {
	name                   string
	valid, invalid, passed int
}

// check compares an outcome with the result that the vector names. An acceptable vector may be
// rejected, but must not give a wrong text.
func (c *tally) check(t *testing.T, v vector, ok, same bool) {
	t.Helper()
	good := false
	switch v.Result {
	case "valid":
		c.valid++
		good = ok && same
	case "invalid":
		c.invalid++
		good = !ok
	default:
		good = !ok || same
	}
	if good {
		c.passed++
	} else {
		t.Errorf("%s: test %d (%s) is %s: accepted %v, right %v",
			c.name, v.ID, v.Comment, v.Result, ok, same)
	}
}

func (c *tally) print(t *testing.T, want int) {
	t.Helper()
	t.Logf("%s: %d valid and %d invalid vectors, %d passed", c.name, c.valid, c.invalid, c.passed)
	if c.valid+c.invalid != want {
		t.Errorf("%d vectors were tried, want %d", c.valid+c.invalid, want)
	}
}

// open opens a vector as package crypto opens stored values. It compares the size of the nonce
// first, because these ciphers panic on a wrong one.
func open(aead cipher.AEAD, v vector) (plain []byte, err error) {
	if len(v.Nonce) != aead.NonceSize() {
		return nil, fmt.Errorf("nonce of %d bytes", len(v.Nonce))
	}
	return aead.Open(nil, v.Nonce, append(bytes.Clone(v.Cipher), v.Tag...), v.Additional)
}

// Suite 1 is XChaCha20-Poly1305.
func TestXChaCha20Poly1305(t *testing.T) {
	const name = "xchacha20_poly1305_test.json"
	c := &tally{name: name}
	for _, v := range read(t, name) {
		aead, err := chacha20poly1305.NewX(v.Key)
		if err != nil {
			c.check(t, v, false, false)
			continue
		}
		plain, err := open(aead, v)
		c.check(t, v, err == nil, bytes.Equal(plain, v.Plain))
		if v.Result != "valid" {
			continue
		}
		want := append(bytes.Clone(v.Cipher), v.Tag...)
		if sealed := aead.Seal(nil, v.Nonce, v.Plain, v.Additional); !bytes.Equal(sealed, want) {
			t.Errorf("test %d: sealed as %x", v.ID, sealed)
		}
	}
	c.print(t, 315)
}

// Suite 2 is AES-256-GCM in the form that draws its own nonces of 12 bytes, so only opening can
// be tested, with keys and nonces of that size.
func TestAES256GCM(t *testing.T) {
	const name = "aes_gcm_test.json"
	c := &tally{name: name}
	for _, v := range read(t, name) {
		if len(v.Key) != 32 || len(v.Nonce) != 12 {
			continue
		}
		block, err := aes.NewCipher(v.Key)
		if err != nil {
			t.Fatal(err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			t.Fatal(err)
		}
		sealed := bytes.Join([][]byte{v.Nonce, v.Cipher, v.Tag}, nil)
		plain, err := aead.Open(nil, nil, sealed, v.Additional)
		c.check(t, v, err == nil, bytes.Equal(plain, v.Plain))
	}
	c.print(t, 66)
}

// Keyrings derive keys with HKDF-Expand and SHA-256. The vectors are of the whole of HKDF.
func TestHKDF(t *testing.T) {
	const name = "hkdf_sha256_test.json"
	c := &tally{name: name}
	for _, v := range read(t, name) {
		extracted, err := hkdf.Extract(sha256.New, v.Secret, v.Salt)
		if err != nil {
			t.Fatal(err)
		}
		out, err := hkdf.Expand(sha256.New, extracted, string(v.Info), v.Size)
		c.check(t, v, err == nil, bytes.Equal(out, v.Output))
	}
	c.print(t, 86)
}
