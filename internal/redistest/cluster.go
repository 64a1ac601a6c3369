package redistest

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
)

// slots is the number of slots of a cluster.
const slots = 16384

// Node timeouts in milliseconds: how long a node can be silent before the other nodes count it as
// failed. With the short timeout, nodes also exchange messages more often, so they agree sooner.
const (
	shortTimeout = 2000      // while replicas attach, and after a failover began
	longTimeout  = 3_600_000 // otherwise: slow nodes do not count as failed, and handshakes end
)

// Cluster is a running Redis Cluster.
type Cluster struct {
	Masters  []*Server
	Replicas []*Server // replica i follows master i modulo the number of masters

	nodes map[*Server]node // the masters
}

// node is a client of a server of a cluster, and its id there.
type node struct {
	client *redis.Client
	id     string
}

// StartCluster starts a cluster and waits until all nodes agree on the cluster and the replicas
// confirm writes. Before [Cluster.Failover], no node counts another node as failed.
func StartCluster(tb testing.TB, masters, replicasEach int) *Cluster {
	tb.Helper()
	c := &Cluster{nodes: make(map[*Server]node)}
	for i := range masters * (1 + replicasEach) {
		s := Start(tb, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
			"--cluster-node-timeout", strconv.Itoa(longTimeout),
			"--cluster-replica-no-failover", "yes")
		if i < masters {
			c.Masters = append(c.Masters, s)
		} else {
			c.Replicas = append(c.Replicas, s)
		}
	}
	c.form(tb)
	for _, m := range c.Masters {
		client := m.Client(tb)
		c.nodes[m] = node{client, nodeID(tb, client)}
	}
	configure(tb, c.servers(), "cluster-node-timeout", shortTimeout)
	for i, r := range c.Replicas {
		node, master := r.Client(tb), c.nodes[c.Masters[i%masters]].id
		Await(tb, "a node becomes a replica", func() bool {
			// An error means that the node does not know the master yet.
			return node.ClusterReplicate(tb.Context(), master).Err() == nil
		})
	}
	for i, m := range c.Masters {
		key := "{" + tagOf(slots*i/masters, slots*(i+1)/masters) + "}"
		awaitReplicas(tb, m, key, replicasEach)
	}
	for _, s := range c.servers() {
		node := s.Client(tb)
		Await(tb, "a node agrees on the cluster", func() bool {
			return slotsAgree(tb.Context(), node, masters, 1+replicasEach) &&
				clusterInfo(tb.Context(), node)["cluster_state"] == "ok"
		})
	}
	configure(tb, c.servers(), "cluster-node-timeout", longTimeout)
	return c
}

// form gives each master its slots and has all nodes meet.
func (c *Cluster) form(tb testing.TB) {
	tb.Helper()
	ctx, first := tb.Context(), c.Masters[0].Client(tb)
	all := c.servers()
	for i, s := range all {
		node := s.Client(tb)
		must(tb, node.Do(ctx, "cluster", "set-config-epoch", i+1).Err())
		if n := len(c.Masters); i < n {
			must(tb, node.ClusterAddSlotsRange(ctx, slots*i/n, slots*(i+1)/n-1).Err())
		}
		if i > 0 {
			must(tb, first.ClusterMeet(ctx, "127.0.0.1", strconv.Itoa(s.port)).Err())
		}
	}
	for _, s := range all {
		node := s.Client(tb)
		Await(tb, "a node knows all others", func() bool {
			info := clusterInfo(ctx, node)
			return info["cluster_known_nodes"] == strconv.Itoa(len(all)) &&
				info["cluster_state"] == "ok"
		})
	}
}

// slotsAgree reports whether node lists this many ranges of slots, and this many nodes for each.
func slotsAgree(ctx context.Context, node *redis.Client, ranges, nodes int) bool {
	list, err := node.Do(ctx, "cluster", "slots").Slice()
	return err == nil && len(list) == ranges &&
		!slices.ContainsFunc(list, func(r any) bool {
			return len(r.([]any)) != 2+nodes // after the first and the last slot
		})
}

// clusterInfo returns the fields of CLUSTER INFO, nil if the node does not answer.
func clusterInfo(ctx context.Context, node *redis.Client) map[string]string {
	text, _ := node.ClusterInfo(ctx).Result()
	return fields(text)
}

// configure sets a parameter on servers.
func configure(tb testing.TB, servers []*Server, parameter string, value any) {
	tb.Helper()
	for _, s := range servers {
		must(tb, s.Client(tb).Do(tb.Context(), "config", "set", parameter, value).Err())
	}
}

// Failover kills victim, a master with one replica, and waits until the replica has taken over. It
// returns the replica.
func (c *Cluster) Failover(tb testing.TB, victim *Server) *Server {
	tb.Helper()
	victim.Kill()
	alive := slices.DeleteFunc(c.servers(), func(s *Server) bool { return s == victim })
	configure(tb, alive, "cluster-replica-no-failover", "no")
	configure(tb, alive, "cluster-node-timeout", shortTimeout)
	successor := c.Replicas[slices.Index(c.Masters, victim)]
	AwaitInfo(tb, successor.Client(tb), "role", "master")
	return successor
}

func (c *Cluster) servers() []*Server { return slices.Concat(c.Masters, c.Replicas) }

// Client returns a client of the cluster, which is closed when the test ends. Nil options are the
// defaults.
func (c *Cluster) Client(tb testing.TB, o *redis.ClusterOptions) *redis.ClusterClient {
	tb.Helper()
	options := *cmp.Or(o, &redis.ClusterOptions{})
	setTimeouts(&options.DialTimeout, &options.ReadTimeout, &options.WriteTimeout,
		&options.PoolTimeout)
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

// Owner returns the master that has a slot when the cluster starts.
func (c *Cluster) Owner(slot uint16) *Server {
	for i, m := range c.Masters {
		if int(slot) < slots*(i+1)/len(c.Masters) {
			return m
		}
	}
	return nil // no slot is that high
}
