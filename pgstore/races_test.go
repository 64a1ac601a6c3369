package pgstore_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/races"
)

// TestRaces lets many callers upsert, accept and update at once.
func TestRaces(t *testing.T) {
	races.Run(t, func(t *testing.T) installation.Store { return newStore(t, newOptions()) })
}
