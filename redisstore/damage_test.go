package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// Someone who can write to the server damages what is stored. Then no answer may say that
// something is absent or was changed by another. Undamaged records stay available, and nothing
// follows from what cannot be read.

const record = "{damaged:00}:r:6:tenant:a"

// damages are commands that damage the record.
var damages = map[string][]any{
	"no revision":           {"hdel", record, "r"},
	"no generation":         {"hdel", record, "g"},
	"no deadline":           {"hdel", record, "t"},
	"no time of creation":   {"hdel", record, "c"},
	"no members":            {"hdel", record, "x"},
	"no body":               {"hdel", record, "b"},
	"neither body nor time": {"hdel", record, "b", "c"},
	"nothing but ops":       {"hdel", record, "r", "g", "t", "c", "x", "b"},
	"another field alone": {
		"eval", "redis.call('DEL', KEYS[1]) redis.call('HSET', KEYS[1], 'z', '1')", 1, record,
	},
	"revision 0":                           {"hset", record, "r", "0"},
	"negative revision":                    {"hset", record, "r", "-1"},
	"padded revision":                      {"hset", record, "r", "01"},
	"huge revision":                        {"hset", record, "r", "99999999999999999999"},
	"revision of words":                    {"hset", record, "r", "one"},
	"a list of members that ends too soon": {"hset", record, "x", "\x00\x09x"},
	"members of another record": {
		"eval", "redis.call('HSET', KEYS[1], 'x', redis.call('HGET', KEYS[2], 'x'))", 2,
		record, "{damaged:00}:r:6:tenant:b",
	},
	"a string":         {"set", record, "x"},
	"no ops":           {"hdel", record, "o"},
	"half an op entry": {"hset", record, "o", "half"},
}

// TestDamagedRecord damages a record in every way that its fields allow.
func TestDamagedRecord(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	for name, command := range damages {
		readable := name == "no ops" || name == "half an op entry" // readers need no op entries
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			client.FlushAll(ctx)
			s := open(t, client, &redisstore.Options{Namespace: "damaged"})
			stored := must(t, s, create(id("a"), ""))
			must(t, s, create(id("b"), ""))
			index := client.ZRangeWithScores(ctx, "{damaged:00}:x", 0, -1).Val()
			if err := client.Do(ctx, command...).Err(); err != nil && !errors.Is(err, redis.Nil) {
				t.Fatal(err)
			}

			if _, err := s.Get(ctx, id("a")); readable != (err == nil) {
				t.Errorf("get: error %v", err)
			} else if err != nil {
				noClaim(t, "get", err)
			}
			page, err := s.List(ctx, listAll)
			if err != nil || !slices.Contains(keysIn(page), id("b")) {
				t.Errorf("list: %v, error %v, want what is whole in it", keysIn(page), err)
			}
			for _, r := range page.Records {
				damaged := r.Key == id("a") && !readable
				if damaged && (r.Revision != 0 || len(r.Body.Bytes()) != 0) {
					t.Errorf("list: %+v, want the key alone of what cannot be read", r)
				}
			}
			want := found{redisstore.ProblemDamagedRecord: 1}
			for _, o := range []*redisstore.VerifyOptions{nil, repair, nil} {
				verified(t, s, o, want)
			}
			now := client.ZRangeWithScores(ctx, "{damaged:00}:x", 0, -1).Val()
			if !slices.Equal(now, index) {
				t.Errorf("the index was %v and is %v, want no change", index, now)
			}

			checkCommitsToDamaged(t, s, client, name, stored)
		})
	}
}

// checkCommitsToDamaged checks that no commit writes to a record whose damage it meets.
func checkCommitsToDamaged(
	t *testing.T, s installation.Store, client *redis.Client, name string,
	stored *installation.Record,
) {
	t.Helper()
	before := client.Dump(t.Context(), record).Val()
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
		_, err := s.Commit(t.Context(), c)
		switch name {
		case "no generation", "no deadline", "no body", "members of another record":
			continue // a commit does not read what it overwrites
		case "a list of members that ends too soon":
			if what == "create" && errors.Is(err, installation.ErrConflict) {
				continue // the revision can be read
			}
		}
		wantError(t, what, err,
			installation.ErrUnavailable, installation.ErrUnknownOutcome)
		noClaim(t, what, err)
		if client.Dump(t.Context(), record).Val() != before {
			t.Errorf("%s has written to it", what)
		}
	}
}

// TestDamagedMember adds members that cannot be read to a list: the others are listed, whatever
// the page size.
func TestDamagedMember(t *testing.T) {
	client := redistest.Start(t).Client(t)
	var log bytes.Buffer
	s := open(t, client, &redisstore.Options{
		Namespace: "damaged", Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	must(t, s, create(id("a"), ""), create(id("b"), ""))
	const prefix = "ttenant\x00all\x00"
	for _, member := range []string{prefix, prefix + "\x01short", prefix + "\xff"} {
		client.ZAdd(t.Context(), "{damaged:00}:x", redis.Z{Member: member})
	}
	for _, limit := range []int{1, 2, 10} {
		for _, reverse := range []bool{false, true} {
			q := listAll
			q.Limit, q.Reverse = limit, reverse
			got := pagesOf(t, s, q)
			if reverse {
				slices.Reverse(got)
			}
			if !slices.Equal(got, []installation.Key{id("a"), id("b")}) {
				t.Errorf("pages of %d, reverse %t: %v, want both records", limit, reverse, got)
			}
		}
	}
	text := log.String()
	if !strings.Contains(text, "run Verify") || strings.Contains(text, "tenant") {
		t.Errorf("the log says %q, want a word about it and no member", &log)
	}
	want := found{redisstore.ProblemUnreadableMember: 3}
	verified(t, s, repair, want)
	checkIndex(t, s)
}

// TestScoredMember gives a member a score, which puts it in a wrong place. Then a range of the
// server contains other members. No list may contain a wrong record, least of all one of
// another tenant.
func TestScoredMember(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "damaged"})
	other := installation.Key{Tenant: "other", ID: "x"}
	must(t, s, create(id("a"), ""), create(id("b"), ""), create(other, ""))
	const index = "{damaged:00}:x"
	all := client.ZRange(t.Context(), index, 0, -1).Val()
	for _, score := range []float64{-1, 1} {
		for _, member := range all {
			client.ZAdd(t.Context(), index, redis.Z{Score: score, Member: member})
			t.Run(fmt.Sprintf("%q at %v", member, score), func(t *testing.T) { checkLists(t, s) })
			_, err := s.Commit(t.Context(), create(id("new"), ""))
			noClaim(t, "a create whose claim nobody has", err)
			if err == nil {
				must(t, s, bury(get(t, s, id("new")), time.Time{}))
				drop(t, client, "{damaged:00}:r:6:tenant:new")
			}
			if _, err := s.Verify(t.Context(), repair); err != nil {
				t.Error(err)
			}
			checkIndex(t, s)
		}
	}
}

// checkLists checks that lists of a tenant end and contain each of its records once at most.
func checkLists(t *testing.T, s installation.Store) {
	for _, q := range []installation.Query{
		{Limit: 1, Tenant: "tenant", Term: "all"}, {Limit: 10, Tenant: "tenant", Term: "all"},
		{Limit: 1, Tenant: "tenant", Term: "all", Reverse: true},
		{Limit: 10, Tenant: "tenant", Term: "all", Reverse: true},
		{Limit: 1, Tenant: "tenant", DueBefore: time.Now()},
		{Limit: 10, Tenant: "tenant", DueBefore: time.Now()},
	} {
		for n := 0; ; n++ {
			page, err := s.List(t.Context(), q)
			if err != nil {
				wantError(t, "list", err, installation.ErrUnavailable)
			}
			for i, k := range keysIn(page) {
				again := slices.Contains(keysIn(page)[:i], k)
				if again || k.Tenant != "tenant" || q.Term == "" {
					t.Errorf("query %+v: %v", q, keysIn(page))
				}
			}
			if q.After = page.Next; q.After == "" {
				break
			}
			if n == 9 {
				t.Fatal("the list has no end")
			}
		}
	}
}

// TestFlushedMeanwhile flushes the server between the two round trips of a list: an empty page
// would be wrong.
func TestFlushedMeanwhile(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	s := open(t, client, nil)
	must(t, s, create(id("a"), ""))
	client.AddHook(beforePipeline(func() { server.Client(t).FlushAll(t.Context()) }))
	page, err := s.List(t.Context(), listAll)
	if !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("page %+v, error %v, want %v", page, err, installation.ErrUnavailable)
	}
}

// beforePipeline is a hook that calls a function before each pipeline.
type beforePipeline func()

func (beforePipeline) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (beforePipeline) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (f beforePipeline) ProcessPipelineHook(
	next redis.ProcessPipelineHook,
) redis.ProcessPipelineHook {
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
	planted := client.XAdd(t.Context(), &redis.XAddArgs{
		Stream: "{damaged:00}:e",
		Values: []any{"t", "tenant", "p", "", "e", entry.Values["e"]},
	}).Val()
	client.HSet(t.Context(), "{damaged:00}:l", "tenant", planted)
	page, err := s.Events(t.Context(), installation.EventQuery{Tenant: "tenant", Limit: 10})
	if !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("page %+v, error %v, want %v", page, err, installation.ErrUnavailable)
	}
}
