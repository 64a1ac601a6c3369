package crypto

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"sync"
)

// Mask is what is shown in place of a secret, whatever its length.
const Mask = "***"

// Secret is a text that should not be seen: a token, a password, a client secret. It prints as "***" however it is printed;
// [Secret.Reveal] and [Secret.RevealString] are the only ways out, and easy to search for.
//
// The zero Secret is nothing at all and prints as "". A masked Secret stands for a value that exists and is not shown, as in
// what was read from a masked document; it prints as "***" and reveals nothing. An empty text is a value like others.
//
// A Secret never changes and may be copied and shared freely. Secrets cannot be compared with ==; use [Secret.Equal].
//
// The text is kept XORed with bytes that each process draws at random. That is no encryption: it keeps the text out of
// printers that follow pointers by reflection, and of a careless search through a memory dump, and nothing more.
type Secret struct {
	_ [0]func() // makes == a compile error
	p *hidden   // nil = nothing
}

// hidden is what is behind a Secret that is not zero.
type hidden struct {
	masked bool   // there is a value, it is not here
	data   []byte // XORed with the pad
}

// pad returns the bytes that hide secrets in the memory of this process. They are the same for all of them, so that equal
// secrets are equal to reflect.DeepEqual too.
var pad = sync.OnceValue(func() *[64]byte {
	var b [64]byte
	rand.Read(b[:])
	return &b
})

// NewSecret returns the secret text s. Any text will do, "***" and "" included.
func NewSecret(s string) Secret { return hide([]byte(s)) }

// SecretFromBytes returns the secret text b, which it copies; the caller may clear b.
func SecretFromBytes(b []byte) Secret { return hide(bytes.Clone(b)) }

// Masked returns a secret that stands for a value that exists and is not shown.
func Masked() Secret { return Secret{p: &hidden{masked: true}} }

// IsZero reports whether s is nothing at all. It makes the omitzero option of JSON work.
func (s Secret) IsZero() bool { return s.p == nil }

// IsMasked reports whether s stands for a value that is not shown.
func (s Secret) IsMasked() bool { return s.p != nil && s.p.masked }

// Reveal returns the text, or nil if s is zero or masked. The slice is the caller's, who should clear it after use.
func (s Secret) Reveal() []byte {
	if s.p == nil || s.p.masked {
		return nil
	}
	b := make([]byte, len(s.p.data))
	copy(b, s.p.data)
	xorPad(b)
	return b
}

// RevealString returns the text, or "" if s is zero or masked. A string cannot be cleared after use; where that matters take
// [Secret.Reveal].
func (s Secret) RevealString() string {
	b := s.Reveal()
	defer clear(b)
	return string(b)
}

// Equal reports whether s and t are the same text, both masked, or both zero. How long it takes does not depend on where two
// texts differ, nor on whether they have the same length.
func (s Secret) Equal(t Secret) bool {
	if s.p == nil || t.p == nil || s.p.masked || t.p.masked {
		return s.IsZero() == t.IsZero() && s.IsMasked() == t.IsMasked()
	}
	// Hashes, since the comparison would return at once for texts of different lengths. Hidden texts will do: the pad is
	// the same for both.
	x, y := sha256.Sum256(s.p.data), sha256.Sum256(t.p.data)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// hide returns the secret text b, which it keeps.
func hide(b []byte) Secret {
	xorPad(b)
	return Secret{p: &hidden{data: b}}
}

// xorPad hides or shows b, in place.
func xorPad(b []byte) {
	p := pad()
	for len(b) > 0 {
		b = b[subtle.XORBytes(b, b, p[:]):]
	}
}

// text returns what is shown of s.
func (s Secret) text() string {
	if s.p == nil {
		return ""
	}
	return Mask
}

// printText writes text for a Format method, whatever the verb and flags.
func printText(f fmt.State, text string) { _, _ = io.WriteString(f, text) }
