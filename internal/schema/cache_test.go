package schema_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-installation/installation/internal/schema"
)

// loads counts the calls of its load function for each key.
type loads map[schema.Key]int

// get returns the schema of key from the cache, and fails the test unless that calls load want
// times in all.
func (l loads) get(t *testing.T, c *schema.Cache, key schema.Key, want int) *schema.Schema {
	t.Helper()
	s, err := c.Compile(key, func() ([]byte, error) {
		l[key]++
		return []byte(`{}`), nil
	})
	if err != nil {
		t.Fatalf("%v: %v", key, err)
	}
	if l[key] != want {
		t.Errorf("%v: loaded %d times, want %d", key, l[key], want)
	}
	return s
}

func TestCacheEvictsTheLeastRecentlyUsed(t *testing.T) {
	const size = 4
	c, l := schema.NewCache(size), loads{}
	key := func(i int) schema.Key { return schema.Key{Revision: fmt.Sprint(i)} }
	for i := range size {
		l.get(t, c, key(i), 1)
	}
	if first := l.get(t, c, key(0), 1); l.get(t, c, key(0), 1) != first {
		t.Error("one key returned two schemas")
	}
	l.get(t, c, key(size), 1)
	l.get(t, c, key(0), 1)
	l.get(t, c, key(1), 2) // evicted
}

func TestCacheKeepsKeysApart(t *testing.T) {
	c, l := schema.NewCache(10), loads{}
	for _, key := range []schema.Key{
		{Tenant: "t", Extension: "e", Revision: "2"},
		{Tenant: "u", Extension: "e", Revision: "2"},
		{Tenant: "t", Extension: "f", Revision: "2"},
		{Tenant: "te", Extension: "", Revision: "2"},
	} {
		l.get(t, c, key, 1)
	}
}

func TestCacheKeepsFaultsButNotLoadErrors(t *testing.T) {
	c, key := schema.NewCache(10), schema.Key{Revision: "1"}
	down := errors.New("down")
	s, err := c.Compile(key, func() ([]byte, error) { return nil, down })
	if s != nil || !errors.Is(err, down) {
		t.Errorf("load failed: got %v, %v", s, err)
	}
	calls := 0
	for range 2 {
		s, err := c.Compile(key, func() ([]byte, error) { calls++; return []byte(`{`), nil })
		e, ok := errors.AsType[*schema.Error](err)
		if s != nil || !ok || e.Fault != "syntax" {
			t.Errorf("bad text: got %v, %v", s, err)
		}
	}
	if calls != 1 {
		t.Errorf("a bad text was loaded %d times, want 1", calls)
	}
}
