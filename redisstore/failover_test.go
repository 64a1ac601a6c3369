package redisstore_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// rounds returns how often a test runs whose result depends on the order of events.
func rounds() int {
	if long() {
		return 20
	}
	return 1
}

// long reports whether tests take their longer form.
func long() bool { return os.Getenv("INSTALLATION_LONG") == "1" }

// reloads is a cluster client that counts how often it is told to find the masters.
type reloads struct {
	*redis.ClusterClient
	n atomic.Int64
}

// ReloadState counts a call and passes it on.
func (c *reloads) ReloadState(ctx context.Context) {
	c.n.Add(1)
	c.ClusterClient.ReloadState(ctx)
}

// TestClusterFailover kills a master of a cluster under load. Every commit must end in success
// or in an error that says what is known, and a commit that a replica confirmed must not be
// lost.
func TestClusterFailover(t *testing.T) {
	for n := range rounds() {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			cluster := redistest.StartCluster(t, 3, 1)
			client := &reloads{ClusterClient: cluster.Client(t, nil)}
			const namespace = "failover"
			l := startLoad(t, 16, open(t, client, &redisstore.Options{
				Namespace: namespace, Buckets: 16, RequireReplicas: 1,
			}))
			slot := redistest.Slot(namespace + ":" + redisstore.BucketOf(tenant(0), 16))
			checkFailover(t, l, func() { cluster.Failover(t, cluster.Owner(slot)) })
			// By itself the client looks for new masters once a minute.
			if client.n.Load() == 0 {
				t.Error("the store has not made the client look for the new master")
			}
		})
	}
}

// TestSentinelFailover does the same to a master that sentinels watch.
func TestSentinelFailover(t *testing.T) {
	for n := range rounds() {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			servers := redistest.StartSentinel(t)
			s := open(t, servers.Client(t, nil), &redisstore.Options{RequireReplicas: 1})
			checkFailover(t, startLoad(t, 16, s), func() { servers.Failover(t) })
		})
	}
}

// checkFailover fails over from the server of tenant 0, waits until all writers go on, and
// looks for lost commits.
func checkFailover(t *testing.T, l *load, failOver func()) {
	t.Helper()
	l.awaitMany(t)
	failOver()
	promoted := time.Now()
	l.awaitWrites(t, l.writers)
	lost := l.finish(t)
	if lost > 0 {
		t.Errorf("%d acknowledged commits are lost", lost)
	}
	checkIndex(t, l.store)
	t.Logf("%v; %d lost; all writers went on %.1f s after the replica had taken over",
		l, lost, time.Since(promoted).Seconds())
}

// TestSlotMoved moves the slot of a bucket to and fro under load. No call fails.
func TestSlotMoved(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	const namespace = "moving"
	s := open(t, cluster.Client(t, nil), &redisstore.Options{Namespace: namespace, Buckets: 16})
	l := startLoad(t, 8, s)
	l.awaitMany(t)

	slot := redistest.Slot(namespace + ":" + redisstore.BucketOf(tenant(0), 16))
	from := cluster.Owner(slot)
	moves := 0
	for _, to := range cluster.Masters {
		if to != from {
			cluster.MoveSlot(t, slot, from, to)
			l.awaitWrites(t, 1) // of tenant 0
			cluster.MoveSlot(t, slot, to, from)
			l.awaitWrites(t, 1) // of tenant 0
			moves += 2
		}
	}
	lost := l.finish(t)
	if lost > 0 || l.acknowledged.Load() != l.attempted.Load() {
		t.Errorf("%v; %d lost; want all acknowledged and none lost", l, lost)
	}
	checkIndex(t, s)
	t.Logf("%v; %d lost; %d moves", l, lost, moves)
}
