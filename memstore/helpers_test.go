package memstore

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// now is the time of all changes in these tests.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// change returns a change that creates or replaces the record at key.
func change(key installation.Key, revision int64) installation.Change {
	c := installation.Change{Now: now, Key: key, If: revision - 1, Record: &installation.Record{
		Key:      key,
		Revision: revision,
		Created:  now,
		Index:    []string{"@all", "all"},
		Body:     installation.BodyFromBytes([]byte("body")),
	}}
	copy(c.Op[:], fmt.Sprintf("%.7s %d", key.ID, revision))
	return c
}

// tombstone returns a change that deletes the record at key and keeps its tombstone until the
// deadline.
func tombstone(key installation.Key, revision int64, deadline time.Time) installation.Change {
	c := change(key, revision)
	c.Record = &installation.Record{Key: key, Revision: revision, Deleted: true,
		Deadline: deadline}
	return c
}

func commit(t testing.TB, s *Store, changes ...installation.Change) {
	t.Helper()
	for _, c := range changes {
		if _, err := s.Commit(t.Context(), c); err != nil {
			t.Fatalf("commit %q: %v", c.Key.ID, err)
		}
	}
}

// rows returns the number of rows in a table.
func rows(t *testing.T, s *Store, table string) int {
	t.Helper()
	it, err := s.db.Txn(false).Get(table, indexID)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for it.Next() != nil {
		n++
	}
	return n
}

func digest(i int) (d installation.Digest) {
	binary.BigEndian.PutUint64(d[:], uint64(i))
	return d
}
