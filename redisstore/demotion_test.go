package redisstore_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestDemoted makes a replica of the server under a store. It has no link to its master, so its data
// may be old: nothing may be reported as absent, or as another revision.
func TestDemoted(t *testing.T) {
	client := redistest.Start(t).Client(t)
	var log retries
	s := open(t, client, &redisstore.Options{Logger: log.logger()})
	outcome := &installation.Outcome{
		Digest: installation.Digest{1}, Until: time.Now().Add(time.Hour),
	}
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
			_, err := s.Events(ctx, installation.EventQuery{
				Tenant: "tenant", After: "0-9999999999999-0", Limit: 10,
			})
			return err
		},
		"cursor across tenants": func(ctx context.Context) error {
			_, err := s.Events(ctx, installation.EventQuery{
				AllTenants: true, After: "0//9999999999999-0", Limit: 10,
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantUnavailable(t, name, call(log.firstTry(t)))
		})
	}
}

// TestNameLeadsElsewhere makes the name of a server lead to its replica, as a managed service does after
// a failover. The existing connections still lead to the old server, which is a replica now. Every
// call succeeds after a retry.
func TestNameLeadsElsewhere(t *testing.T) {
	for name, replicas := range map[string]int{"primary alone": 0, "with replicas": 1} {
		t.Run(name, func(t *testing.T) {
			old := redistest.Start(t)
			successor := redistest.StartReplica(t, old)
			var addr atomic.Pointer[string]
			addr.Store(&old.Addr)
			client := redistest.NewClient(t, &redis.Options{
				Addr: "name.example:6379",
				Dialer: func(_ context.Context, network, _ string) (net.Conn, error) {
					return net.Dial(network, *addr.Load())
				},
			})
			s := open(t, client, &redisstore.Options{
				RequireReplicas: replicas, ReplicaTimeout: 50 * time.Millisecond,
			})
			c := create(id("a"), "")
			applied(t, s, c)
			primary, replica := old.Client(t), successor.Client(t)
			redistest.Await(t, "the replica has everything", func() bool {
				return redistest.Info(t.Context(), replica, "slave_repl_offset") ==
					redistest.Info(t.Context(), primary, "master_repl_offset")
			})

			follow(t, successor, "no", "one")
			follow(t, old, "127.0.0.1", "1")
			addr.Store(&successor.Addr)
			if _, err := s.Get(t.Context(), id("none")); !errors.Is(err, installation.ErrNotFound) {
				t.Errorf("get: error %v, want %v", err, installation.ErrNotFound)
			}
			conflicting := update(c.Record, "")
			conflicting.If, conflicting.Record.Revision = 7, 8
			if _, err := s.Commit(t.Context(), conflicting); !errors.Is(err, installation.ErrConflict) {
				t.Errorf("commit: error %v, want %v", err, installation.ErrConflict)
			}
			applied(t, s, update(c.Record, ""))
			if n := replica.HGet(t.Context(), keysOf(t, replica, "*:r:*")[0], "r").Val(); n != "2" {
				t.Errorf("revision %s is stored, want 2", n)
			}
		})
	}
}

// follow makes a server a replica, or with "no", "one" a primary.
func follow(t *testing.T, server *redistest.Server, host, port string) {
	t.Helper()
	if err := server.Client(t).ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
}
