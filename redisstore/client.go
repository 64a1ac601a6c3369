package redisstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// client is the caller's client. It hides the differences between one server and a cluster.
type client struct {
	redis.UniversalClient
	reloaded *atomic.Int64 // time of the last reload in nanoseconds
}

// Methods of a cluster client: a [redis.ClusterClient], or a wrapper of one.
type (
	locator interface {
		MasterForKey(context.Context, string) (*redis.Client, error)
	}
	ranger interface {
		ForEachMaster(context.Context, func(context.Context, *redis.Client) error) error
	}
	reloader interface{ ReloadState(context.Context) }
)

// newClient rejects clients that would break the guarantees of this package. It accepts a wrapper
// only around a cluster client, because other wrappers hide what they do with commands.
func newClient(c redis.UniversalClient) (client, error) {
	if v := reflect.ValueOf(c); c == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return client{}, errors.New("no client")
	}
	switch c := c.(type) {
	case *redis.Client:
		if caches(c) {
			return client{}, errCaches
		}
	case *redis.Ring:
		return client{}, errors.New("a redis.Ring spreads keys over independent servers and " +
			"moves them without their data when one fails; use a server, Sentinel or a cluster")
	case interface {
		locator
		ranger
		reloader
	}:
	default:
		return client{}, fmt.Errorf("a %T does not show which servers it talks to; "+
			"use a redis.Client or a redis.ClusterClient", c)
	}
	if c, ok := c.(interface{ Options() *redis.ClusterOptions }); ok {
		if o := c.Options(); o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return client{}, errors.New("the cluster client reads from replicas, which lag " +
				"behind: unset ReadOnly, RouteByLatency and RouteRandomly")
		}
	}
	return client{c, new(atomic.Int64)}, nil
}

var errCaches = errors.New("the client caches reads, so it would miss writes of others: " +
	"unset ClientSideCache and ClientSideCacheConfig")

// caches reports whether a client answers from its own memory.
func caches(c *redis.Client) bool {
	return c.Options().ClientSideCache != nil || c.Options().ClientSideCacheConfig != nil
}

func (c client) isCluster() bool {
	_, ok := c.UniversalClient.(locator)
	return ok
}

// primary returns a client of the primary that has the key.
func (c client) primary(ctx context.Context, key string) (redis.UniversalClient, error) {
	if l, ok := c.UniversalClient.(locator); ok {
		return l.MasterForKey(ctx, key)
	}
	return c.UniversalClient, nil
}

// eachPrimary calls f for every primary, concurrently on a cluster.
func (c client) eachPrimary(
	ctx context.Context, f func(context.Context, redis.UniversalClient) error,
) error {
	if r, ok := c.UniversalClient.(ranger); ok {
		return r.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return f(ctx, node)
		})
	}
	return f(ctx, c.UniversalClient)
}

// reloadEvery limits how often a cluster client reloads its map of the cluster.
const reloadEvery = 100 * time.Millisecond

// reload makes a cluster client look up which server has which slots. By itself, the client looks
// them up once a minute, or when a server redirects a command. A dead server redirects nothing, so
// without reload its keys would be unreachable for up to a minute.
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

// connections returns how many connections the client has made or found broken so far.
func (c client) connections() uint32 {
	stats := c.PoolStats()
	return stats.Misses + stats.StaleConns
}

// readTimeout returns the client's ReadTimeout, or 0 if the client has none or does not show it.
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

// usesTLS reports whether the client's options ask for TLS.
func (c client) usesTLS() bool {
	switch c := c.UniversalClient.(type) {
	case interface{ Options() *redis.Options }:
		return c.Options().TLSConfig != nil
	case interface{ Options() *redis.ClusterOptions }:
		return c.Options().TLSConfig != nil
	}
	return false
}
