package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/ledger"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// load is a number of writers, each in a tenant of its own, that go on until they are stopped.
type load struct {
	store   *redisstore.Store
	writers int

	attempted, acknowledged, unconfirmed, unknown, unavailable atomic.Int64

	stop   func()
	wait   sync.WaitGroup
	ledger ledger.Ledger // of all commits

	mu        sync.Mutex
	revisions map[installation.Key]int64 // that the last acknowledged commits led to
	applied   map[string]int             // commits that were applied, by tenant
}

func startLoad(tb testing.TB, writers int, s *redisstore.Store) *load {
	tb.Helper()
	stopped := make(chan struct{})
	l := &load{
		store: s, writers: writers, stop: sync.OnceFunc(func() { close(stopped) }),
		revisions: make(map[installation.Key]int64), applied: make(map[string]int),
	}
	for w := range writers {
		l.wait.Go(func() { l.write(tb, tenant(w), stopped) })
	}
	tb.Cleanup(func() { // after a failed test
		l.stop()
		l.wait.Wait()
	})
	return l
}

func tenant(writer int) string { return fmt.Sprintf("tenant-%d", writer) }

// write creates records and updates each of them twice.
func (l *load) write(tb testing.TB, tenant string, stopped <-chan struct{}) {
	for i := 0; ; i++ {
		key := installation.Key{Tenant: tenant, ID: fmt.Sprint(i)}
		c := create(key, operation(key, 1))
		for range 3 {
			select {
			case <-stopped:
				return
			default:
			}
			if !l.commit(tb, c) {
				break
			}
			c = update(c.Record, operation(key, c.Record.Revision+1))
		}
	}
}

// operation returns the id of the only commit that leads to a revision.
func operation(key installation.Key, revision int64) string {
	return fmt.Sprintf("%s/%s to revision %d", key.Tenant, key.ID, revision)
}

// commit commits a change and reports whether it is known to be applied and confirmed.
func (l *load) commit(tb testing.TB, c installation.Change) bool {
	ctx := context.WithoutCancel(tb.Context())
	ctx, cancel := context.WithTimeout(ctx, redistest.Patience/2)
	defer cancel()
	l.attempted.Add(1)
	receipt, err := l.store.Commit(ctx, c)
	result := ledger.ResultOf(c, receipt, err)
	if errors.Is(err, installation.ErrNotReplicated) {
		result = ledger.Unknown // a failover may lose it
	}
	l.ledger.Note(c.Events[0].Reason, result)
	switch {
	case err == nil && receipt.Revision != c.Record.Revision:
		tb.Errorf("%v: receipt %+v, want revision %d", c.Key, receipt, c.Record.Revision)
	case err == nil:
		l.acknowledged.Add(1)
		l.record(c, true)
	case errors.Is(err, installation.ErrNotReplicated):
		l.unconfirmed.Add(1)
		l.record(c, false)
	case errors.Is(err, installation.ErrUnknownOutcome):
		l.unknown.Add(1)
	case errors.Is(err, installation.ErrUnavailable):
		l.unavailable.Add(1)
	default: // nobody else writes these records, so a conflict would be false
		tb.Errorf("%v: %v", c.Key, err)
	}
	return err == nil
}

func (l *load) record(c installation.Change, acknowledged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if acknowledged {
		l.revisions[c.Key] = c.Record.Revision
	}
	l.applied[c.Key.Tenant]++
}

// awaitMany waits until there are enough acknowledged commits for a test.
func (l *load) awaitMany(tb testing.TB) {
	tb.Helper()
	redistest.Await(tb, "load", func() bool { return l.acknowledged.Load() > 500 })
}

// awaitWrites waits until one more commit is applied for each of the first writers.
func (l *load) awaitWrites(tb testing.TB, writers int) {
	tb.Helper()
	counts := func() map[string]int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return maps.Clone(l.applied)
	}
	before := counts()
	for w := range writers {
		redistest.Await(tb, "a write of "+tenant(w), func() bool {
			return counts()[tenant(w)] > before[tenant(w)]
		})
	}
}

// finish stops the writers, counts the events, and returns the number of acknowledged commits that
// are lost.
func (l *load) finish(tb testing.TB) (lost int) {
	tb.Helper()
	l.stop()
	l.wait.Wait()
	for key, revision := range l.revisions {
		r, err := l.store.Get(tb.Context(), key)
		switch {
		case errors.Is(err, installation.ErrNotFound), err == nil && r.Revision < revision:
			lost++
		case err != nil:
			tb.Fatal(err)
		}
	}
	if _, err := l.ledger.Check(tb.Context(), l.store); err != nil {
		tb.Error(err)
	}
	return lost
}

func (l *load) String() string {
	return fmt.Sprintf("%d attempted, %d acknowledged, %d applied and not confirmed, "+
		"%d unknown, %d unavailable", l.attempted.Load(), l.acknowledged.Load(),
		l.unconfirmed.Load(), l.unknown.Load(), l.unavailable.Load())
}
