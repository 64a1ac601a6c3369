package redisstore_test

import (
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

func TestHealth(t *testing.T) {
	for name, tc := range map[string]struct {
		dial   func(testing.TB) redis.UniversalClient
		levels map[string]health.Level
	}{
		"bare": {dialServer, map[string]health.Level{
			"meta": health.OK, "scripts": health.OK,
			"eviction-policy": health.OK, "evicted-keys": health.OK, "memory": health.OK,
			"persistence": health.Warning, "role": health.OK,
			"replicas": health.Warning,
		}},
		"durable": {
			func(tb testing.TB) redis.UniversalClient {
				return redistest.Start(tb, "--appendonly", "yes").Client(tb)
			},
			map[string]health.Level{"persistence": health.OK},
		},
		"replicated": {
			dialSentinel, map[string]health.Level{"replicas": health.OK},
		},
		"volatile": {
			func(tb testing.TB) redis.UniversalClient {
				return redistest.Start(tb,
					"--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru").Client(tb)
			},
			map[string]health.Level{"eviction-policy": health.Warning},
		},
		"no limit yet": {
			func(tb testing.TB) redis.UniversalClient {
				return redistest.Start(tb, "--maxmemory-policy", "allkeys-lru").Client(tb)
			},
			map[string]health.Level{"eviction-policy": health.Warning},
		},
		"says nothing": {dialMini, map[string]health.Level{
			"meta": health.OK, "scripts": health.OK,
			"eviction-policy": health.Unknown, "persistence": health.Unknown,
			"role": health.Unknown, "replicas": health.Unknown, "memory": health.Unknown,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			findings := healthOf(t, open(t, tc.dial(t), nil))
			for rule, want := range tc.levels {
				level(t, findings, rule, want)
			}
		})
	}
}

// TestExpiringKeys sets a fixed key of a bucket to expire: the store works, but will not for
// long.
func TestExpiringKeys(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "expiring"})
	must(t, s, create(id("a"), ""))
	for _, key := range []string{"x", "e", "h"} {
		client.Expire(t.Context(), "{expiring:00}:"+key, time.Hour)
		level(t, healthOf(t, s), "meta", health.Error)
		client.Persist(t.Context(), "{expiring:00}:"+key)
	}
	allow(t, server, []string{"~{expiring*", "+@all", "-pttl"})
	blind := dialAs(t, server)
	for c, want := range map[*redis.Client]health.Level{
		client: health.OK, blind: health.Unknown,
	} {
		s := open(t, c, &redisstore.Options{Namespace: "expiring"})
		level(t, healthOf(t, s), "meta", want)
	}
}

// TestHealthOfCluster checks that every master is asked.
func TestHealthOfCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	s := open(t, cluster.Client(t, nil), &redisstore.Options{RequireReplicas: 1})
	findings := healthOf(t, s)
	for _, m := range cluster.Masters {
		own := []health.Finding{}
		for _, f := range findings {
			if strings.HasPrefix(f.Detail, m.Addr) {
				own = append(own, f)
			}
		}
		level(t, own, "role", health.OK)
		level(t, own, "replicas", health.Error)
	}
}

// TestEviction shows why Open rejects a server that evicts: records vanish without an error.
func TestEviction(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
	client := server.Client(t)
	rejected(t, client, &redisstore.Options{Namespace: "evicting"}, "allkeys-lru")

	s := open(t, client, &redisstore.Options{Namespace: "evicting", AllowEviction: true})
	level(t, healthOf(t, s), "eviction-policy", health.Error)
	written, vanished := 0, 0
	for vanished == 0 && written < 10_000 {
		c := create(id("%d", written), "")
		c.Record.Body = installation.BodyFromBytes(make([]byte, 8<<10))
		if _, err := s.Commit(t.Context(), c); err != nil {
			// The index was evicted, with the meta in it.
			wantError(t, "commit after an eviction", err, installation.ErrUnavailable)
			break
		}
		if written++; written%100 == 0 {
			vanished = written - countRecords(t, client, "evicting")
		}
	}
	if vanished = written - countRecords(t, client, "evicting"); vanished == 0 {
		t.Errorf("%d records were written and all of them are there", written)
	}
	level(t, healthOf(t, s), "evicted-keys", health.Warning)
	t.Logf("%d of %d records vanished without an error", vanished, written)
}

// countRecords returns how many records are there.
func countRecords(tb testing.TB, client redis.UniversalClient, namespace string) int {
	tb.Helper()
	keys, err := client.Keys(tb.Context(), "{"+namespace+":00}:r:*").Result()
	if err != nil {
		tb.Fatal(err)
	}
	return len(keys)
}

// TestMemoryLimit fills a server that does not evict: commits fail, and none is applied in
// part. Records can still be read and deleted.
func TestMemoryLimit(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
	options := &redisstore.Options{Namespace: "full"}
	s := open(t, server.Client(t), options)
	written := 0
	for {
		c := create(id("%d", written), fmt.Sprintf("event %d", written))
		c.Record.Body = installation.BodyFromBytes(make([]byte, 8<<10))
		c.Idempotency = &installation.Outcome{
			Digest: installation.Digest{byte(written), byte(written >> 8)},
			Until:  time.Now().Add(time.Hour),
		}
		if _, err := s.Commit(t.Context(), c); err != nil {
			wantUnavailable(t, "commit at the limit", err)
			if !strings.Contains(err.Error(), "memory") {
				t.Errorf("commit at the limit: error %v, want one about memory", err)
			}
			_, err := s.Outcome(t.Context(), "tenant", c.Idempotency.Digest)
			wantError(t, "outcome of the rejected commit", err, installation.ErrNotFound)
			break
		}
		written++
	}
	n, err := s.Count(t.Context(), installation.Query{Tenant: "tenant", Term: "all"})
	events := len(countEvents(t, s))
	if err != nil || n != int64(written) || events != written {
		t.Errorf("%d records, %d events, error %v, want %d of each", n, events, err, written)
	}
	server.Client(t).ConfigSet(t.Context(), "maxmemory", "1mb") // which nothing frees by chance
	level(t, healthOf(t, s), "scripts", health.Error)
	s = open(t, server.Client(t), options)
	r := get(t, s, id("0"))
	_, err = s.Commit(t.Context(), update(r, ""))
	wantUnavailable(t, "update at the limit", err)
	must(t, s, bury(r, time.Time{}))
	checkIndex(t, s)
}

// level checks that there are findings of a rule and that all have a level.
func level(
	tb testing.TB, findings []health.Finding, rule string, want health.Level,
) {
	tb.Helper()
	found := false
	for _, f := range findings {
		if f.Rule != rule {
			continue
		}
		if found = true; f.Level != want {
			tb.Errorf("finding %+v, want level %s", f, want)
		}
	}
	if !found {
		tb.Errorf("no finding of the rule %s in %+v", rule, findings)
	}
}

// TestProbeNoticesAcceptedID checks that Health reports a server that accepts the id which the
// probe expects it to reject.
func TestProbeNoticesAcceptedID(t *testing.T) {
	s := open(t, redistest.Start(t).Client(t), nil)
	level(t, healthOf(t, s), "scripts", health.OK)
	s.EditProbe("'0-0'", "'*'")
	level(t, healthOf(t, s), "scripts", health.Error)
	for _, f := range healthOf(t, s) {
		if f.Rule == "scripts" && !strings.Contains(f.Detail, "XADD accepts") {
			t.Errorf("finding %+v, want one that names the command", f)
		}
	}
}
