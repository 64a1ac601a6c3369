package crypto

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestNewKey(t *testing.T) {
	good := count(0x80, keySize)
	for name, tc := range map[string]struct {
		id     string
		secret []byte
		ok     bool
	}{
		"good":           {"k1", good, true},
		"all characters": {"aZ09-_", good, true},
		"longest id":     {strings.Repeat("k", 32), good, true},
		"long id":        {strings.Repeat("k", 33), good, false},
		"empty id":       {"", good, false},
		"space":          {"k 1", good, false},
		"colon":          {"k:1", good, false},
		"dot":            {"k.1", good, false},
		"newline":        {"k1\n", good, false},
		"non-ASCII":      {"ключ", good, false},
		"no secret":      {"k1", nil, false},
		"short":          {"k1", good[:31], false},
		"long":           {"k1", append(good[:32:32], 1), false},
		"zeros":          {"k1", make([]byte, 32), false},
		"one byte":       {"k1", bytes.Repeat([]byte{'x'}, 32), false},
		"nearly zeros":   {"k1", append(make([]byte, 31), 1), true}, // the limit of the check
	} {
		k, err := NewKey(tc.id, tc.secret)
		if (err == nil) != tc.ok {
			t.Errorf("%s: got error %v", name, err)
		}
		if tc.ok && k.ID() != tc.id {
			t.Errorf("%s: got id %q", name, k.ID())
		}
		if !tc.ok {
			wantErr(t, err, ErrKeyring, "\x80", "xxxx")
		}
	}
}

func TestNewKeyCopies(t *testing.T) {
	secret := bytes.Clone(knownKEK)
	k := must(NewKey("k1", secret))
	clear(secret)
	ring := must(NewKeyring(k))
	if _, err := ring.Unwrap(t.Context(), knownWrapped(), knownBinding); err != nil {
		t.Errorf("the key changed with the slice it was made from: %v", err)
	}
}

func TestGenerateKey(t *testing.T) {
	a, b := must(GenerateKey("k1")), must(GenerateKey("k1"))
	if a.Reveal() == b.Reveal() {
		t.Error("two generated keys are equal")
	}
	again, err := ParseKey([]byte(a.Reveal()))
	if err != nil || again.Reveal() != a.Reveal() || again.ID() != "k1" {
		t.Errorf("got %v, %v", again, err)
	}
	if _, err := GenerateKey("k 1"); !errors.Is(err, ErrKeyring) {
		t.Errorf("bad id: got error %v", err)
	}
}

func TestKeyReveal(t *testing.T) {
	if got := must(NewKey("k1", knownKEK)).Reveal(); got != line1 {
		t.Errorf("got %s, want %s", got, line1)
	}
	if got := (Key{}).Reveal(); got != "" {
		t.Errorf("zero key: got %q", got)
	}
}

func TestNewKeyringRejects(t *testing.T) {
	a, b := must(NewKey("k1", knownKEK)), must(NewKey("k1", count(1, 32)))
	for name, keys := range map[string][]Key{
		"two keys with one id": {a, b},
		"one key twice":        {a, a},
		"zero primary":         {{}, a},
		"zero other":           {a, {}},
	} {
		r, err := NewKeyring(keys[0], keys[1:]...)
		if r != nil || !errors.Is(err, ErrKeyring) {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
	}
}

func TestKeyring(t *testing.T) {
	k1, k2, k3 := must(GenerateKey("k1")), must(GenerateKey("k2")), must(GenerateKey("k3"))
	r := must(NewKeyring(k2, k3, k1))
	if got := r.Primary(); got != "k2" {
		t.Errorf("Primary: got %s", got)
	}
	ids := r.KeyIDs()
	if want := []string{"k1", "k2", "k3"}; !slices.Equal(ids, want) {
		t.Errorf("KeyIDs: got %v, want %v", ids, want)
	}
	ids[0] = "changed"
	if got := r.KeyIDs()[0]; got != "k1" {
		t.Errorf("KeyIDs returns its own memory")
	}
	if got := r.Suite(); got != SuiteXChaCha20Poly1305 {
		t.Errorf("Suite: got %v", got)
	}
}

func TestKeyringWithSuite(t *testing.T) {
	needsXChaCha(t)
	r := knownRing()
	g, err := r.WithSuite(SuiteAES256GCM)
	if err != nil || g.Suite() != SuiteAES256GCM || r.Suite() != SuiteXChaCha20Poly1305 {
		t.Errorf("got %v next to %v, %v", g.Suite(), r.Suite(), err)
	}
	if d := must(g.WithSuite(0)); d.Suite() != SuiteXChaCha20Poly1305 {
		t.Errorf("default: got %v", d.Suite())
	}
	if _, err := r.WithSuite(7); !errors.Is(err, ErrSuite) {
		t.Errorf("unknown suite: got error %v", err)
	}
	// Each unwraps what the other wrapped, and the data key keeps its suite.
	for _, pair := range [][2]*Keyring{{r, g}, {g, r}} {
		k := must(NewDataKey(1, pair[0].Suite()))
		w := must(pair[0].Wrap(t.Context(), k, knownBinding))
		sealed := must(k.Seal(nil, knownPlace, knownValue))
		other := must(pair[1].Unwrap(t.Context(), w, knownBinding))
		rewrapped := must(pair[1].Wrap(t.Context(), other, knownBinding))
		other = must(pair[0].Unwrap(t.Context(), rewrapped, knownBinding))
		if other.Suite() != k.Suite() {
			t.Errorf("got %v, want %v", other.Suite(), k.Suite())
		}
		got, err := other.Open(nil, knownPlace, sealed)
		if err != nil || !bytes.Equal(got, knownValue) {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// TestRotation: readable everywhere first, then primary, then rewrapped, then the old key goes.
func TestRotation(t *testing.T) {
	k1, k2 := must(GenerateKey("k1")), must(GenerateKey("k2"))
	ring := func(primary Key, others ...Key) *Keyring {
		return must(must(NewKeyring(primary, others...)).WithSuite(testSuite()))
	}
	before, added, switched, after := ring(k1), ring(k1, k2), ring(k2, k1), ring(k2)
	data := must(NewDataKey(1, testSuite()))

	old := must(before.Wrap(t.Context(), data, knownBinding))
	for name, r := range map[string]*Keyring{
		"before": before, "added": added, "switched": switched,
	} {
		if _, err := r.Unwrap(t.Context(), old, knownBinding); err != nil {
			t.Errorf("%s: old wrap: %v", name, err)
		}
	}
	data = must(switched.Unwrap(t.Context(), old, knownBinding))
	renewed := must(switched.Wrap(t.Context(), data, knownBinding))
	if renewed.KeyID != "k2" {
		t.Errorf("got key %s, want k2", renewed.KeyID)
	}
	for name, r := range map[string]*Keyring{
		"added": added, "switched": switched, "after": after,
	} {
		if _, err := r.Unwrap(t.Context(), renewed, knownBinding); err != nil {
			t.Errorf("%s: new wrap: %v", name, err)
		}
	}
	_, err := after.Unwrap(t.Context(), old, knownBinding)
	wantErr(t, err, ErrUnknownKey)
	_, err = before.Unwrap(t.Context(), renewed, knownBinding)
	wantErr(t, err, ErrUnknownKey)
}

func TestKeyringEmpty(t *testing.T) {
	for name, r := range map[string]*Keyring{"nil": nil, "zero": {}} {
		if r.Primary() != "" || r.KeyIDs() != nil || r.Suite() != SuiteXChaCha20Poly1305 {
			t.Errorf("%s: got %q %v %v", name, r.Primary(), r.KeyIDs(), r.Suite())
		}
		if got := r.String(); got != "keyring without keys" {
			t.Errorf("%s: got %q", name, got)
		}
		_, err := r.Wrap(t.Context(), knownKey(0), knownBinding)
		wantErr(t, err, ErrKeyring)
		_, err = r.Unwrap(t.Context(), knownWrapped(), knownBinding)
		wantErr(t, err, ErrKeyring)
		_, err = r.WithSuite(SuiteAES256GCM)
		wantErr(t, err, ErrKeyring)
	}
}

func TestKeyringConcurrent(t *testing.T) {
	r := knownRing()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				w := must(r.Wrap(t.Context(), knownKey(0), knownBinding))
				k, err := r.Unwrap(t.Context(), w, knownBinding)
				if err != nil || !bytes.Equal(must(k.Reveal()), count(0, dataKeySize)) {
					t.Errorf("got %v, %v", k, err)
				}
			}
		})
	}
	wg.Wait()
}
