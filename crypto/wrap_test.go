package crypto

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// pairs runs f with each suite to wrap with and each suite of a data key.
func pairs(t *testing.T, f func(t *testing.T, ring *Keyring, k *DataKey)) {
	bothSuites(t, func(t *testing.T, wrapSuite Suite) {
		bothSuites(t, func(t *testing.T, suite Suite) {
			f(t, must(knownRing().WithSuite(wrapSuite)), must(NewDataKey(1<<31+5, suite)))
		})
	})
}

func TestWrapUnwrap(t *testing.T) {
	pairs(t, func(t *testing.T, ring *Keyring, k *DataKey) {
		w, err := ring.Wrap(t.Context(), k, knownBinding)
		if err != nil || w.KeyID != "k1" {
			t.Fatalf("got %v, %v", w, err)
		}
		if Suite(w.Bytes[1]) != ring.Suite() || Suite(w.Bytes[2]) != k.Suite() {
			t.Errorf("header %x", w.Bytes[:wrapHeaderSize])
		}
		again := must(ring.Wrap(t.Context(), k, knownBinding))
		if bytes.Equal(w.Bytes[wrapFront:], again.Bytes[wrapFront:]) {
			t.Error("wrapped twice with one result")
		}
		before := bytes.Clone(w.Bytes)
		got := must(ring.Unwrap(t.Context(), w, knownBinding))
		if !bytes.Equal(must(got.Reveal()), must(k.Reveal())) {
			t.Error("another key came back")
		}
		if got.Number() != k.Number() || got.Suite() != k.Suite() {
			t.Errorf("got number %d, %v", got.Number(), got.Suite())
		}
		if !bytes.Equal(w.Bytes, before) {
			t.Error("Unwrap changed its argument")
		}
		opened, err := got.Open(nil, knownPlace, must(k.Seal(nil, knownPlace, knownValue)))
		if err != nil || !bytes.Equal(opened, knownValue) {
			t.Errorf("got %q, %v", opened, err)
		}
	})
}

func TestUnwrapRejectsDamage(t *testing.T) {
	pairs(t, func(t *testing.T, ring *Keyring, k *DataKey) {
		w := must(ring.Wrap(t.Context(), k, knownBinding))
		for name, m := range mutations(w.Bytes) {
			k, err := ring.Unwrap(t.Context(), Wrapped{KeyID: "k1", Bytes: m}, knownBinding)
			if k != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %v, %v", name, k, err)
			}
		}
	})
}

// TestUnwrapRejectsRelabelledKey: the number and the suite of the data key cannot be exchanged.
func TestUnwrapRejectsRelabelledKey(t *testing.T) {
	pairs(t, func(t *testing.T, ring *Keyring, k *DataKey) {
		w := must(ring.Wrap(t.Context(), k, knownBinding))
		for name, edit := range map[string]func(b []byte){
			"suite":  func(b []byte) { b[2] = byte(otherSuite(k.Suite())) },
			"number": func(b []byte) { b[6]++ },
		} {
			m := bytes.Clone(w.Bytes)
			edit(m)
			k, err := ring.Unwrap(t.Context(), Wrapped{KeyID: "k1", Bytes: m}, knownBinding)
			if k != nil || !errors.Is(err, ErrSealed) || errors.Is(err, ErrVersion) {
				t.Errorf("%s: got %v, %v", name, k, err)
			}
		}
	})
}

func TestUnwrapRejectsMovedKey(t *testing.T) {
	// Both IDs have the same bytes, so that only the ID differs.
	same := must(NewKeyring(must(NewKey("k1", knownKEK)), must(NewKey("k2", knownKEK))))
	bothSuites(t, func(t *testing.T, suite Suite) {
		ring := must(same.WithSuite(suite))
		w := must(ring.Wrap(t.Context(), knownKey(0), knownBinding))
		b := knownBinding
		for name, tc := range map[string]struct {
			id string
			b  Binding
		}{
			"tenant":  {"k1", Binding{"ACC-1234-1235", b.Record}},
			"record":  {"k1", Binding{b.Tenant, "EXI-1234-1234-0002"}},
			"shifted": {"k1", Binding{b.Tenant + "E", b.Record[1:]}},
			"swapped": {"k1", Binding{b.Record, b.Tenant}},
			"nowhere": {"k1", Binding{}},
			"key ID":  {"k2", b},
		} {
			k, err := ring.Unwrap(t.Context(), Wrapped{KeyID: tc.id, Bytes: w.Bytes}, tc.b)
			if k != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %v, %v", name, k, err)
			}
		}
	})
}

// TestUnwrapComparesCheckValueFirst: the check value is not part of what the cipher
// authenticates, so a wrapped key with another one would open if only the cipher decided.
func TestUnwrapComparesCheckValueFirst(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		e := newKEK(must(NewKey("k1", knownKEK)))
		b := must(e.wrap(knownKey(suite), suite, knownBinding, nil))
		b[wrapFront-1] ^= 1

		aead := e.ciphers[suite]
		nonce, box := b[wrapFront:][:aead.NonceSize()], b[wrapFront+aead.NonceSize():]
		h := wrapHeader{wrapSuite: suite, suite: suite, number: 1}
		aad := h.additional("k1", knownBinding)
		if _, err := aead.Open(nil, nonce, box, aad.buf); err != nil {
			t.Fatalf("the cipher alone does not open it: %v", err)
		}

		_, err := e.unwrap(b, knownBinding)
		wantErr(t, err, ErrSealed)
		var wrong *WrongKeyError
		if !errors.As(err, &wrong) || wrong.KeyID != "k1" {
			t.Errorf("got %v", err)
		}
	})
}

// TestUnwrapTellsWrongKeyFromDamage: a wrong key under a right ID is told from a damaged
// record, and no other key of the ring is tried.
func TestUnwrapTellsWrongKeyFromDamage(t *testing.T) {
	w := knownWrapped()
	k1, k2 := must(GenerateKey("k1")), must(NewKey("k2", knownKEK))
	k, err := must(NewKeyring(k1, k2)).Unwrap(t.Context(), w, knownBinding)
	var wrong *WrongKeyError
	if k != nil || !errors.As(err, &wrong) || !errors.Is(err, ErrSealed) {
		t.Errorf("wrong key: got %v, %v", k, err)
	}
	want := "installation: sealed data does not open: wrong key k1"
	if got := err.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.Bytes[len(w.Bytes)-1] ^= 1
	_, err = knownRing().Unwrap(t.Context(), w, knownBinding)
	if wantErr(t, err, ErrSealed); errors.As(err, &wrong) {
		t.Errorf("damage: got %v", err)
	}
}

// TestCheckValueIsIndependentOfSuite: it names the key whichever cipher wrapped, and it is
// neither the key nor a wrapping key.
func TestCheckValueIsIndependentOfSuite(t *testing.T) {
	needsXChaCha(t)
	var checks [][]byte
	for _, suite := range cipherSuites {
		ring := must(knownRing().WithSuite(suite))
		w := must(ring.Wrap(t.Context(), knownKey(0), knownBinding))
		checks = append(checks, w.Bytes[wrapHeaderSize:wrapFront])
	}
	if !bytes.Equal(checks[0], checks[1]) || bytes.Equal(checks[0], knownKEK) {
		t.Errorf("got %x", checks)
	}
}

// TestWrapDerivesNoKeys: a ring works without the bytes of its key, so everything is derived
// before.
func TestWrapDerivesNoKeys(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		key := must(NewKey("k1", knownKEK))
		ring := must(must(NewKeyring(key)).WithSuite(suite))
		clear(key.secret()[:])
		w := must(ring.Wrap(t.Context(), knownKey(0), knownBinding))
		if _, err := ring.Unwrap(t.Context(), w, knownBinding); err != nil {
			t.Error(err)
		}
		fresh := must(must(NewKeyring(must(NewKey("k1", knownKEK)))).WithSuite(suite))
		if _, err := fresh.Unwrap(t.Context(), w, knownBinding); err != nil {
			t.Errorf("another ring with the same key: %v", err)
		}
	})
}

func TestUnwrapUnknownKey(t *testing.T) {
	w := knownWrapped()
	w.KeyID = "k9"
	_, err := knownRing().Unwrap(t.Context(), w, knownBinding)
	var got *UnknownKeyError
	if !errors.As(err, &got) || got.KeyID != "k9" || errors.Is(err, ErrSealed) {
		t.Errorf("got %v", err)
	}
	wantErr(t, err, ErrUnknownKey)
	if got, want := err.Error(), "installation: unknown key-encryption key: k9"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// An invalid ID comes from a damaged store. The error does not repeat it.
	w.KeyID = "k9\nlevel=info msg=forged"
	_, err = knownRing().Unwrap(t.Context(), w, knownBinding)
	wantErr(t, err, ErrSealed, "forged")
}

// TestUnwrapNamesUnknownVersions: a key of another release is not taken for damage.
func TestUnwrapNamesUnknownVersions(t *testing.T) {
	w := knownWrapped()
	for _, tc := range []struct {
		at    int
		value byte
		want  VersionError
	}{
		{0, 1, VersionError{What: "key", Version: 1, Suite: testSuite()}},
		{1, 9, VersionError{What: "key", Version: 2, Suite: 9}},
		{2, 9, VersionError{What: "key", Version: 2, Suite: 9}},
		{2, byte(suiteKMS), VersionError{What: "key", Version: 2, Suite: suiteKMS}},
	} {
		m := bytes.Clone(w.Bytes)
		m[tc.at] = tc.value
		_, err := knownRing().Unwrap(t.Context(), Wrapped{KeyID: "k1", Bytes: m}, knownBinding)
		wantErr(t, err, ErrSealed)
		var got *VersionError
		if !errors.As(err, &got) || *got != tc.want {
			t.Errorf("got %v, want %v", err, &tc.want)
		}
	}
}

func TestKeyringRejectsEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := knownRing().Wrap(ctx, knownKey(0), knownBinding)
	wantErr(t, err, context.Canceled)
	_, err = knownRing().Unwrap(ctx, knownWrapped(), knownBinding)
	wantErr(t, err, context.Canceled)
}

func TestWrapRejectsDestroyedKey(t *testing.T) {
	k := knownKey(0)
	k.Destroy()
	for name, k := range map[string]*DataKey{"destroyed": k, "nil": nil, "zero": {}} {
		w, err := knownRing().Wrap(t.Context(), k, knownBinding)
		if !errors.Is(err, ErrDestroyed) || w.Bytes != nil {
			t.Errorf("%s: got %v, %v", name, w, err)
		}
	}
}

func TestWrappedKeyHidesKeys(t *testing.T) {
	pairs(t, func(t *testing.T, ring *Keyring, k *DataKey) {
		w := must(ring.Wrap(t.Context(), k, knownBinding))
		raw := must(k.Reveal())
		for _, secret := range [][]byte{raw[:8], raw[keySize:][:8], knownKEK[:8]} {
			if bytes.Contains(w.Bytes, secret) {
				t.Errorf("a key in the clear: %x", w.Bytes)
			}
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	needsXChaCha(f)
	known := map[string]bool{}
	for _, g := range goldens("wrapped") {
		known[string(g.Out)] = true
		f.Add(g.KeyID, []byte(g.Out))
		f.Add("k2", []byte(g.Out))
		f.Add("", []byte(g.Out[:60]))
	}
	for _, g := range goldens("kms") {
		f.Add("k1", []byte(g.Out))
		f.Add("kms1", []byte(g.Out))
	}
	keys := must(NewKeySet(knownRing(), must(NewKMS("kms1", fixed("opaque"), nil))))
	f.Fuzz(func(t *testing.T, id string, b []byte) {
		w := Wrapped{KeyID: id, Bytes: b}
		_, err := keys.Unwrap(context.Background(), w, knownBinding)
		switch {
		case err == nil && !known[string(b)]:
			t.Errorf("forged: %q %x", id, b)
		case err != nil && !(errors.Is(err, ErrUnknownKey) && validKeyID(id)):
			wantErr(t, err, ErrSealed)
		}
	})
}
