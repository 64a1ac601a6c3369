package crypto

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"
)

// The known answer of the format for wrapped keys. It never changes.
var (
	knownBinding = Binding{Tenant: "ACC-1234-1234", Record: "EXI-1234-1234-0001"}
	knownSalt    = count(0x60, 24)
	knownKEK     = count(0x80, 32)
)

const knownWrapped = "isk1.k1.AQEAAAABYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3oALDHFobg0Eeq-l_iNmHj-B0O1lyYWTKlsngq49TpnWXbIkXCz65VozdrsgaNP_4hitBoRXqbGhlmXlPNUkwO_nwSEk-qUMl4hygbjjBDZM"

// The same key wrapped once with suite 2. It opens for ever.
const knownWrappedGCM = "isk1.k1.AQIAAAABsJIMxFkD8XH6nmb9AkQZ3TCsodqUqxW4eyB3wl1BvBbwd6DQUTCcB_fsPth_MySjso3ITrdqsOaT0lbsL14Enf69wrArYx9nt4sae7kCoBFKeytjPUvJ9wCMivLZqGEv6gGzKCKuDuQxmOpCmOyjAIfhjLk"

// knownRing holds the known key and another one.
func knownRing() *Keyring {
	ring := must(NewKeyring(must(NewKey("k1", knownKEK)), must(NewKey("k2", count(0x90, 32)))))
	return must(ring.WithSuite(testSuite()))
}

func TestKnownAnswerWrap(t *testing.T) {
	needsXChaCha(t)
	b, err := wrap(knownKEK, count(0, 32), 1, SuiteXChaCha20Poly1305, "k1", knownBinding, knownSalt)
	if err != nil {
		t.Fatal(err)
	}
	if got := (Wrapped{KeyID: "k1", Bytes: b}).Text(); got != knownWrapped {
		t.Errorf("got %s, want %s", got, knownWrapped)
	}
}

func TestKnownAnswerUnwrap(t *testing.T) {
	for _, text := range []string{knownWrapped, knownWrappedGCM} {
		bothSuites(t, func(t *testing.T, suite Suite) {
			if text == knownWrapped {
				needsXChaCha(t)
			}
			ring := must(knownRing().WithSuite(suite))
			k, err := ring.Unwrap(t.Context(), must(ParseWrapped(text)), knownBinding)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := must(k.Reveal()), count(0, 32); !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
			if k.Generation() != 1 || k.Suite() != suite {
				t.Errorf("got generation %d and %v, want 1 and %v", k.Generation(), k.Suite(), suite)
			}
		})
	}
}

func TestWrapUnwrap(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		ring := must(knownRing().WithSuite(suite))
		k := must(NewDataKey(1<<31+5, suite))
		w, err := ring.Wrap(t.Context(), k, knownBinding)
		if err != nil || w.KeyID != "k1" || Suite(w.Bytes[1]) != suite {
			t.Fatalf("got %v, %v", w, err)
		}
		if again := must(ring.Wrap(t.Context(), k, knownBinding)); bytes.Equal(w.Bytes[headerSize:], again.Bytes[headerSize:]) {
			t.Error("wrapped twice with one result")
		}
		before := bytes.Clone(w.Bytes)
		got := must(ring.Unwrap(t.Context(), must(ParseWrapped(w.Text())), knownBinding))
		if !bytes.Equal(must(got.Reveal()), must(k.Reveal())) || got.Generation() != k.Generation() {
			t.Error("another key came back")
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

func TestUnwrapRefusesDamage(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		ring := must(knownRing().WithSuite(suite))
		w := must(ring.Wrap(t.Context(), knownKey(suite), knownBinding))
		for name, m := range mutations(w.Bytes) {
			if k, err := ring.Unwrap(t.Context(), Wrapped{KeyID: "k1", Bytes: m}, knownBinding); k != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %v, %v", name, k, err)
			}
		}
		for name, m := range mutations([]byte(w.Text())) {
			parsed, err := ParseWrapped(string(m))
			if err == nil {
				_, err = ring.Unwrap(t.Context(), parsed, knownBinding)
			}
			// A changed key id may be the valid id of a key that is not there.
			if !errors.Is(err, ErrSealed) && !errors.Is(err, ErrUnknownKey) {
				t.Errorf("text, %s: got error %v", name, err)
			}
		}
	})
}

func TestUnwrapRefusesMoved(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		// Both ids hold the same bytes, so that only the id tells them apart.
		ring := must(NewKeyring(must(NewKey("k1", knownKEK)), must(NewKey("k2", knownKEK))))
		ring = must(ring.WithSuite(suite))
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
			"key id":  {"k2", b},
		} {
			if k, err := ring.Unwrap(t.Context(), Wrapped{KeyID: tc.id, Bytes: w.Bytes}, tc.b); k != nil || !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %v, %v", name, k, err)
			}
		}
	})
}

// TestUnwrapComparesCommitment: the commitment is not part of what the cipher authenticates. If it alone is wrong and the
// key is still refused, it was compared.
func TestUnwrapComparesCommitment(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		b := must(wrap(knownKEK, count(0, 32), 1, suite, "k1", knownBinding, nil))
		key, commitment, _ := deriveWrap(knownKEK, b[headerSize:headerSize+saltSize])
		if !bytes.Equal(b[headerSize+saltSize:wrapFront], commitment) || bytes.Equal(key, commitment) {
			t.Fatal("the commitment is not where it should be")
		}
		b[wrapFront-1] ^= 1
		aead := must(suite.wrapAEAD(key))
		aad := newWrapAAD(b[:headerSize], "k1", knownBinding)
		if _, err := aead.Open(nil, wrapNonce(aead), b[wrapFront:], aad.buf); err != nil {
			t.Fatalf("the cipher sees the commitment: %v", err)
		}
		if _, _, err := unwrap(knownKEK, b, "k1", knownBinding); !errors.Is(err, ErrSealed) {
			t.Errorf("got error %v", err)
		}
		// A ciphertext that opens under the key of another commitment is no way round it either.
		b[wrapFront-1] ^= 1
		if _, _, err := unwrap(count(0x90, 32), b, "k1", knownBinding); !errors.Is(err, ErrSealed) {
			t.Errorf("wrong key: got error %v", err)
		}
	})
}

// TestUnwrapTriesOneKey: the right key is in the ring, under another id, and must not be found.
func TestUnwrapTriesOneKey(t *testing.T) {
	w := must(ParseWrapped(knownWrapped))
	ring := must(NewKeyring(must(NewKey("k1", count(0x90, 32))), must(NewKey("k2", knownKEK)), must(NewKey("k3", knownKEK))))
	if k, err := ring.Unwrap(t.Context(), w, knownBinding); k != nil || !errors.Is(err, ErrSealed) {
		t.Errorf("got %v, %v", k, err)
	}
}

func TestUnwrapUnknownKey(t *testing.T) {
	w := must(ParseWrapped(knownWrapped))
	w.KeyID = "k9"
	_, err := knownRing().Unwrap(t.Context(), w, knownBinding)
	var got *UnknownKeyError
	if !errors.As(err, &got) || got.KeyID != "k9" || !errors.Is(err, ErrUnknownKey) || errors.Is(err, ErrSealed) {
		t.Errorf("got %v", err)
	}
	if got, want := err.Error(), "installation: unknown key-encryption key: k9"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// An id that cannot be one comes from a damaged store and is not repeated.
	w.KeyID = "k9\nlevel=info msg=forged"
	_, err = knownRing().Unwrap(t.Context(), w, knownBinding)
	wantErr(t, err, ErrSealed, "forged")
}

func TestWrapperContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := knownRing().Wrap(ctx, knownKey(0), knownBinding); !errors.Is(err, context.Canceled) {
		t.Errorf("Wrap: got error %v", err)
	}
	if _, err := knownRing().Unwrap(ctx, must(ParseWrapped(knownWrapped)), knownBinding); !errors.Is(err, context.Canceled) {
		t.Errorf("Unwrap: got error %v", err)
	}
}

func TestWrapDestroyedKey(t *testing.T) {
	k := knownKey(0)
	k.Destroy()
	for name, k := range map[string]*DataKey{"destroyed": k, "nil": nil, "zero": {}} {
		if w, err := knownRing().Wrap(t.Context(), k, knownBinding); !errors.Is(err, ErrDestroyed) || w.Bytes != nil {
			t.Errorf("%s: got %v, %v", name, w, err)
		}
	}
}

func TestWrappedKeyHidesDataKey(t *testing.T) {
	bothSuites(t, func(t *testing.T, suite Suite) {
		b := must(wrap(knownKEK, count(0, 32), 1, suite, "k1", knownBinding, nil))
		if bytes.Contains(b, count(0, 32)[:8]) || bytes.Contains(b, knownKEK[:8]) {
			t.Errorf("key in the clear: %s", hex.EncodeToString(b))
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	needsXChaCha(f)
	seeds := []string{knownWrapped, knownWrappedGCM}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, text := range seeds {
		w := must(ParseWrapped(text))
		f.Add(w.KeyID, w.Bytes)
		f.Add("k2", w.Bytes)
		f.Add("", w.Bytes[:60])
	}
	f.Add("k1", must(ParseWrapped("isk1.kms1.AYAAAAABAAZvcGFxdWU")).Bytes)
	ring := knownRing()
	f.Fuzz(func(t *testing.T, id string, b []byte) {
		w := Wrapped{KeyID: id, Bytes: b}
		_, err := ring.Unwrap(context.Background(), w, knownBinding)
		switch {
		case err == nil && !forged(w):
		case err == nil:
			t.Errorf("forged: %s", w.Text())
		case errors.Is(err, ErrUnknownKey) && validKeyID(id):
		default:
			wantErr(t, err, ErrSealed)
		}
	})
}

// forged reports whether w is none of those that were made with the key. The commitment is compared and the rest is
// authenticated, so there is nothing in between.
func forged(w Wrapped) bool { text := w.Text(); return text != knownWrapped && text != knownWrappedGCM }
