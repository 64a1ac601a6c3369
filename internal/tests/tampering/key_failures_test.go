package tampering

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// What a caller gets for everything that can be wrong with keys and with what is sealed under them: of the whole record, or of one secret
// while the others are revealed. Nothing is ever taken for plain text.
func TestKeyFailures(t *testing.T) {
	const secret = "/adobe_secret"
	value := func(edit func(sealed []byte) []byte) func(t *testing.T, x *tamperTarget) func(r *installation.Record) {
		return func(t *testing.T, x *tamperTarget) func(r *installation.Record) {
			return x.put(t, secret, edit(bytes.Clone(x.sealedAt(t, secret))))
		}
	}
	wrapped := func(edit func(key []byte) []byte) func(t *testing.T, x *tamperTarget) func(r *installation.Record) {
		return func(t *testing.T, x *tamperTarget) func(r *installation.Record) {
			return x.edited(t, func(body *fixture.Body) { body.Key.Bytes = edit(body.Key.Bytes) })
		}
	}
	manifest := func(at int) func(t *testing.T, x *tamperTarget) func(r *installation.Record) {
		return func(t *testing.T, x *tamperTarget) func(r *installation.Record) {
			return x.edited(t, func(body *fixture.Body) {
				b := body.Manifest
				b[(at+len(b))%len(b)] ^= 1
				body.Manifest = b
			})
		}
	}
	set := func(at int, to byte) func([]byte) []byte {
		return func(b []byte) []byte {
			b[(at+len(b))%len(b)] = to
			return b
		}
	}
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			b[(at+len(b))%len(b)] ^= 1
			return b
		}
	}
	cut := func(b []byte) []byte { return b[:len(b)-1] }
	for _, test := range []struct {
		name   string
		edit   func(t *testing.T, x *tamperTarget) func(r *installation.Record)
		record error // of Get, List and Reveal, with what is plain beside it
		secret error // of the one secret, if the record opens
		never  error // what it must not be taken for
	}{
		{name: "nothing", edit: func(*testing.T, *tamperTarget) func(*installation.Record) { return func(*installation.Record) {} }},
		{name: "key-encryption key not at hand", record: installation.ErrUnknownKey, never: installation.ErrSealed,
			edit: func(t *testing.T, x *tamperTarget) func(*installation.Record) {
				return x.edited(t, func(body *fixture.Body) { body.Key.KeyID = "k9" })
			}},
		{name: "id of a key that no key has", record: installation.ErrSealed, never: installation.ErrUnknownKey,
			edit: func(t *testing.T, x *tamperTarget) func(*installation.Record) {
				return x.edited(t, func(body *fixture.Body) { body.Key.KeyID = "k 9" })
			}},
		{name: "wrapped key of another generation", edit: wrapped(flip(5)), record: installation.ErrSealed},
		{name: "wrapped key tampered with", edit: wrapped(flip(-1)), record: installation.ErrSealed},
		{name: "wrapped key cut off", edit: wrapped(cut), record: installation.ErrSealed},
		{name: "wrapped key of an unknown version", edit: wrapped(set(0, 9)), record: crypto.ErrVersion},
		{name: "wrapped key of an unknown suite", edit: wrapped(set(1, 9)), record: crypto.ErrVersion},
		{name: "manifest tampered with", edit: manifest(-20), record: installation.ErrSealed},
		{name: "manifest of another generation", edit: manifest(5), record: installation.ErrSealed},
		{name: "secret of another generation", edit: value(flip(5)), secret: installation.ErrSealed},
		{name: "secret tampered with", edit: value(flip(-20)), secret: installation.ErrSealed},
		{name: "nonce tampered with", edit: value(flip(7)), secret: installation.ErrSealed},
		{name: "tag tampered with", edit: value(flip(-1)), record: installation.ErrSealed},
		{name: "secret cut off", edit: value(cut), record: installation.ErrSealed},
		{name: "secret of an unknown version", edit: value(set(0, 9)), record: installation.ErrSealed},
		{name: "plain text for a secret", edit: value(func([]byte) []byte { return []byte(`"s3cr3t-plain"`) }), record: installation.ErrSealed},
		{name: "text form for a secret", edit: value(func(b []byte) []byte { return []byte(fixture.SealedText(b)) }), record: installation.ErrSealed},
		{name: "data key destroyed, content left", record: installation.ErrSealed, never: installation.ErrShredded,
			edit: func(t *testing.T, x *tamperTarget) func(*installation.Record) {
				return x.edited(t, func(body *fixture.Body) { body.Key = crypto.Wrapped{} })
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := attacked(t)
			r := fixture.CopyRecord(x.record)
			test.edit(t, x)(r)
			x.h.Store.Forge(x.key, r)
			host := x.h.Host()
			got, err := host.Get(t.Context(), x.key.ID)
			listed := x.list(t, test.name)
			answers, revealErr := host.Reveal(t.Context(), installation.RevealRequest{ID: x.key.ID, Reason: "test", Refs: x.inst.Sealed})
			if test.record != nil {
				for how, err := range map[string]error{"get": err, "list": listed.Err, "reveal": revealErr} {
					if fixture.WantErr(t, how, err, test.record); test.never != nil && errors.Is(err, test.never) {
						t.Errorf("%s: %v is taken for %v", how, err, test.never)
					}
				}
				if got == nil || got.Extension.ID == "" || got.Status != installation.StatusInstalled || got.Configuration != nil || answers != nil {
					t.Errorf("what is plain is not there, or more: %+v", got)
				}
				return
			}
			if err != nil || listed.Err != nil || revealErr != nil {
				t.Fatalf("%v, %v, %v", err, listed.Err, revealErr)
			}
			for _, a := range answers {
				switch {
				case a.Ref == installation.ConfigRef(secret) && test.secret != nil:
					if fixture.WantErr(t, "the secret", a.Err, test.secret); !a.Value.IsZero() {
						t.Error("a value came with the error")
					}
				case a.Err != nil || a.Value.RevealString() != x.plain[a.Ref]:
					t.Errorf("%s: %v, %v", a.Ref, a.Value, a.Err)
				}
			}
		})
	}
}
