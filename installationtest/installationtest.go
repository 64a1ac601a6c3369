// Package installationtest helps you test a host application. It has a ready Service with a
// clock that the test moves, and a search for secrets in the output of the application.
//
//	svc, clock := installationtest.New(t, nil)
//	host := svc.As(installation.Actor{Kind: installation.Host})
//	// ... serve requests with svc, and keep the responses and logs ...
//	installationtest.NoSecrets(t, host, "EXI-1", response, log.String())
//
// The Service is the real one, on a store of package memstore.
package installationtest

import (
	"cmp"
	"crypto/fips140"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// Start is the initial time of the [Clock] that [New] returns.
var Start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// New returns a Service on an empty store in memory, with a new key, and the clock of the Service.
// Like every new Service, it has no actor and rejects every call until [installation.Service.As]
// names one. opts can be nil. New ignores opts.Now, because the Service uses the returned clock.
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
	clock := &Clock{now: Start}
	o := *cmp.Or(opts, &installation.Options{})
	o.Now = clock.Now
	svc, err := installation.New(memstore.New(), ring, &o)
	if err != nil {
		tb.Fatal(err)
	}
	return svc, clock
}

// Clock is a clock that stands still until the test moves it. It is safe for use by many
// goroutines.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time of the clock.
func (c *Clock) Now() time.Time { return c.Advance(0) }

// Advance moves the clock by d and returns the new time.
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
