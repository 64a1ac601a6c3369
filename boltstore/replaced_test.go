package boltstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-installation/installation"
)

// TestFileThatLosesItsName moves, removes or replaces an open file. A commit would be lost with the
// process, so it fails. Copy still saves the data, and the store goes on if the file is put back.
func TestFileThatLosesItsName(t *testing.T) {
	for name, other := range map[string]func(t *testing.T, path string){
		"moved": func(*testing.T, string) {},
		"replaced": func(t *testing.T, path string) {
			s, err := Open(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, path := openTest(t)
			if _, err := s.Commit(t.Context(), testChange("a")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path, path+".away"); err != nil {
				t.Fatal(err)
			}
			other(t, path)
			_, err := s.Commit(t.Context(), testChange("b"))
			_, unhealthy := s.Health(t.Context())
			for what, err := range map[string]error{"commit": err, "health": unhealthy} {
				if !errors.Is(err, installation.ErrUnavailable) ||
					!strings.Contains(err.Error(), "while the store was open") {
					t.Errorf("%s: got error %v, want that the file lost its name", what, err)
				}
			}
			has(t, s, "b", false)
			saved := filepath.Join(t.TempDir(), "saved.db")
			if err := s.Copy(t.Context(), saved); err != nil {
				t.Fatal(err)
			}
			c, err := Open(saved, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			has(t, c, "a", true)
			if err := os.Rename(path+".away", path); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Commit(t.Context(), testChange("b")); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFailedCommitAndAnotherFile replaces the file during a commit that fails. The other file has
// more transactions, which says nothing about this commit. The other file is never used.
func TestFailedCommitAndAnotherFile(t *testing.T) {
	s, path := openTest(t)
	other, from := openTest(t)
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		if _, err := other.Commit(t.Context(), testChange(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	err := s.failing(t, testChange("a"), func(tx *tx) {
		_ = tx.file.File.Close()
		if err := os.Rename(from, path); err != nil {
			t.Fatal(err)
		}
	})
	if !errors.Is(err, installation.ErrUnknownOutcome) {
		t.Errorf("got error %v, want %v", err, installation.ErrUnknownOutcome)
	}
	if r, err := s.Get(t.Context(), installation.Key{ID: "1"}); !errors.Is(err,
		installation.ErrUnavailable) {
		t.Errorf("get: got %+v, error %v, want %v", r, err, installation.ErrUnavailable)
	}
}

// TestFolderOfProcessChanges opens a relative path and changes the folder of the process. A commit
// that fails opens the same file again.
func TestFolderOfProcessChanges(t *testing.T) {
	t.Chdir(t.TempDir())
	s, err := Open("store.db", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test breaks the file
	t.Chdir(t.TempDir())
	err = s.failing(t, testChange("a"), func(tx *tx) { tx.OnCommit(func() { panic("failed") }) })
	if err != nil {
		t.Errorf("got error %v, want none", err)
	}
	has(t, s, "a", true)
}

// TestCloseAfterTruncation cuts an open file, so that bbolt keeps its locks. Close still lets go of
// the file: it can be restored in place and opened again.
func TestCloseAfterTruncation(t *testing.T) {
	s, path := openTest(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	s.file.readers.stop() // bbolt panics when a transaction begins
	s.file.readers.resume()
	_, err = s.Get(t.Context(), installation.Key{ID: "a"})
	if !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("get: error %v, want %v", err, installation.ErrUnavailable)
	}
	if !s.file.dead.Load() {
		t.Error("bbolt did not panic with its locks: the test proves nothing")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	has(t, again, "a", false)
}
