package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
	"github.com/go-installation/installation/storetest"
)

// TestStore runs the conformance suite on every kind of server, in one bucket and in sixteen. What the suite has written is
// then compared with its index.
func TestStore(t *testing.T) {
	for name, dial := range map[string]func(testing.TB) redis.UniversalClient{
		"miniredis":  dialMini,
		"standalone": func(tb testing.TB) redis.UniversalClient { return redistest.Start(tb).Client(tb) },
		"sentinel":   func(tb testing.TB) redis.UniversalClient { return redistest.StartSentinel(tb).Client(tb) },
		"cluster":    func(tb testing.TB) redis.UniversalClient { return redistest.StartCluster(tb, 3, 0).Client(tb, nil) },
		"replicated": func(tb testing.TB) redis.UniversalClient { return redistest.StartCluster(tb, 3, 1).Client(tb, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			client := dial(t)
			for _, buckets := range []int{1, 16} {
				t.Run(fmt.Sprintf("%d-buckets", buckets), func(t *testing.T) {
					storetest.Run(t, func(t *testing.T) installation.Store {
						s := open(t, client, &redisstore.Options{Buckets: buckets})
						t.Cleanup(func() { agree(t, s) })
						return s
					})
				})
			}
		})
	}
}

// TestLastRevision asks for the revision that none can follow.
func TestLastRevision(t *testing.T) {
	s := open(t, dialMini(t), nil)
	c := update(must(t, s, create(id("a"), "")), "")
	c.If = math.MaxInt64
	if _, err := s.Commit(t.Context(), c); !errors.Is(err, installation.ErrInvalid) {
		t.Errorf("error %v, want %v", err, installation.ErrInvalid)
	}
	c.Record = nil // which leads to the same revision
	if _, err := s.Commit(t.Context(), c); !errors.Is(err, installation.ErrConflict) {
		t.Errorf("error %v, want %v", err, installation.ErrConflict)
	}
}

// TestReverseAcrossTenants checks that the order of the buckets, too, is turned round.
func TestReverseAcrossTenants(t *testing.T) {
	s := open(t, dialMini(t), &redisstore.Options{Buckets: 16})
	for w := range 40 {
		must(t, s, create(installation.Key{Tenant: tenant(w), ID: "a"}, ""))
	}
	walk := func(q installation.Query) (keys []installation.Key) {
		for {
			page, err := s.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Records {
				keys = append(keys, r.Key)
			}
			if q.After = page.Next; q.After == "" {
				return keys
			}
		}
	}
	forward := walk(installation.Query{AllTenants: true, Term: "@all", Limit: 7})
	backward := walk(installation.Query{AllTenants: true, Term: "@all", Limit: 7, Reverse: true})
	slices.Reverse(backward)
	if len(forward) != 40 || !slices.Equal(forward, backward) {
		t.Errorf("forward %v, backward, turned round, %v", forward, backward)
	}
}

func TestStoreUnavailable(t *testing.T) {
	storetest.RunUnavailable(t, func(t *testing.T) installation.Store {
		server := miniredis.RunT(t)
		client := redis.NewClient(&redis.Options{Addr: server.Addr(), DialerRetries: 1})
		t.Cleanup(func() { _ = client.Close() })
		s := open(t, client, &redisstore.Options{RetryFor: 500 * time.Millisecond})
		server.Close()
		return s
	})
}

func dialMini(tb testing.TB) redis.UniversalClient {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(tb).Addr()})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// namespaces counts the namespaces given out, so that each store of a shared server has one of its own.
var namespaces atomic.Int64

// open opens a store in a namespace of its own, unless the options name one.
func open(tb testing.TB, client redis.UniversalClient, o *redisstore.Options) *redisstore.Store {
	tb.Helper()
	var options redisstore.Options
	if o != nil {
		options = *o
	}
	if options.Namespace == "" {
		options.Namespace = fmt.Sprintf("test-%d", namespaces.Add(1))
	}
	s, err := redisstore.Open(context.WithoutCancel(tb.Context()), client, &options)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// agree checks that records and index say the same.
func agree(tb testing.TB, s *redisstore.Store) {
	tb.Helper()
	report, err := s.Verify(context.WithoutCancel(tb.Context()), nil)
	if err != nil || !report.Clean() {
		tb.Errorf("verify: %+v, error %v", report, err)
	}
}
