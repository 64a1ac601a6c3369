package lru

import (
	"sync"
	"testing"
)

type key struct{ tenant, extension, revision string }

func TestPutEvictsLeastRecentlyUsed(t *testing.T) {
	c := New[int, string](3)
	for i, v := range []string{"zero", "one", "two"} {
		c.Put(i, v, 1)
	}
	if v, ok := c.Get(0); v != "zero" || !ok {
		t.Fatalf("got %q, %v", v, ok)
	}
	c.Put(1, "ONE", 1) // used again
	c.Put(3, "three", 1)
	if v, ok := c.Get(2); v != "" || ok {
		t.Errorf("2 was used least recently and is still there: %q", v)
	}
	for k, want := range map[int]string{0: "zero", 1: "ONE", 3: "three"} {
		if v, ok := c.Get(k); v != want || !ok {
			t.Errorf("%d: got %q, %v, want %q", k, v, ok, want)
		}
	}
	if c.Len() != 3 || len(c.entries) != 3 {
		t.Errorf("%d and %d entries, want 3", c.Len(), len(c.entries))
	}
}

// TestWeightIsBounded checks that the weight of the entries counts, not their number.
func TestWeightIsBounded(t *testing.T) {
	c := New[string, int](10)
	c.Put("a", 1, 4)
	c.Put("b", 2, 4)
	c.Put("a", 3, 6) // replaces the weight too
	c.Put("c", 4, 0)
	if c.Len() != 3 || c.weight != 10 {
		t.Fatalf("%d entries of weight %d", c.Len(), c.weight)
	}
	c.Put("d", 5, 7) // evicts b and a, and c stays
	if _, ok := c.Get("c"); !ok || c.Len() != 2 || c.weight != 7 {
		t.Errorf("%d entries of weight %d, c is kept: %v", c.Len(), c.weight, ok)
	}
	c.Put("c", 6, 11)
	if _, ok := c.Get("c"); ok || c.Len() != 1 || c.weight != 7 {
		t.Errorf("%d entries of weight %d, the heavy one is kept: %v", c.Len(), c.weight, ok)
	}
}

func TestKeysAreComparedInFull(t *testing.T) {
	c := New[key, error](10)
	c.Put(key{"t", "e", "2"}, nil, 1)
	if _, ok := c.Get(key{"t", "e", "2"}); !ok {
		t.Error("a stored nil is not found")
	}
	for _, other := range []key{{"u", "e", "2"}, {"t", "f", "2"}, {"te", "", "2"}, {}} {
		if _, ok := c.Get(other); ok {
			t.Errorf("%v is found", other)
		}
	}
}

func TestNewPanicsWithoutSize(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New[int, int](0)
}

func TestConcurrentUse(t *testing.T) {
	c := New[int, int](8)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 1000 {
				c.Put(i%16, i%16, 1)
				if v, ok := c.Get(i % 16); ok && v != i%16 {
					t.Errorf("%d: got %d", i%16, v)
				}
			}
		})
	}
	wg.Wait()
	if c.Len() != 8 {
		t.Errorf("%d entries, want 8", c.Len())
	}
}
