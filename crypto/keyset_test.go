package crypto

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
)

func TestKeySet(t *testing.T) {
	_, kms := newService(t, nil)
	ring := knownRing()
	before, after := must(NewKeySet(ring, kms)), must(NewKeySet(kms, ring))
	k := must(NewDataKey(3, testSuite()))
	for _, pair := range [][2]*KeySet{{before, after}, {after, before}} {
		w, err := pair[0].Wrap(t.Context(), k, knownBinding)
		if err != nil || w.KeyID != pair[0].Primary() {
			t.Fatalf("got %v, %v", w, err)
		}
		got, err := pair[1].Unwrap(t.Context(), w, knownBinding)
		if err != nil || !bytes.Equal(must(got.Reveal()), must(k.Reveal())) || got.Number() != 3 {
			t.Errorf("got %v, %v", got, err)
		}
		w.KeyID = "k9"
		_, err = pair[1].Unwrap(t.Context(), w, knownBinding)
		wantErr(t, err, ErrUnknownKey)
		w.KeyID = "k 9"
		_, err = pair[1].Unwrap(t.Context(), w, knownBinding)
		wantErr(t, err, ErrSealed)
	}
	ids, want := after.KeyIDs(), []string{"k1", "k2", "kms1"}
	if !slices.Equal(ids, want) || after.Primary() != "kms1" {
		t.Errorf("got %v, primary %s; want %v", ids, after.Primary(), want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := after.Unwrap(ctx, Wrapped{}, knownBinding)
	wantErr(t, err, context.Canceled)
	for name, members := range map[string][]KeyWrapper{
		"none":          {nil},
		"empty keyring": {kms, &Keyring{}},
		"nil keyring":   {(*Keyring)(nil)},
		"one ID twice":  {kms, ring, ring},
	} {
		s, err := NewKeySet(members[0], members[1:]...)
		if s != nil || !errors.Is(err, ErrKeyring) {
			t.Errorf("%s: got %v, %v", name, s, err)
		}
	}
}

// TestKeySetKeepsSuite: a data key keeps its suite, whichever the set recommends.
func TestKeySetKeepsSuite(t *testing.T) {
	needsXChaCha(t)
	first := must(knownRing().WithSuite(SuiteAES256GCM))
	second := must(NewKeyring(must(GenerateKey("k3"))))
	w := must(second.Wrap(t.Context(), must(NewDataKey(1, second.Suite())), knownBinding))
	set := must(NewKeySet(first, second))
	k := must(set.Unwrap(t.Context(), w, knownBinding))
	if set.Suite() != SuiteAES256GCM || k.Suite() != SuiteXChaCha20Poly1305 {
		t.Errorf("the set has %v, the key %v", set.Suite(), k.Suite())
	}
}

// unlisted is a key wrapper that does not list its primary key.
type unlisted struct{ KeyWrapper }

func (unlisted) KeyIDs() []string { return []string{"other"} }

// TestWrapperWithoutPrimary: NewKeySet and NewCache reject a wrapper that cannot unwrap what it
// wraps.
func TestWrapperWithoutPrimary(t *testing.T) {
	ring := must(NewKeyring(must(GenerateKey("k1"))))
	for name, w := range map[string]KeyWrapper{
		"nothing": nil, "primary not listed": unlisted{ring}, "nil keyring": (*Keyring)(nil),
		"nil KMS key": (*KMSKey)(nil), "nil key set": (*KeySet)(nil), "nil cache": (*Cache)(nil),
	} {
		_, err := NewKeySet(w)
		wantErr(t, err, ErrKeyring)
		_, err = NewKeySet(must(NewKeyring(must(GenerateKey("k2")))), w)
		wantErr(t, err, ErrKeyring)
		_, err = NewCache(w, nil)
		wantErr(t, err, ErrKeyring)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}
