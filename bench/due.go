package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// dueCount is how many records are due.
const dueCount = 1000

// dueRows look for 1,000 due records among many whose time is yet to come.
func dueRows(tb testing.TB, among *grown) []Row {
	client := among.server.Client(tb)
	watch := &stopwatch{command: "zrange"}
	client.AddHook(watch)
	store := openStore(tb, client)
	ring := newRing(tb, "k1")
	w := newWorld(tb, store, ring, 1)
	past := &invitations{world: &world{ctx: w.ctx, store: store}}
	past.svc = w.service(tb, ring, &installation.Options{Now: func() time.Time { return time.Now().AddDate(0, -1, 0) }})
	check(tb, past.prepare(dueCount)) // these stay due: each sweep has as many more of its own
	raw := newCommands(tb, client)

	query := installation.Query{AllTenants: true, DueBefore: time.Now(), Limit: dueCount}
	list := func() error {
		page, err := store.List(w.ctx, query)
		if err == nil && len(page.Records) != dueCount {
			err = fmt.Errorf("%d due", len(page.Records))
		}
		return err
	}
	due := fmt.Sprintf(" %d due among %d", dueCount, among.n)
	return []Row{
		{
			Name: "find" + due, Against: "SET 2 KiB", Reach: 12, Unit: "ns",
			Count: func(slice time.Duration) (ours, base float64, err error) { return watch.compare(slice, list, raw.set) },
		},
		{Name: "find and read" + due + ", each", Against: "SET 2 KiB", Ours: list, Per: dueCount, Base: raw.set},
		{
			Name: "sweep" + due + ", each", Against: "GET, SET 2 KiB", Lacks: "compare-and-swap, event, encryption", Per: dueCount, Base: raw.getSet,
			Prepare: func(n int) error { return past.prepare(n * dueCount) },
			Ours: func() error {
				report, err := w.svc.Sweep(w.ctx, installation.SweepRequest{Limit: dueCount})
				if err == nil && report.Expired != dueCount {
					err = fmt.Errorf("%d expired", report.Expired)
				}
				return err
			},
		},
	}
}

// stopwatch is a hook that adds up how long one command takes, as the client sees it.
type stopwatch struct {
	command string
	spent   atomic.Int64
}

// DialHook implements [redis.Hook].
func (s *stopwatch) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements [redis.Hook].
func (s *stopwatch) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmd)
		if cmd.Name() == s.command {
			s.spent.Add(int64(time.Since(began)))
		}
		return err
	}
}

// ProcessPipelineHook implements [redis.Hook].
func (s *stopwatch) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// compare returns the time of the command alone within calls of ours, and that of calls of base.
func (s *stopwatch) compare(slice time.Duration, ours, base Work) (ourTime, baseTime float64, err error) {
	const calls = 5
	s.spent.Store(0)
	for range calls {
		if err := ours(); err != nil {
			return 0, 0, err
		}
	}
	ourTime = float64(s.spent.Load()) / calls
	n, began := 0, time.Now()
	for ; time.Since(began) < slice; n++ {
		if err := base(); err != nil {
			return 0, 0, err
		}
	}
	return ourTime, float64(time.Since(began)) / float64(n), nil
}
