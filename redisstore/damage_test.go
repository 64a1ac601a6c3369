package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// Someone who can write to the server damages what is stored. Then no answer may say that something is
// absent or was changed by another. Undamaged records stay available, and nothing follows from what
// cannot be read.

// TestDamagedRecord damages a record in every way that its fields allow.
func TestDamagedRecord(t *testing.T) {
	const record = "{damaged:00}:r:6:tenant:a"
	server := redistest.Start(t)
	client := server.Client(t)
	for name, tc := range map[string]struct {
		damage   func(ctx context.Context)
		readable bool // a reader does not need what is missing
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
		"no marks": {damage: func(ctx context.Context) { client.HDel(ctx, record, "o") }, readable: true},
		"half a mark": {damage: func(ctx context.Context) {
			client.HSet(ctx, record, "o", "half")
		}, readable: true},
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

			if _, err := s.Get(ctx, id("a")); tc.readable != (err == nil) {
				t.Errorf("get: error %v", err)
			} else if err != nil {
				noClaim(t, "get", err)
			}
			page, err := s.List(ctx, installation.Query{Tenant: "tenant", Term: "all", Limit: 10})
			if err != nil || !slices.Contains(keysIn(page), id("b")) {
				t.Errorf("list: %v, error %v, want what is whole in it", keysIn(page), err)
			}
			for _, r := range page.Records {
				if damaged := r.Key == id("a") && !tc.readable; damaged && (r.Revision != 0 || len(r.Body.Bytes()) != 0) {
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

			again := create(id("a"), "")
			again.Record.Claims = nil
			moved := update(stored, "")
			moved.Record.Index = []string{"all", "other"}
			touched := update(stored, "")
			touched.Record = nil
			for what, c := range map[string]installation.Change{
				"create": again, "update": moved, "touch": touched,
				"delete": bury(stored, time.Now().Add(time.Hour)),
			} {
				_, err := s.Commit(ctx, c)
				switch name {
				case "no generation", "no deadline", "no body", "members of another record":
					continue // a commit does not read what it overwrites
				case "a list of members that ends too soon":
					if what == "create" && errors.Is(err, installation.ErrConflict) {
						continue // the revision can be read
					}
				}
				if !errors.Is(err, installation.ErrUnavailable) &&
					!errors.Is(err, installation.ErrUnknownOutcome) {
					t.Errorf("%s: error %v, want %v", what, err, installation.ErrUnavailable)
				}
				noClaim(t, what, err)
				if client.Dump(ctx, record).Val() != before {
					t.Errorf("%s has written to it", what)
				}
			}
		})
	}
}

// TestDamagedMember adds members that cannot be read to a list: the others are listed, whatever the
// page size.
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
	if !bytes.Contains(log.Bytes(), []byte("run Verify")) || bytes.Contains(log.Bytes(), []byte("tenant")) {
		t.Errorf("the log says %q, want a word about it and no member", &log)
	}
	want := redisstore.VerifyReport{Records: 2, Members: 6 + 3, Unreadable: 3}
	verified(t, s, &redisstore.VerifyOptions{Repair: true}, want)
	checkIndex(t, s)
}

// TestScoredMember gives a member a score, which puts it in a wrong place. Then a range of the server
// contains other members. No list may contain a wrong record, least of all one of another tenant.
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
			noClaim(t, "a create whose claim nobody has", err)
			if err == nil {
				must(t, s, bury(get(t, s, id("new")), time.Time{}))
				drop(t, client, "{damaged:00}:r:6:tenant:new")
			}
			if _, err := s.Verify(t.Context(), &redisstore.VerifyOptions{Repair: true}); err != nil {
				t.Error(err)
			}
			checkIndex(t, s)
		}
	}
}

// TestFlushedMeanwhile flushes the server between the two round trips of a list: an empty page would
// be wrong.
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

// beforePipeline is a hook that calls a function before each pipeline.
type beforePipeline func()

func (beforePipeline) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (beforePipeline) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (f beforePipeline) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		f()
		return next(ctx, commands)
	}
}

// TestForeignEvent puts an event of another tenant into the log of a tenant.
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
