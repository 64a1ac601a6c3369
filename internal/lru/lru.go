// Package lru is a cache with a fixed number of entries.
package lru

import (
	"container/list"
	"sync"
)

// Cache keeps the entries that were used last. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	size int

	mu    sync.Mutex
	byKey map[K]*list.Element
	order list.List // of entries, the one used last in front
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// New returns a cache for up to size entries.
func New[K comparable, V any](size int) *Cache[K, V] {
	return &Cache[K, V]{size: size, byKey: make(map[K]*list.Element)}
}

// Get returns the value under key.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(entry[K, V]).value, true
}

// Put stores a value. If the cache is full, it evicts the entry that was not used for the longest
// time.
func (c *Cache[K, V]) Put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.order.Remove(e)
	}
	c.byKey[key] = c.order.PushFront(entry[K, V]{key, value})
	if c.order.Len() > c.size {
		oldest := c.order.Back()
		delete(c.byKey, oldest.Value.(entry[K, V]).key)
		c.order.Remove(oldest)
	}
}
