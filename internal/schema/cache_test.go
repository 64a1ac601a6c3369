package schema_test

import (
	"errors"
	"fmt"
	"strings"
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
	c, l := schema.NewCache(size*weightOfEmpty(t)), loads{}
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

// weightOfEmpty is what an entry of the schema {} with a short key weighs in the cache, about.
func weightOfEmpty(t *testing.T) int { return compile(t, `{}`).Weight() + 8<<10 + 16 }

// TestCacheIsBoundedInBytes checks that large schemas push out others, although they are few, and
// that one at all limits is kept.
func TestCacheIsBoundedInBytes(t *testing.T) {
	c := schema.NewCache(64 << 20)
	loaded := make(map[string]int)
	get := func(name, text string) {
		if _, err := c.Compile(schema.Key{Revision: name}, func() ([]byte, error) {
			loaded[name]++
			return []byte(text), nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	large := `{"title":"` + strings.Repeat("x", schema.MaxBytes-20) + `"}`
	for range 2 {
		get("small", `{}`)
		get("1", large)
	}
	for _, name := range []string{"2", "3", "4"} {
		get(name, large)
	}
	get("small", `{}`)
	get("1", large)
	if loaded["small"] != 2 || loaded["1"] != 2 {
		t.Errorf("loaded %v: want small and 1 evicted and loaded again", loaded)
	}
	get("heaviest", heaviest())
	get("heaviest", heaviest())
	if loaded["heaviest"] != 1 {
		t.Errorf("a schema at all limits is loaded %d times", loaded["heaviest"])
	}
}

// heaviest is a text near all limits.
func heaviest() string {
	text := `{"properties":{"` + strings.Repeat("x", 160) + `":{"anyOf":[` +
		list(`{"a":1}`, 9900) + `]}},"allOf":[` + manyPatterns(24) + `],"title":"`
	return text + strings.Repeat("x", schema.MaxBytes-len(text)-2) + `"}`
}

func TestCacheKeepsKeysApart(t *testing.T) {
	c, l := schema.NewCache(1<<20), loads{}
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
	c, key := schema.NewCache(1<<20), schema.Key{Revision: "1"}
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
