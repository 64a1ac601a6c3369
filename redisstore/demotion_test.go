package redisstore_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestDemoted makes a replica of the server under a store. It has no link to its master, so its
// data may be old: nothing may be reported as absent, or as another revision.
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
	commit := func(c installation.Change) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.Commit(ctx, c); return err }
	}
	events := func(q installation.EventQuery) func(context.Context) error {
		q.Limit = 10
		return func(ctx context.Context) error { _, err := s.Events(ctx, q); return err }
	}
	none := installation.Query{Tenant: "tenant", Term: "none", Limit: 10}
	for name, call := range map[string]func(context.Context) error{
		"conflict": commit(stale),
		"exists":   commit(taken),
		"replayed": commit(applied),
		"outcome":  commit(used),
		"get":      func(ctx context.Context) error { _, err := s.Get(ctx, id("-")); return err },
		"no outcome": func(ctx context.Context) error {
			_, err := s.Outcome(ctx, "tenant", installation.Digest{2})
			return err
		},
		"list":   func(ctx context.Context) error { _, err := s.List(ctx, none); return err },
		"count":  func(ctx context.Context) error { _, err := s.Count(ctx, none); return err },
		"events": events(installation.EventQuery{Tenant: "none"}),
		"cursor": events(installation.EventQuery{
			Tenant: "tenant", After: "0-9999999999999-0",
		}),
		"cursor across tenants": events(installation.EventQuery{
			AllTenants: true, After: "0//9999999999999-0",
		}),
	} {
		t.Run(name, func(t *testing.T) {
			wantUnavailable(t, name, call(log.firstTry(t)))
		})
	}
}

// TestNameLeadsElsewhere makes the name of a server lead to its replica, as a managed service
// does after a failover. The existing connections still lead to the old server, which is a
// replica now. Every call succeeds after a retry.
func TestNameLeadsElsewhere(t *testing.T) {
	for name, replicas := range map[string]int{
		"primary alone": 0, "with replicas": 1, "health first": 0,
	} {
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
			if name == "health first" {
				level(t, healthOf(t, s), "scripts", health.OK)
			}
			_, err := s.Get(t.Context(), id("none"))
			wantError(t, "get", err, installation.ErrNotFound)
			conflicting := update(c.Record, "")
			conflicting.If, conflicting.Record.Revision = 7, 8
			_, err = s.Commit(t.Context(), conflicting)
			wantError(t, "commit", err, installation.ErrConflict)
			applied(t, s, update(c.Record, ""))
			record := keysOf(t, replica, "*:r:*")[0]
			if n := storedRevision(t, replica, record); n != 2 {
				t.Errorf("revision %d is stored, want 2", n)
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
