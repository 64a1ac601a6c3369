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

// TestRequireReplicas checks that a commit is confirmed only when a replica has it. That
// includes a commit whose first answer was lost, and one that is answered with an earlier
// outcome.
func TestRequireReplicas(t *testing.T) {
	primary := redistest.Start(t)
	replica := redistest.StartReplica(t, primary)
	proxy := redistest.StartProxy(t, primary.Addr)
	client := redistest.NewClient(t, &redis.Options{Addr: proxy.Addr()})
	options := redisstore.Options{
		Namespace: "replicated", RequireReplicas: 1, ReplicaTimeout: redistest.Patience / 2,
	}
	s := open(t, client, &options)
	options.ReplicaTimeout = 100 * time.Millisecond
	brief := open(t, client, &options) // for commits that no replica can confirm
	loseOne := func() {
		var lost atomic.Bool
		proxy.LoseAnswers(func() bool { return lost.CompareAndSwap(false, true) }, nil)
	}

	must(t, s, create(id("healthy"), ""))
	loseOne()
	must(t, s, create(id("healthy and lost"), ""))
	checkRewrites(t, s, primary)

	resume := replica.Pause(t)
	unconfirmed(t, brief, create(id("paused"), ""))
	loseOne()
	unconfirmed(t, brief, create(id("paused and lost"), ""))
	c := create(id("paused outcome"), "")
	c.Idempotency = &installation.Outcome{
		Digest: installation.Digest{1}, Until: time.Now().Add(time.Hour),
	}
	unconfirmed(t, brief, c)
	again := create(id("not written"), "")
	again.Idempotency = c.Idempotency
	receipt := unconfirmed(t, brief, again)
	if receipt.Outcome == nil {
		t.Errorf("receipt %+v, want the outcome", receipt)
	}
	r := get(t, s, id("paused"))
	c = update(r, "")
	c.If--
	_, err := brief.Commit(t.Context(), c)
	wantError(t, "a conflict, which needs no replica", err, installation.ErrConflict)

	resume()
	must(t, s, update(r, ""))
}

// checkRewrites checks that a store which waits for replicas rewrites what it answers from. On
// some servers WAIT covers only the writes of its own connection, and a retry uses another one.
func checkRewrites(t *testing.T, s installation.Store, primary *redistest.Server) {
	t.Helper()
	client := primary.Client(t)
	c := create(id("replayed"), "")
	c.Idempotency = &installation.Outcome{
		Digest: installation.Digest{2}, Until: time.Now().Add(time.Hour), Data: []byte("data"),
	}
	must(t, s, c)
	again := create(id("answered"), "")
	again.Idempotency = c.Idempotency
	calls := func(field string) string {
		n, _, _ := strings.Cut(redistest.Info(t.Context(), client, field), ",")
		return n
	}
	for field, change := range map[string]installation.Change{
		"cmdstat_set": c, "cmdstat_hset": again,
	} {
		before := calls(field)
		must(t, s, change)
		if after := calls(field); before == after {
			t.Errorf("%s: %q before and after, want one more call", field, before)
		}
	}
	buried := bury(c.Record, time.Now().Add(time.Hour))
	must(t, s, buried, buried)
	const key = "{replicated:00}:r:6:tenant:replayed"
	if ttl := client.PTTL(t.Context(), key).Val(); ttl <= 0 {
		t.Errorf("the tombstone expires in %v, want a time", ttl)
	}
	receipt, err := s.Commit(t.Context(), again)
	if err != nil || receipt.Outcome == nil || string(receipt.Outcome.Data) != "data" {
		t.Errorf("receipt %+v, error %v, want the outcome", receipt, err)
	}
}

// TestRequireMoreReplicas requires more replicas than there are.
func TestRequireMoreReplicas(t *testing.T) {
	s := open(t, redistest.Start(t).Client(t), &redisstore.Options{
		RequireReplicas: 1, ReplicaTimeout: 10 * time.Millisecond,
	})
	unconfirmed(t, s, create(id("a"), ""))
}

// TestReplicasWithinDeadline commits with a deadline before ReplicaTimeout: a commit that was
// applied says so in time.
func TestReplicasWithinDeadline(t *testing.T) {
	client := redistest.NewClient(t, &redis.Options{
		Addr: redistest.Start(t).Addr, ContextTimeoutEnabled: true,
	})
	s := open(t, client, &redisstore.Options{
		RequireReplicas: 1, ReplicaTimeout: redistest.Patience / 2,
	})
	var err error
	grow(func(limit time.Duration) bool {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err = s.Commit(ctx, create(id("%v", limit), ""))
		return errors.Is(err, installation.ErrNotReplicated)
	})
	wantError(t, "commit", err, installation.ErrNotReplicated)
}

// unconfirmed commits a change that is applied but not confirmed by replicas.
func unconfirmed(
	tb testing.TB, s installation.Store, c installation.Change,
) installation.Receipt {
	tb.Helper()
	receipt, err := s.Commit(tb.Context(), c)
	if !errors.Is(err, installation.ErrNotReplicated) ||
		errors.Is(err, installation.ErrUnavailable) {
		tb.Errorf("commit %q: receipt %+v, error %v, want %v",
			c.Key.ID, receipt, err, installation.ErrNotReplicated)
	}
	if receipt.Outcome == nil {
		get(tb, s, c.Key)
	}
	return receipt
}

// applied commits a change that is applied, whether or not replicas confirm it.
func applied(tb testing.TB, s installation.Store, c installation.Change) {
	tb.Helper()
	_, err := s.Commit(tb.Context(), c)
	if err != nil && !errors.Is(err, installation.ErrNotReplicated) {
		tb.Fatal(err)
	}
}
