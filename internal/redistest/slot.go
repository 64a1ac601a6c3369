package redistest

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Slot returns the slot of a hash tag: CRC-16/XMODEM modulo the number of slots.
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

// OpenSlot marks a slot as moving from one master to another. It moves no key.
func (c *Cluster) OpenSlot(tb testing.TB, slot uint16, from, to *Server) {
	tb.Helper()
	source, target := c.nodes[from], c.nodes[to]
	importing := []any{"cluster", "setslot", slot, "importing", source.id}
	migrating := []any{"cluster", "setslot", slot, "migrating", target.id}
	must(tb, target.client.Do(tb.Context(), importing...).Err(),
		source.client.Do(tb.Context(), migrating...).Err())
}

// nodeID returns the id of a node in its cluster.
func nodeID(tb testing.TB, node *redis.Client) string {
	tb.Helper()
	id, err := node.Do(tb.Context(), "cluster", "myid").Text()
	must(tb, err)
	return id
}

// KeysInSlot returns some keys of a slot that a server has, at most limit of them.
func (c *Cluster) KeysInSlot(tb testing.TB, slot uint16, server *Server, limit int) []string {
	tb.Helper()
	client := c.nodes[server].client
	keys, err := client.ClusterGetKeysInSlot(tb.Context(), int(slot), limit).Result()
	must(tb, err)
	return keys
}

// MoveKeys moves keys of an open slot, one at a time. Keys that do not exist are left out.
func (c *Cluster) MoveKeys(tb testing.TB, from, to *Server, keys ...string) {
	tb.Helper()
	for _, k := range keys {
		c.migrate(tb, from, to, k)
	}
}

// MoveSlotWhole moves a slot with its keys in one step. A server that lacks CLUSTER MIGRATESLOTS
// moves them with one MIGRATE.
func (c *Cluster) MoveSlotWhole(tb testing.TB, slot uint16, from, to *Server) {
	tb.Helper()
	source, target := c.nodes[from], c.nodes[to]
	command := []any{"cluster", "migrateslots", "slotsrange", slot, slot, "node", target.id}
	err := source.client.Do(tb.Context(), command...).Err()
	if err == nil {
		Await(tb, "a slot moves", func() bool {
			return owns(tb, target, slot) && !owns(tb, source, slot)
		})
		return
	}
	if !strings.Contains(err.Error(), "unknown subcommand") {
		tb.Fatal(err)
	}
	c.OpenSlot(tb, slot, from, to)
	const all = 1 << 20
	list := []any{"keys"}
	for _, k := range c.KeysInSlot(tb, slot, from, all) {
		list = append(list, k)
	}
	if len(list) > 1 {
		c.migrate(tb, from, to, "", list...)
	}
	c.CloseSlot(tb, slot, from, to)
}

// owns reports whether a slot belongs to a master, as that master sees it.
func owns(tb testing.TB, n node, slot uint16) bool {
	tb.Helper()
	shards, err := n.client.ClusterShards(tb.Context()).Result()
	must(tb, err)
	return slices.ContainsFunc(shards, func(s redis.ClusterShard) bool {
		has := slices.ContainsFunc(s.Slots, func(r redis.SlotRange) bool {
			return r.Start <= int64(slot) && int64(slot) <= r.End
		})
		return has && slices.ContainsFunc(s.Nodes, func(m redis.Node) bool { return m.ID == n.id })
	})
}

func (c *Cluster) migrate(tb testing.TB, from, to *Server, key string, options ...any) {
	tb.Helper()
	command := append([]any{"migrate", "127.0.0.1", to.port, key, 0, 30_000}, options...)
	must(tb, c.nodes[from].client.Do(tb.Context(), command...).Err())
}

// CloseSlot moves what is left in an open slot and ends the move. Clients learn of it when they are
// redirected.
func (c *Cluster) CloseSlot(tb testing.TB, slot uint16, from, to *Server) {
	tb.Helper()
	for {
		keys := c.KeysInSlot(tb, slot, from, 10)
		if len(keys) == 0 {
			break
		}
		c.MoveKeys(tb, from, to, keys...)
	}
	source, target := c.nodes[from], c.nodes[to]
	moved := []any{"cluster", "setslot", slot, "node", target.id}
	must(tb, target.client.Do(tb.Context(), moved...).Err(),
		source.client.Do(tb.Context(), moved...).Err())
}

// MoveSlot moves a slot with its keys from one master to another, key by key, while both serve.
func (c *Cluster) MoveSlot(tb testing.TB, slot uint16, from, to *Server) {
	tb.Helper()
	c.OpenSlot(tb, slot, from, to)
	c.CloseSlot(tb, slot, from, to)
}
