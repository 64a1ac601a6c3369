package tampering

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// keyFailure is one way in which a key, or a value that is sealed under it, can be wrong.
type keyFailure struct {
	name   string
	edit   keyFailureEdit
	record error // of Get, List and Reveal
	secret error // of the one secret, if the record opens
	never  error // an error that it must not match
}

// keyFailureEdit returns the edit of the record for a target.
type keyFailureEdit func(t *testing.T, x *tamperTarget) recordEdit

// failedSecret is the pointer of the secret that a keyFailure damages.
const failedSecret = "/adobe_secret"

var keyFailures = []keyFailure{
	{name: "nothing", edit: bodyOf(func(*fixture.Body) {})},
	{name: "missing key-encryption key",
		edit:   bodyOf(func(body *fixture.Body) { body.Key.KeyID = "k9" }),
		record: installation.ErrUnknownKey, never: installation.ErrSealed},
	{name: "malformed key id",
		edit:   bodyOf(func(body *fixture.Body) { body.Key.KeyID = "k 9" }),
		record: installation.ErrSealed, never: installation.ErrUnknownKey},
	{name: "wrapped key with another number",
		edit: wrapped(flip(5)), record: installation.ErrSealed},
	{name: "edited wrapped key", edit: wrapped(flip(-1)), record: installation.ErrSealed},
	{name: "wrapped key cut off", edit: wrapped(cut), record: installation.ErrSealed},
	{name: "wrapped key of an unknown version",
		edit: wrapped(set(0, 9)), record: crypto.ErrVersion},
	{name: "wrapped key of an unknown suite",
		edit: wrapped(set(1, 9)), record: crypto.ErrVersion},
	{name: "edited manifest", edit: manifest(flip(-20)), record: installation.ErrSealed},
	{name: "manifest with another number",
		edit: manifest(flip(5)), record: installation.ErrSealed},
	{name: "secret with another number", edit: sealed(flip(5)), secret: installation.ErrSealed},
	{name: "edited secret", edit: sealed(flip(-20)), secret: installation.ErrSealed},
	{name: "edited nonce", edit: sealed(flip(7)), secret: installation.ErrSealed},
	{name: "edited tag", edit: sealed(flip(-1)), record: installation.ErrSealed},
	{name: "secret cut off", edit: sealed(cut), record: installation.ErrSealed},
	{name: "secret of an unknown version",
		edit: sealed(set(0, 9)), record: installation.ErrSealed},
	{name: "plain text for a secret",
		edit:   sealed(func([]byte) []byte { return []byte(`"s3cr3t-plain"`) }),
		record: installation.ErrSealed},
	{name: "text form for a secret",
		edit:   sealed(func(b []byte) []byte { return []byte(fixture.SealedText(b)) }),
		record: installation.ErrSealed},
	{name: "data key destroyed, content left",
		edit:   bodyOf(func(body *fixture.Body) { body.Key = crypto.Wrapped{} }),
		record: installation.ErrSealed, never: installation.ErrShredded},
}

// bodyOf edits the decoded body.
func bodyOf(edit func(body *fixture.Body)) keyFailureEdit {
	return func(t *testing.T, x *tamperTarget) recordEdit { return x.edited(t, edit) }
}

// wrapped edits the wrapped data key.
func wrapped(edit func(key []byte) []byte) keyFailureEdit {
	return bodyOf(func(body *fixture.Body) { body.Key.Bytes = edit(body.Key.Bytes) })
}

// manifest edits the sealed manifest.
func manifest(edit func(sealed []byte) []byte) keyFailureEdit {
	return bodyOf(func(body *fixture.Body) { body.Manifest = edit(body.Manifest) })
}

// sealed edits the secret at failedSecret.
func sealed(edit func(sealed []byte) []byte) keyFailureEdit {
	return func(t *testing.T, x *tamperTarget) recordEdit {
		return x.put(t, failedSecret, edit(bytes.Clone(x.sealedAt(t, failedSecret))))
	}
}

// flip flips a bit of one byte. A negative index counts from the end.
func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[(at+len(b))%len(b)] ^= 1
		return b
	}
}

// set replaces one byte.
func set(at int, to byte) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] = to
		return b
	}
}

// cut removes the last byte.
func cut(b []byte) []byte { return b[:len(b)-1] }

// Each failure of a key, or of a value under it, is an error of the whole record, or of one
// secret while the others are revealed. Damaged bytes are never returned as plain text.
func TestKeyFailures(t *testing.T) {
	for _, test := range keyFailures {
		t.Run(test.name, func(t *testing.T) {
			x := attacked(t)
			r := fixture.CopyRecord(x.record)
			test.edit(t, x)(r)
			x.h.Store.Forge(x.key, r)
			got, err := x.h.Host().Get(t.Context(), x.key.ID)
			listed := x.list(t, test.name)
			answers, revealErr := x.h.Host().Reveal(t.Context(), installation.RevealRequest{
				ID: x.key.ID, Reason: "test", Refs: x.inst.Sealed,
			})
			if test.record == nil {
				if err != nil || listed.Err != nil || revealErr != nil {
					t.Fatalf("%v, %v, %v", err, listed.Err, revealErr)
				}
				test.wantRevealed(t, x, answers)
				return
			}
			for how, err := range map[string]error{
				"get": err, "list": listed.Err, "reveal": revealErr,
			} {
				fixture.WantErr(t, how, err, test.record)
				if test.never != nil && errors.Is(err, test.never) {
					t.Errorf("%s: error %v matches %v", how, err, test.never)
				}
			}
			if got == nil || got.Extension.ID == "" || got.Status != installation.StatusInstalled ||
				got.Configuration != nil || answers != nil {
				t.Errorf("got %+v, want the plain fields only", got)
			}
		})
	}
}

// wantRevealed fails the test unless every secret is as before, except the damaged one.
func (f *keyFailure) wantRevealed(t *testing.T, x *tamperTarget, answers []installation.Revealed) {
	t.Helper()
	for _, a := range answers {
		switch {
		case a.Ref == "config"+failedSecret && f.secret != nil:
			fixture.WantErr(t, "the secret", a.Err, f.secret)
			if !a.Value.IsZero() {
				t.Error("a value came with the error")
			}
		case a.Err != nil || a.Value.RevealString() != x.plain[a.Ref]:
			t.Errorf("%s: %v, %v", a.Ref, a.Value, a.Err)
		}
	}
}
