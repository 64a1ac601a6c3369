package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// namespace is that of all stores here; see record for what depends on it.
const namespace = "bench"

func openStore(tb testing.TB, client redis.UniversalClient) *redisstore.Store {
	tb.Helper()
	store, err := redisstore.Open(tb.Context(), client, &redisstore.Options{Namespace: namespace})
	check(tb, err)
	return store
}

// commands are raw commands on the client that our store uses, on as many bytes.
type commands struct {
	ctx    context.Context
	client redis.UniversalClient
}

// newCommands stores the values that get reads.
func newCommands(tb testing.TB, client redis.UniversalClient) *commands {
	tb.Helper()
	c := &commands{tb.Context(), client}
	for i := range rawKeys {
		check(tb, client.Set(c.ctx, rawKey(int64(i)), value, 0).Err())
	}
	return c
}

const rawKeys = 1000

func rawKey(n int64) string { return "raw-" + strconv.FormatInt(n%rawKeys, 10) }

func (c *commands) get() error { return c.client.Get(c.ctx, rawKey(numbers.Add(1))).Err() }

func (c *commands) set() error { return c.client.Set(c.ctx, rawKey(numbers.Add(1)), value, 0).Err() }

// getSet is what the least of writes takes that depends on what is there.
func (c *commands) getSet() error { return errors.Join(c.get(), c.set()) }

// fields are those that a record is read from.
var fields = []string{"r", "g", "c", "t", "x", "b"}

// record is the key of a record in a store of one bucket.
func record(k installation.Key) string {
	return fmt.Sprintf("{%s:00}:r:%d:%s:%s", namespace, len(k.Tenant), k.Tenant, k.ID)
}

// fetching returns a call that reads the same bytes as a read of one of the installations.
func (c *commands) fetching(tb testing.TB, w *world) Work {
	tb.Helper()
	if got := c.client.HMGet(c.ctx, record(installation.Key{Tenant: tenant, ID: w.ids[0]}), fields...).Val(); len(got) == 0 || got[0] == nil {
		tb.Fatal("the stored form has changed: there is no record at " + record(installation.Key{Tenant: tenant, ID: w.ids[0]}))
	}
	return func() error {
		return c.client.HMGet(c.ctx, record(installation.Key{Tenant: tenant, ID: w.id()}), fields...).Err()
	}
}

// paging returns a call that reads the names and the bytes of a page.
func (c *commands) paging(tb testing.TB, w *world) Work {
	index := "{" + namespace + ":00}:x"
	prefix := "t" + tenant + "\x00all\x00"
	return func() error {
		by := redis.ZRangeArgs{Key: index, Start: "[" + prefix, Stop: "(" + prefix + "\xff", ByLex: true, Count: pageSize + 1}
		names, err := c.client.ZRangeArgs(c.ctx, by).Result()
		if err != nil || len(names) < pageSize {
			return fmt.Errorf("%d names: %w", len(names), err)
		}
		pipe := c.client.Pipeline()
		for _, name := range names[:pageSize] {
			pipe.HMGet(c.ctx, record(installation.Key{Tenant: tenant, ID: name[len(prefix)+8:]}), fields...)
		}
		_, err = pipe.Exec(c.ctx)
		return err
	}
}

// redisRows measure the store and the service on one server of their own, against raw commands of the same client.
func redisRows(tb testing.TB, s Scale) []Row {
	client := redistest.Start(tb).Client(tb)
	store := openStore(tb, client)
	fill(tb, store, s.Records, time.Time{})
	ring := newRing(tb, "k1")
	w := newWorld(tb, store, ring, 1024)
	raw := newCommands(tb, client)
	fetch, page := raw.fetching(tb, w), raw.paging(tb, w)
	create, update := creating(tb, store), updating(tb, store, 128)
	invited := &invitations{world: w}

	const reads = "decryption, masking, checks of the record"
	const writes = "compare-and-swap, lists, claims, outcomes, change log"
	var rows []Row
	for _, n := range []int{1, 64} {
		at := ""
		if n > 1 {
			at = fmt.Sprintf(", %d goroutines", n)
		}
		rows = append(rows,
			Row{Name: "Store.Get" + at, Against: "HMGET", Lacks: "decoding", Reach: 1.15, Goroutines: n, Ours: w.storeGet, Base: fetch},
			Row{Name: "Get, masked" + at, Against: "GET 2 KiB", Lacks: reads, Reach: 1.6, Goroutines: n, Ours: w.get, Base: raw.get},
			Row{Name: "Store.Commit create" + at, Against: "SET 2 KiB", Lacks: writes, Reach: 6, Goroutines: n, Ours: create, Base: raw.set},
			Row{Name: "Store.Commit update" + at, Against: "SET 2 KiB", Lacks: writes, Reach: 3, Goroutines: n, Ours: update, Base: raw.set},
			Row{Name: "page of 100, masked" + at, Against: "ZRANGE, 100 HMGET", Lacks: reads, Reach: 2.5, Goroutines: n, Ours: w.page, Base: page},
			Row{Name: "create" + at, Against: "SET 2 KiB", Lacks: writes + ", encryption", Goroutines: n, Ours: w.create, Base: raw.set},
			Row{Name: "update, masks sent back" + at, Against: "GET, SET 2 KiB", Lacks: writes + ", encryption", Goroutines: n, Ours: w.update, Base: raw.getSet},
			Row{Name: "patch one value" + at, Against: "GET, SET 2 KiB", Lacks: writes + ", encryption", Goroutines: n, Ours: w.patch, Base: raw.getSet},
			Row{Name: "Reveal one" + at, Against: "GET, SET 2 KiB", Lacks: writes + ", encryption", Goroutines: n, Ours: w.reveal, Base: raw.getSet},
			Row{Name: "accept" + at, Against: "GET, SET 2 KiB", Lacks: writes + ", encryption", Goroutines: n, Ours: invited.accept, Prepare: invited.prepare, Base: raw.getSet},
		)
	}
	return append(rows,
		Row{Name: "count", Against: "GET 2 KiB", Ours: w.count, Base: raw.get},
		rewrapSweepRow(tb, w, ring, raw),
	)
}

// rewrapSweepRow measures a whole rotation, for each installation.
func rewrapSweepRow(tb testing.TB, w *world, current *crypto.Keyring, raw *commands) Row {
	tb.Helper()
	const n = 200
	own := newWorld(tb, openStore(tb, redistest.Start(tb).Client(tb)), current, n)
	primaries := []string{"k2", "k1"} // in turn
	services := make([]*installation.Service, len(primaries))
	for i, primary := range primaries {
		services[i] = own.service(tb, bothKeys(tb, primary), nil)
	}
	turn := 0
	return Row{
		Name: "Rewrap, each", Against: "GET, SET 2 KiB", Lacks: "compare-and-swap, encryption, proof of the new key", Per: n, Base: raw.getSet,
		Ours: func() error {
			svc := services[turn%len(services)]
			turn++
			report, err := svc.Rewrap(own.ctx, installation.RewrapRequest{})
			if err == nil && report.Rewrapped != n {
				err = fmt.Errorf("%d rewrapped", report.Rewrapped)
			}
			return err
		},
	}
}

// clusterRows measure with many tenants on a cluster of three masters.
func clusterRows(tb testing.TB, s Scale) []Row {
	client := redistest.StartCluster(tb, 3, 0).Client(tb, nil)
	store := openStore(tb, client)
	body := installation.BodyFromBytes([]byte(value))
	keys := make([]installation.Key, s.Records/10)
	_, err := concurrently(32, len(keys), func(i int) error {
		c := creation(fmt.Sprintf("tenant-%d", i%1000), numbers.Add(1), body)
		keys[i] = c.Key
		_, err := store.Commit(tb.Context(), c)
		return err
	})
	check(tb, err)
	raw := newCommands(tb, client)
	get := func() error {
		_, err := store.Get(raw.ctx, keys[int(numbers.Add(1))*7919%len(keys)])
		return err
	}
	create := func() error {
		n := numbers.Add(1)
		_, err := store.Commit(raw.ctx, creation(fmt.Sprintf("tenant-%d", n%1000), n, body))
		return err
	}
	var rows []Row
	for _, n := range []int{1, 64} {
		at := ""
		if n > 1 {
			at = fmt.Sprintf(", %d goroutines", n)
		}
		rows = append(rows,
			Row{Name: "Store.Get" + at, Against: "GET 2 KiB", Lacks: "decoding", Goroutines: n, Ours: get, Base: raw.get},
			Row{Name: "Store.Commit create" + at, Against: "SET 2 KiB", Lacks: "compare-and-swap, lists, claims, outcomes, change log", Goroutines: n, Ours: create, Base: raw.set},
		)
	}
	return rows
}
