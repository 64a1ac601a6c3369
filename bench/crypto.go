package main

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/go-installation/installation/crypto"
)

// cryptoRows compare sealing with XChaCha20-Poly1305 of golang.org/x/crypto alone - fixed nonce, given additional data, no
// padding - and with tink, which draws nonces and knows keys by id but takes the additional data as it comes.
func cryptoRows(tb testing.TB, _ Scale) []Row {
	var rows []Row
	for _, n := range []int{32, 256, 2048} {
		rows = append(rows, sealRows(tb, n)...)
	}
	return append(rows, keyRows(tb)...)
}

var place = crypto.Place{Record: "EXI-1234-1234-0001", Kind: "config", Pointer: "/client_secret"}

func sealRows(tb testing.TB, n int) []Row {
	key, err := crypto.NewDataKey(1, crypto.SuiteXChaCha20Poly1305)
	check(tb, err)
	raw := newRaw(tb)
	handle, err := keyset.NewHandle(aead.XChaCha20Poly1305KeyTemplate())
	check(tb, err)
	tink, err := aead.New(handle)
	check(tb, err)

	text := []byte(`"` + strings.Repeat("x", n-2) + `"`)
	sealed, err := key.Seal(nil, place, text)
	check(tb, err)
	rawSealed := slices.Clone(raw.seal(text))
	tinkSealed, err := tink.Encrypt(text, raw.additional)
	check(tb, err)

	buffer := make([]byte, 0, n+256)
	seal := func() error { _, err := key.Seal(buffer, place, text); return err }
	open := func() error { _, err := key.Open(buffer, place, sealed); return err }
	reachSeal, reachOpen := 0.0, 0.0
	if n == 32 {
		reachSeal, reachOpen = 1.7, 1.5
	}
	size := fmt.Sprintf(", %d B", n)
	const bare, loose = "nonce, padding, place", "padding, place; a buffer to reuse"
	return []Row{
		{Name: "seal" + size, Against: "x/crypto", Lacks: bare, Reach: reachSeal, Ours: seal, Base: func() error { raw.seal(text); return nil }},
		{Name: "open" + size, Against: "x/crypto", Lacks: bare, Reach: reachOpen, Ours: open, Base: func() error { return raw.open(rawSealed) }},
		{Name: "seal" + size, Against: "tink", Lacks: loose, Ours: seal, Base: func() error { _, err := tink.Encrypt(text, raw.additional); return err }},
		{Name: "open" + size, Against: "tink", Lacks: loose, Ours: open, Base: func() error { _, err := tink.Decrypt(tinkSealed, raw.additional); return err }},
	}
}

// raw is the cipher alone, with additional data as long as ours.
type raw struct {
	aead       cipher.AEAD
	nonce      []byte
	additional []byte
	buffer     []byte
}

func newRaw(tb testing.TB) *raw {
	tb.Helper()
	c, err := chacha20poly1305.NewX(make([]byte, chacha20poly1305.KeySize))
	check(tb, err)
	const ourAdditional = 72 // that of a value at place
	return &raw{c, make([]byte, c.NonceSize()), make([]byte, ourAdditional), make([]byte, 0, 8<<10)}
}

func (r *raw) seal(text []byte) []byte { return r.aead.Seal(r.buffer, r.nonce, text, r.additional) }

func (r *raw) open(sealed []byte) error {
	_, err := r.aead.Open(r.buffer, r.nonce, sealed, r.additional)
	return err
}

// sealedOf returns something raw can open that is n bytes long. It keeps a buffer of its own, for several to be opened in turn.
func (r *raw) sealedOf(n int) []byte {
	return r.aead.Seal(nil, r.nonce, make([]byte, n-r.aead.Overhead()), r.additional)
}

// keyRows compare what is done with a wrapped data key with the derivations and ciphers that this takes: opening a manifest with
// it, as every masked read does, and bringing it under a new key-encryption key.
func keyRows(tb testing.TB) []Row {
	from, to := newRing(tb, "k1"), newRing(tb, "k2")
	key, err := crypto.NewDataKey(1, crypto.SuiteXChaCha20Poly1305)
	check(tb, err)
	binding := crypto.Binding{Tenant: tenant, Record: place.Record}
	wrapped, err := from.Wrap(tb.Context(), key, binding)
	check(tb, err)
	manifest, err := key.SealBinary(nil, place, make([]byte, manifestSize))
	check(tb, err)
	buffer := make([]byte, 0, 2*manifestSize)

	kek, additional := make([]byte, 32), make([]byte, 64)
	salt := make([]byte, 24)
	old, err := rawWrap(kek, salt, make([]byte, 32), additional)
	check(tb, err)
	c, err := rawCipher(make([]byte, 32))
	check(tb, err)
	nonce := make([]byte, c.NonceSize())
	rawManifest := c.Seal(nil, nonce, make([]byte, manifestSize), additional)
	return []Row{
		{
			Name: fmt.Sprintf("unwrap, open %d B", manifestSize), Against: "HKDF, x/crypto", Lacks: "formats, a handle that can be destroyed",
			Ours: func() error {
				k, err := from.Unwrap(tb.Context(), wrapped, binding)
				if err != nil {
					return err
				}
				_, err = k.OpenBinary(buffer, place, manifest)
				k.Destroy()
				return err
			},
			Base: func() error {
				data, err := rawUnwrap(kek, salt, old, additional)
				if err != nil {
					return err
				}
				c, err := rawCipher(data)
				if err != nil {
					return err
				}
				_, err = c.Open(buffer, nonce, rawManifest, additional)
				return err
			},
		},
		{
			Name: "rewrap", Against: "HKDF, x/crypto", Lacks: "formats, a handle that can be destroyed", Reach: 1.5,
			Ours: func() error {
				k, err := from.Unwrap(tb.Context(), wrapped, binding)
				if err != nil {
					return err
				}
				_, err = to.Wrap(tb.Context(), k, binding)
				k.Destroy()
				return err
			},
			Base: func() error {
				data, err := rawUnwrap(kek, salt, old, additional)
				if err != nil {
					return err
				}
				fresh := make([]byte, 24)
				rand.Read(fresh)
				_, err = rawWrap(kek, fresh, data, additional)
				return err
			},
		},
	}
}

// manifestSize is about that of a manifest in a body of 2 KiB.
const manifestSize = 1400

// rawCipher derives the key that seals from a data key, which does not seal by itself.
func rawCipher(data []byte) (cipher.AEAD, error) {
	key, err := hkdf.Expand(sha256.New, data, "bench", 32)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.NewX(key)
}

// rawWrap returns a commitment to the derived key and what it encrypts.
func rawWrap(kek, salt, data, additional []byte) ([]byte, error) {
	okm, err := hkdf.Key(sha256.New, kek, salt, "bench", 64)
	if err != nil {
		return nil, err
	}
	c, err := chacha20poly1305.New(okm[:32])
	if err != nil {
		return nil, err
	}
	return c.Seal(okm[32:64:64], make([]byte, 12), data, additional), nil
}

func rawUnwrap(kek, salt, wrapped, additional []byte) ([]byte, error) {
	okm, err := hkdf.Key(sha256.New, kek, salt, "bench", 64)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(okm[32:], wrapped[:32]) != 1 {
		return nil, errors.New("another key")
	}
	c, err := chacha20poly1305.New(okm[:32])
	if err != nil {
		return nil, err
	}
	return c.Open(nil, make([]byte, 12), wrapped[32:], additional)
}
