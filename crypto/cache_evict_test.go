package crypto

import (
	"bytes"
	"context"
	"testing"
	"time"
)

// raw returns the memory of the n-th oldest cached key.
func (c *Cache) raw(t *testing.T, n int) []byte {
	t.Helper()
	e := c.order.Front()
	for range n {
		e = e.Next()
	}
	return e.Value.(*cached).key.state().raw
}

// wiped fails the test unless b is all zeros.
func wiped(t *testing.T, what string, b []byte) {
	t.Helper()
	if !bytes.Equal(b, make([]byte, dataKeySize)) {
		t.Errorf("%s: the key is still in memory", what)
	}
}

func TestCacheEvictsAndExpires(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	opts := &CacheOptions{Size: 2, TTL: time.Minute, Now: func() time.Time { return now }}
	s, c, keys := newCache(t, 3, opts)
	opts.Size = 1000 // copied
	read := func(n int) {
		t.Helper()
		if _, err := c.Unwrap(t.Context(), keys[n], knownBinding); err != nil {
			t.Fatal(err)
		}
	}
	read(0)
	read(1)
	oldest := c.raw(t, 0)
	read(2)
	wiped(t, "evicted", oldest)
	wantCalls(t, s, "three keys", 3)
	if len(c.entries) != 2 || c.order.Len() != 2 {
		t.Errorf("%d and %d keys cached, want 2", len(c.entries), c.order.Len())
	}
	read(1)
	read(2)
	wantCalls(t, s, "the other two", 0)
	read(0)
	wantCalls(t, s, "the evicted one", 1)

	a, b := c.raw(t, 0), c.raw(t, 1)
	now = now.Add(time.Minute - 1)
	read(0)
	wantCalls(t, s, "before it expires", 0)
	now = now.Add(1)
	read(1)
	wantCalls(t, s, "after it expired", 1)
	wiped(t, "expired, read", a)
	wiped(t, "expired, not read", b)

	a = c.raw(t, 0)
	inUse := must(c.Unwrap(t.Context(), keys[1], knownBinding))
	c.Clear()
	wiped(t, "cleared", a)
	if len(c.entries) != 0 || c.order.Len() != 0 {
		t.Error("keys remain after Clear")
	}
	if _, err := inUse.Seal(nil, knownPlace, knownValue); err != nil {
		t.Errorf("a key in use was wiped with the cached one: %v", err)
	}
	read(1)
	wantCalls(t, s, "after Clear", 1)
}

// TestCacheTTLAfterClockIsSetBack: an expired key is not used, wherever it is in the order.
func TestCacheTTLAfterClockIsSetBack(t *testing.T) {
	now := time.Unix(100_000, 0)
	clock := func() time.Time { return now }
	s, c, keys := newCache(t, 2, &CacheOptions{TTL: time.Minute, Now: clock})
	must(c.Unwrap(t.Context(), keys[0], knownBinding))
	future := c.raw(t, 0)
	now = time.Unix(1000, 0)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wiped(t, "another key, from the future", future)
	s.calls.Store(0)
	now = time.Unix(1059, 0)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wantCalls(t, s, "before it expires", 0)
	now = time.Unix(1060, 0)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wantCalls(t, s, "after it expired", 1)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wantCalls(t, s, "cached again", 0)
	now = time.Unix(1060-1, 0)
	inUse := c.raw(t, c.order.Len()-1)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wantCalls(t, s, "from the future", 1)
	wiped(t, "from the future", inUse)
}

// TestCacheTTLWhenClockIsSetBackDuringUnwrap: the new key is then behind one that expires
// later.
func TestCacheTTLWhenClockIsSetBackDuringUnwrap(t *testing.T) {
	now := time.Unix(1000, 0)
	clock := func() time.Time { return now }
	s, c, keys := newCache(t, 2, &CacheOptions{TTL: time.Minute, Now: clock})
	must(c.Unwrap(t.Context(), keys[0], knownBinding))
	service := c.keys
	c.keys = &hooked{KeyWrapper: service, then: func() { now = time.Unix(990, 0) }}
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	c.keys, now = service, time.Unix(1055, 0)
	s.calls.Store(0)
	must(c.Unwrap(t.Context(), keys[1], knownBinding))
	wantCalls(t, s, "after it expired", 1)
	must(c.Unwrap(t.Context(), keys[0], knownBinding))
	wantCalls(t, s, "before it expires", 0)
}

// TestCacheWipesUncachedKeys: a key that is destroyed, or unwrapped during Clear, is not
// cached.
func TestCacheWipesUncachedKeys(t *testing.T) {
	for name, spoil := range map[string]func(c *Cache, k *DataKey){
		"cleared":   func(c *Cache, _ *DataKey) { c.Clear() },
		"destroyed": func(_ *Cache, k *DataKey) { k.Destroy() },
	} {
		_, c, keys := newCache(t, 1, nil)
		h := &hooked{KeyWrapper: c.keys}
		h.then = func() { spoil(c, h.key) }
		c.keys = h
		_, _ = c.Unwrap(t.Context(), keys[0], knownBinding)
		if _, err := h.key.Reveal(); err == nil || len(c.entries) != 0 {
			t.Errorf("%s: the key is not wiped, or one of %d cached keys", name, len(c.entries))
		}
	}
}

// hooked calls then after each Unwrap.
type hooked struct {
	KeyWrapper
	key  *DataKey
	then func()
}

func (h *hooked) Unwrap(ctx context.Context, w Wrapped, b Binding) (k *DataKey, err error) {
	k, err = h.KeyWrapper.Unwrap(ctx, w, b)
	h.key = k
	h.then()
	return k, err
}
