package main

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/internal/redistest"
)

// tripRows returns rows that count round trips to the server. The other side is always 1, so the
// ratio is the number of round trips.
func tripRows(tb testing.TB, _ Scale) []Row {
	client := redistest.Start(tb).Client(tb)
	w := newWorld(tb, openStore(tb, client), newRing(tb, "k1"), 128)
	watch := new(waits)
	client.AddHook(watch)
	invited, connected := &invitations{world: w}, w.connected(tb)
	var rows []Row
	for _, op := range []struct {
		name    string
		reach   float64
		prepare func(int) error
		work    Work
	}{
		{"Get", 1, nil, w.get},
		{"create, id minted", 1, nil, w.create},
		{"update", 2, nil, w.update},
		{"patch", 2, nil, w.patch},
		{"Reveal", 2, nil, w.reveal},
		{"Open", 1, w.openAll, w.open},
		{"Refresh of a fresh token", 1, nil, connected.refresh},
		{"page of 100", 2, nil, w.page},
		{"count", 1, nil, w.count},
		{"accept", 2, invited.prepare, invited.accept},
	} {
		s := side{work: op.work, goroutines: 1, prepare: op.prepare}
		count := func(time.Duration) (ours, base float64, err error) {
			if _, err := s.run(1, nothing); err != nil { // may open a connection, which takes trips
				return 0, 0, err
			}
			ours, _, err = watch.measure(s)
			return ours, 1, err
		}
		rows = append(rows, Row{
			Name: op.name, Against: "one command", Reach: op.reach, Unit: "trips", Count: count,
		})
	}
	return rows
}

// waits is a hook of a client. It counts how often the client waits for an answer, and adds up how
// long. A pipeline is one wait, like a command.
type waits struct {
	command     string // counts this command alone; "" = everything
	made, spent atomic.Int64
}

// DialHook implements [redis.Hook].
func (w *waits) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements [redis.Hook].
func (w *waits) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		defer w.add(cmd.Name(), time.Now())
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements [redis.Hook].
func (w *waits) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		defer w.add("", time.Now())
		return next(ctx, cmds)
	}
}

func (w *waits) add(command string, began time.Time) {
	if w.command == "" || w.command == command {
		w.made.Add(1)
		w.spent.Add(int64(time.Since(began)))
	}
}

// measure returns how often, and for how many nanoseconds, a call waits.
func (w *waits) measure(s side) (trips, spent float64, err error) {
	const calls = 5
	_, err = s.run(calls, func() {
		w.made.Store(0)
		w.spent.Store(0)
	})
	return float64(w.made.Load()) / calls, float64(w.spent.Load()) / calls, err
}
