package redisstore_test

import (
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

// TestOpenRejectsClients passes clients that would break the guarantees of the package.
func TestOpenRejectsClients(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	t.Cleanup(func() { _ = ring.Close() })
	nowhere := []string{"127.0.0.1:1"}
	follower := redis.NewClusterClient(&redis.ClusterOptions{Addrs: nowhere, ReadOnly: true})
	t.Cleanup(func() { _ = follower.Close() })
	single := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = single.Close() })
	caching := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:1", ClientSideCacheConfig: &redis.ClientSideCacheConfig{},
	})
	t.Cleanup(func() { _ = caching.Close() })
	random := redis.NewFailoverClusterClient(&redis.FailoverOptions{
		SentinelAddrs: nowhere, RouteRandomly: true,
	})
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

// TestOpenRejectsReplicas opens a store on a replica, directly and through Sentinel.
func TestOpenRejectsReplicas(t *testing.T) {
	servers := redistest.StartSentinel(t)
	options := &redisstore.Options{Namespace: "followed"}
	must(t, open(t, servers.Client(t, nil), options), create(id("a"), ""))
	rejected(t, servers.Replica.Client(t), options, "replica")

	follower := servers.Client(t, &redis.FailoverOptions{ReplicaOnly: true})
	rejected(t, follower, options, "replica")
}

// TestOpenWrappedCluster opens a store on a wrapper that shows its cluster client.
func TestOpenWrappedCluster(t *testing.T) {
	client := redistest.StartCluster(t, 3, 0).Client(t, nil)
	wrapped := struct{ *redis.ClusterClient }{client}
	s := open(t, wrapped, &redisstore.Options{Namespace: "wrapped"})
	for i := range 16 {
		must(t, s, create(installation.Key{Tenant: tenant(i), ID: "a"}, ""))
	}
	checkIndex(t, s)
	meta := metaMember(t, client, "{wrapped:15}")
	if !strings.HasPrefix(meta, "minstallation-2 16 ") {
		t.Errorf("bucket 15 has the meta %q, want 16 buckets as on any cluster", meta)
	}
}

// TestOpenRejectsOptions passes options that cannot work.
func TestOpenRejectsOptions(t *testing.T) {
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
			_, err := redisstore.Open(t.Context(), client, &o)
			if err == nil || errors.Is(err, installation.ErrUnavailable) {
				t.Errorf("error %v, want one about the options", err)
			}
		})
	}
}

// TestOpenComparesTimeouts checks that ReplicaTimeout must be less than the ReadTimeout of a
// client that has one and shows it.
func TestOpenComparesTimeouts(t *testing.T) {
	server := redistest.Start(t)
	client := func(readTimeout time.Duration) redis.UniversalClient {
		c := redis.NewClient(&redis.Options{Addr: server.Addr, ReadTimeout: readTimeout})
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	nodes := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{server.Addr}, ReadTimeout: time.Second,
	})
	t.Cleanup(func() { _ = nodes.Close() })
	const byDefault = 0 // a ReplicaTimeout of a second, a ReadTimeout of three
	for name, tc := range map[string]struct {
		client         redis.UniversalClient
		replicas       int
		replicaTimeout time.Duration
		rejected       bool
	}{
		"equal":            {client(time.Minute), 1, time.Minute, true},
		"by default":       {client(time.Second), 1, byDefault, true},
		"default client":   {client(byDefault), 1, time.Minute, true},
		"cluster":          {nodes, 1, byDefault, true},
		"wrapped":          {struct{ *redis.ClusterClient }{nodes}, 1, byDefault, true},
		"less":             {client(time.Minute), 1, time.Millisecond, false},
		"without replicas": {client(time.Minute), 0, time.Hour, false},
		"no timeout":       {client(-1), 1, time.Hour, false},
		"no deadline":      {client(-2), 1, time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := redisstore.Open(t.Context(), tc.client, &redisstore.Options{
				RequireReplicas: tc.replicas, ReplicaTimeout: tc.replicaTimeout,
				RetryFor: redistest.Patience,
			})
			says := err != nil && strings.Contains(err.Error(), "ReadTimeout")
			if says != tc.rejected || errors.Is(err, installation.ErrUnavailable) {
				t.Errorf("error %v, want rejected: %t", err, tc.rejected)
			}
		})
	}
}

// TestOpenClusterClientOfServer uses a cluster client for a server without a cluster.
func TestOpenClusterClientOfServer(t *testing.T) {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{redistest.Start(t).Addr},
	})
	t.Cleanup(func() { _ = client.Close() })
	rejected(t, client, nil, "not part of a cluster")
}

// TestOpenAgain opens an existing namespace with and without the number of buckets.
func TestOpenAgain(t *testing.T) {
	client := dialMini(t)
	s := open(t, client, &redisstore.Options{Namespace: "again", Buckets: 4})
	must(t, s, create(id("a"), ""))

	get(t, open(t, client, &redisstore.Options{Namespace: "again"}), id("a"))
	get(t, open(t, client, &redisstore.Options{Namespace: "again", Buckets: 4}), id("a"))
	rejected(t, client, &redisstore.Options{Namespace: "again", Buckets: 8}, "4 buckets")
	other := open(t, client, &redisstore.Options{Namespace: "other"})
	_, err := other.Get(t.Context(), id("a"))
	wantError(t, "another namespace", err, installation.ErrNotFound)
}

// TestOpenConcurrently has many processes create one namespace.
func TestOpenConcurrently(t *testing.T) {
	client := redistest.Start(t).Client(t)
	stores := make([]*redisstore.Store, 16)
	var wait sync.WaitGroup
	for i := range stores {
		wait.Go(func() {
			stores[i] = open(t, client, &redisstore.Options{Namespace: "race", Buckets: 16})
		})
	}
	wait.Wait()
	for i, s := range stores {
		must(t, s, create(installation.Key{Tenant: tenant(i), ID: "a"}, ""))
	}
	n, err := stores[0].Count(t.Context(), countAll)
	if err != nil || n != int64(len(stores)) {
		t.Errorf("%d records, error %v, want %d", n, err, len(stores))
	}
}

// TestOpenFinishesCreation opens a namespace that a process has left unfinished. Creation
// writes forming metas from the last bucket to the first, then final ones from the first to the
// last.
func TestOpenFinishesCreation(t *testing.T) {
	for name, ends := range map[string][4]string{ // by bucket
		"forming in part": {"", "", " forming", " forming"},
		"forming":         {" forming", " forming", " forming", " forming"},
		"made final":      {"final", " forming", " forming", " forming"},
		"made final more": {"final", "final", "final", " forming"},
	} {
		t.Run(name, func(t *testing.T) {
			client := dialMini(t)
			for n, end := range ends {
				tag := fmt.Sprintf("{half:%02d}", n)
				switch end {
				case "final":
					plantMeta(t, client, tag, "")
					client.HSet(t.Context(), tag+":h", "", "")
					client.XAdd(t.Context(), &redis.XAddArgs{
						Stream: tag + ":e", ID: "1-1", Values: []any{"", ""},
					})
					client.XTrimMaxLen(t.Context(), tag+":e", 0)
				case " forming":
					plantMeta(t, client, tag, end)
				}
			}
			rejected(t, client, &redisstore.Options{Namespace: "half", Buckets: 8}, "4 buckets")
			s := open(t, client, &redisstore.Options{Namespace: "half", Buckets: 4})
			for i := range 16 {
				must(t, s, create(installation.Key{Tenant: tenant(i), ID: "a"}, ""))
			}
		})
	}
}

// plantMeta puts a meta of four buckets into a bucket.
func plantMeta(tb testing.TB, client redis.UniversalClient, tag, end string) {
	tb.Helper()
	member := redis.Z{Member: "minstallation-2 4 00 0 00" + end}
	if err := client.ZAdd(tb.Context(), tag+":x", member).Err(); err != nil {
		tb.Fatal(err)
	}
}

// rejected checks that Open fails with a text.
func rejected(tb testing.TB, client redis.UniversalClient, o *redisstore.Options, says string) {
	tb.Helper()
	var options redisstore.Options
	if o != nil {
		options = *o
	}
	options.RetryFor = redistest.Patience
	_, err := redisstore.Open(tb.Context(), client, &options)
	wantError(tb, "open", err, installation.ErrUnavailable)
	if !strings.Contains(fmt.Sprint(err), says) {
		tb.Errorf("open: error %v, want one about %q", err, says)
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
