package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

func openStore(tb testing.TB, client redis.UniversalClient) *redisstore.Store {
	tb.Helper()
	o := &redisstore.Options{Namespace: "bench"}
	return must(redisstore.Open(tb.Context(), client, o))(tb)
}

// redisRows returns rows for the store and the service on one server. The other side is Redis
// commands on as many bytes. With several callers it is also rueidis, a client that pipelines by
// itself.
func redisRows(tb testing.TB, s Scale) []Row {
	server := redistest.Start(tb)
	client := server.Client(tb)
	store := openStore(tb, client)
	fill(tb, store, s.Records, time.Time{})
	w := newWorld(tb, store, newRing(tb, "k1"), 1024)
	raw := must(base.NewRedis(tb.Context(), client))(tb)
	piped := must(base.NewRueidis(tb.Context(), server.Addr))(tb)
	tb.Cleanup(piped.Close)
	create, update := creating(tb, store), updating(tb, store, 128)
	invited := &invitations{world: w}
	keepAwake(tb)

	const get, set, both, page = "GET 2 KiB", "SET 2 KiB", "GET, SET 2 KiB", "ZRANGE, 100 HMGET"
	const reads = "decryption, masking, checks of the record"
	const writes = "compare-and-swap, lists, claims, outcomes, change log"
	const sealed = writes + ", encryption"
	many := []Row{
		newRow("Store.Get", "rueidis HMGET", "decoding", 1, w.storeGet, piped.HMGet),
		newRow("Get, masked", "rueidis GET 2 KiB", reads, 0, w.get, piped.Get),
		newRow("Store.Commit create", "rueidis SET 2 KiB", writes, 0, create, piped.Set),
		newRow("Store.Commit update", "rueidis SET 2 KiB", writes, 0, update, piped.Set),
	}
	var rows []Row
	for _, n := range []int{1, 64} {
		reach := func(one, many float64) float64 {
			if n == 1 {
				return one
			}
			return many
		}
		add := []Row{
			newRow("Store.Get", "HMGET", "decoding", reach(1.05, 0), w.storeGet, raw.HMGet),
			newRow("Get, masked", get, reads, reach(1.4, 0.9), w.get, raw.Get),
			newRow("Store.Commit create", set, writes, reach(3, 4), create, raw.Set),
			newRow("Store.Commit update", set, writes, reach(0, 2.2), update, raw.Set),
			newRow("page of 100, masked", page, reads, 2.2, w.page, raw.Page),
			newRow("create", set, sealed, 0, w.create, raw.Set),
			newRow("update, masks sent back", both, sealed, 0, w.update, raw.GetSet),
			newRow("patch one value", both, sealed, 0, w.patch, raw.GetSet),
			newRow("Reveal one", both, sealed, 0, w.reveal, raw.GetSet),
			{
				Name: "accept", Against: both, Lacks: sealed, Ours: invited.accept,
				Prepare: invited.prepare, Base: raw.GetSet,
			},
		}
		if n > 1 {
			add = append(many, add...)
		}
		for _, r := range add {
			if r.Goroutines = n; n > 1 {
				r.Name += fmt.Sprintf(", %d goroutines", n)
			}
			rows = append(rows, r)
		}
	}
	return append(rows, Row{Name: "count", Against: get, Ours: w.count, Base: raw.Get})
}

// keepAwake keeps the cores busy with work of the lowest priority until the test ends. Without it
// one caller measures how fast an idle core wakes up: a SET takes 77 µs or 20 µs. It needs chrt.
func keepAwake(tb testing.TB) {
	const format = "while kill -0 %d; do for i in $(seq 100000); do :; done; done"
	loop := fmt.Sprintf(format, os.Getpid())
	for range runtime.NumCPU() {
		cmd := exec.CommandContext(tb.Context(), "chrt", "--idle", "0", "sh", "-c", loop)
		if cmd.Start() == nil {
			tb.Cleanup(func() { _ = cmd.Wait() }) // killed with the context
		}
	}
}

// rewrapRows returns rows that compare a key rotation by several processes at once with one by a
// single process.
func rewrapRows(tb testing.TB, s Scale) []Row {
	n := min(2000, s.Records/10)
	w := newWorld(tb, openStore(tb, redistest.Start(tb).Client(tb)), newRing(tb, "k1"), n)
	services := []*installation.Service{ // in turn
		w.service(tb, newRing(tb, "k2", "k1"), nil),
		w.service(tb, newRing(tb, "k1", "k2"), nil),
	}
	turn := 0
	rewrap := func(nodes int) (each float64, err error) {
		svc := services[turn%2]
		turn++
		took, err := concurrently(nodes, nodes, func(int) error {
			return failure(svc.Rewrap(w.ctx, installation.RewrapRequest{}))
		})
		return float64(took) / float64(n), err
	}
	var rows []Row
	for _, nodes := range []int{2, 4, 8} {
		rows = append(rows, Row{
			Name: fmt.Sprintf("rewrap one of %d, %d nodes", n, nodes), Against: "one node",
			Reach: 1, Count: func(time.Duration) (ours, base float64, err error) {
				if base, err = rewrap(1); err != nil {
					return 0, 0, fmt.Errorf("the other side: %w", err)
				}
				ours, err = rewrap(nodes)
				return ours, base, err
			},
		})
	}
	return rows
}
