package keycheck

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
)

// newRing returns a keyring. Each key has an ID and a letter that its bytes depend on, such as
// "k1=a". The first key is the primary.
func newRing(t *testing.T, names ...string) *crypto.Keyring {
	t.Helper()
	var keys []crypto.Key
	for _, name := range names {
		id, letter, _ := strings.Cut(name, "=")
		k, err := crypto.NewKey(id, []byte(strings.Repeat("0123456789-----"+letter, 2)))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	ring, err := crypto.NewKeyring(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// recordUnder returns a record whose data key is wrapped under a key of the ring.
func recordUnder(t *testing.T, ring *crypto.Keyring, id string) Record {
	t.Helper()
	k, err := crypto.NewDataKey(1, ring.Suite())
	if err != nil {
		t.Fatal(err)
	}
	r := Record{Binding: crypto.Binding{Record: id}, Listed: ring.Primary()}
	if r.Wrapped, err = ring.Wrap(t.Context(), k, r.Binding); err != nil {
		t.Fatal(err)
	}
	return r
}

// checkOf returns a check on records in memory.
func checkOf(keys crypto.KeyWrapper, records ...Record) Check {
	under := func(term string) (found []Record) {
		for _, r := range records {
			if term == record.TermEverywhere || term == record.TermKey+r.Listed {
				found = append(found, r)
			}
		}
		return found
	}
	return Check{
		Keys: keys,
		Count: func(_ context.Context, term string) (int64, error) {
			return int64(len(under(term))), nil
		},
		Records: func(
			_ context.Context, term string, _ int, reverse bool,
		) iter.Seq2[Record, error] {
			found := under(term)
			if reverse {
				slices.Reverse(found)
			}
			return func(yield func(Record, error) bool) {
				for _, r := range found {
					if !yield(r, nil) {
						return
					}
				}
			}
		},
	}
}

// damaged returns r with a body that does not decode.
func damaged(r Record) Record {
	r.Wrapped, r.Err = crypto.Wrapped{}, crypto.ErrSealed
	return r
}

func TestFindings(t *testing.T) {
	a := newRing(t, "k1=a")
	one, two := recordUnder(t, a, "1"), recordUnder(t, a, "2")
	swapped := two
	swapped.Binding = one.Binding
	for _, tc := range []struct {
		name    string
		keys    crypto.KeyWrapper
		records []Record
		want    []string
	}{
		{"nothing stored", a, nil, nil},
		{"all open", a, []Record{one, two}, nil},
		{"one damaged", a, []Record{one, damaged(two)}, []string{"some-records-do-not-open"}},
		{"none opens", a, []Record{swapped}, []string{"key-does-not-open"}},
		{"another key has the ID", newRing(t, "k1=b"), []Record{one}, []string{"wrong-key"}},
		{"key missing", newRing(t, "k2=a"), []Record{one, two}, []string{"key-missing"}},
		{"unreadable under a missing key", newRing(t, "k2=a"), []Record{damaged(one)}, nil},
	} {
		_, findings, err := checkOf(tc.keys, tc.records...).Findings(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		var got []string
		for _, f := range findings {
			got = append(got, f.Rule)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestCensus(t *testing.T) {
	a, b := newRing(t, "k1=a"), newRing(t, "k2=b")
	destroyed := Record{Binding: crypto.Binding{Record: "4"}, Listed: record.KeyDestroyed}
	c := checkOf(newRing(t, "k1=a", "k3=c"),
		recordUnder(t, a, "1"), recordUnder(t, a, "2"), recordUnder(t, b, "3"), destroyed)
	got, err := c.Census(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Census{
		Keys:    []Count{{ID: "k1", Primary: true, Records: 2}, {ID: "k3"}},
		Records: 4, Elsewhere: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A record that lost its place under a key still needs the key. One that does not decode could.
func TestNeedingReadsEveryRecord(t *testing.T) {
	a := newRing(t, "k1=a")
	lost := recordUnder(t, a, "1")
	lost.Listed = "k2"
	if n, err := checkOf(a, lost).Needing(t.Context(), "k1"); n != 1 || err != nil {
		t.Errorf("lost its place: got %d, %v, want 1", n, err)
	}
	_, err := checkOf(a, damaged(lost)).Needing(t.Context(), "k1")
	if !errors.Is(err, crypto.ErrSealed) || !strings.Contains(err.Error(), `record "1"`) {
		t.Errorf("damaged: got %v, want ErrSealed that names the record", err)
	}
}
