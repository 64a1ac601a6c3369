package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestRequireReplicas checks that a commit counts as done only when replicas have it, also one whose first answer was lost,
// and one that is answered with an earlier outcome.
func TestRequireReplicas(t *testing.T) {
	servers := redistest.StartSentinel(t)
	proxy := newSwallower(t, servers.Master.Addr)
	client := redis.NewClient(&redis.Options{Addr: proxy.addr()})
	t.Cleanup(func() { _ = client.Close() })
	s := open(t, client, &redisstore.Options{RequireReplicas: 1, ReplicaTimeout: 100 * time.Millisecond})
	outcome := &installation.Outcome{Digest: installation.Digest{1}, Until: time.Now().Add(time.Hour)}
	lose := func() {
		var once atomic.Bool
		proxy.tell(func() bool { return once.CompareAndSwap(false, true) }, nil)
	}

	must(t, s, create(id("healthy"), ""))
	lose()
	must(t, s, create(id("healthy and lost"), ""))

	rewrites(t, s, servers.Master)

	resume := servers.Replica.Pause(t)
	unconfirmed(t, s, create(id("paused"), ""))
	lose()
	unconfirmed(t, s, create(id("paused and lost"), ""))
	c := create(id("paused outcome"), "")
	c.Idempotency = outcome
	unconfirmed(t, s, c)
	c = create(id("not written"), "")
	c.Idempotency = outcome
	receipt := unconfirmed(t, s, c)
	if receipt.Outcome == nil {
		t.Errorf("receipt %+v, want the outcome", receipt)
	}
	r := get(t, s, id("paused"))
	c = update(r, "")
	c.If--
	if _, err := s.Commit(t.Context(), c); !errors.Is(err, installation.ErrConflict) {
		t.Errorf("a refusal needs no replica: error %v, want %v", err, installation.ErrConflict)
	}

	resume()
	redistest.Await(t, "the replica goes on", func() bool {
		r = get(t, s, id("paused"))
		_, err := s.Commit(t.Context(), update(r, ""))
		return err == nil
	})
}

// rewrites checks that a store which waits for replicas writes what it answers from once more: some servers have WAIT wait
// for what its own connection has written, and a repeated try comes on another one.
func rewrites(t *testing.T, s installation.Store, master *redistest.Server) {
	t.Helper()
	client := master.Client(t)
	c := create(id("replayed"), "")
	c.Idempotency = &installation.Outcome{Digest: installation.Digest{2}, Until: time.Now().Add(time.Hour), Data: []byte("data")}
	must(t, s, c)
	again := create(id("answered"), "")
	again.Idempotency = c.Idempotency
	for field, change := range map[string]installation.Change{"cmdstat_hset": c, "cmdstat_set": again} {
		before := master.Info(t.Context(), client, field)
		must(t, s, change)
		if after := master.Info(t.Context(), client, field); strings.Split(before, ",")[0] == strings.Split(after, ",")[0] {
			t.Errorf("%s: %q before and %q after, want one more call", field, before, after)
		}
	}
	if ttl := client.PTTL(t.Context(), keysOf(t, client, "*:o:*")[0]).Val(); ttl <= 0 {
		t.Errorf("the outcome expires in %v, want a time", ttl)
	}
	receipt, err := s.Commit(t.Context(), again)
	if err != nil || receipt.Outcome == nil || string(receipt.Outcome.Data) != "data" {
		t.Errorf("receipt %+v, error %v, want the outcome", receipt, err)
	}
}

// TestRequireMoreReplicas asks for more than there are.
func TestRequireMoreReplicas(t *testing.T) {
	s := open(t, redistest.Start(t).Client(t), &redisstore.Options{RequireReplicas: 1, ReplicaTimeout: 10 * time.Millisecond})
	unconfirmed(t, s, create(id("a"), ""))
}

// TestReplicasWithinDeadline waits for replicas no longer than the context lasts: a commit that was applied says so.
func TestReplicasWithinDeadline(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(t).Addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	s := open(t, client, &redisstore.Options{RequireReplicas: 1, ReplicaTimeout: 4 * time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if _, err := s.Commit(ctx, create(id("a"), "")); !errors.Is(err, installation.ErrNotReplicated) {
		t.Errorf("error %v, want %v", err, installation.ErrNotReplicated)
	}
}

// unconfirmed commits a change that is applied and not confirmed.
func unconfirmed(tb testing.TB, s installation.Store, c installation.Change) installation.Receipt {
	tb.Helper()
	receipt, err := s.Commit(tb.Context(), c)
	if !errors.Is(err, installation.ErrNotReplicated) || errors.Is(err, installation.ErrUnavailable) {
		tb.Errorf("commit %q: receipt %+v, error %v, want %v", c.Key.ID, receipt, err, installation.ErrNotReplicated)
	}
	if receipt.Outcome == nil {
		get(tb, s, c.Key)
	}
	return receipt
}
