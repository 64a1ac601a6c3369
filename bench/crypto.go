package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/crypto"
)

// cryptoRows returns rows that compare sealing with the cipher alone, and with Tink, which also
// generates nonces and finds keys by ID.
func cryptoRows(tb testing.TB, _ Scale) (rows []Row) {
	place := crypto.Place{Record: "EXI-1234-1234-0001", Kind: "config", Pointer: "/client_secret"}
	key := must(crypto.NewDataKey(1, crypto.SuiteXChaCha20Poly1305))(tb)
	handle := must(keyset.NewHandle(aead.XChaCha20Poly1305KeyTemplate()))(tb)
	tink := must(aead.New(handle))(tb)
	for _, n := range []int{32, 256, 2048} {
		raw := must(base.NewCipher())(tb)
		text, additional := []byte(`"`+strings.Repeat("x", n-2)+`"`), make([]byte, 72)
		sealed := must(key.Seal(nil, place, text))(tb)
		rawSealed := slices.Clone(raw.Seal(text))
		tinkSealed := must(tink.Encrypt(text, additional))(tb)

		buffer := make([]byte, 0, n+256)
		seal := func() error { _, err := key.Seal(buffer, place, text); return err }
		open := func() error { _, err := key.Open(buffer, place, sealed); return err }
		rawSeal := func() error { raw.Seal(text); return nil }
		rawOpen := func() error { return raw.Open(rawSealed) }
		tinkSeal := func() error { _, err := tink.Encrypt(text, additional); return err }
		tinkOpen := func() error { _, err := tink.Decrypt(tinkSealed, additional); return err }
		reachSeal, reachOpen := 0.0, 0.0
		if n == 32 {
			reachSeal, reachOpen = 1.6, 1.2
		}
		size := fmt.Sprintf(", %d B", n)
		const bare, loose = "nonce, padding, place", "padding, place; a buffer to reuse"
		rows = append(rows,
			newRow("seal"+size, "x/crypto", bare, reachSeal, seal, rawSeal),
			newRow("open"+size, "x/crypto", bare, reachOpen, open, rawOpen),
			newRow("seal"+size, "tink", loose, 0, seal, tinkSeal),
			newRow("open"+size, "tink", loose, 0, open, tinkOpen))
	}
	return rows
}
