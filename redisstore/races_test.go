package redisstore_test

import (
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/races"
)

// TestRaces lets many callers upsert, accept and update at once, on a real server.
func TestRaces(t *testing.T) {
	client := dialServer(t)
	races.Run(t, func(t *testing.T) installation.Store { return open(t, client, nil) })
}
