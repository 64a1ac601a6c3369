package boltstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testChange returns a change that creates a record.
func testChange(id string) installation.Change {
	key := installation.Key{ID: id}
	c := installation.Change{Now: testTime, Key: key, Record: &installation.Record{
		Key: key, Revision: 1, Created: testTime, Index: []string{"all"}}}
	copy(c.Op[:], id)
	return c
}

func openTest(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // tests break the file
	return s, path
}

// failing runs a commit whose transaction also does something that makes bbolt's commit fail.
func (s *Store) failing(t *testing.T, c installation.Change, fail func(*tx)) error {
	t.Helper()
	return s.update(t.Context(), func(t *tx) error {
		_, err := t.commit(c, DefaultMaxEvents)
		fail(t)
		return err
	})
}

func has(t *testing.T, s *Store, id string, want bool) {
	t.Helper()
	_, err := s.Get(t.Context(), installation.Key{ID: id})
	if want && err != nil || !want && !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("get %q: error %v, want it there: %t", id, err, want)
	}
}

// TestCommitThatFailsBeforeItIsWritten makes all writes of a commit fail. The store opens the file
// again and goes on.
func TestCommitThatFailsBeforeItIsWritten(t *testing.T) {
	s, _ := openTest(t)
	err := s.failing(t, testChange("a"), func(t *tx) { _ = t.file.File.Close() })
	if !errors.Is(err, installation.ErrUnavailable) || !errors.Is(err, os.ErrClosed) ||
		errors.Is(err, installation.ErrUnknownOutcome) {
		t.Errorf("got error %v, want that nothing was written", err)
	}
	has(t, s, "a", false)
	if _, err := s.Commit(t.Context(), testChange("a")); err != nil {
		t.Fatal(err)
	}
	has(t, s, "a", true)
	if report, err := s.Verify(t.Context()); err != nil || !report.Clean() {
		t.Errorf("verify: got %+v, error %v", report, err)
	}
}

// TestCommitThatFailsAfterItIsWritten makes a commit fail when all is written. The store finds out
// that it was written, and reports success.
func TestCommitThatFailsAfterItIsWritten(t *testing.T) {
	s, _ := openTest(t)
	err := s.failing(t, testChange("a"), func(t *tx) { t.OnCommit(func() { panic("failed") }) })
	if err != nil {
		t.Errorf("got error %v, want none", err)
	}
	has(t, s, "a", true)
	if _, err := s.Commit(t.Context(), testChange("b")); err != nil {
		t.Fatal(err)
	}
}

// TestUnknownOutcome makes a commit fail, and then the file cannot be opened again. The outcome is
// unknown until it can.
func TestUnknownOutcome(t *testing.T) {
	s, path := openTest(t)
	away := path + ".away"
	err := s.failing(t, testChange("a"), func(tx *tx) {
		if err := os.Rename(path, away); err != nil {
			t.Fatal(err)
		}
		tx.OnCommit(func() { panic("failed") })
	})
	if !errors.Is(err, installation.ErrUnknownOutcome) {
		t.Errorf("got error %v, want %v", err, installation.ErrUnknownOutcome)
	}
	for range 2 {
		_, err := s.Get(t.Context(), installation.Key{ID: "a"})
		if !errors.Is(err, installation.ErrUnavailable) ||
			errors.Is(err, installation.ErrNotFound) {
			t.Errorf("get: error %v, want %v", err, installation.ErrUnavailable)
		}
		if _, err := s.Commit(t.Context(), testChange("b")); !errors.Is(err,
			installation.ErrUnavailable) {
			t.Errorf("commit: error %v, want %v", err, installation.ErrUnavailable)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat: error %v: a new file was created", err)
	}
	if err := os.Rename(away, path); err != nil {
		t.Fatal(err)
	}
	has(t, s, "a", true) // it was written
	receipt, err := s.Commit(t.Context(), testChange("a"))
	if err != nil || !receipt.Replayed {
		t.Errorf("the same change again: %+v, error %v, want a replay", receipt, err)
	}
}

// TestPanicInTransaction proves that a panic leaves no lock behind.
func TestPanicInTransaction(t *testing.T) {
	s, path := openTest(t)
	for range 3 {
		err := s.update(t.Context(), func(*tx) error { panic("bbolt met a damaged page") })
		if !errors.Is(err, installation.ErrUnavailable) {
			t.Errorf("update: error %v, want %v", err, installation.ErrUnavailable)
		}
		err = s.view(t.Context(), func(*tx) error { panic("bbolt met a damaged page") })
		if !errors.Is(err, installation.ErrUnavailable) {
			t.Errorf("view: error %v, want %v", err, installation.ErrUnavailable)
		}
	}
	if _, err := s.Commit(t.Context(), testChange("a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	has(t, again, "a", true)
}

// TestWaitingCommitEndsWithContext ends the context of a commit that waits for another one.
func TestWaitingCommitEndsWithContext(t *testing.T) {
	s, _ := openTest(t)
	s.writing <- struct{}{} // another commit runs
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := s.Commit(ctx, testChange("a"))
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	<-s.writing
	if _, err := s.Commit(t.Context(), testChange("a")); err != nil {
		t.Fatal(err)
	}
}
