package sqlitestore

import (
	"path/filepath"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/storetest"
)

var (
	_ installation.EventReader   = (*Store)(nil)
	_ installation.Counter       = (*Store)(nil)
	_ installation.HealthChecker = (*Store)(nil)
	_ installation.Namespacer    = (*Store)(nil)
	_ installation.Mover         = (*Store)(nil)
)

// open opens an empty store. Nothing survives a loss of power, which makes the tests quick.
func open(t *testing.T) *Store {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "store"), "OFF")
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
	storetest.Run(t, func(t *testing.T) installation.Store { return open(t) })
}

func TestClosed(t *testing.T) {
	storetest.RunUnavailable(t, func(t *testing.T) installation.Store {
		s := open(t)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// TestBroken runs the suite on a file whose tables are gone.
func TestBroken(t *testing.T) {
	storetest.RunUnavailable(t, func(t *testing.T) installation.Store {
		s := open(t)
		for _, table := range []string{"meta", "records", "terms", "claims", "outcomes", "events"} {
			if _, err := s.db.ExecContext(t.Context(), "DROP TABLE "+table); err != nil {
				t.Fatal(err)
			}
		}
		return s
	})
}
