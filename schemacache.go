package installation

import (
	"container/list"
	"sync"

	"github.com/go-installation/installation/internal/schema"
)

// maxSchemas is how many schemas a service remembers.
const maxSchemas = 256

// schemaCache remembers the schemas that were asked for last, those that cannot be used among them. It is safe for use by many
// goroutines.
type schemaCache struct {
	mu    sync.Mutex
	byKey map[schemaKey]*list.Element
	order list.List // of schemaEntry, the one asked for last in front
}

// schemaKey names a schema. A revision means something to its extension alone.
type schemaKey struct{ tenant, extension, revision string }

// knownSchema is a compiled schema, or why there is none.
type knownSchema struct {
	schema *schema.Schema
	err    error
}

type schemaEntry struct {
	key   schemaKey
	known knownSchema
}

func newSchemaCache() *schemaCache { return &schemaCache{byKey: make(map[schemaKey]*list.Element)} }

func (c *schemaCache) get(key schemaKey) (knownSchema, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return knownSchema{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(schemaEntry).known, true
}

// put remembers a schema, in place of the one that was not asked for the longest if there are too many.
func (c *schemaCache) put(key schemaKey, known knownSchema) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.order.Remove(e)
	}
	c.byKey[key] = c.order.PushFront(schemaEntry{key, known})
	if c.order.Len() > maxSchemas {
		last := c.order.Back()
		delete(c.byKey, last.Value.(schemaEntry).key)
		c.order.Remove(last)
	}
}
