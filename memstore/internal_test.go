package memstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
)

// now is the Now of changes in these tests.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// change returns a change that makes or replaces the record at key.
func change(key installation.Key, revision int64) installation.Change {
	c := installation.Change{Now: now, Key: key, If: revision - 1, Record: &installation.Record{
		Key: key, Revision: revision, Created: now, Index: []string{"@all", "all"}, Body: installation.BodyFromBytes([]byte("body")),
	}}
	copy(c.Op[:], fmt.Sprintf("%.7s %d", key.ID, revision))
	return c
}

// tombstone returns a change that buries the record at key until the deadline.
func tombstone(key installation.Key, revision int64, deadline time.Time) installation.Change {
	c := change(key, revision)
	c.Record = &installation.Record{Key: key, Revision: revision, Deleted: true, Deadline: deadline}
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

// rows counts what a table holds.
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

// TestNewStartsNothing fails with a deadlock if a goroutine outlives what it was started for.
func TestNewStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commit(t, New(), change(installation.Key{ID: "a"}, 1))
	})
}

// TestReadersDoNotWait reads while a write transaction is open. A reader that waited would wait for ever.
func TestReadersDoNotWait(t *testing.T) {
	s := New()
	key := installation.Key{ID: "a"}
	c := change(key, 1)
	c.Idempotency = &installation.Outcome{Until: now.Add(time.Hour)}
	c.Events = []installation.Event{{Key: key}}
	commit(t, s, c)

	txn := s.db.Txn(true)
	defer txn.Abort()
	insert(txn, tableRecords, newRecordRow(change(key, 2)))
	insert(txn, tableRecords, newRecordRow(change(installation.Key{ID: "b"}, 1)))

	if got, err := s.Get(t.Context(), key); err != nil || got.Revision != 1 {
		t.Errorf("get: %+v, error %v, want revision 1", got, err)
	}
	for _, q := range []installation.Query{{Term: "all", Limit: 10}, {AllTenants: true, Term: "@all", Limit: 10}} {
		if got, err := s.List(t.Context(), q); err != nil || len(got.Records) != 1 || got.Records[0].Revision != 1 {
			t.Errorf("list %+v: %+v, error %v, want revision 1 alone", q, got, err)
		}
		if got, err := s.Count(t.Context(), q); err != nil || got != 1 {
			t.Errorf("count %+v: %d, error %v, want 1", q, got, err)
		}
	}
	if _, err := s.Outcome(t.Context(), "", installation.Digest{}); err != nil {
		t.Errorf("outcome: %v", err)
	}
	if got, err := s.Events(t.Context(), installation.EventQuery{Limit: 10}); err != nil || len(got.Events) != 1 {
		t.Errorf("events: %+v, error %v, want one", got, err)
	}
}

// TestPanicFreesTheWriter proves that the deferred Abort gives the lock of a failed writer back.
func TestPanicFreesTheWriter(t *testing.T) {
	s := New()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a row of no table went in")
			}
		}()
		txn := s.db.Txn(true)
		defer txn.Abort()
		insert(txn, "no table", new(recordRow))
	}()
	commit(t, s, change(installation.Key{ID: "a"}, 1))
}

// lateContext is cancelled after its error was asked for a number of times.
type lateContext struct {
	context.Context
	asked, until int
}

func (c *lateContext) Err() error {
	if c.asked++; c.asked > c.until {
		return context.Canceled
	}
	return nil
}

func TestCommitCancelledWhileWaiting(t *testing.T) {
	s := New()
	key := installation.Key{ID: "a"}
	if _, err := s.Commit(&lateContext{Context: t.Context(), until: 1}, change(key, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: error %v, want %v", err, context.Canceled)
	}
	if _, err := s.Get(t.Context(), key); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("get: error %v, want %v", err, installation.ErrNotFound)
	}
	commit(t, s, change(key, 1))
}

func TestCountCancelledMidway(t *testing.T) {
	s := New()
	for i := range ctxEvery {
		commit(t, s, change(installation.Key{ID: fmt.Sprint(i)}, 1))
	}
	q := installation.Query{Term: "all"}
	if n, err := s.Count(&lateContext{Context: t.Context(), until: 1}, q); !errors.Is(err, context.Canceled) {
		t.Errorf("count: %d, error %v, want %v", n, err, context.Canceled)
	}
	if n, err := s.Count(t.Context(), q); err != nil || n != ctxEvery {
		t.Errorf("count: %d, error %v, want %d", n, err, ctxEvery)
	}
}

func TestRefusedQueries(t *testing.T) {
	s := New()
	for name, q := range map[string]installation.Query{
		"nothing to list":    {Limit: 1},
		"term and time":      {Limit: 1, Term: "all", DueBefore: now},
		"no limit":           {Term: "all"},
		"limit too large":    {Term: "all", Limit: installation.MaxPage + 1},
		"negative skip":      {Term: "all", Limit: 1, Skip: -1},
		"skip too large":     {Term: "all", Limit: 1, Skip: installation.MaxSkip + 1},
		"term of one tenant": {Term: "all", Limit: 1, AllTenants: true},
		"cursor of no page":  {Term: "all", Limit: 1, After: "\x00"},
	} {
		if _, err := s.List(t.Context(), q); !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("list, %s: error %v, want %v", name, err, installation.ErrInvalid)
		}
	}
	if _, err := s.Count(t.Context(), installation.Query{}); !errors.Is(err, installation.ErrInvalid) {
		t.Errorf("count: error %v, want %v", err, installation.ErrInvalid)
	}
	for name, q := range map[string]installation.EventQuery{
		"no limit":          {},
		"limit too large":   {Limit: installation.MaxPage + 1},
		"cursor of no page": {Limit: 1, After: "x"},
	} {
		if _, err := s.Events(t.Context(), q); !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("events, %s: error %v, want %v", name, err, installation.ErrInvalid)
		}
	}
	// A change that leaves the record as it is needs one.
	nothing := change(installation.Key{ID: "none"}, 1)
	nothing.Record = nil
	if _, err := s.Commit(t.Context(), nothing); !errors.Is(err, installation.ErrConflict) {
		t.Errorf("commit: error %v, want %v", err, installation.ErrConflict)
	}
}

// TestIndexKeys looks at every key of rows that have everything: clipped, as go-memdb appends to keys; each its own; and
// none the beginning of another, which old radix trees could not tell apart.
func TestIndexKeys(t *testing.T) {
	full := change(installation.Key{Tenant: "t", ID: "i"}, 1)
	full.Record.Deadline = now
	full.Record.Index = []string{"@a", "@a!", "a", "a!", "t"}
	full.Record.Claims = []string{"a", "a!", "t"}
	e := newEventRow(installation.Event{Key: full.Key})
	e.seq = 1
	for table, rows := range map[string][]any{
		tableRecords:  {newRecordRow(full), newRecordRow(tombstone(installation.Key{Tenant: "t", ID: "ii"}, 2, now))},
		tableOutcomes: {newOutcomeRow("t", installation.Outcome{Until: now})},
		tableEvents:   {e},
		tableLosses:   {&lossRow{tenant: "t"}, &lossRow{}},
	} {
		for name, index := range schema().Tables[table].Indexes {
			keys := keysOf(t, index.Indexer, rows)
			for i, k := range keys {
				if len(k) != cap(k) {
					t.Errorf("%s.%s: key %q has room for %d bytes more", table, name, k, cap(k)-len(k))
				}
				for j, other := range keys {
					if i != j && bytes.HasPrefix(other, k) {
						t.Errorf("%s.%s: key %q begins with key %q", table, name, other, k)
					}
				}
			}
		}
	}
}

func keysOf(t *testing.T, indexer memdb.Indexer, rows []any) [][]byte {
	t.Helper()
	var keys [][]byte
	for _, row := range rows {
		switch indexer := indexer.(type) {
		case memdb.SingleIndexer:
			ok, k, err := indexer.FromObject(row)
			if !ok || err != nil {
				t.Fatalf("no key of %T: %v", row, err)
			}
			keys = append(keys, k)
		case memdb.MultiIndexer:
			_, more, err := indexer.FromObject(row)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, more...)
		}
	}
	return keys
}

// TestRowsDoNotChange proves that an update leaves the row before it alone: a snapshot goes on reading it.
func TestRowsDoNotChange(t *testing.T) {
	s := New()
	key := installation.Key{ID: "a"}
	for revision := int64(1); revision <= installation.RememberedOps; revision++ {
		commit(t, s, change(key, revision))
	}
	old := first[recordRow](s.db.Txn(false), tableRecords, indexID, recordKey(key))
	before := fmt.Sprintf("%+v", *old)
	touch := change(key, installation.RememberedOps+1)
	touch.Record = nil
	copy(touch.Op[:], "touched")
	commit(t, s, touch, change(key, installation.RememberedOps+1), tombstone(key, installation.RememberedOps+2, now))
	if after := fmt.Sprintf("%+v", *old); after != before {
		t.Errorf("the row is %s, was %s", after, before)
	}
	if n := len(first[recordRow](s.db.Txn(false), tableRecords, indexID, recordKey(key)).ops); n != installation.RememberedOps {
		t.Errorf("%d op tokens are remembered, want %d", n, installation.RememberedOps)
	}
}

// digest returns the i-th digest.
func digest(i int) (d installation.Digest) {
	binary.BigEndian.PutUint64(d[:], uint64(i))
	return d
}
