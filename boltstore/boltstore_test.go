package boltstore_test

import (
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
