// Package installationtest helps a host application to test itself: a service that is ready to use, with a clock that the test moves, and a
// search for the secrets of an installation in whatever the application writes.
//
//	svc, clock := installationtest.New(t, nil)
//	host := svc.As(installation.Actor{Kind: installation.Host})
//	// ... let the application serve requests with svc, and keep what it answers and logs ...
//	installationtest.NoSecrets(t, host, "EXI-1", response, log.String())
//
// It is built on the real thing: the service of package installation on the store of package memstore.
package installationtest

import (
	"crypto/fips140"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// Start is the time at which the clock of New stands.
var Start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// New returns a service on a fresh store in memory, with a new key, and the clock that it goes by. Like any service it has no actor yet
// and refuses everything. opts may be nil; its Now is replaced.
func New(tb testing.TB, opts *installation.Options) (*installation.Service, *Clock) {
	tb.Helper()
	key, err := crypto.GenerateKey("installationtest")
	if err != nil {
		tb.Fatal(err)
	}
	ring, err := crypto.NewKeyring(key)
	if err == nil && fips140.Enforced() {
		ring, err = ring.WithSuite(crypto.SuiteAES256GCM)
	}
	if err != nil {
		tb.Fatal(err)
	}
	var o installation.Options
	if opts != nil {
		o = *opts
	}
	clock := &Clock{now: Start}
	o.Now = clock.Now
	svc, err := installation.New(memstore.New(), ring, &o)
	if err != nil {
		tb.Fatal(err)
	}
	return svc, clock
}

// Clock is a clock that stands still until it is moved. It is safe for use by many goroutines.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d, and returns the new time.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// Set moves the clock to t.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}
