// Package lru has a small cache that evicts the least recently used entry.
package lru

import (
	"container/list"
	"sync"
)

// Cache maps keys to values and keeps a bounded number of them. It is safe for concurrent
// use. Make one with [New].
type Cache[K comparable, V any] struct {
	max int

	mu      sync.Mutex
	entries map[K]*list.Element // of *entry[K, V]
	order   list.List           // most recently used entry first
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// New returns an empty cache of at most size entries. It panics if size is not positive.
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

// Put sets the value of a key. The entry counts as used. If there are too many entries, Put
// evicts the one used least recently.
func (c *Cache[K, V]) Put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		e.Value.(*entry[K, V]).value = value
		c.order.MoveToFront(e)
		return
	}
	c.entries[key] = c.order.PushFront(&entry[K, V]{key, value})
	if c.order.Len() > c.max {
		last := c.order.Back()
		delete(c.entries, last.Value.(*entry[K, V]).key)
		c.order.Remove(last)
	}
}

// Len returns the number of entries.
func (c *Cache[K, V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}
