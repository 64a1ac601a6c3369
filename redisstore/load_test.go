package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/redisstore"
)

// load is a number of writers that go on until they are told to stop, each in a tenant of its own.
type load struct {
	store   *redisstore.Store
	writers int
	patient time.Duration // deadline of each call

	attempted, acknowledged, unconfirmed, unknown, unavailable atomic.Int64

	stop chan struct{}
	wait sync.WaitGroup

	mu    sync.Mutex
	acked map[installation.Key]int64                // revision that the last acknowledged commit led to
	first map[string]func(at time.Time) (more bool) // by tenant: told of each applied commit until it returns false
}

// rounds is how often a test that depends on timing runs.
func rounds() int {
	if os.Getenv("INSTALLATION_LONG") == "1" {
		return 20
	}
	return 1
}

func startLoad(tb testing.TB, s *redisstore.Store, writers int, patient time.Duration) *load {
	tb.Helper()
	l := &load{
		store: s, writers: writers, patient: patient, stop: make(chan struct{}),
		acked: make(map[installation.Key]int64), first: make(map[string]func(time.Time) bool),
	}
	for w := range writers {
		l.wait.Go(func() { l.write(tb, tenant(w)) })
	}
	return l
}

func tenant(writer int) string { return fmt.Sprintf("tenant-%d", writer) }

// write creates records and updates each of them twice.
func (l *load) write(tb testing.TB, tenant string) {
	for i := 0; ; i++ {
		c := create(installation.Key{Tenant: tenant, ID: fmt.Sprint(i)}, "")
		for range 3 {
			select {
			case <-l.stop:
				return
			default:
			}
			if !l.commit(tb, c) {
				break
			}
			c = update(c.Record, "")
		}
	}
}

// commit applies a change and reports whether the record is now known to be as it says.
func (l *load) commit(tb testing.TB, c installation.Change) bool {
	ctx, cancel := context.WithTimeout(tb.Context(), l.patient)
	defer cancel()
	l.attempted.Add(1)
	receipt, err := l.store.Commit(ctx, c)
	switch {
	case err == nil && receipt.Revision != c.Record.Revision:
		tb.Errorf("%v: receipt %+v, want revision %d", c.Key, receipt, c.Record.Revision)
	case err == nil:
		l.acknowledged.Add(1)
		l.note(c, true)
	case errors.Is(err, installation.ErrNotReplicated):
		l.unconfirmed.Add(1)
		l.note(c, false)
	case errors.Is(err, installation.ErrUnknownOutcome):
		l.unknown.Add(1)
	case errors.Is(err, installation.ErrUnavailable):
		l.unavailable.Add(1)
	default: // nobody else writes these records, so a conflict would be false
		tb.Errorf("%v: %v", c.Key, err)
	}
	return err == nil
}

func (l *load) note(c installation.Change, acknowledged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if acknowledged {
		l.acked[c.Key] = c.Record.Revision
	}
	if told := l.first[c.Key.Tenant]; told != nil && !told(time.Now()) {
		delete(l.first, c.Key.Tenant)
	}
}

// nextWrite returns a channel that gets the time of the next commit to be applied in a tenant.
func (l *load) nextWrite(tenant string) <-chan time.Time {
	next := make(chan time.Time, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first[tenant] = func(at time.Time) bool {
		next <- at
		return false
	}
	return next
}

// finish stops the writers and returns how many acknowledged commits are not there.
func (l *load) finish(tb testing.TB) (lost int) {
	tb.Helper()
	close(l.stop)
	l.wait.Wait()
	for key, revision := range l.acked {
		r, err := l.store.Get(tb.Context(), key)
		switch {
		case errors.Is(err, installation.ErrNotFound), err == nil && r.Revision < revision:
			lost++
		case err != nil:
			tb.Fatal(err)
		}
	}
	return lost
}

func (l *load) String() string {
	return fmt.Sprintf("%d attempted, %d acknowledged, %d applied and not confirmed, %d unknown, %d unavailable",
		l.attempted.Load(), l.acknowledged.Load(), l.unconfirmed.Load(), l.unknown.Load(), l.unavailable.Load())
}
