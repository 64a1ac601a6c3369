package schema

import (
	"container/list"
	"sync"
)

// Key identifies a schema. A revision has a meaning only within its extension.
type Key struct{ Tenant, Extension, Revision string }

// Cache caches the compiled schemas that were used last, and the faults of unusable ones. It is
// safe for use by many goroutines.
type Cache struct {
	size  int
	mu    sync.Mutex
	byKey map[Key]*list.Element
	order list.List // of entry, the last used in front
}

type entry struct {
	key    Key
	schema *Schema
	err    error
}

// NewCache returns an empty cache for at most size schemas.
func NewCache(size int) *Cache {
	return &Cache{size: size, byKey: make(map[Key]*list.Element)}
}

// Compile returns the schema of key. On a miss it calls load and compiles the text. An unusable
// schema has an [*Error], which is cached. An error of load is returned as it is and not cached,
// so the next call tries again.
//
// Concurrent misses of one key may each call load.
func (c *Cache) Compile(key Key, load func() ([]byte, error)) (*Schema, error) {
	if e, ok := c.get(key); ok {
		return e.schema, e.err
	}
	text, err := load()
	if err != nil {
		return nil, err
	}
	s, err := Compile(text)
	c.put(entry{key, s, err})
	return s, err
}

func (c *Cache) get(key Key) (entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return entry{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(entry), true
}

// put adds an entry, and evicts the one that was not used for the longest time if there are too
// many.
func (c *Cache) put(e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.byKey[e.key]; ok {
		c.order.Remove(old)
	}
	c.byKey[e.key] = c.order.PushFront(e)
	if c.order.Len() > c.size {
		last := c.order.Back()
		delete(c.byKey, last.Value.(entry).key)
		c.order.Remove(last)
	}
}
