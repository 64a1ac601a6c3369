//go:build linux

package boltstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
)

// TestFullDisk fills the disk inside of commits. A commit that fails has written nothing, and the
// store goes on as soon as there is room.
func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=2m"); err != nil {
		// The disk has to be full, and only a small one is full soon; mounting it takes root.
		t.Skipf("only root can mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(folder, "store.db")
	s, err := boltstore.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	filler := filepath.Join(folder, "filler")
	for round := range 3 {
		// Each filler is smaller: the commit after the last one has taken some of its room.
		write(t, filler, make([]byte, (512-128*round)<<10))
		full := fill(t, s, round)
		page, err := s.List(t.Context(), installation.Query{Term: "all", Limit: 1000})
		if err != nil || len(page.Records) == 0 {
			t.Fatalf("list on a full disk: %d records, error %v", len(page.Records), err)
		}
		if _, err := s.Get(t.Context(), full); !errors.Is(err, installation.ErrNotFound) {
			t.Errorf("get: error %v, want %v", err, installation.ErrNotFound)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		commit(t, s, change(full, 1))
		if report, err := s.Verify(t.Context()); err != nil || !report.Clean() {
			t.Fatalf("verify: got %+v, error %v, want no problem", report, err)
		}
	}
	closeStore(t, s)
	openAt(t, path, nil)
}

// fill commits until the disk is full. It returns the key of the commit that failed.
func fill(t *testing.T, s *boltstore.Store, round int) installation.Key {
	t.Helper()
	for i := range 1000 {
		key := installation.Key{ID: fmt.Sprintf("%d of round %d", i, round)}
		c := change(key, 1)
		c.Record.Body = installation.BodyFromBytes(strings.Repeat("b", 10_000))
		_, err := s.Commit(t.Context(), c)
		if err == nil {
			continue
		}
		if !errors.Is(err, installation.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) ||
			errors.Is(err, installation.ErrUnknownOutcome) ||
			!strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("commit: got error %v, want that the disk is full", err)
		}
		return key
	}
	t.Fatal("the disk was never full")
	return installation.Key{}
}
