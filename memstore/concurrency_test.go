package memstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// TestNewStartsNothing proves that a store starts no goroutine.
func TestNewStartsNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	commit(t, New(), change(installation.Key{ID: "a"}, 1))
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("got %d goroutines, want at most %d as before", after, before)
	}
}

// TestReadersDoNotWait reads during a write transaction. A reader that waits would block
// forever.
func TestReadersDoNotWait(t *testing.T) {
	s := New()
	key := installation.Key{ID: "a"}
	c := change(key, 1)
	c.Idempotency = &installation.Outcome{Until: now.Add(time.Hour)}
	c.Events = []installation.Event{{Key: key}}
	commit(t, s, c)

	txn := s.db.Txn(true)
	defer txn.Abort()
	insert(txn, tableRecords, newRecordRow(change(key, 2).Record))
	insert(txn, tableRecords, newRecordRow(change(installation.Key{ID: "b"}, 1).Record))

	if got, err := s.Get(t.Context(), key); err != nil || got.Revision != 1 {
		t.Errorf("get: %+v, error %v, want revision 1", got, err)
	}
	for _, q := range []installation.Query{
		{Term: "all", Limit: 10},
		{AllTenants: true, Term: "@all", Limit: 10},
	} {
		if got, err := s.List(t.Context(), q); err != nil || len(got.Records) != 1 ||
			got.Records[0].Revision != 1 {
			t.Errorf("list %+v: %+v, error %v, want revision 1 alone", q, got, err)
		}
		if got, err := s.Count(t.Context(), q); err != nil || got != 1 {
			t.Errorf("count %+v: %d, error %v, want 1", q, got, err)
		}
	}
	if _, err := s.Outcome(t.Context(), "", installation.Digest{}); err != nil {
		t.Errorf("outcome: %v", err)
	}
	if got, err := s.Events(t.Context(), installation.EventQuery{Limit: 10}); err != nil ||
		len(got.Events) != 1 {
		t.Errorf("events: %+v, error %v, want one", got, err)
	}
}

// TestPanicReleasesTheWriterLock proves that the deferred Abort releases the lock.
func TestPanicReleasesTheWriterLock(t *testing.T) {
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

// lateContext is cancelled after the given number of looks at its error.
type lateContext struct {
	context.Context
	looks, max int
}

func (c *lateContext) Err() error {
	if c.looks++; c.looks > c.max {
		return context.Canceled
	}
	return nil
}

func TestCommitCancelledWhileWaiting(t *testing.T) {
	s := New()
	key := installation.Key{ID: "a"}
	_, err := s.Commit(&lateContext{Context: t.Context(), max: 1}, change(key, 1))
	if !errors.Is(err, context.Canceled) {
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
	n, err := s.Count(&lateContext{Context: t.Context(), max: 1}, q)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("count: %d, error %v, want %v", n, err, context.Canceled)
	}
	if n, err = s.Count(t.Context(), q); err != nil || n != ctxEvery {
		t.Errorf("count: %d, error %v, want %d", n, err, ctxEvery)
	}
}
