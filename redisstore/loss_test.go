package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestOpenRejectsLostBucket0 loses bucket 0 and others of a namespace, but not all: the rest
// must not be taken for a namespace that is being created, with any number of buckets.
func TestOpenRejectsLostBucket0(t *testing.T) {
	for _, buckets := range []int{0, 1, 2, 4, 8} {
		t.Run(fmt.Sprint(buckets), func(t *testing.T) {
			client := dialMini(t)
			options := &redisstore.Options{Namespace: "lost", Buckets: 4}
			s := open(t, client, options)
			must(t, s, create(id("a"), ""))
			kept := "02"
			if redisstore.BucketOf("tenant", 4) == kept {
				kept = "03"
			}
			for _, k := range keysOf(t, client, "{lost:*") {
				if !strings.HasPrefix(k, "{lost:"+kept+"}") {
					drop(t, client, k)
				}
			}
			options.Buckets = buckets
			rejected(t, client, options, "it was lost")
			_, err := s.Get(t.Context(), id("a"))
			wantUnavailable(t, "get by the open store", err)
		})
	}
}

// TestOpenRejectsLosses opens the rest of a damaged namespace.
func TestOpenRejectsLosses(t *testing.T) {
	replaceMeta := func(by string) func(redis.UniversalClient) {
		return func(c redis.UniversalClient) {
			c.ZRem(t.Context(), "{lost:00}:x", metaMember(t, c, "{lost:00}"))
			c.ZAdd(t.Context(), "{lost:00}:x", redis.Z{Member: "m" + by})
		}
	}
	for name, tc := range map[string]struct {
		lose func(redis.UniversalClient)
		says string
	}{
		"an index without a meta": {
			func(c redis.UniversalClient) {
				c.ZRem(t.Context(), "{lost:00}:x", metaMember(t, c, "{lost:00}"))
			}, "bucket 0",
		},
		"records without an index": {
			func(c redis.UniversalClient) { drop(t, c, "{lost:00}:x") }, "it was lost",
		},
		"bucket 0 flushed": {
			func(c redis.UniversalClient) { drop(t, c, keysOf(t, c, "{lost:00}:*")...) },
			"it was lost",
		},
		"another bucket flushed": {
			func(c redis.UniversalClient) { drop(t, c, keysOf(t, c, "{lost:02}:*")...) },
			"bucket 2",
		},
		"a newer layout":     {replaceMeta("installation-3 4 00"), `"installation-3"`},
		"another meta":       {replaceMeta("installation-2 4 00 0 00"), "bucket 1"},
		"what is not a meta": {replaceMeta("x"), "cannot be read"},
		"a second meta": {
			func(c redis.UniversalClient) {
				c.ZAdd(t.Context(), "{lost:00}:x", redis.Z{Member: "minstallation-2 4 00 0 00"})
			}, "several",
		},
		"something else": {func(c redis.UniversalClient) {
			c.Set(t.Context(), "{lost:00}:x", "x", 0)
		}, "another type"},
	} {
		t.Run(name, func(t *testing.T) {
			client := dialMini(t)
			s := open(t, client, &redisstore.Options{Namespace: "lost", Buckets: 4})
			for i := range 16 {
				must(t, s, create(installation.Key{Tenant: tenant(i), ID: "a"}, ""))
			}
			tc.lose(client)
			rejected(t, client, &redisstore.Options{Namespace: "lost", Buckets: 4}, tc.says)
		})
	}
}

// TestOpenRejectsFirstLayout opens a namespace of the layout that no release has had. Its meta is a
// key of its own, so without records nothing else tells.
func TestOpenRejectsFirstLayout(t *testing.T) {
	client := dialMini(t)
	for _, ending := range []string{"", " forming"} {
		for _, key := range []string{"{lost:00}:m", "{lost:02}:m"} {
			client.Set(t.Context(), key, "installation-1 4 9f86d081884c7d65"+ending, 0)
			rejected(t, client, &redisstore.Options{Namespace: "lost", Buckets: 4}, "layout 1")
			if n := client.DBSize(t.Context()).Val(); n != 1 {
				t.Errorf("the server has %d keys, want 1", n)
			}
			drop(t, client, key)
		}
	}
	client.Set(t.Context(), "{lost:00}:more", "of somebody else", 0)
	open(t, client, &redisstore.Options{Namespace: "lost", Buckets: 4})
}

// metaMember returns the meta member of a bucket.
func metaMember(tb testing.TB, client redis.Cmdable, tag string) string {
	tb.Helper()
	metas, err := client.ZRangeArgs(tb.Context(), redis.ZRangeArgs{
		Key: tag + ":x", Start: "[m", Stop: "(n", ByLex: true,
	}).Result()
	if err != nil || len(metas) != 1 {
		tb.Fatalf("metas %q, error %v, want one", metas, err)
	}
	return metas[0]
}

// TestFlushed flushes the server of an open store: nothing may be reported as absent, not even
// after another process has created the namespace again.
func TestFlushed(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	options := &redisstore.Options{Namespace: "flushed", Buckets: 2}
	s := open(t, client, options)
	key := id("a")
	c := create(key, "made")
	c.Idempotency = &installation.Outcome{Until: time.Now().Add(time.Hour)}
	r := must(t, s, c)

	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	list := func(q installation.Query) func(context.Context) error {
		q.Limit = 10
		return func(ctx context.Context) error { _, err := s.List(ctx, q); return err }
	}
	events := func(q installation.EventQuery) func(context.Context) error {
		q.Limit = 10
		return func(ctx context.Context) error { _, err := s.Events(ctx, q); return err }
	}
	calls := map[string]func(context.Context) error{
		"Get": func(ctx context.Context) error { _, err := s.Get(ctx, key); return err },
		"Commit": func(ctx context.Context) error {
			_, err := s.Commit(ctx, update(r, ""))
			return err
		},
		"Create": func(ctx context.Context) error {
			_, err := s.Commit(ctx, create(id("b"), ""))
			return err
		},
		"Outcome": func(ctx context.Context) error {
			_, err := s.Outcome(ctx, "tenant", c.Idempotency.Digest)
			return err
		},
		"List": list(listAll),
		"Skip": list(installation.Query{Tenant: "tenant", Term: "all", Skip: 1}),
		"Due":  list(installation.Query{AllTenants: true, DueBefore: time.Now()}),
		"Count": func(ctx context.Context) error {
			_, err := s.Count(ctx, countAll)
			return err
		},
		"Events":    events(installation.EventQuery{Tenant: "tenant"}),
		"AllEvents": events(installation.EventQuery{AllTenants: true}),
	}
	for _, when := range []string{"flushed", "created again"} {
		if when == "created again" {
			open(t, client, options)
		}
		for name, call := range calls {
			t.Run(when+"/"+name, func(t *testing.T) {
				wantUnavailable(t, name, call(t.Context()))
			})
		}
	}
	level(t, healthOf(t, s), "meta", health.Error)
}
