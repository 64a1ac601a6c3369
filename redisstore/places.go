package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// primaries returns a client for each primary.
func (c client) primaries(ctx context.Context) (nodes []redis.UniversalClient, err error) {
	var mu sync.Mutex
	err = c.eachPrimary(ctx, func(_ context.Context, node redis.UniversalClient) error {
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, node)
		return nil
	})
	return nodes, err
}

// places returns a text that names the process of the server that has each bucket. If the text is
// the same before and after a scan, no bucket has moved and no server was restarted or replaced
// meanwhile. places returns an error if the slot of a bucket is being moved, because its keys are
// then on two servers.
func (s *Store) places(ctx context.Context) (string, error) {
	nodes, err := s.client.primaries(ctx)
	var lines []string
	for _, node := range nodes {
		if err != nil {
			break
		}
		var info map[string]string
		// Where INFO is forbidden, a restart or failover is not noticed.
		if info, err = infoOf(ctx, node); err != nil && !isServerError(err) {
			break
		}
		line := info["run_id"]
		err = nil
		if s.client.isCluster() {
			var buckets string
			if buckets, err = s.bucketsOn(ctx, node); buckets == "" {
				continue
			}
			line += buckets
		}
		lines = append(lines, line)
	}
	if err != nil {
		return "", wrapError(ctx, installation.ErrUnavailable, err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), nil
}

// bucketsOn returns the numbers of the buckets on a server, each after a space.
func (s *Store) bucketsOn(ctx context.Context, node redis.UniversalClient) (string, error) {
	text, err := readValue(ctx, s, func(ctx context.Context) (string, error) {
		return node.ClusterNodes(ctx).Result()
	})
	if err != nil {
		return "", err
	}
	var slots []string
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 8 && strings.Contains(words[2], "myself") {
			slots = words[8:]
		}
	}
	var buckets strings.Builder
	for _, b := range s.keys.all() {
		slot := slotOf(b.index())
		for _, held := range slots {
			from, to, _ := strings.Cut(strings.TrimPrefix(held, "["), "-")
			switch {
			case strings.HasPrefix(held, "[") && from == strconv.Itoa(int(slot)):
				return "", storecall.Unavailable("slot %d is being moved to another server", slot)
			case inRange(int(slot), from, to):
				fmt.Fprintf(&buckets, " %d", b.number)
			}
		}
	}
	return buckets.String(), nil
}

// inRange reports whether a slot is in a range of CLUSTER NODES. In a range of one slot, to is
// empty.
func inRange(slot int, from, to string) bool {
	first, err := strconv.Atoi(from)
	if err != nil {
		return false
	}
	last, err := strconv.Atoi(to)
	if to == "" {
		last, err = first, nil
	}
	return err == nil && first <= slot && slot <= last
}
