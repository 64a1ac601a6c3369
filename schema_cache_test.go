package installation

import (
	"errors"
	"fmt"
	"testing"
)

// The cache keeps the schemas that were asked for last, and no more than it may.
func TestSchemaCache(t *testing.T) {
	c := newSchemaCache()
	key := func(i int) schemaKey { return schemaKey{"t", "e", fmt.Sprint(i)} }
	known := func(i int) knownSchema { return knownSchema{err: errors.New(fmt.Sprint(i))} }
	for i := range maxSchemas {
		c.put(key(i), known(i))
	}
	if got, ok := c.get(key(0)); !ok || got.err.Error() != "0" {
		t.Fatalf("the first one: %v, %v", got, ok)
	}
	c.put(key(maxSchemas), known(maxSchemas))
	if _, ok := c.get(key(0)); !ok {
		t.Error("one that was just asked for is gone")
	}
	if _, ok := c.get(key(1)); ok {
		t.Error("the one not asked for the longest is still there")
	}
	c.put(key(0), known(7))
	if got, _ := c.get(
		key(0),
	); got.err.Error() != "7" || c.order.Len() != maxSchemas ||
		len(c.byKey) != maxSchemas {
		t.Errorf("put again: %v; %d and %d entries", got.err, c.order.Len(), len(c.byKey))
	}
	for _, other := range []schemaKey{{"u", "e", "2"}, {"t", "f", "2"}, {"te", "", "2"}} {
		if _, ok := c.get(other); ok {
			t.Errorf("%v is known", other)
		}
	}
}
