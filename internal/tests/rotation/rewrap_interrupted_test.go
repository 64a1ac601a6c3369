package rotation

import (
	"bytes"
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

// guillotine is a store that dies under its caller at the call of a number, before or after that call had its effect.
type guillotine struct {
	installation.Store
	left  atomic.Int64 // calls until then
	after bool
	kill  context.CancelFunc
}

var errKilled = errors.New("killed")

// fall reports whether this call is not to be carried out, and whether its answer is not to arrive.
func (g *guillotine) fall() (before, after bool) {
	left := g.left.Add(-1)
	if left <= 0 {
		g.kill()
	}
	return left < 0 || left == 0 && !g.after, left == 0 && g.after
}

func (g *guillotine) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	before, after := g.fall()
	if before {
		return nil, errKilled
	}
	r, err := g.Store.Get(ctx, key)
	if after {
		return nil, errKilled
	}
	return r, err
}

func (g *guillotine) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	before, after := g.fall()
	if before {
		return installation.Page{}, errKilled
	}
	p, err := g.Store.List(ctx, q)
	if after {
		return installation.Page{}, errKilled
	}
	return p, err
}

func (g *guillotine) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	before, after := g.fall()
	if before {
		return installation.Receipt{}, errKilled
	}
	ctx = context.WithoutCancel(ctx) // it had left
	receipt, err := g.Store.Commit(ctx, c)
	if after {
		return installation.Receipt{}, errKilled
	}
	return receipt, err
}

// The sweep is killed after and before every single call of the store, and each time the next one ends what it began.
func TestRewrapKilledAtEveryCall(t *testing.T) {
	const n = 3
	for _, after := range []bool{false, true} {
		for at := int64(1); ; at++ {
			r := fixture.NewWorld(t)
			r.Fill(t, r.With(t, r.K1), n)
			revisions := revisionsOf(t, r.With(t, r.K1))
			ctx, cancel := context.WithCancel(t.Context())
			g := &guillotine{Store: r.Store.Store, after: after, kill: cancel}
			g.left.Store(at)
			first, err := r.On(t, g, fixture.RingOf(t, r.K2, r.K1)).Rewrap(ctx, installation.RewrapRequest{})
			survived := ctx.Err() == nil
			cancel()
			if survived != (err == nil) {
				t.Fatalf("call %d: survived %v, error %v", at, survived, err)
			}
			second, err := r.With(t, r.K2, r.K1).Rewrap(t.Context(), installation.RewrapRequest{})
			// One may have been done of which the first run could not know.
			if done := first.Rewrapped + second.Rewrapped; err != nil || !second.Done() || done != n && done != n-1 {
				t.Errorf("call %d: %v, %d and %d rewrapped", at, err, first.Rewrapped, second.Rewrapped)
			}
			for id, revision := range revisionsOf(t, r.With(t, r.K2)) {
				fixture.WantReadable(t, r.With(t, r.K2), id)
				if revision != revisions[id]+1 {
					t.Errorf("call %d: %s went from revision %d to %d", at, id, revisions[id], revision)
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

// Two nodes sweep, readers read, writers write, the sweeps are killed at random and started again: no reader sees an error, no write is lost.
func TestRewrapDuringTraffic(t *testing.T) {
	n, kills := 300, 6
	if testing.Short() {
		n, kills = 60, 3
	}
	r := fixture.NewWorld(t)
	old, both := r.With(t, r.K1, r.K2), r.With(t, r.K2, r.K1)
	r.Fill(t, r.With(t, r.K1), n)

	stop := make(chan struct{})
	var traffic sync.WaitGroup
	writes := make([]atomic.Int64, n)
	work := func(f func(i int)) {
		traffic.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f(rand.IntN(n))
				}
			}
		})
	}
	for _, process := range []*installation.Service{old, both} {
		work(func(i int) { fixture.WantReadable(t, process, fmt.Sprintf("i-%d", i)) })
		work(func(i int) {
			_, err := process.Patch(context.Background(), installation.PatchRequest{ID: fmt.Sprintf("i-%d", i), Operations: []installation.Operation{
				patch.Set("/n", installation.JSON(fmt.Sprint(writes[i].Load()+1))),
			}})
			if err != nil {
				t.Errorf("write %d: %v", i, err)
			}
			writes[i].Add(1)
		})
	}
	rewrapped := atomic.Int64{}
	var nodes sync.WaitGroup
	for range 2 {
		nodes.Go(func() {
			for kill := range kills + 1 {
				ctx, cancel := context.WithCancel(context.Background())
				at := 1 + rand.IntN(n/kills)
				report, err := r.On(t, r.Store, fixture.RingOf(t, r.K2, r.K1)).Rewrap(ctx, installation.RewrapRequest{Progress: func(p installation.RewrapReport) {
					if p.Rewrapped+p.Skipped >= at && kill < kills {
						cancel()
					}
				}})
				cancel()
				rewrapped.Add(int64(report.Rewrapped))
				if report.Failed != 0 || err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("sweep: %+v, %v", report, err)
				}
			}
		})
	}
	nodes.Wait()
	close(stop)
	traffic.Wait()

	report, err := both.Rewrap(t.Context(), installation.RewrapRequest{})
	if err != nil || !report.Done() || rewrapped.Load()+int64(report.Rewrapped) != int64(n) {
		t.Errorf("%d rewrapped in all and %+v at the end, %v; want %d", rewrapped.Load(), report, err, n)
	}
	alone := r.With(t, r.K2)
	sum := int64(0)
	for id, revision := range revisionsOf(t, alone) {
		fixture.WantReadable(t, alone, id)
		sum += revision
	}
	want := int64(2 * n) // made, and rewrapped once
	changed := int64(0)
	for _, e := range allEvents(t, r) {
		if e.Type == event.Updated {
			changed++
		}
	}
	if want += changed; sum != want {
		t.Errorf("the revisions add up to %d, want %d: %d installations made, rewrapped once, and %d updates", sum, want, n, changed)
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

// meddler is a store that does something of its own round a commit.
type meddler struct {
	installation.Store
	commit func(ctx context.Context, c installation.Change) (installation.Receipt, error)
}

func (m *meddler) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	return m.commit(ctx, c)
}

// What can come between reading a record and having it written.
func TestRewrapRaces(t *testing.T) {
	unknown := fmt.Errorf("connection reset: %w", installation.ErrUnknownOutcome)
	for _, test := range []struct {
		name      string
		commit    func(r *fixture.World, try int, c installation.Change) (installation.Receipt, error)
		rewrapped int
		skipped   int
		failed    int
		err       error
		commits   int
	}{
		{"a customer writes first", func(r *fixture.World, try int, c installation.Change) (installation.Receipt, error) {
			if try == 1 {
				if _, err := r.Host.Patch(t.Context(), installation.PatchRequest{ID: "i-0", Parts: installation.Parts{Name: installation.Value("new")}}); err != nil {
					t.Error(err)
				}
			}
			return r.Store.Store.Commit(t.Context(), c)
		}, 1, 0, 0, nil, 2},
		{"another node is first", func(r *fixture.World, _ int, c installation.Change) (installation.Receipt, error) {
			if _, err := r.With(t, r.K2, r.K1).Rewrap(t.Context(), installation.RewrapRequest{}); err != nil {
				t.Error(err)
			}
			return r.Store.Store.Commit(t.Context(), c)
		}, 0, 1, 0, nil, 1},
		{"deleted first", func(r *fixture.World, _ int, c installation.Change) (installation.Receipt, error) {
			if _, err := r.Host.Delete(t.Context(), installation.DeleteRequest{ID: "i-0"}); err != nil {
				t.Error(err)
			}
			return r.Store.Store.Commit(t.Context(), c)
		}, 0, 1, 0, nil, 1},
		{"the answer is lost", func(r *fixture.World, _ int, c installation.Change) (installation.Receipt, error) {
			if _, err := r.Store.Store.Commit(t.Context(), c); err != nil {
				t.Error(err)
			}
			return installation.Receipt{}, unknown
		}, 1, 0, 0, nil, 1},
		{"the write is lost, as said", func(*fixture.World, int, installation.Change) (installation.Receipt, error) {
			return installation.Receipt{}, unknown
		}, 0, 0, 1, installation.ErrUnknownOutcome, 1},
		{"not replicated", func(r *fixture.World, _ int, c installation.Change) (installation.Receipt, error) {
			receipt, err := r.Store.Store.Commit(t.Context(), c)
			return receipt, errors.Join(err, installation.ErrNotReplicated)
		}, 1, 0, 0, installation.ErrNotReplicated, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := fixture.NewWorld(t)
			r.Fill(t, r.With(t, r.K1), 1)
			commits := 0
			store := &meddler{Store: r.Store.Store}
			store.commit = func(_ context.Context, c installation.Change) (installation.Receipt, error) {
				commits++
				return test.commit(r, commits, c)
			}
			report, err := r.On(t, store, fixture.RingOf(t, r.K2, r.K1)).Rewrap(t.Context(), installation.RewrapRequest{})
			if report.Rewrapped != test.rewrapped || report.Skipped != test.skipped || report.Failed != test.failed || commits != test.commits {
				t.Errorf("%+v with %d commits; want %d, %d, %d with %d", report, commits, test.rewrapped, test.skipped, test.failed, test.commits)
			}
			if test.err == nil && err != nil || !errors.Is(err, test.err) {
				t.Errorf("got error %v, want %v", err, test.err)
			}
		})
	}
}

// A store that loses what it says it has written ends the run at the first record, as does one that is out of reach.
func TestRewrapReadsBack(t *testing.T) {
	for name, lose := range map[string]func(r *fixture.World, c installation.Change) error{
		"out of reach":    func(*fixture.World, installation.Change) error { return installation.ErrUnavailable },
		"nothing written": func(*fixture.World, installation.Change) error { return nil },
		"the old body": func(r *fixture.World, c installation.Change) error {
			before, err := r.Store.Store.Get(t.Context(), c.Key)
			if err != nil {
				return err
			}
			changed := *c.Record
			changed.Body = before.Body
			c.Record = &changed
			_, err = r.Store.Store.Commit(t.Context(), c)
			return err
		},
		"a damaged key": func(r *fixture.World, c installation.Change) error {
			body := c.Record.Body.Bytes()
			body[bytes.Index(body, []byte("k2"))+20] ^= 1 // within the salt
			changed := *c.Record
			changed.Body = installation.BodyFromBytes(body)
			c.Record = &changed
			_, err := r.Store.Store.Commit(t.Context(), c)
			return err
		},
		"the old index": func(r *fixture.World, c installation.Change) error {
			before, err := r.Store.Store.Get(t.Context(), c.Key)
			if err != nil {
				return err
			}
			changed := *c.Record
			changed.Index = before.Index
			c.Record = &changed
			_, err = r.Store.Store.Commit(t.Context(), c)
			return err
		},
	} {
		r := fixture.NewWorld(t)
		r.Fill(t, r.With(t, r.K1), 3)
		commits := 0
		store := &meddler{Store: r.Store.Store}
		store.commit = func(_ context.Context, c installation.Change) (installation.Receipt, error) {
			commits++
			return installation.Receipt{Revision: c.Record.Revision}, lose(r, c)
		}
		report, err := r.On(t, store, fixture.RingOf(t, r.K2, r.K1)).Rewrap(t.Context(), installation.RewrapRequest{})
		if commits != 1 || report.Failed != 1 || report.Rewrapped != 0 || err == nil || report.After != nil {
			t.Errorf("%s: %d commits, %+v, %v; want an end at the first", name, commits, report, err)
		}
	}
}

// The pause lies between two records, and a stop does not wait for its end.
func TestRewrapInterval(t *testing.T) {
	r := fixture.NewWorld(t)
	r.Fill(t, r.With(t, r.K1), 5)
	host := r.With(t, r.K2, r.K1)
	inBubble(t, func(t *testing.T) {
		start := time.Now()
		report, err := host.Rewrap(t.Context(), installation.RewrapRequest{Limit: 3, Interval: time.Minute})
		if took := time.Since(start); err != nil || report.Rewrapped != 3 || took != 2*time.Minute {
			t.Errorf("%+v, %v in %v; want 3 in two minutes", report, err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start = time.Now()
		report, err = host.Rewrap(ctx, installation.RewrapRequest{Interval: time.Minute})
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || report.Rewrapped != 1 || took != 30*time.Second {
			t.Errorf("%+v, %v in %v; want 1 and the end of the context after 30 s", report, err, took)
		}
	})
}
