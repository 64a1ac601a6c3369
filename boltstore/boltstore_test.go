package boltstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/storetest"
)

// TestStore runs the conformance suite. It makes thousands of commits. Syncing them would take most
// of the time, and shows nothing while no machine crashes; internal/checks/crashtest does that.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) installation.Store {
		return open(t, &boltstore.Options{NoSync: true})
	})
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

// TestTooLongIsRejected commits values that could be written and not be read again.
func TestTooLongIsRejected(t *testing.T) {
	s := open(t, nil)
	long := change(installation.Key{ID: "a"}, 1)
	long.Record.Body = installation.BodyFromBytes(strings.Repeat("b", 9<<20))
	outcome := change(installation.Key{ID: "b"}, 1)
	outcome.Idempotency = &installation.Outcome{Until: now.Add(1), Data: make([]byte, 9<<20)}
	for _, c := range []installation.Change{long, outcome} {
		if _, err := s.Commit(t.Context(), c); !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("commit %q: got error %v, want %v", c.Key.ID, err, installation.ErrInvalid)
		}
	}
	if report, err := s.Verify(t.Context()); err != nil || !report.Clean() || report.Records > 0 {
		t.Errorf("verify: got %+v, error %v, want no record", report, err)
	}
}
