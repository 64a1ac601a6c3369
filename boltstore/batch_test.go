package boltstore

import (
	"strings"
	"testing"

	"github.com/go-installation/installation"
)

// TestScanOfLargeRows proves that a batch of a scan is bounded in bytes: 100 bodies of the largest
// size would need 400 MB.
func TestScanOfLargeRows(t *testing.T) {
	s, _ := openTest(t)
	for _, id := range []string{"a", "b", "c"} {
		c := testChange(id)
		c.Record.Body = installation.BodyFromBytes(strings.Repeat("x", scanBytes))
		if _, err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	err := s.view(t.Context(), func(tx *tx) error {
		rows, last, err := tx.batch(bucketRecords, keyFirst)
		if len(rows) != 1 || last == nil {
			t.Errorf("got %d rows up to %q, want one and more to come", len(rows), last)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, err := range s.Scan(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
	}
	if rows != 3 {
		t.Errorf("got %d rows, want 3", rows)
	}
}
