package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// client is the caller's client with what differs between one server and a cluster.
type client struct {
	redis.UniversalClient
	reloaded *atomic.Int64 // when the map of the cluster was last asked for, nanoseconds
}

// What a client of a cluster can do beside the rest, be it a [redis.ClusterClient] or something made around one.
type (
	locator interface {
		MasterForKey(context.Context, string) (*redis.Client, error)
	}
	ranger interface {
		ForEachMaster(context.Context, func(context.Context, *redis.Client) error) error
	}
	reloader interface{ ReloadState(context.Context) }
)

// newClient refuses clients on which the promises of this package would not hold. What is wrapped around a client is taken
// only if it shows that it is one of a cluster: else there is no telling what it does with commands.
func newClient(c redis.UniversalClient) (client, error) {
	switch c := c.(type) {
	case nil:
		return client{}, errNoClient
	case *redis.Client:
		if c == nil {
			return client{}, errNoClient
		}
		if caches(c) {
			return client{}, errCaches
		}
	case *redis.ClusterClient:
		if c == nil {
			return client{}, errNoClient
		}
	case *redis.Ring:
		return client{}, errors.New("a redis.Ring spreads keys over servers that know nothing of each other and moves them without their" +
			" data when one fails; use a server, Sentinel or a cluster")
	case interface {
		locator
		ranger
		reloader
	}:
	default:
		return client{}, fmt.Errorf("a %T does not show which servers it talks to; use a redis.Client or a redis.ClusterClient", c)
	}
	if c, ok := c.(interface{ Options() *redis.ClusterOptions }); ok {
		if o := c.Options(); o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return client{}, errors.New("the cluster client reads from replicas, which lag behind: unset ReadOnly, RouteByLatency and RouteRandomly")
		}
	}
	return client{c, new(atomic.Int64)}, nil
}

var (
	errNoClient = errors.New("no client")
	errCaches   = errors.New("the client caches what it has read, so it would miss what others write: unset ClientSideCache and ClientSideCacheConfig")
)

// caches reports whether a client answers from its own memory.
func caches(c *redis.Client) bool {
	return c.Options().ClientSideCache != nil || c.Options().ClientSideCacheConfig != nil
}

func (c client) isCluster() bool {
	_, ok := c.UniversalClient.(locator)
	return ok
}

// primary returns a client of the one server that answers for a key.
func (c client) primary(ctx context.Context, key string) (redis.UniversalClient, error) {
	if l, ok := c.UniversalClient.(locator); ok {
		return l.MasterForKey(ctx, key)
	}
	return c.UniversalClient, nil
}

// eachPrimary calls f for every server that answers for keys, for several at once.
func (c client) eachPrimary(ctx context.Context, f func(context.Context, redis.UniversalClient) error) error {
	if r, ok := c.UniversalClient.(ranger); ok {
		return r.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return f(ctx, node) })
	}
	return f(ctx, c.UniversalClient)
}

// reloadEvery is how often the map of a cluster is asked for at most.
const reloadEvery = 100 * time.Millisecond

// reload makes a client of a cluster ask which server answers for what. By itself it does so once a minute, or when a
// server redirects it; one that is dead does not, and its keys would be out of reach for that minute.
func (c client) reload(ctx context.Context) {
	r, ok := c.UniversalClient.(reloader)
	if !ok {
		return
	}
	last, now := c.reloaded.Load(), time.Now().UnixNano()
	if now-last >= int64(reloadEvery) && c.reloaded.CompareAndSwap(last, now) {
		r.ReloadState(ctx)
	}
}

// readTimeout returns how long the client waits for an answer, 0 if for ever or if it does not tell.
func (c client) readTimeout() time.Duration {
	var timeout time.Duration
	switch c := c.UniversalClient.(type) {
	case interface{ Options() *redis.Options }:
		timeout = c.Options().ReadTimeout
	case interface{ Options() *redis.ClusterOptions }:
		timeout = c.Options().ReadTimeout
	}
	return max(0, timeout)
}

// wait is what RequireReplicas asks for.
type wait struct {
	replicas int
	timeout  time.Duration
}

// waitFor returns what to ask for in what is left of a context, a quarter of which is for the way there and back: an answer
// that comes too late would make an unknown outcome of a commit that is known to be applied.
func (s *Store) waitFor(ctx context.Context) wait {
	w := wait{s.opts.RequireReplicas, s.opts.ReplicaTimeout}
	if end, ok := ctx.Deadline(); ok {
		left := time.Until(end)
		w.timeout = max(time.Millisecond, min(w.timeout, left-left/4))
	}
	return w
}

func (w wait) command(ctx context.Context) *redis.Cmd {
	return redis.NewCmd(ctx, "wait", w.replicas, w.timeout.Milliseconds())
}
