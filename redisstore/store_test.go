package redisstore_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
	"github.com/go-installation/installation/storetest"
)

// TestStore runs the conformance suite on every kind of server, with one bucket or sixteen. It then
// compares the records with the index. TestDocumentedRights runs it with three buckets.
func TestStore(t *testing.T) {
	for name, kind := range map[string]struct {
		dial    func(testing.TB) redis.UniversalClient
		buckets int
	}{
		"miniredis":  {dialMini, 16},
		"standalone": {dialServer, 1},
		"sentinel":   {dialSentinel, 1},
		"cluster": {
			func(tb testing.TB) redis.UniversalClient { return dialCluster(tb, 0) }, 16,
		},
		"replicated": {
			func(tb testing.TB) redis.UniversalClient { return dialCluster(tb, 1) }, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each suite waits for its server most of the time
			client := kind.dial(t)
			storetest.Run(t, func(t *testing.T) installation.Store {
				s := open(t, client, &redisstore.Options{Buckets: kind.buckets})
				t.Cleanup(func() { checkIndex(t, s) })
				return s
			})
		})
	}
}

// TestLastRevision updates a record whose revision is the greatest possible.
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

// TestReverseAcrossTenants checks that a reverse list also walks the buckets in reverse.
func TestReverseAcrossTenants(t *testing.T) {
	s := open(t, dialMini(t), &redisstore.Options{Buckets: 16})
	for w := range 40 {
		must(t, s, create(installation.Key{Tenant: tenant(w), ID: "a"}, ""))
	}
	q := installation.Query{AllTenants: true, Term: "@all", Limit: 7}
	forward := pagesOf(t, s, q)
	q.Reverse = true
	backward := pagesOf(t, s, q)
	slices.Reverse(backward)
	if len(forward) != 40 || !slices.Equal(forward, backward) {
		t.Errorf("forward %v, backward in reverse %v", forward, backward)
	}
}

// TestStoreUnavailable runs the suite for a store whose server is gone.
func TestStoreUnavailable(t *testing.T) {
	storetest.RunUnavailable(t, func(t *testing.T) installation.Store {
		server := miniredis.RunT(t)
		client := redistest.NewClient(t, &redis.Options{Addr: server.Addr(), DialerRetries: 1})
		s := open(t, client, nil)
		s.SetRetryFor(500 * time.Millisecond)
		server.Close()
		return s
	})
}

func dialServer(tb testing.TB) redis.UniversalClient { return redistest.Start(tb).Client(tb) }

func dialSentinel(tb testing.TB) redis.UniversalClient {
	return redistest.StartSentinel(tb).Client(tb, nil)
}

func dialCluster(tb testing.TB, replicasEach int) redis.UniversalClient {
	return redistest.StartCluster(tb, 3, replicasEach).Client(tb, nil)
}
