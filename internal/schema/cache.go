package schema

import "github.com/go-installation/installation/internal/lru"

// The weight of a compiled schema bounds the bytes that it keeps on the heap. It has a share for
// each byte of the text, each object in it, each byte of the pointers to the objects, and each
// instruction of the patterns. Honest texts keep about half of their weight.
const (
	weightOfText        = 24
	weightOfObject      = 2 << 10
	weightOfPointer     = 5
	weightOfInstruction = 160
	weightOfEntry       = 8 << 10 // also for the pointer of a fault
)

// Key identifies a schema. Extensions can use the same revision for different schemas.
type Key struct{ Tenant, Extension, Revision string }

// Cache keeps the compiled schemas that were used last, and the errors of unusable schemas. It is
// safe for concurrent use.
type Cache struct{ entries *lru.Cache[Key, entry] }

type entry struct {
	schema *Schema
	err    error
}

// NewCache returns an empty cache for schemas that keep at most size bytes on the heap.
func NewCache(size int) *Cache { return &Cache{lru.New[Key, entry](size)} }

// Compile returns the schema of key. On a miss it calls load and compiles the text. The error for
// an unusable schema is an [*Error], which is cached. An error of load is returned unchanged and
// not cached, so the next call tries again.
//
// Concurrent misses of one key can each call load.
func (c *Cache) Compile(key Key, load func() ([]byte, error)) (*Schema, error) {
	if e, ok := c.entries.Get(key); ok {
		return e.schema, e.err
	}
	text, err := load()
	if err != nil {
		return nil, err
	}
	s, err := Compile(text)
	weight := weightOfEntry + len(key.Tenant) + len(key.Extension) + len(key.Revision)
	if s != nil {
		weight += s.weight
	}
	c.entries.Put(key, entry{s, err}, weight)
	return s, err
}
