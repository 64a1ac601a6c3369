package redistest

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// slots is into how many slots a cluster cuts its keys.
const slots = 16384

// Cluster is a running Redis Cluster.
type Cluster struct {
	Masters  []*Server
	Replicas []*Server // the one at i follows the master at i, modulo how many there are
}

// StartCluster starts a cluster and waits until every node is of one mind. A master counts as dead after two seconds.
func StartCluster(tb testing.TB, masters, replicasEach int) *Cluster {
	tb.Helper()
	c := &Cluster{}
	for i := range masters * (1 + replicasEach) {
		s := Start(tb, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-config-file", "nodes.conf")
		if i < masters {
			c.Masters = append(c.Masters, s)
		} else {
			c.Replicas = append(c.Replicas, s)
		}
	}
	ctx := tb.Context()
	clients := make([]*redis.Client, 0, len(c.servers()))
	for i, s := range c.servers() {
		client := s.Client(tb)
		clients = append(clients, client)
		must(tb, client.Do(ctx, "cluster", "set-config-epoch", i+1).Err())
		if i < masters {
			must(tb, client.ClusterAddSlotsRange(ctx, slots*i/masters, slots*(i+1)/masters-1).Err())
		}
		must(tb, clients[0].ClusterMeet(ctx, "127.0.0.1", strconv.Itoa(s.port)).Err())
	}
	all := strconv.Itoa(len(clients))
	Await(tb, "all nodes know each other", func() bool { return everywhere(ctx, clients, "cluster_known_nodes:"+all) })
	for i := range c.Replicas {
		must(tb, clients[masters+i].ClusterReplicate(ctx, nodeID(tb, clients[i%masters])).Err())
	}
	Await(tb, "the cluster is up", func() bool { return everywhere(ctx, clients, "cluster_state:ok") })
	for i, s := range c.Replicas {
		Await(tb, "a replica follows", func() bool { return s.Info(ctx, clients[masters+i], "master_link_status") == "up" })
	}
	client := c.Client(tb, nil)
	Await(tb, "every node lists the replicas", func() bool {
		for i := range masters { // replicas are not listed before the first write
			must(tb, client.Set(ctx, "{"+tagOf(slots*i/masters, slots*(i+1)/masters)+"}warm", "", time.Second).Err())
		}
		for _, node := range clients {
			ranges, err := node.Do(ctx, "cluster", "slots").Slice() // each the first slot, the last slot, and the nodes
			if err != nil || len(ranges) != masters {
				return false
			}
			for _, r := range ranges {
				if len(r.([]any)) != 2+1+replicasEach {
					return false
				}
			}
		}
		return true
	})
	return c
}

// everywhere reports whether CLUSTER INFO of every node has a line.
func everywhere(ctx context.Context, nodes []*redis.Client, line string) bool {
	for _, n := range nodes {
		info, err := n.ClusterInfo(ctx).Result()
		if err != nil || !strings.Contains(info, line+"\r\n") {
			return false
		}
	}
	return true
}

func (c *Cluster) servers() []*Server {
	return append(c.Masters[:len(c.Masters):len(c.Masters)], c.Replicas...)
}

// Client returns a client of the cluster, which is closed when the test ends. Nil options are the default ones.
func (c *Cluster) Client(tb testing.TB, o *redis.ClusterOptions) *redis.ClusterClient {
	tb.Helper()
	var options redis.ClusterOptions
	if o != nil {
		options = *o
	}
	for _, s := range c.servers() {
		options.Addrs = append(options.Addrs, s.Addr)
	}
	client := redis.NewClusterClient(&options)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// tagOf returns a hash tag whose slot lies in [from, to).
func tagOf(from, to int) string {
	for i := 0; ; i++ {
		tag := strconv.Itoa(i)
		if slot := int(Slot(tag)); from <= slot && slot < to {
			return tag
		}
	}
}

// Slot returns the slot of a hash tag: its CRC-16 in the form of XMODEM, modulo the number of slots.
func Slot(tag string) uint16 {
	var crc uint16
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % slots
}

// OpenSlot begins to move a slot from one master to another, and moves no key yet.
func (c *Cluster) OpenSlot(tb testing.TB, slot uint16, from, to *Server) {
	tb.Helper()
	source, target := from.Client(tb), to.Client(tb)
	must(tb,
		target.Do(tb.Context(), "cluster", "setslot", slot, "importing", nodeID(tb, source)).Err(),
		source.Do(tb.Context(), "cluster", "setslot", slot, "migrating", nodeID(tb, target)).Err(),
	)
}

// nodeID returns what a node of a cluster is called there.
func nodeID(tb testing.TB, node *redis.Client) string {
	tb.Helper()
	id, err := node.Do(tb.Context(), "cluster", "myid").Text()
	must(tb, err)
	return id
}

// MoveSlot moves a slot with its keys from one master to another, key by key, while both serve. The move is done when it
// returns; clients learn of it when they are redirected.
func (c *Cluster) MoveSlot(tb testing.TB, slot uint16, from, to *Server) {
	tb.Helper()
	ctx := tb.Context()
	source, target := from.Client(tb), to.Client(tb)
	targetID := nodeID(tb, target)
	c.OpenSlot(tb, slot, from, to)
	for {
		keys, err := source.ClusterGetKeysInSlot(ctx, int(slot), 10).Result()
		must(tb, err)
		if len(keys) == 0 {
			break
		}
		for _, k := range keys {
			must(tb, source.Do(ctx, "migrate", "127.0.0.1", to.port, k, 0, 30_000).Err())
		}
	}
	must(tb,
		target.Do(ctx, "cluster", "setslot", slot, "node", targetID).Err(),
		source.Do(ctx, "cluster", "setslot", slot, "node", targetID).Err(),
	)
}

// Owner returns the master that holds a slot at the start.
func (c *Cluster) Owner(slot uint16) *Server {
	for i, m := range c.Masters {
		if int(slot) < slots*(i+1)/len(c.Masters) {
			return m
		}
	}
	return nil // no slot is that high
}
