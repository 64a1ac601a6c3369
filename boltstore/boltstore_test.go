package boltstore_test

import (
	"path/filepath"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/storetest"
)

// open opens a new file.
func open(t *testing.T, o *boltstore.Options) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "store.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) installation.Store { return open(t, nil) })
}

func TestClosed(t *testing.T) {
	storetest.RunUnavailable(t, func(t *testing.T) installation.Store {
		s := open(t, nil)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return s
	})
}
