package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// longestGap is how long a store may take to find a server that has taken over. A client of a cluster by itself takes a minute.
const longestGap = 15 * time.Second

// enough is how many acknowledged commits make a load.
const enough = 500

// TestMasterKilled kills a master of a cluster under load. Every commit must end in success or in an error that says what
// is known, and what was acknowledged by a replica must still be there.
func TestMasterKilled(t *testing.T) {
	for n := range rounds() {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			cluster := redistest.StartCluster(t, 3, 1)
			const namespace = "failover"
			s := open(t, cluster.Client(t, nil), &redisstore.Options{
				Namespace: namespace, Buckets: 16, RequireReplicas: 1, ReplicaTimeout: 200 * time.Millisecond,
			})
			l := startLoad(t, s, 16, time.Minute)
			redistest.Await(t, "load", func() bool { return l.acknowledged.Load() > enough })

			victim := cluster.Owner(redistest.Slot(namespace + ":" + redisstore.BucketOf(tenant(0), 16)))
			for i, m := range cluster.Masters {
				if m == victim {
					failover(t, l, victim, cluster.Replicas[i])
				}
			}
		})
	}
}

// TestSentinelFailover does the same to a master that sentinels watch.
func TestSentinelFailover(t *testing.T) {
	for n := range rounds() {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			servers := redistest.StartSentinel(t)
			s := open(t, servers.Client(t), &redisstore.Options{RequireReplicas: 1, ReplicaTimeout: 200 * time.Millisecond})
			l := startLoad(t, s, 16, time.Minute)
			redistest.Await(t, "load", func() bool { return l.acknowledged.Load() > enough })
			failover(t, l, servers.Master, servers.Replica)
		})
	}
}

// failover kills a server that tenant 0 lives on, waits for another one to take over and for all to go on, and counts.
func failover(t *testing.T, l *load, victim, successor *redistest.Server) {
	t.Helper()
	client := successor.Client(t)
	victim.Kill()
	killed := time.Now()
	redistest.Await(t, "the replica takes over", func() bool { return successor.Info(t.Context(), client, "role") == "master" })
	promoted := time.Now()
	first := <-l.nextWrite(tenant(0))
	for w := range l.writers {
		<-l.nextWrite(tenant(w))
	}
	lost := l.finish(t)
	if lost > 0 {
		t.Errorf("%d acknowledged commits are lost", lost)
	}
	if gap := first.Sub(promoted); gap >= longestGap {
		t.Errorf("the first write came %v after another server had taken over, want less than %v", gap, longestGap)
	}
	agree(t, l.store)
	t.Logf("%v; %d lost; promoted %.1f s after the kill, first write %.1f s after that",
		l, lost, promoted.Sub(killed).Seconds(), first.Sub(promoted).Seconds())
}

// TestSlotMoved moves the slot of a bucket to and fro under load. No caller is to notice.
func TestSlotMoved(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	const namespace = "moving"
	s := open(t, cluster.Client(t, nil), &redisstore.Options{Namespace: namespace, Buckets: 16})
	l := startLoad(t, s, 8, 10*time.Second)
	redistest.Await(t, "load", func() bool { return l.acknowledged.Load() > enough })

	slot := redistest.Slot(namespace + ":" + redisstore.BucketOf(tenant(0), 16))
	from := cluster.Owner(slot)
	moves := 0
	for _, to := range cluster.Masters {
		if to != from {
			cluster.MoveSlot(t, slot, from, to)
			<-l.nextWrite(tenant(0))
			cluster.MoveSlot(t, slot, to, from)
			<-l.nextWrite(tenant(0))
			moves += 2
		}
	}
	lost := l.finish(t)
	if lost > 0 || l.acknowledged.Load() != l.attempted.Load() {
		t.Errorf("%v; %d lost; want all acknowledged and none lost", l, lost)
	}
	agree(t, s)
	t.Logf("%v; %d lost; %d moves", l, lost, moves)
}
