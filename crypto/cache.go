package crypto

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// Cache is a [KeyWrapper] that remembers unwrapped data keys for a while, so that a key service is not asked at every read. However many
// ask for a key at once, the service is asked once. It starts no goroutine.
//
// While a key is remembered, it opens values though the service be out of reach or would no longer allow it: the time to live is also how
// long a withdrawn right still works. Keys that are dropped are wiped. A [Keyring] is as fast without a cache.
type Cache struct {
	keys KeyWrapper
	opts CacheOptions

	mu      sync.Mutex
	entries map[string]*list.Element // of *cached
	order   list.List                // the oldest first, which is also the first to expire unless the clock is set back
	calls   map[string]*call
	cleared int // how often Clear was called
}

var _ KeyWrapper = (*Cache)(nil)

// CacheOptions configure a [Cache]. The zero value of each field is its default.
type CacheOptions struct {
	// Size is how many data keys are remembered at most; the oldest make room. Default: 10,000.
	Size int
	// TTL is how long a data key is remembered after it was unwrapped, however often it is used. Default: 5 minutes. A key past its time
	// is never used; it is wiped at the next call of Unwrap.
	TTL time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// cached is a data key that is remembered.
type cached struct {
	id    string
	key   *DataKey
	until time.Time
}

// fresh reports whether the key is within its time. One that has longer left than it was given is from before the clock was set back.
func (c *cached) fresh(now time.Time, ttl time.Duration) bool {
	left := c.until.Sub(now)
	return 0 < left && left <= ttl
}

// call is an Unwrap under way.
type call struct {
	done chan struct{} // closed at its end
	err  error         // for those who waited; nil also if whoever made the call gave it up
}

// NewCache returns a cache before keys. A nil *CacheOptions is all defaults. The error matches [ErrKeyring].
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

// Wrap implements [KeyWrapper]. It always asks, and remembers nothing: what was wrapped may never be stored.
func (c *Cache) Wrap(ctx context.Context, k *DataKey, b Binding) (Wrapped, error) {
	return c.keys.Wrap(ctx, k, b)
}

// Unwrap implements [KeyWrapper]. Errors are not remembered, but those who waited for one call share its error. A call that ends with the
// context of who made it is made again by one of those who waited.
func (c *Cache) Unwrap(ctx context.Context, w Wrapped, b Binding) (*DataKey, error) {
	id := string(appendPAE(nil, w.KeyID, b.Tenant, b.Record, string(w.Bytes)))
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		k, under, mine := c.find(id)
		switch {
		case k != nil:
			return k, nil
		case mine:
			return c.ask(ctx, id, under, w, b)
		}
		select {
		case <-ctx.Done():
		case <-under.done:
			if under.err != nil {
				return nil, under.err
			}
		}
	}
}

// Clear wipes all keys that are remembered. Calls under way may finish and are not remembered.
func (c *Cache) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cleared++
	for c.order.Len() > 0 {
		c.drop(c.order.Front())
	}
}

// Uncached returns the keys without the cache; see the function [Uncached].
func (c *Cache) Uncached() KeyWrapper { return Uncached(c.keys) }

// String describes what is cached.
func (c *Cache) String() string { return fmt.Sprintf("cache of %v", c.keys) }

// find returns a copy of the remembered key, or the call to wait for, which may be the caller's to make.
func (c *Cache) find(id string) (k *DataKey, under *call, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.opts.Now()
	c.expire(now)
	if e, ok := c.entries[id]; ok && !e.Value.(*cached).fresh(now, c.opts.TTL) {
		c.drop(e) // still there, since the clock was set back
	} else if ok {
		if k, err := e.Value.(*cached).key.clone(); err == nil { // never fails: only drop destroys it
			return k, nil, false
		}
	}
	if under, ok := c.calls[id]; ok {
		return nil, under, false
	}
	under = &call{done: make(chan struct{})}
	c.calls[id] = under
	return nil, under, true
}

// ask makes a call and remembers its result.
func (c *Cache) ask(ctx context.Context, id string, under *call, w Wrapped, b Binding) (*DataKey, error) {
	c.mu.Lock()
	cleared := c.cleared
	c.mu.Unlock()
	var k *DataKey
	defer func() { // also if the key wrapper panics, or the others would wait for ever
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, id)
		if k != nil && (cleared != c.cleared || !c.remember(id, k)) {
			k.Destroy()
		}
		close(under.done)
	}()
	k, err := c.keys.Unwrap(ctx, w, b)
	if err != nil {
		if ctx.Err() == nil {
			under.err = err
		}
		return nil, err
	}
	return k.clone() // the caller may destroy its own
}

// remember keeps k, with the cipher that its clones share, and reports whether it could. The caller holds c.mu.
func (c *Cache) remember(id string, k *DataKey) bool {
	s, err := k.material()
	if err != nil {
		return false
	}
	if _, err := s.cipher(k.suite); err != nil {
		return false
	}
	if c.order.Len() >= c.opts.Size {
		c.drop(c.order.Front())
	}
	c.entries[id] = c.order.PushBack(&cached{id: id, key: k, until: c.opts.Now().Add(c.opts.TTL)})
	return true
}

// expire drops what is past its time at the front. The caller holds c.mu.
func (c *Cache) expire(now time.Time) {
	for e := c.order.Front(); e != nil && !e.Value.(*cached).fresh(now, c.opts.TTL); e = c.order.Front() {
		c.drop(e)
	}
}

// drop forgets a key and wipes it. The caller holds c.mu.
func (c *Cache) drop(e *list.Element) {
	entry := c.order.Remove(e).(*cached)
	delete(c.entries, entry.id)
	entry.key.Destroy()
}
