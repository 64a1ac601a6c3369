// Package lru has a small cache that evicts the least recently used entry.
package lru

import (
	"container/list"
	"sync"
)

// Cache maps keys to values and bounds their weight, for example the bytes that they keep. It is
// safe for concurrent use. Make one with [New].
type Cache[K comparable, V any] struct {
	max int

	mu      sync.Mutex
	weight  int
	entries map[K]*list.Element // of *entry[K, V]
	order   list.List           // most recently used entry first
}

type entry[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

// New returns an empty cache of entries that together weigh at most size. It panics if size is not
// positive.
func New[K comparable, V any](size int) *Cache[K, V] {
	if size <= 0 {
		panic("lru: size must be positive")
	}
	return &Cache[K, V]{max: size, entries: make(map[K]*list.Element)}
}

// Get returns the value of a key, and whether there is one. The entry counts as used.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry[K, V]).value, true
}

// Put sets the value of a key, and its weight. The entry counts as used. If the entries weigh too
// much, Put evicts those used least recently. It keeps nothing that weighs too much alone.
func (c *Cache[K, V]) Put(key K, value V, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		c.remove(e)
	}
	if weight > c.max {
		return
	}
	c.weight += weight
	c.entries[key] = c.order.PushFront(&entry[K, V]{key, value, weight})
	for c.weight > c.max {
		c.remove(c.order.Back())
	}
}

func (c *Cache[K, V]) remove(e *list.Element) {
	gone := c.order.Remove(e).(*entry[K, V])
	delete(c.entries, gone.key)
	c.weight -= gone.weight
}

// Len returns the number of entries.
func (c *Cache[K, V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}
