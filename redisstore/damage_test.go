package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// Somebody who can write to the server damages what is stored. No answer may then say that something is not there, or that
// somebody else was faster; what is whole stays within reach; and nothing is believed that cannot be read.

// TestDamagedRecord damages a record in every way that its fields allow.
func TestDamagedRecord(t *testing.T) {
	const record = "{damaged:00}:r:6:tenant:a"
	server := redistest.Start(t)
	client := server.Client(t)
	for name, tc := range map[string]struct {
		damage    func(ctx context.Context)
		readsMind bool // a reader does not need what is missing
	}{
		"no revision":           {damage: func(ctx context.Context) { client.HDel(ctx, record, "r") }},
		"no generation":         {damage: func(ctx context.Context) { client.HDel(ctx, record, "g") }},
		"no deadline":           {damage: func(ctx context.Context) { client.HDel(ctx, record, "t") }},
		"no time of creation":   {damage: func(ctx context.Context) { client.HDel(ctx, record, "c") }},
		"no members":            {damage: func(ctx context.Context) { client.HDel(ctx, record, "x") }},
		"no body":               {damage: func(ctx context.Context) { client.HDel(ctx, record, "b") }},
		"neither body nor time": {damage: func(ctx context.Context) { client.HDel(ctx, record, "b", "c") }},
		"nothing but marks":     {damage: func(ctx context.Context) { client.HDel(ctx, record, "r", "g", "t", "c", "x", "b") }},
		"another field alone": {damage: func(ctx context.Context) {
			client.Del(ctx, record)
			client.HSet(ctx, record, "z", "1")
		}},
		"revision 0":        {damage: func(ctx context.Context) { client.HSet(ctx, record, "r", "0") }},
		"negative revision": {damage: func(ctx context.Context) { client.HSet(ctx, record, "r", "-1") }},
		"padded revision":   {damage: func(ctx context.Context) { client.HSet(ctx, record, "r", "01") }},
		"huge revision":     {damage: func(ctx context.Context) { client.HSet(ctx, record, "r", "99999999999999999999") }},
		"revision of words": {damage: func(ctx context.Context) { client.HSet(ctx, record, "r", "one") }},
		"a list of members that ends too soon": {damage: func(ctx context.Context) {
			client.HSet(ctx, record, "x", "\x00\x09x")
		}},
		"members of another record": {damage: func(ctx context.Context) {
			client.HSet(ctx, record, "x", client.HGet(ctx, "{damaged:00}:r:6:tenant:b", "x").Val())
		}},
		"a string": {damage: func(ctx context.Context) { client.Set(ctx, record, "x", 0) }},
		"no marks": {damage: func(ctx context.Context) { client.HDel(ctx, record, "o") }, readsMind: true},
		"half a mark": {damage: func(ctx context.Context) {
			client.HSet(ctx, record, "o", "half")
		}, readsMind: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			client.FlushAll(ctx)
			s := open(t, client, &redisstore.Options{Namespace: "damaged"})
			stored := must(t, s, create(id("a"), ""))
			must(t, s, create(id("b"), ""))
			index := client.ZRangeWithScores(ctx, "{damaged:00}:x", 0, -1).Val()
			tc.damage(ctx)
			before := client.Dump(ctx, record).Val()

			if _, err := s.Get(ctx, id("a")); tc.readsMind != (err == nil) {
				t.Errorf("get: error %v", err)
			} else if err != nil {
				unavailableOnly(t, "get", err)
			}
			page, err := s.List(ctx, installation.Query{Tenant: "tenant", Term: "all", Limit: 10})
			if err != nil || !slices.Contains(keysIn(page), id("b")) {
				t.Errorf("list: %v, error %v, want what is whole in it", keysIn(page), err)
			}
			for _, r := range page.Records {
				if damaged := r.Key == id("a") && !tc.readsMind; damaged && (r.Revision != 0 || len(r.Body.Bytes()) != 0) {
					t.Errorf("list: %+v, want the key alone of what cannot be read", r)
				}
			}
			want := redisstore.VerifyReport{Records: 1, Members: int64(len(index)), Unreadable: 1}
			for _, repair := range []bool{false, true, false} {
				verified(t, s, &redisstore.VerifyOptions{Repair: repair}, want)
			}
			if now := client.ZRangeWithScores(ctx, "{damaged:00}:x", 0, -1).Val(); !slices.Equal(now, index) {
				t.Errorf("the index was %v and is %v: it must not follow from what cannot be read", index, now)
			}

			anew := create(id("a"), "")
			anew.Record.Claims = nil
			moved := update(stored, "")
			moved.Record.Index = []string{"all", "other"}
			buried := update(stored, "")
			buried.Record = &installation.Record{Key: stored.Key, Revision: 2, Generation: 1, Deleted: true, Deadline: time.Now().Add(time.Hour)}
			touched := update(stored, "")
			touched.Record = nil
			for what, c := range map[string]installation.Change{"create": anew, "update": moved, "delete": buried, "touch": touched} {
				_, err := s.Commit(ctx, c)
				if name == "no generation" || name == "no deadline" || name == "no body" || name == "members of another record" {
					continue // what a commit writes anew, it does not read
				}
				if errors.Is(err, installation.ErrConflict) && name == "a list of members that ends too soon" && what == "create" {
					continue // its revision can be read, and is another one
				}
				if !errors.Is(err, installation.ErrUnavailable) && !errors.Is(err, installation.ErrUnknownOutcome) {
					t.Errorf("%s: error %v, want %v", what, err, installation.ErrUnavailable)
				}
				unavailableOnly(t, what, err)
				if client.Dump(ctx, record).Val() != before {
					t.Errorf("%s has written to it", what)
				}
			}
		})
	}
}

// TestDamagedMember puts members that cannot be read into a list: the rest of it is listed, whatever the size of a page.
func TestDamagedMember(t *testing.T) {
	client := redistest.Start(t).Client(t)
	var log bytes.Buffer
	s := open(t, client, &redisstore.Options{Namespace: "damaged", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, s, create(id("a"), ""), create(id("b"), ""))
	const prefix = "ttenant\x00all\x00"
	for _, member := range []string{prefix, prefix + "\x01short", prefix + "\xff"} {
		client.ZAdd(t.Context(), "{damaged:00}:x", redis.Z{Member: member})
	}
	for _, limit := range []int{1, 2, 10} {
		for _, reverse := range []bool{false, true} {
			got := pagesOf(t, s, installation.Query{Tenant: "tenant", Term: "all", Limit: limit, Reverse: reverse})
			if reverse {
				slices.Reverse(got)
			}
			if !slices.Equal(got, []installation.Key{id("a"), id("b")}) {
				t.Errorf("pages of %d, reverse %t: %v, want both records", limit, reverse, got)
			}
		}
	}
	if !bytes.Contains(log.Bytes(), []byte("Verify finds them")) || bytes.Contains(log.Bytes(), []byte("tenant")) {
		t.Errorf("the log says %q, want a word about it and no member", &log)
	}
	want := redisstore.VerifyReport{Records: 2, Members: 6 + 3, Unreadable: 3}
	verified(t, s, &redisstore.VerifyOptions{Repair: true}, want)
	agree(t, s)
}

// TestScoredMember gives a member a score, by which the server puts it out of its place: then what it says to be between two
// members is not. No list may hold what it is not of, least of all a record of another tenant.
func TestScoredMember(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "damaged"})
	must(t, s, create(id("a"), ""), create(id("b"), ""), create(installation.Key{Tenant: "other", ID: "x"}, ""))
	const index = "{damaged:00}:x"
	all := client.ZRange(t.Context(), index, 0, -1).Val()
	for _, score := range []float64{-1, 1} {
		for _, member := range all {
			client.ZAdd(t.Context(), index, redis.Z{Score: score, Member: member})
			for _, limit := range []int{1, 10} {
				for _, q := range []installation.Query{
					{Tenant: "tenant", Term: "all"}, {Tenant: "tenant", Term: "all", Reverse: true}, {Tenant: "tenant", DueBefore: time.Now()},
				} {
					q.Limit = limit
					for n := 0; n < 10; n++ {
						page, err := s.List(t.Context(), q)
						if err != nil && !errors.Is(err, installation.ErrUnavailable) {
							t.Errorf("%q at %v, query %+v: error %v", member, score, q, err)
						}
						for i, k := range keysIn(page) {
							if k.Tenant != "tenant" || slices.Contains(keysIn(page)[:i], k) || q.Term == "" {
								t.Errorf("%q at %v, query %+v: %v", member, score, q, keysIn(page))
							}
						}
						if q.After = page.Next; q.After == "" {
							break
						}
						if n == 9 {
							t.Errorf("%q at %v: the list has no end", member, score)
						}
					}
				}
			}
			_, err := s.Commit(t.Context(), create(id("new"), ""))
			unavailableOnly(t, "a create whose claim nobody has", err)
			if err == nil {
				r := get(t, s, id("new"))
				c := update(r, "")
				c.Record = &installation.Record{Key: r.Key, Revision: r.Revision + 1, Generation: 1, Deleted: true}
				must(t, s, c)
				drop(t, client, "{damaged:00}:r:6:tenant:new")
			}
			if _, err := s.Verify(t.Context(), &redisstore.VerifyOptions{Repair: true}); err != nil {
				t.Error(err)
			}
			agree(t, s)
		}
	}
}

// TestFlushedMeanwhile flushes the server between the two round trips of a list: an empty page would be a lie.
func TestFlushedMeanwhile(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	s := open(t, client, nil)
	must(t, s, create(id("a"), ""))
	client.AddHook(beforePipeline(func() { server.Client(t).FlushAll(t.Context()) }))
	page, err := s.List(t.Context(), installation.Query{Tenant: "tenant", Term: "all", Limit: 10})
	if !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("page %+v, error %v, want %v", page, err, installation.ErrUnavailable)
	}
}

// beforePipeline is a hook that calls a function before commands are sent together.
type beforePipeline func()

func (beforePipeline) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (beforePipeline) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (f beforePipeline) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		f()
		return next(ctx, commands)
	}
}

// TestDemoted makes a replica of the server under a store, one that has no link to its master and so what it had long ago. What
// is not there, or is another revision, may well be different on the master.
func TestDemoted(t *testing.T) {
	client := redistest.Start(t).Client(t)
	options := &redisstore.Options{RetryFor: 300 * time.Millisecond}
	s := open(t, client, options)
	outcome := &installation.Outcome{Digest: installation.Digest{1}, Until: time.Now().Add(time.Hour)}
	applied := create(id("a"), "")
	applied.Idempotency = outcome
	r := must(t, s, applied)
	stale, taken, used := update(r, ""), create(id("b"), ""), create(id("c"), "")
	stale.If, stale.Record.Revision = 7, 8
	taken.Record.Claims = r.Claims
	used.Idempotency = outcome
	if err := client.ReplicaOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(context.Context) error{
		"conflict": func(ctx context.Context) error { _, err := s.Commit(ctx, stale); return err },
		"exists":   func(ctx context.Context) error { _, err := s.Commit(ctx, taken); return err },
		"replayed": func(ctx context.Context) error { _, err := s.Commit(ctx, applied); return err },
		"outcome":  func(ctx context.Context) error { _, err := s.Commit(ctx, used); return err },
		"get":      func(ctx context.Context) error { _, err := s.Get(ctx, id("none")); return err },
		"no outcome": func(ctx context.Context) error {
			_, err := s.Outcome(ctx, "tenant", installation.Digest{2})
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := s.List(ctx, installation.Query{Tenant: "tenant", Term: "none", Limit: 10})
			return err
		},
		"count": func(ctx context.Context) error {
			_, err := s.Count(ctx, installation.Query{Tenant: "tenant", Term: "none"})
			return err
		},
		"events": func(ctx context.Context) error {
			_, err := s.Events(ctx, installation.EventQuery{Tenant: "none", Limit: 10})
			return err
		},
		"cursor": func(ctx context.Context) error {
			_, err := s.Events(ctx, installation.EventQuery{Tenant: "tenant", After: "0-9999999999999-0", Limit: 10})
			return err
		},
		"cursor across tenants": func(ctx context.Context) error {
			_, err := s.Events(ctx, installation.EventQuery{AllTenants: true, After: "0//9999999999999-0", Limit: 10})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := call(t.Context())
			if !errors.Is(err, installation.ErrUnavailable) {
				t.Errorf("error %v, want %v", err, installation.ErrUnavailable)
			}
			unavailableOnly(t, name, err)
		})
	}
}

// TestRenamed has the name that a client knows lead to another server, as that of a managed service does after a failover, while
// the connections it has still lead to the old one, a replica by then. Nobody who waits a moment notices.
func TestRenamed(t *testing.T) {
	for name, confirm := range map[string]int{"primary alone": 0, "with replicas": 1} {
		t.Run(name, func(t *testing.T) {
			old, successor := redistest.Start(t), redistest.Start(t)
			var addr atomic.Pointer[string]
			addr.Store(&old.Addr)
			client := redis.NewClient(&redis.Options{Addr: "name.example:6379", Dialer: func(_ context.Context, network, _ string) (net.Conn, error) {
				return net.Dial(network, *addr.Load())
			}})
			t.Cleanup(func() { _ = client.Close() })
			follow := func(server *redistest.Server, words ...any) {
				if err := server.Client(t).Do(t.Context(), append([]any{"replicaof"}, words...)...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			host, port, _ := net.SplitHostPort(old.Addr)
			follow(successor, host, port)
			asked := successor.Client(t)
			redistest.Await(t, "the replica follows", func() bool { return successor.Info(t.Context(), asked, "master_link_status") == "up" })
			s := open(t, client, &redisstore.Options{RequireReplicas: confirm, ReplicaTimeout: 50 * time.Millisecond, RetryFor: 30 * time.Second})
			r := must(t, s, create(id("a"), ""))
			redistest.Await(t, "the replica has it", func() bool { return asked.DBSize(t.Context()).Val() == 5 })

			follow(successor, "no", "one")
			follow(old, "127.0.0.1", "1")
			addr.Store(&successor.Addr)
			if _, err := s.Get(t.Context(), id("none")); !errors.Is(err, installation.ErrNotFound) {
				t.Errorf("get: error %v, want %v", err, installation.ErrNotFound)
			}
			c := update(r, "")
			c.If, c.Record.Revision = 7, 8
			if _, err := s.Commit(t.Context(), c); !errors.Is(err, installation.ErrConflict) {
				t.Errorf("commit: error %v, want %v", err, installation.ErrConflict)
			}
			if _, err := s.Commit(t.Context(), update(r, "")); err != nil && !errors.Is(err, installation.ErrNotReplicated) {
				t.Errorf("commit: error %v", err)
			}
			if n := asked.HGet(t.Context(), keysOf(t, asked, "*:r:*")[0], "r").Val(); n != "2" {
				t.Errorf("revision %s is stored, want 2", n)
			}
		})
	}
}

// TestForeignEvent gives a tenant an event of another one to read.
func TestForeignEvent(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "damaged"})
	must(t, s, create(installation.Key{Tenant: "other", ID: "a"}, "of another"))
	entry := client.XRange(t.Context(), "{damaged:00}:e", "-", "+").Val()[0]
	planted := client.XAdd(t.Context(), &redis.XAddArgs{Stream: "{damaged:00}:e", Values: []any{"t", "tenant", "p", "", "e", entry.Values["e"]}}).Val()
	client.HSet(t.Context(), "{damaged:00}:l", "tenant", planted)
	page, err := s.Events(t.Context(), installation.EventQuery{Tenant: "tenant", Limit: 10})
	if !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("page %+v, error %v, want %v", page, err, installation.ErrUnavailable)
	}
}

// unavailableOnly checks that an error does not claim to know what is stored.
func unavailableOnly(tb testing.TB, what string, err error) {
	tb.Helper()
	for _, claim := range []error{installation.ErrNotFound, installation.ErrConflict, installation.ErrExists, installation.ErrTrimmed} {
		if errors.Is(err, claim) {
			tb.Errorf("%s: error %v matches %v", what, err, claim)
		}
	}
}

func keysIn(page installation.Page) []installation.Key {
	keys := make([]installation.Key, len(page.Records))
	for i, r := range page.Records {
		keys[i] = r.Key
	}
	return keys
}

// pagesOf returns the keys on all pages of a list.
func pagesOf(tb testing.TB, s installation.Store, q installation.Query) (keys []installation.Key) {
	tb.Helper()
	for range 100 {
		page, err := s.List(tb.Context(), q)
		if err != nil {
			tb.Fatal(err)
		}
		keys = append(keys, keysIn(page)...)
		if q.After = page.Next; q.After == "" {
			return keys
		}
	}
	tb.Fatal("the list has no end")
	return nil
}
