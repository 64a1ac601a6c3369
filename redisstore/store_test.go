package redisstore_test

import (
	"errors"
	"math"
	"os"
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

// TestStore runs the conformance suite on every kind of server, with some numbers of buckets. It
// then compares the records with the index.
func TestStore(t *testing.T) {
	for name, kind := range map[string]struct {
		dial    func(testing.TB) redis.UniversalClient
		buckets int
	}{
		"miniredis":  {dialMini, 16},
		"standalone": {dialServer, 1},
		"sentinel":   {dialSentinel, 3},
		"cluster":    {dialCluster, 16},
		"replicated": {dialReplicated, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each suite waits for its server most of the time
			if name == "miniredis" && os.Getenv("INSTALLATION_TEST_REDIS") == "require" {
				t.Skip("real servers run the suite") // miniredis is slow with -race
			}
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

// dialServer and dialCluster return a client of a user with the documented rights. When the test
// ends, they check that nothing was denied.
func dialServer(tb testing.TB) redis.UniversalClient {
	server := redistest.Start(tb)
	asUser(tb, server)
	return dialAs(tb, server)
}

func dialCluster(tb testing.TB) redis.UniversalClient {
	cluster := redistest.StartCluster(tb, 3, 0)
	asUser(tb, cluster.Masters...)
	return cluster.Client(tb, userOfCluster)
}

func asUser(tb testing.TB, servers ...*redistest.Server) {
	for _, server := range servers {
		allow(tb, server, userRights(tb))
	}
	tb.Cleanup(func() { nothingDenied(tb, servers...) })
}

func dialSentinel(tb testing.TB) redis.UniversalClient {
	return redistest.StartSentinel(tb).Client(tb, nil)
}

func dialReplicated(tb testing.TB) redis.UniversalClient {
	return redistest.StartCluster(tb, 3, 1).Client(tb, nil)
}
