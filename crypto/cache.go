package crypto

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// Cache is a [KeyWrapper] that caches unwrapped data keys, so that not every read calls a key
// service. Concurrent callers that need the same key share one call. Cache starts no goroutine.
//
// A cached key opens values even while the service is down or has withdrawn the right to use
// the key-encryption key. So the TTL is also how long a withdrawn right still works. Evicted keys
// are wiped. A [Keyring] is as fast without a cache.
type Cache struct {
	keys KeyWrapper
	opts CacheOptions

	mu      sync.Mutex
	entries map[string]*list.Element // of *cached
	order   list.List                // the oldest key first
	calls   map[string]*call
	cleared int // number of calls of Clear
}

var _ KeyWrapper = (*Cache)(nil)

// CacheOptions configure a [Cache]. The zero value of each field is its default.
type CacheOptions struct {
	// Size is the largest number of cached data keys. A new key evicts the oldest key. Default:
	// 10,000.
	Size int
	// TTL is how long a data key is cached after it was unwrapped, however often it is used. An
	// expired key is never used; the next call of Unwrap wipes it. Default: 5 minutes.
	TTL time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// cached is a cached data key.
type cached struct {
	id    string
	key   *DataKey
	until time.Time
}

// fresh reports whether the key may be used. If more than the TTL is left, the clock was set
// back after the key was cached. Such a key is not fresh.
func (c *cached) fresh(now time.Time, ttl time.Duration) bool {
	left := c.until.Sub(now)
	return 0 < left && left <= ttl
}

// call is a running Unwrap.
type call struct {
	done chan struct{} // closed at its end
	// err is for the callers that waited. It is nil if the call succeeded, and also if the call
	// failed because the context of its goroutine ended. In both cases the waiting callers try
	// again.
	err error
}

// NewCache returns a cache of keys. A nil *CacheOptions means all defaults. The error matches
// [ErrKeyring].
func NewCache(keys KeyWrapper, opts *CacheOptions) (*Cache, error) {
	if err := checkWrapper(keys); err != nil {
		return nil, err
	}
	c := &Cache{keys: keys, entries: make(map[string]*list.Element), calls: make(map[string]*call)}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.Size < 0 || c.opts.TTL < 0 {
		return nil, fmt.Errorf("%w: Size or TTL of a cache is negative", ErrKeyring)
	}
	c.opts.Size = cmp.Or(c.opts.Size, 10_000)
	c.opts.TTL = cmp.Or(c.opts.TTL, 5*time.Minute)
	if c.opts.Now == nil {
		c.opts.Now = time.Now
	}
	return c, nil
}

// Primary implements [KeyWrapper].
func (c *Cache) Primary() string { return c.keys.Primary() }

// KeyIDs implements [KeyWrapper].
func (c *Cache) KeyIDs() []string { return c.keys.KeyIDs() }

// Suite implements [KeyWrapper].
func (c *Cache) Suite() Suite { return c.keys.Suite() }

// Wrap implements [KeyWrapper]. It does not cache the data key, because the caller might not store
// the wrapped key.
func (c *Cache) Wrap(ctx context.Context, k *DataKey, b Binding) (Wrapped, error) {
	return c.keys.Wrap(ctx, k, b)
}

// Unwrap implements [KeyWrapper]. Errors are not cached, but all callers that wait for a call share
// the error of the call. If the context of the goroutine that makes the call ends, one of the
// waiting callers repeats the call.
func (c *Cache) Unwrap(ctx context.Context, w Wrapped, b Binding) (*DataKey, error) {
	id := string(appendPAE(nil, w.KeyID, b.Tenant, b.Record, string(w.Bytes)))
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		k, running, mine := c.find(id)
		switch {
		case k != nil:
			return k, nil
		case mine:
			return c.unwrap(ctx, id, running, w, b)
		}
		select {
		case <-ctx.Done():
		case <-running.done:
			if running.err != nil {
				return nil, running.err
			}
		}
	}
}

// Clear wipes all cached keys. Running calls finish, but their keys are not cached.
func (c *Cache) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cleared++
	for c.order.Len() > 0 {
		c.evict(c.order.Front())
	}
}

// Uncached returns the keys without the cache; see the function [Uncached].
func (c *Cache) Uncached() KeyWrapper { return Uncached(c.keys) }

// String describes what is cached.
func (c *Cache) String() string { return fmt.Sprintf("cache of %v", c.keys) }

// find returns a copy of the cached key, or a call. If mine is true, the call is new and the
// caller must make it. Otherwise the call is running.
func (c *Cache) find(id string) (k *DataKey, running *call, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.opts.Now()
	c.evictExpired(now)
	if e, ok := c.entries[id]; ok && !e.Value.(*cached).fresh(now, c.opts.TTL) {
		c.evict(e) // evictExpired can miss it if the clock was set back
	} else if ok {
		if k, err := e.Value.(*cached).key.clone(); err == nil { // only evict destroys it
			return k, nil, false
		}
	}
	if running, ok := c.calls[id]; ok {
		return nil, running, false
	}
	running = &call{done: make(chan struct{})}
	c.calls[id] = running
	return nil, running, true
}

// unwrap makes the call and caches its result.
func (c *Cache) unwrap(
	ctx context.Context, id string, running *call, w Wrapped, b Binding,
) (*DataKey, error) {
	c.mu.Lock()
	cleared := c.cleared
	c.mu.Unlock()
	var fresh *DataKey
	defer func() { // runs even on a panic: otherwise the waiting callers would never wake up
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, id)
		if fresh != nil && cleared == c.cleared {
			c.add(id, fresh)
		} else {
			fresh.Destroy()
		}
		close(running.done)
	}()
	k, err := c.keys.Unwrap(ctx, w, b)
	if err != nil {
		if ctx.Err() == nil {
			running.err = err
		}
		return nil, err
	}
	copied, err := k.clone() // the caller may destroy its own key
	if err != nil {
		return nil, err
	}
	fresh = k
	return copied, nil
}

// add caches k. The caller locks c.mu.
func (c *Cache) add(id string, k *DataKey) {
	if c.order.Len() >= c.opts.Size {
		c.evict(c.order.Front())
	}
	until := c.opts.Now().Add(c.opts.TTL)
	c.entries[id] = c.order.PushBack(&cached{id: id, key: k, until: until})
}

// evictExpired evicts expired keys from the front: the oldest key expires first, unless the clock
// was set back. The caller locks c.mu.
func (c *Cache) evictExpired(now time.Time) {
	e := c.order.Front()
	for ; e != nil && !e.Value.(*cached).fresh(now, c.opts.TTL); e = c.order.Front() {
		c.evict(e)
	}
}

// evict removes a key and wipes it. The caller locks c.mu.
func (c *Cache) evict(e *list.Element) {
	entry := c.order.Remove(e).(*cached)
	delete(c.entries, entry.id)
	entry.key.Destroy()
}
