package boltstore

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestNewerLayout opens the file of a later release.
func TestNewerLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = s.update(t.Context(), func(t *tx) error {
		return t.putMeta(meta{Layout: layout + 1, ID: "id"})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "has layout 2") {
		t.Errorf("got error %v, want one that names the layout", err)
	}
}
