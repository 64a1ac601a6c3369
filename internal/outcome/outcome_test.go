package outcome

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
)

var (
	today  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	digest = Digest("host", "", "user", "key")
	place  = Place("tenant", digest, today.Add(time.Hour))
)

func newRing(t *testing.T) *crypto.Keyring {
	t.Helper()
	k, err := crypto.NewKey("k1", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := crypto.NewKeyring(k)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// printOf returns the fingerprint of a request.
func printOf(request string) Fingerprint {
	return func(k *crypto.DataKey) ([sha256.Size]byte, error) {
		return k.Fingerprint([]byte(request))
	}
}

func seal(t *testing.T, o *Key, ring *crypto.Keyring, now time.Time) ([]byte, *record.Answer) {
	t.Helper()
	a := &record.Answer{ID: "i", Generation: 1, Revision: 2, Verdict: record.Created}
	stored, err := o.Seal(t.Context(), ring, now, place, a, printOf("request"))
	if err != nil {
		t.Fatal(err)
	}
	return stored, a
}

// An answer opens in the process that sealed it, and in another one with the same keys.
func TestAnswerOpensInEachProcess(t *testing.T) {
	var own, other Key
	ring := newRing(t)
	stored, want := seal(t, &own, ring, today)
	for name, o := range map[string]*Key{"own": &own, "other": &other} {
		got, same, err := o.Open(t.Context(), ring, place, stored, printOf("request"))
		if err != nil || !same {
			t.Fatalf("%s: same %t, %v", name, same, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		_, same, err = o.Open(t.Context(), ring, place, stored, printOf("another request"))
		if err != nil || same {
			t.Errorf("%s, another request: same %t, %v", name, same, err)
		}
	}
}

func TestAnswerOpensAtItsPlaceOnly(t *testing.T) {
	var o Key
	ring := newRing(t)
	stored, _ := seal(t, &o, ring, today)
	for name, at := range map[string]crypto.Place{
		"other tenant": Place("other", digest, today.Add(time.Hour)),
		"other key":    Place("tenant", Digest("host", "", "user", "k2"), today.Add(time.Hour)),
		"other user":   Place("tenant", Digest("host", "", "u2", "key"), today.Add(time.Hour)),
		"kept longer":  Place("tenant", digest, today.Add(2*time.Hour)),
	} {
		_, _, err := o.Open(t.Context(), ring, at, stored, printOf("request"))
		if !errors.Is(err, crypto.ErrSealed) {
			t.Errorf("%s: got %v, want ErrSealed", name, err)
		}
	}
}

// A process seals under one key a day. The outcomes of the day before still open.
func TestKeyChangesEachDay(t *testing.T) {
	var o Key
	ring := newRing(t)
	keys := make(map[string]bool)
	for _, now := range []time.Time{today, today.Add(time.Hour), today.Add(24 * time.Hour)} {
		stored, _ := seal(t, &o, ring, now)
		decoded, err := record.DecodeOutcome(stored)
		if err != nil {
			t.Fatal(err)
		}
		keys[string(decoded.Key.Bytes)] = true
		if now == today {
			defer func() {
				_, same, err := o.Open(t.Context(), ring, place, stored, printOf("request"))
				if err != nil || !same {
					t.Errorf("outcome of the day before: same %t, %v", same, err)
				}
			}()
		}
	}
	if len(keys) != 2 {
		t.Errorf("%d keys in two days, want 2", len(keys))
	}
}
