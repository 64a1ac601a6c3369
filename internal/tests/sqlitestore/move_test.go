package sqlitestore

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// TestCopy proves that a store that was filled by Put answers like the one that was scanned.
func TestCopy(t *testing.T) {
	from, to := open(t), open(t)
	now := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	var changes []installation.Change
	for i, id := range []string{"a", "b", "\xff"} {
		key := installation.Key{Tenant: "tenant", ID: id}
		changes = append(changes, installation.Change{
			Op: [16]byte{byte(i)}, Now: now, Key: key,
			Record: &installation.Record{Key: key, Revision: 5, Created: now,
				Index: []string{"all"}, Claims: []string{"claim of " + id}},
			Idempotency: &installation.Outcome{Digest: installation.Digest{byte(i)},
				Until: now.Add(time.Hour), Data: []byte(id)},
		})
		if _, err := from.Commit(t.Context(), changes[i]); err != nil {
			t.Fatal(err)
		}
	}
	for row, err := range from.Scan(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []bool{true, false} {
			if written, err := to.Put(t.Context(), now, row); err != nil || written != want {
				t.Errorf("put: written %t, error %v, want %t", written, err, want)
			}
		}
	}
	if got, want := rowsOf(t, to), rowsOf(t, from); len(got) != 6 ||
		!slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("got rows %q, want 6 rows %q", got, want)
	}
	for _, c := range changes {
		if r, err := to.Commit(t.Context(), c); err != nil || !r.Replayed {
			t.Errorf("commit again: receipt %+v, error %v, want a replay", r, err)
		}
	}
}

// rowsOf returns the encoded rows of s in order.
func rowsOf(t *testing.T, s *Store) (rows [][]byte) {
	t.Helper()
	for row, err := range s.Scan(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := row.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, encoded)
	}
	slices.SortFunc(rows, bytes.Compare)
	return rows
}
