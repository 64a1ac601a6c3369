package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
)

// TestCopy copies a store while it is written to, and opens the copy.
func TestCopy(t *testing.T) {
	s := open(t, &boltstore.Options{NoSync: true})
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	wrote := make(chan struct{}, 1)
	writers.Go(func() {
		defer close(wrote)
		for i := int64(1); ctx.Err() == nil; i++ {
			if _, err := s.Commit(t.Context(), change(installation.Key{ID: "a"}, i)); err != nil {
				t.Error(err)
				return
			}
			select {
			case wrote <- struct{}{}:
			default:
			}
		}
	})
	defer writers.Wait()
	defer cancel()
	folder := t.TempDir()
	var last int64
	for _, name := range []string{"first.db", "second.db"} {
		<-wrote
		path := filepath.Join(folder, name)
		if err := s.Copy(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		c := openAt(t, path, nil)
		got, err := c.Get(t.Context(), installation.Key{ID: "a"})
		if err != nil || got.Revision <= last {
			t.Errorf("%s: got %+v, error %v, want a later revision than %d", name, got, err, last)
		}
		last = got.Revision
		original, _ := s.Namespace(t.Context())
		if in, err := c.Namespace(t.Context()); err != nil || in != original {
			t.Errorf("got namespace %+v, error %v, want %+v", in, err, original)
		}
		commit(t, c, change(installation.Key{ID: "in the copy"}, 1))
		if report, err := c.Verify(t.Context()); err != nil || !report.Clean() {
			t.Errorf("verify: got %+v, error %v", report, err)
		}
	}
}

// TestCopyFails proves that a copy that fails leaves nothing behind.
func TestCopyFails(t *testing.T) {
	w := newWorld(t)
	s := openAt(t, w.path, nil)
	folder := t.TempDir()
	path := filepath.Join(folder, "copy.db")
	empty := func(what string) {
		t.Helper()
		if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
			t.Errorf("%s: got files %v, error %v, want none", what, entries, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Copy(ended, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	empty("ended context")
	if err := s.Copy(&endsLater{Context: t.Context(), left: 3}, path); !errors.Is(err,
		context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	empty("context that ends midway")
	if err := s.Copy(t.Context(), filepath.Join(folder, "none", "copy.db")); !errors.Is(err,
		installation.ErrUnavailable) {
		t.Errorf("got error %v, want %v", err, installation.ErrUnavailable)
	}
	write(t, path, []byte("kept"))
	if err := s.Copy(t.Context(), path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got error %v, want %v", err, fs.ErrExist)
	}
	if string(read(t, path)) != "kept" {
		t.Error("the file was replaced")
	}
}

// TestCopyOfDamage refuses to copy a file with a damaged value in pages that are in order.
func TestCopyOfDamage(t *testing.T) {
	w := newWorld(t)
	s := openAt(t, w.path, nil)
	f, err := os.OpenFile(w.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := bytes.ReplaceAll(read(t, w.path), []byte("long long"), []byte("long lung"))
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	w.named(t, "copy", s.Copy(t.Context(), path))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat: error %v, want no file", err)
	}
}

// endsLater is a context that ends after a number of looks at its error.
type endsLater struct {
	context.Context
	left int
}

func (c *endsLater) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}
