package boltstore

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-installation/installation"
)

// waiting returns how many read transactions wait for their next use.
func (s *Store) waiting() int {
	r := &s.file.readers
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.idle)
}

func mustCommit(t *testing.T, s *Store, c installation.Change) {
	t.Helper()
	if _, err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// TestReadersAreKept reads, commits and fails between reads. A transaction is kept after a read,
// and none is older than the last commit.
func TestReadersAreKept(t *testing.T) {
	s, _ := openTest(t)
	has(t, s, "a", false)
	if got := s.waiting(); got != 1 {
		t.Errorf("after a read: %d transactions wait, want 1", got)
	}
	mustCommit(t, s, testChange("a"))
	if got := s.waiting(); got != 0 {
		t.Errorf("after a commit: %d transactions wait, want 0", got)
	}
	has(t, s, "a", true)
	refused := errors.New("refused")
	err := s.view(t.Context(), func(*tx) error {
		has(t, s, "a", true)
		return refused
	})
	if got := s.waiting(); got != 1 || !errors.Is(err, refused) {
		t.Errorf("after a read that failed: %d transactions wait, error %v, want 1", got, err)
	}
	for ends := range 2 { // a commit begins during a read, or begins and ends
		err = s.view(t.Context(), func(*tx) error {
			s.file.readers.stop()
			if ends == 1 {
				s.file.readers.resume()
			}
			return nil
		})
		if got := s.waiting(); got != 0 || err != nil {
			t.Errorf("after a read beside a commit: %d transactions wait, error %v", got, err)
		}
		if ends == 0 {
			s.file.readers.resume()
		}
	}
}

// TestReadersSeeCommits reads beside commits that make the file grow. A read sees every commit that
// ended before it began.
func TestReadersSeeCommits(t *testing.T) {
	s, _ := openTest(t)
	var last atomic.Int64
	last.Store(-1)
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for at := int64(-1); at < 99; {
				if at = last.Load(); at >= 0 {
					has(t, s, fmt.Sprint(at), true)
				}
			}
		})
	}
	for n := range 100 {
		c := testChange(fmt.Sprint(n))
		c.Record.Body = installation.BodyFromBytes(make([]byte, 20_000))
		mustCommit(t, s, c)
		last.Store(int64(n))
	}
	readers.Wait()
}
