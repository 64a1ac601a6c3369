package rotation

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
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// killedStore is a store that cancels its caller at one of its calls, before or after the
// call takes effect. It fails from then on.
type killedStore struct {
	installation.Store
	left  atomic.Int64 // calls until the kill
	after bool
	kill  context.CancelFunc
}

var errKilled = errors.New("killed")

// count counts a call. It reports whether the call must fail before or after it takes effect.
func (s *killedStore) count() (before, after bool) {
	left := s.left.Add(-1)
	if left <= 0 {
		s.kill()
	}
	return left < 0 || left == 0 && !s.after, left == 0 && s.after
}

func (s *killedStore) Get(
	ctx context.Context, key installation.Key,
) (*installation.Record, error) {
	before, after := s.count()
	if before {
		return nil, errKilled
	}
	r, err := s.Store.Get(ctx, key)
	if after {
		return nil, errKilled
	}
	return r, err
}

func (s *killedStore) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	before, after := s.count()
	if before {
		return installation.Page{}, errKilled
	}
	p, err := s.Store.List(ctx, q)
	if after {
		return installation.Page{}, errKilled
	}
	return p, err
}

func (s *killedStore) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	before, after := s.count()
	if before {
		return installation.Receipt{}, errKilled
	}
	ctx = context.WithoutCancel(ctx) // the request was already sent
	receipt, err := s.Store.Commit(ctx, c)
	if after {
		return installation.Receipt{}, errKilled
	}
	return receipt, err
}

// A rewrap that is killed at any call of the store leaves a state that the next rewrap
// finishes.
func TestRewrapKilledAtEveryCall(t *testing.T) {
	const n = 3
	for _, after := range []bool{false, true} {
		for at := int64(1); ; at++ {
			r := fixture.NewWorld(t)
			r.Fill(t, r.With(t, r.K1), n)
			revisions := revisionsOf(t, r.With(t, r.K1))
			ctx, cancel := context.WithCancel(t.Context())
			store := &killedStore{Store: r.Store.Store, after: after, kill: cancel}
			store.left.Store(at)
			host := r.On(t, store, fixture.RingOf(t, r.K2, r.K1))
			first, err := host.Rewrap(ctx, installation.RewrapRequest{})
			survived := ctx.Err() == nil
			cancel()
			if survived != (err == nil) {
				t.Fatalf("call %d: survived %v, error %v", at, survived, err)
			}
			second, err := rewrap(t, r.With(t, r.K2, r.K1))
			// The first run may not know of its last commit.
			done := first.Rewrapped + second.Rewrapped
			if err != nil || !second.Done() || done != n && done != n-1 {
				t.Errorf("call %d: %v, %d and %d rewrapped",
					at, err, first.Rewrapped, second.Rewrapped)
			}
			for id, revision := range revisionsOf(t, r.With(t, r.K2)) {
				fixture.WantReadable(t, r.With(t, r.K2), id)
				if revision != revisions[id]+1 {
					t.Errorf("call %d: %s went from revision %d to %d",
						at, id, revisions[id], revision)
				}
			}
			if survived {
				if at < 8 {
					t.Errorf("only %d calls were tried", at-1)
				}
				break
			}
		}
	}
}

// traffic is reads and writes of the installations i-0 to i-(n-1) until a stop.
type traffic struct {
	writes []atomic.Int64 // by installation
	stop   chan struct{}
	wait   sync.WaitGroup
}

// startTraffic reads and writes random installations through both hosts at once.
func startTraffic(t *testing.T, n int, hosts ...*installation.Service) *traffic {
	t.Helper()
	tr := &traffic{writes: make([]atomic.Int64, n), stop: make(chan struct{})}
	repeat := func(f func(i int)) {
		tr.wait.Go(func() {
			for {
				select {
				case <-tr.stop:
					return
				default:
					f(rand.IntN(n))
				}
			}
		})
	}
	for _, host := range hosts {
		repeat(func(i int) { fixture.WantReadable(t, host, fmt.Sprintf("i-%d", i)) })
		repeat(func(i int) {
			next := installation.JSON(fmt.Sprint(tr.writes[i].Load() + 1))
			_, err := host.Patch(context.Background(), installation.PatchRequest{
				ID:         fmt.Sprintf("i-%d", i),
				Operations: []installation.Operation{patch.Set("/n", next)},
			})
			if err != nil {
				t.Errorf("write %d: %v", i, err)
			}
			tr.writes[i].Add(1)
		})
	}
	return tr
}

// end stops the traffic and waits for it.
func (tr *traffic) end() {
	close(tr.stop)
	tr.wait.Wait()
}

// rewrapWithKills runs a rewrap on two nodes at once. Each node is killed so many times at a
// random record, and then runs to the end. It returns the number of rewrapped records.
func rewrapWithKills(t *testing.T, r *fixture.World, n, kills int) int {
	t.Helper()
	rewrapped := atomic.Int64{}
	var nodes sync.WaitGroup
	for range 2 {
		nodes.Go(func() {
			for kill := range kills + 1 {
				ctx, cancel := context.WithCancel(context.Background())
				at := 1 + rand.IntN(n/kills)
				progress := func(p installation.RewrapReport) {
					if p.Rewrapped+p.Skipped >= at && kill < kills {
						cancel()
					}
				}
				host := r.With(t, r.K2, r.K1)
				report, err := host.Rewrap(ctx, installation.RewrapRequest{Progress: progress})
				cancel()
				rewrapped.Add(int64(report.Rewrapped))
				if report.Failed != 0 || err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("rewrap: %+v, %v", report, err)
				}
			}
		})
	}
	nodes.Wait()
	return int(rewrapped.Load())
}

// While two nodes rewrap and are killed at random, no reader gets an error and no write is
// lost.
func TestRewrapDuringTraffic(t *testing.T) {
	n, kills := 300, 6
	if testing.Short() {
		n, kills = 60, 3
	}
	r := fixture.NewWorld(t)
	old, both := r.With(t, r.K1, r.K2), r.With(t, r.K2, r.K1)
	r.Fill(t, r.With(t, r.K1), n)

	tr := startTraffic(t, n, old, both)
	rewrapped := rewrapWithKills(t, r, n, kills)
	tr.end()

	report, err := rewrap(t, both)
	if err != nil || !report.Done() || rewrapped+report.Rewrapped != n {
		t.Errorf("%d rewrapped in all and %+v at the end, %v; want %d", rewrapped, report, err, n)
	}
	alone := r.With(t, r.K2)
	sum := int64(0)
	for id, revision := range revisionsOf(t, alone) {
		fixture.WantReadable(t, alone, id)
		sum += revision
	}
	updates := int64(0)
	for _, e := range allEvents(t, r) {
		if e.Type == event.Updated {
			updates++
		}
	}
	// Each installation was made and rewrapped once.
	if want := int64(2*n) + updates; sum != want {
		t.Errorf("the revisions of %d installations add up to %d after %d updates, want %d",
			n, sum, updates, want)
	}
	if err := both.CanRetire(t.Context(), "k1"); err != nil {
		t.Error(err)
	}
}

// allEvents reads the change log to its end.
func allEvents(t testing.TB, r *fixture.World) (all []installation.Event) {
	t.Helper()
	for after := ""; ; {
		page, err := r.Host.Events(t.Context(), after, installation.MaxPage)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Events) == 0 {
			return all
		}
		all, after = append(all, page.Events...), page.Next
	}
}

// A rewrap pauses between two records. A cancelled context ends the pause.
func TestRewrapInterval(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 5)
	host := r.With(t, r.K2, r.K1)
	fixture.InBubble(t, func(t *testing.T) {
		start := time.Now()
		report, err := host.Rewrap(t.Context(), installation.RewrapRequest{
			Limit: 3, Interval: time.Minute,
		})
		took := time.Since(start)
		if err != nil || report.Rewrapped != 3 || took != 2*time.Minute {
			t.Errorf("%+v, %v in %v; want 3 in two minutes", report, err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start = time.Now()
		report, err = host.Rewrap(ctx, installation.RewrapRequest{Interval: time.Minute})
		took = time.Since(start)
		if !errors.Is(err, context.DeadlineExceeded) || report.Rewrapped != 1 ||
			took != 30*time.Second {
			t.Errorf("%+v, %v in %v; want 1 and the end of the context after 30 s",
				report, err, took)
		}
	})
}
