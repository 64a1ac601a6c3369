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

// Mask is shown in place of every secret, whatever its length.
const Mask = "***"

// Secret is a text that nobody should see: a token, a password, a client secret. It prints as
// "***" in every form. Only [Secret.Reveal] and [Secret.RevealString] return the text.
//
// The zero Secret has no value and prints as "". A masked Secret stands for a value that exists
// but is not shown, for example in a masked document. It prints as "***", and revealing it panics,
// because a program would take the mask for the value. An empty text is a value.
//
// A Secret never changes and may be copied and shared freely. Secrets cannot be compared with
// ==; use [Secret.Equal].
//
// The text is kept XORed with random bytes of the process. That is not encryption. It only
// hides the text from printers that follow pointers by reflection and from a plain search in a
// memory dump.
type Secret struct {
	_ [0]func() // makes == a compile error
	p *hidden   // nil = no value
}

// hidden is the value of a Secret.
type hidden struct {
	masked bool   // the value exists elsewhere
	data   []byte // XORed with the pad
}

// pad returns the bytes that hide the secrets of this process. All secrets share them, so that
// reflect.DeepEqual finds equal secrets equal.
var pad = sync.OnceValue(func() *[64]byte {
	var b [64]byte
	rand.Read(b[:])
	return &b
})

// NewSecret returns a Secret that holds s. It accepts any text, also "***" and "".
func NewSecret(s string) Secret { return hide([]byte(s)) }

// SecretFromBytes returns a Secret that holds a copy of b. The caller may clear b.
func SecretFromBytes(b []byte) Secret { return hide(bytes.Clone(b)) }

// Masked returns a secret that stands for a value that exists but is not shown.
func Masked() Secret { return Secret{p: &hidden{masked: true}} }

// IsZero reports whether s has no value. The omitzero option of encoding/json calls it.
func (s Secret) IsZero() bool { return s.p == nil }

// IsMasked reports whether s stands for a value that is not shown.
func (s Secret) IsMasked() bool { return s.p != nil && s.p.masked }

// Reveal returns a copy of the text, or nil if s is zero. The caller should clear the copy after
// use. Reveal panics if s is masked; see [Secret.IsMasked].
func (s Secret) Reveal() []byte {
	if s.p == nil {
		return nil
	}
	if s.p.masked {
		panic("crypto: a masked Secret has no text to reveal: get the value from Open or Reveal " +
			"of installation.Service, or check IsMasked first")
	}
	b := make([]byte, len(s.p.data))
	copy(b, s.p.data)
	xorPad(b)
	return b
}

// RevealString returns the text, or "" if s is zero. It panics if s is masked. Nobody can clear a
// string after use; where that matters, use [Secret.Reveal].
func (s Secret) RevealString() string {
	b := s.Reveal()
	defer clear(b)
	return string(b)
}

// Equal reports whether s and t have the same text, are both masked, or are both zero. A masked
// Secret never equals a text. That two are masked says nothing about their values: to compare what
// somebody presents with what is stored, reveal the stored secret first. The time of Equal does not
// depend on where two texts differ, nor on whether their lengths differ.
func (s Secret) Equal(t Secret) bool {
	if s.p == nil || t.p == nil || s.p.masked || t.p.masked {
		return s.IsZero() == t.IsZero() && s.IsMasked() == t.IsMasked()
	}
	// Compare hashes, because ConstantTimeCompare returns at once if the lengths differ. Both
	// texts are hidden by the same pad.
	x, y := sha256.Sum256(s.p.data), sha256.Sum256(t.p.data)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// hide turns b into a Secret. It takes over b and changes it in place.
func hide(b []byte) Secret {
	xorPad(b)
	return Secret{p: &hidden{data: b}}
}

// xorPad hides or reveals b, in place.
func xorPad(b []byte) {
	p := pad()
	for len(b) > 0 {
		b = b[subtle.XORBytes(b, b, p[:]):]
	}
}

// text returns the printed form of s.
func (s Secret) text() string {
	if s.p == nil {
		return ""
	}
	return Mask
}

// printText writes text for a Format method, whatever the verb and flags.
func printText(f fmt.State, text string) { _, _ = io.WriteString(f, text) }
