package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

func TestOpenRefusesClients(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	t.Cleanup(func() { _ = ring.Close() })
	follower := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, ReadOnly: true})
	t.Cleanup(func() { _ = follower.Close() })
	single := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = single.Close() })
	caching := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ClientSideCacheConfig: &redis.ClientSideCacheConfig{}})
	t.Cleanup(func() { _ = caching.Close() })
	random := redis.NewFailoverClusterClient(&redis.FailoverOptions{SentinelAddrs: []string{"127.0.0.1:1"}, RouteRandomly: true})
	t.Cleanup(func() { _ = random.Close() })
	for name, tc := range map[string]struct {
		client redis.UniversalClient
		says   string
	}{
		"none":             {nil, "no client"},
		"nil client":       {(*redis.Client)(nil), "no client"},
		"nil cluster":      {(*redis.ClusterClient)(nil), "no client"},
		"ring":             {ring, "Ring"},
		"wrapped ring":     {struct{ redis.UniversalClient }{ring}, "struct"},
		"wrapped client":   {struct{ redis.UniversalClient }{single}, "struct"},
		"pipeline":         {autoPipeline(t, follower), "AutoPipeliner"},
		"replicas":         {follower, "ReadOnly"},
		"wrapped replicas": {struct{ *redis.ClusterClient }{follower}, "ReadOnly"},
		"random":           {random, "RouteRandomly"},
		"caching":          {caching, "caches"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := redisstore.Open(t.Context(), tc.client, nil)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v, want one about %q", err, tc.says)
			}
		})
	}
}

func autoPipeline(tb testing.TB, c *redis.ClusterClient) redis.UniversalClient {
	tb.Helper()
	p, err := c.AutoPipeline()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close() })
	return p
}

// TestOpenRefusesReplicas opens a store on a server that follows another one, directly and as Sentinel names it.
func TestOpenRefusesReplicas(t *testing.T) {
	servers := redistest.StartSentinel(t)
	options := &redisstore.Options{Namespace: "followed"}
	must(t, open(t, servers.Client(t, nil), options), create(id("a"), ""))
	refused(t, servers.Replica.Client(t), options, "replica")

	follower := servers.Client(t, &redis.FailoverOptions{ReplicaOnly: true})
	refused(t, follower, options, "replica")
}

// TestOpenWrappedCluster opens a store on what is wrapped around a cluster client and shows it.
func TestOpenWrappedCluster(t *testing.T) {
	client := redistest.StartCluster(t, 3, 0).Client(t, nil)
	s := open(t, struct{ *redis.ClusterClient }{client}, &redisstore.Options{Namespace: "wrapped"})
	for i := range 16 {
		must(t, s, create(installation.Key{Tenant: tenant(i), ID: "a"}, ""))
	}
	checkIndex(t, s)
	if n, err := client.Exists(t.Context(), "{wrapped:15}:m").Result(); err != nil || n != 1 {
		t.Errorf("bucket 15: %d marks, error %v, want 16 buckets as on any cluster", n, err)
	}
}

func TestOpenRefusesOptions(t *testing.T) {
	client := dialMini(t)
	for name, o := range map[string]redisstore.Options{
		"namespace with a brace": {Namespace: "a}"},
		"namespace with a star":  {Namespace: "*"},
		"long namespace":         {Namespace: strings.Repeat("a", redisstore.MaxNamespace+1)},
		"negative buckets":       {Buckets: -1},
		"many buckets":           {Buckets: redisstore.MaxBuckets + 1},
		"negative time":          {RetryFor: -1},
		"endless wait":           {ReplicaTimeout: time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := redisstore.Open(t.Context(), client, &o); err == nil || errors.Is(err, installation.ErrUnavailable) {
				t.Errorf("error %v, want one about the options", err)
			}
		})
	}
}

// TestOpenRefusesPatience asks for a wait that the client does not sit through. Of a client that waits for ever, and of one that
// does not show how long, it is not known.
func TestOpenRefusesPatience(t *testing.T) {
	server := redistest.Start(t)
	single := func(o redis.Options) redis.UniversalClient {
		o.Addr = server.Addr
		return redis.NewClient(&o)
	}
	cluster := redistest.StartCluster(t, 3, 0)
	nodes := cluster.Client(t, &redis.ClusterOptions{ReadTimeout: time.Second})
	for name, tc := range map[string]struct {
		client  redis.UniversalClient
		options redisstore.Options
		refused bool
	}{
		"as long":            {single(redis.Options{ReadTimeout: time.Second}), redisstore.Options{RequireReplicas: 1, ReplicaTimeout: time.Second}, true},
		"by default":         {single(redis.Options{ReadTimeout: time.Second}), redisstore.Options{RequireReplicas: 1}, true},
		"default client":     {single(redis.Options{}), redisstore.Options{RequireReplicas: 1, ReplicaTimeout: time.Minute}, true},
		"cluster":            {nodes, redisstore.Options{RequireReplicas: 1}, true},
		"wrapped":            {struct{ *redis.ClusterClient }{nodes}, redisstore.Options{RequireReplicas: 1}, true},
		"shorter":            {single(redis.Options{ReadTimeout: time.Second}), redisstore.Options{RequireReplicas: 1, ReplicaTimeout: time.Millisecond}, false},
		"without replicas":   {single(redis.Options{ReadTimeout: time.Second}), redisstore.Options{ReplicaTimeout: time.Minute}, false},
		"waits for ever":     {single(redis.Options{ReadTimeout: -1}), redisstore.Options{RequireReplicas: 1, ReplicaTimeout: time.Minute}, false},
		"without a deadline": {single(redis.Options{ReadTimeout: -2}), redisstore.Options{RequireReplicas: 1, ReplicaTimeout: time.Minute}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { _ = tc.client.Close() })
			_, err := redisstore.Open(t.Context(), tc.client, &tc.options)
			if says := err != nil && strings.Contains(err.Error(), "ReadTimeout"); says != tc.refused || errors.Is(err, installation.ErrUnavailable) {
				t.Errorf("error %v, refused %t wanted", err, tc.refused)
			}
		})
	}
}

// TestOpenClusterClientOfServer gives a server that is alone a client of clusters.
func TestOpenClusterClientOfServer(t *testing.T) {
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{redistest.Start(t).Addr}})
	t.Cleanup(func() { _ = client.Close() })
	refused(t, client, nil, "not part of a cluster")
}

func TestOpenAgain(t *testing.T) {
	client := dialMini(t)
	s := open(t, client, &redisstore.Options{Namespace: "again", Buckets: 4})
	must(t, s, create(id("a"), ""))

	get(t, open(t, client, &redisstore.Options{Namespace: "again"}), id("a"))
	get(t, open(t, client, &redisstore.Options{Namespace: "again", Buckets: 4}), id("a"))
	refused(t, client, &redisstore.Options{Namespace: "again", Buckets: 8}, "4 buckets")
	if _, err := open(t, client, &redisstore.Options{Namespace: "other"}).Get(t.Context(), id("a")); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("another namespace: error %v, want %v", err, installation.ErrNotFound)
	}
}

// TestOpenAtOnce has many processes make one namespace.
func TestOpenAtOnce(t *testing.T) {
	client := redistest.Start(t).Client(t)
	stores := make([]*redisstore.Store, 16)
	var wait sync.WaitGroup
	for i := range stores {
		wait.Go(func() { stores[i] = open(t, client, &redisstore.Options{Namespace: "race", Buckets: 16}) })
	}
	wait.Wait()
	for i, s := range stores {
		must(t, s, create(installation.Key{Tenant: tenant(i), ID: "a"}, ""))
	}
	n, err := stores[0].Count(t.Context(), installation.Query{AllTenants: true, Term: "@all"})
	if err != nil || n != int64(len(stores)) {
		t.Errorf("%d records, error %v, want %d", n, err, len(stores))
	}
}

// TestOpenFinishes opens a namespace that a process left half made: every bucket is marked as forming, from the last to the
// first, and then as final, from the first to the last.
func TestOpenFinishes(t *testing.T) {
	for name, marks := range map[string][4]string{ // by bucket
		"marked in part":  {"", "", " forming", " forming"},
		"marked":          {" forming", " forming", " forming", " forming"},
		"made final":      {"final", " forming", " forming", " forming"},
		"made final more": {"final", "final", "final", " forming"},
	} {
		t.Run(name, func(t *testing.T) {
			client := dialMini(t)
			for n, end := range marks {
				if end != "" {
					mark := "installation-1 4 00" + strings.TrimPrefix(end, "final")
					client.Set(t.Context(), fmt.Sprintf("{half:%02d}:m", n), mark, 0)
				}
			}
			refused(t, client, &redisstore.Options{Namespace: "half", Buckets: 8}, "4 buckets")
			s := open(t, client, &redisstore.Options{Namespace: "half", Buckets: 4})
			for i := range 16 {
				must(t, s, create(installation.Key{Tenant: tenant(i), ID: "a"}, ""))
			}
		})
	}
}

// TestOpenRefusesLostBucket0 loses bucket 0 and others, but not all, of a namespace whose records were in one of them: what
// is left must not be taken for a namespace that is being made, with whatever number of buckets.
func TestOpenRefusesLostBucket0(t *testing.T) {
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
			refused(t, client, &redisstore.Options{Namespace: "lost", Buckets: buckets}, "it was lost")
			if _, err := s.Get(t.Context(), id("a")); !errors.Is(err, installation.ErrUnavailable) {
				t.Errorf("get by the store that was open: error %v, want %v", err, installation.ErrUnavailable)
			}
		})
	}
}

// TestOpenRefusesLosses opens what is left of a namespace.
func TestOpenRefusesLosses(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(redis.UniversalClient)
		says    string
	}{
		"records without a meta key": {func(c redis.UniversalClient) { drop(t, c, "{lost:00}:m") }, "bucket 0"},
		"bucket 0 flushed": {func(c redis.UniversalClient) {
			drop(t, c, keysOf(t, c, "{lost:00}:*")...)
		}, "it was lost"},
		"another bucket flushed": {func(c redis.UniversalClient) { drop(t, c, keysOf(t, c, "{lost:02}:*")...) }, "bucket 2"},
		"a newer layout": {func(c redis.UniversalClient) {
			c.Set(t.Context(), "{lost:00}:m", "installation-2 4 00", 0)
		}, `"installation-2"`},
		"something else": {func(c redis.UniversalClient) { c.Set(t.Context(), "{lost:00}:m", "x", 0) }, "something else"},
	} {
		t.Run(name, func(t *testing.T) {
			client := dialMini(t)
			s := open(t, client, &redisstore.Options{Namespace: "lost", Buckets: 4})
			for i := range 16 {
				must(t, s, create(installation.Key{Tenant: tenant(i), ID: "a"}, ""))
			}
			tc.prepare(client)
			refused(t, client, &redisstore.Options{Namespace: "lost", Buckets: 4}, tc.says)
		})
	}
}

// TestFlushed flushes the server under a running store: nothing may look as if it had never been there, not even after
// another process has made the namespace anew.
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
	for _, when := range []string{"flushed", "made anew"} {
		if when == "made anew" {
			open(t, client, options)
		}
		for name, call := range map[string]func(context.Context) error{
			"Get":     func(ctx context.Context) error { _, err := s.Get(ctx, key); return err },
			"Commit":  func(ctx context.Context) error { _, err := s.Commit(ctx, update(r, "")); return err },
			"Create":  func(ctx context.Context) error { _, err := s.Commit(ctx, create(id("b"), "")); return err },
			"Outcome": func(ctx context.Context) error { _, err := s.Outcome(ctx, "tenant", c.Idempotency.Digest); return err },
			"List": func(ctx context.Context) error {
				_, err := s.List(ctx, installation.Query{Tenant: "tenant", Term: "all", Limit: 10})
				return err
			},
			"Skip": func(ctx context.Context) error {
				_, err := s.List(ctx, installation.Query{Tenant: "tenant", Term: "all", Limit: 10, Skip: 1})
				return err
			},
			"Due": func(ctx context.Context) error {
				_, err := s.List(ctx, installation.Query{AllTenants: true, DueBefore: time.Now(), Limit: 10})
				return err
			},
			"Count": func(ctx context.Context) error {
				_, err := s.Count(ctx, installation.Query{AllTenants: true, Term: "@all"})
				return err
			},
			"Events": func(ctx context.Context) error {
				_, err := s.Events(ctx, installation.EventQuery{Tenant: "tenant", Limit: 10})
				return err
			},
			"AllEvents": func(ctx context.Context) error {
				_, err := s.Events(ctx, installation.EventQuery{AllTenants: true, Limit: 10})
				return err
			},
		} {
			t.Run(when+"/"+name, func(t *testing.T) {
				err := call(t.Context())
				if !errors.Is(err, installation.ErrUnavailable) || errors.Is(err, installation.ErrNotFound) {
					t.Errorf("error %v, want %v", err, installation.ErrUnavailable)
				}
			})
		}
	}
	findings, err := s.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	level(t, findings, "meta", installation.LevelError)
}

func refused(tb testing.TB, client redis.UniversalClient, o *redisstore.Options, says string) {
	tb.Helper()
	_, err := redisstore.Open(tb.Context(), client, o)
	if !errors.Is(err, installation.ErrUnavailable) || !strings.Contains(fmt.Sprint(err), says) {
		tb.Errorf("open: error %v, want %v about %q", err, installation.ErrUnavailable, says)
	}
}

func drop(tb testing.TB, client redis.UniversalClient, keys ...string) {
	tb.Helper()
	for _, k := range keys {
		if n, err := client.Del(tb.Context(), k).Result(); err != nil || n != 1 {
			tb.Fatalf("delete %q: %d, error %v", k, n, err)
		}
	}
}

func keysOf(tb testing.TB, client redis.UniversalClient, pattern string) []string {
	tb.Helper()
	keys, err := client.Keys(tb.Context(), pattern).Result()
	if err != nil || len(keys) == 0 {
		tb.Fatalf("keys %q: %q, error %v", pattern, keys, err)
	}
	return keys
}
