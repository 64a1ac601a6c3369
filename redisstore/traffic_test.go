package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/ledger"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// traffic is a number of writers that make every kind of change, to records of their own and to
// records that they share, until they are stopped. It remembers every change and its result, so
// that [traffic.check] can compare all that is stored with them.
type traffic struct {
	store   *redisstore.Store
	areas   []*area
	figures figures
	ledger  ledger.Ledger

	// target is the area that most changes are made in; nil for any.
	target atomic.Pointer[area]
	// mayFail reports whether a change may end with an error that says or may mean that it was
	// not applied; nil for never.
	mayFail func(a *area, err error) bool

	changes atomic.Int64       // begun
	own     []map[*area][]*row // of each writer
	stop    func()
	wait    sync.WaitGroup
}

const (
	trafficNamespace = "traffic"
	trafficBuckets   = 16
)

// area is a tenant with a bucket, and so a slot, of its own.
type area struct {
	tenant  string
	slot    uint16
	open    atomic.Pointer[window] // nil while the slot is on one server
	timeout time.Duration          // of each call

	mu   sync.Mutex
	rows []*row
	used []installation.Digest // idempotency keys
	// the operation that has used a key
	users map[installation.Digest]string

	shared []*row
}

// row is a record, and all that was done to it.
type row struct {
	key   installation.Key
	lone  bool // it has one term, and nothing else in the index
	claim string
	own   bool // only one writer changes it

	mu       sync.Mutex
	stored   *installation.Record // the newest known; nil for none
	attempts []attempt
	doubtful bool // a change with an unknown outcome may arrive late
}

// attempt is a change with its result.
type attempt struct {
	operation string
	from      int64                // the revision before
	leaves    *installation.Record // what it stores
	outcome   *installation.Outcome
	result    ledger.Result
}

// startTraffic makes some records in areas of a store and starts the writers.
func startTraffic(tb testing.TB, t *traffic, areas, writers, records int) {
	tb.Helper()
	taken := make(map[string]bool)
	random := rand.New(rand.NewPCG(0, 0))
	for range writers {
		t.own = append(t.own, make(map[*area][]*row))
	}
	for n := 0; len(t.areas) < areas; n++ {
		a := &area{
			tenant: tenant(n), users: make(map[installation.Digest]string),
			timeout: redistest.Patience / 2,
		}
		bucket := redisstore.BucketOf(a.tenant, trafficBuckets)
		if taken[bucket] {
			continue
		}
		taken[bucket] = true
		a.slot = redistest.Slot(trafficNamespace + ":" + bucket)
		for i := range 6 { // two records for each claim
			a.shared = append(a.shared, a.row(fmt.Sprintf("shared-%d", i), i/2))
		}
		t.areas = append(t.areas, a)
	}
	for n := range areas * records {
		a := t.areas[n%areas]
		w := n / areas % writers
		t.change(tb, random, a, a.newRow(t.own[w], w))
	}
	t.figures.reset()
	t.changes.Store(0)
	t.start(tb, writers)
}

// start starts the writers.
func (t *traffic) start(tb testing.TB, writers int) {
	stopped := make(chan struct{})
	t.stop = sync.OnceFunc(func() { close(stopped) })
	for w := range writers {
		t.wait.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for !ended(stopped) {
				a := t.area(random)
				t.change(tb, random, a, a.choose(random, t.own[w], w))
			}
		})
	}
	tb.Cleanup(func() { // after a failed test
		t.stop()
		t.wait.Wait()
	})
}

func ended(stopped <-chan struct{}) bool {
	select {
	case <-stopped:
		return true
	default:
		return false
	}
}

// area returns the area of the next change.
func (t *traffic) area(random *rand.Rand) *area {
	if a := t.target.Load(); a != nil && random.IntN(4) > 0 {
		return a
	}
	return t.areas[random.IntN(len(t.areas))]
}

// row adds a row. Rows with the same number, from 0, have the same claim.
func (a *area) row(name string, claim int) *row {
	r := &row{key: installation.Key{Tenant: a.tenant, ID: name}, claim: "live=" + name}
	if claim >= 0 {
		r.claim = fmt.Sprintf("live=shared-%d", claim)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows = append(a.rows, r)
	return r
}

// newRow adds a row that only one writer changes.
func (a *area) newRow(own map[*area][]*row, writer int) *row {
	n := len(own[a])
	r := a.row(fmt.Sprintf("%d-%d", writer, n), -1)
	r.own, r.lone = true, n%4 == 0
	own[a] = append(own[a], r)
	return r
}

// choose returns the row for the next change of a writer.
func (a *area) choose(random *rand.Rand, own map[*area][]*row, writer int) *row {
	mine := own[a]
	switch n := random.IntN(100); {
	case n < 15 || len(mine) == 0:
		return a.newRow(own, writer)
	case n < 30:
		return a.shared[random.IntN(len(a.shared))]
	default:
		return mine[random.IntN(len(mine))]
	}
}

// change makes one change to a row, and remembers it.
func (t *traffic) change(tb testing.TB, random *rand.Rand, a *area, r *row) {
	stored, doubtful := r.known()
	kind := chooseKind(random, r, stored, a.hasUsed())
	operation := fmt.Sprintf("%s %s/%s %d", kind, a.tenant, r.key.ID, t.changes.Add(1))
	c := a.build(random, kind, r, stored, operation)

	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), a.timeout)
	defer cancel()
	w := a.open.Load()
	began := time.Now()
	receipt, err := t.store.Commit(ctx, c)
	took := time.Since(began)
	result := ledger.ResultOf(c, receipt, err)
	t.figures.add(kind, call{w, took, result, errors.Is(err, installation.ErrUnavailable)})
	t.ledger.Note(operation, result)
	r.note(attempt{operation, c.If, c.Record, c.Idempotency, result})
	t.judge(tb, a, r, kind, c, receipt, err, doubtful)
	if deadline, _ := ctx.Deadline(); long() && time.Now().After(deadline.Add(time.Second)) {
		tb.Errorf("%s ended %v after it began, its deadline was %v", operation, took, a.timeout)
	}
	switch {
	case result == ledger.Success && c.Idempotency != nil:
		a.mu.Lock()
		a.used = append(a.used, c.Idempotency.Digest)
		a.users[c.Idempotency.Digest] = operation
		a.mu.Unlock()
	case result == ledger.Unknown || errors.Is(err, installation.ErrConflict):
		t.refresh(tb, r)
	}
}

func (a *area) hasUsed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.used) > 0
}

// usedBy returns the operation that has used an idempotency key.
func (a *area) usedBy(d installation.Digest) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.users[d]
}

// judge checks an answer.
func (t *traffic) judge(
	tb testing.TB, a *area, r *row, kind string, c installation.Change,
	receipt installation.Receipt, err error, doubtful bool,
) {
	tb.Helper()
	ok := false
	switch {
	case kind == usedKey && err == nil:
		o := receipt.Outcome
		ok = o != nil && a.usedBy(c.Idempotency.Digest) == string(o.Data)
	case err == nil:
		ok = receipt.Outcome == nil && receipt.Revision == c.Record.Revision
	case errors.Is(err, installation.ErrUnknownOutcome),
		errors.Is(err, installation.ErrUnavailable):
		ok = t.mayFail != nil && t.mayFail(a, err)
	case errors.Is(err, installation.ErrConflict): // nobody else writes own records
		ok = !r.own || doubtful
	case errors.Is(err, installation.ErrExists):
		ok = !r.own
	}
	if !ok {
		tb.Errorf("%s: receipt %+v, error %v", c.Events[0].Reason, receipt, err)
	}
}

// refresh reads a record after a change was not told what is stored.
func (t *traffic) refresh(tb testing.TB, r *row) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), redistest.Patience/2)
	defer cancel()
	stored, err := t.store.Get(ctx, r.key)
	switch {
	case errors.Is(err, installation.ErrNotFound):
	case err != nil:
		tb.Error(err)
	default:
		r.learn(stored)
	}
}

// known returns the newest known record, and whether another one may be stored.
func (r *row) known() (stored *installation.Record, doubtful bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stored, r.doubtful
}

func (r *row) note(a attempt) {
	r.mu.Lock()
	r.attempts = append(r.attempts, a)
	r.doubtful = r.doubtful || a.result == ledger.Unknown
	r.mu.Unlock()
	if a.result == ledger.Success {
		r.learn(a.leaves)
	}
}

func (r *row) learn(stored *installation.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stored == nil || r.stored.Revision < stored.Revision {
		r.stored = stored
	}
}
