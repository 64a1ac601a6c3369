package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// newCache returns a cache before a key service, and n wrapped keys. Call it outside of synctest: the FIPS module cannot seed its random
// numbers where time stands still.
func newCache(t *testing.T, n int, opts *CacheOptions) (*service, *Cache, []Wrapped) {
	t.Helper()
	s, kms := newService(t, nil)
	c := must(NewCache(kms, opts))
	var keys []Wrapped
	for range n {
		keys = append(keys, must(c.Wrap(t.Context(), must(NewDataKey(1, testSuite())), knownBinding)))
	}
	s.calls.Store(0)
	return s, c, keys
}

// wantCalls checks how often the service was asked since the last time.
func wantCalls(t *testing.T, s *service, what string, want int64) {
	t.Helper()
	if got := s.calls.Swap(0); got != want {
		t.Errorf("%s: %d calls, want %d", what, got, want)
	}
}

func TestCache(t *testing.T) {
	s, c, keys := newCache(t, 3, nil)
	first := must(c.Unwrap(t.Context(), keys[0], knownBinding))
	sealed := must(first.Seal(nil, knownPlace, knownValue))
	raw := must(first.Reveal())
	for range 100 {
		k := must(c.Unwrap(t.Context(), keys[0], knownBinding))
		if !bytes.Equal(must(k.Reveal()), raw) {
			t.Fatal("another key came back")
		}
		if got, err := k.Open(nil, knownPlace, sealed); err != nil || !bytes.Equal(got, knownValue) {
			t.Fatalf("got %q, %v", got, err)
		}
		k.Destroy() // the caller's own
	}
	wantCalls(t, s, "one key read a hundred times", 1)
	if _, err := first.Reveal(); err != nil {
		t.Errorf("a key is destroyed with another one: %v", err)
	}
	first.Destroy()
	if k := must(c.Unwrap(t.Context(), keys[0], knownBinding)); !bytes.Equal(must(k.Reveal()), raw) {
		t.Error("the first caller destroyed what is remembered")
	}
	wantCalls(t, s, "after all of them were destroyed", 0)

	// Everything that is part of the question is part of what is remembered.
	other := knownBinding
	other.Record += "x"
	_, err := c.Unwrap(t.Context(), keys[0], other)
	wantErr(t, err, ErrSealed)
	other = knownBinding
	other.Tenant, other.Record = other.Tenant+other.Record[:1], other.Record[1:]
	_, err = c.Unwrap(t.Context(), keys[0], other)
	wantErr(t, err, ErrSealed)
	_, err = c.Unwrap(t.Context(), Wrapped{KeyID: "kms2", Bytes: keys[0].Bytes}, knownBinding)
	wantErr(t, err, ErrUnknownKey)
	for range 2 {
		bad := Wrapped{KeyID: "kms1", Bytes: append(bytes.Clone(keys[0].Bytes), 'x')}
		_, err = c.Unwrap(t.Context(), bad, knownBinding)
		wantErr(t, err, ErrSealed)
	}
	wantCalls(t, s, "questions of another kind", 2)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Unwrap(ctx, keys[0], knownBinding)
	wantErr(t, err, context.Canceled)

	// Without the service what is remembered opens, and nothing else.
	s.down(errors.New("out of reach"))
	if _, err := c.Unwrap(t.Context(), keys[0], knownBinding); err != nil {
		t.Errorf("remembered, service down: %v", err)
	}
	_, err = c.Unwrap(t.Context(), keys[1], knownBinding)
	wantErr(t, err, ErrKeyUnavailable)
	_, err = c.Uncached().Unwrap(t.Context(), keys[0], knownBinding)
	wantErr(t, err, ErrKeyUnavailable)
	for _, set := range []*KeySet{must(NewKeySet(knownRing(), c)), must(NewKeySet(c, knownRing()))} {
		_, err = set.Uncached().Unwrap(t.Context(), keys[0], knownBinding)
		wantErr(t, err, ErrKeyUnavailable)
	}
	s.up()
	if _, err := c.Unwrap(t.Context(), keys[1], knownBinding); err != nil {
		t.Errorf("a failure was remembered: %v", err)
	}
}

// TestCacheAsksOnce: a hundred that ask for one key at once make one call, and share its error.
func TestCacheAsksOnce(t *testing.T) {
	s, c, keys := newCache(t, 2, nil)
	synctest.Test(t, func(t *testing.T) {
		slow := &slowKeys{KeyWrapper: c.keys}
		c.keys = slow
		ask := func(n int) (failed int) {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if _, err := c.Unwrap(t.Context(), keys[n], knownBinding); err != nil {
						mu.Lock()
						failed++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			return failed
		}
		if failed := ask(0); failed != 0 {
			t.Errorf("%d of 100 failed", failed)
		}
		wantCalls(t, s, "100 first reads", 1)
		s.down(errors.New("out of reach"))
		if failed := ask(1); failed != 100 {
			t.Errorf("%d of 100 failed, want all", failed)
		}
		wantCalls(t, s, "100 first reads without the service", 1)
	})
}

// slowKeys takes a second for each Unwrap.
type slowKeys struct{ KeyWrapper }

func (s *slowKeys) Unwrap(ctx context.Context, w Wrapped, b Binding) (*DataKey, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Second):
		return s.KeyWrapper.Unwrap(ctx, w, b)
	}
}

// TestCacheGivenUp: whoever made the call gives up. The others do not fail with it, and whoever waits may give up too.
func TestCacheGivenUp(t *testing.T) {
	s, c, keys := newCache(t, 1, nil)
	synctest.Test(t, func(t *testing.T) {
		c.keys = &slowKeys{KeyWrapper: c.keys}
		first, giveUp := context.WithCancel(t.Context())
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Unwrap(first, keys[0], knownBinding)
			wantErr(t, err, context.Canceled)
		})
		synctest.Wait()
		wg.Go(func() {
			_, err := c.Unwrap(impatient, keys[0], knownBinding)
			wantErr(t, err, context.DeadlineExceeded)
		})
		for range 10 {
			wg.Go(func() {
				if _, err := c.Unwrap(t.Context(), keys[0], knownBinding); err != nil {
					t.Errorf("failed with another one's context: %v", err)
				}
			})
		}
		time.Sleep(500 * time.Millisecond) // of the bubble's clock: half of what the call takes
		giveUp()
		wg.Wait()
		wantCalls(t, s, "after the first gave up", 1)
	})
}

// TestCacheCleared: a call under way when the cache is cleared is not remembered.
func TestCacheCleared(t *testing.T) {
	_, c, keys := newCache(t, 1, nil)
	synctest.Test(t, func(t *testing.T) {
		c.keys = &slowKeys{KeyWrapper: c.keys}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Unwrap(t.Context(), keys[0], knownBinding); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		c.Clear()
		wg.Wait()
		if len(c.entries) != 0 || len(c.calls) != 0 {
			t.Error("remembered after Clear")
		}
	})
}

// panics is a key wrapper with a bug.
type panics struct{ KeyWrapper }

func (panics) Unwrap(context.Context, Wrapped, Binding) (*DataKey, error) { panic("bug") }

// TestCachePanic: a wrapper that panics leaves nobody waiting.
func TestCachePanic(t *testing.T) {
	_, c, keys := newCache(t, 1, nil)
	sound := c.keys
	c.keys = panics{sound}
	func() {
		defer func() { _ = recover() }()
		_, _ = c.Unwrap(t.Context(), keys[0], knownBinding)
	}()
	c.keys = sound
	if _, err := c.Unwrap(t.Context(), keys[0], knownBinding); err != nil {
		t.Error(err)
	}
}

func TestNewCacheRefuses(t *testing.T) {
	_, kms := newService(t, nil)
	for name, f := range map[string]func() (*Cache, error){
		"no keys":       func() (*Cache, error) { return NewCache(nil, nil) },
		"empty keyring": func() (*Cache, error) { return NewCache(&Keyring{}, nil) },
		"size":          func() (*Cache, error) { return NewCache(kms, &CacheOptions{Size: -1}) },
		"ttl":           func() (*Cache, error) { return NewCache(kms, &CacheOptions{TTL: -1}) },
	} {
		if c, err := f(); c != nil || !errors.Is(err, ErrKeyring) {
			t.Errorf("%s: got %v, %v", name, c, err)
		}
	}
	c := must(NewCache(kms, nil))
	if c.Primary() != "kms1" || len(c.KeyIDs()) != 1 || c.Suite() != kms.Suite() || fmt.Sprint(c) != "cache of key service kms1" {
		t.Errorf("got %v", c)
	}
}

func TestCacheConcurrent(t *testing.T) {
	_, c, keys := newCache(t, 8, &CacheOptions{Size: 3})
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 200 {
				k, err := c.Unwrap(t.Context(), keys[(n+i)%len(keys)], knownBinding)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := k.Seal(nil, knownPlace, knownValue); err != nil {
					t.Error(err)
				}
				k.Destroy()
				if i%50 == 0 {
					c.Clear()
				}
			}
		})
	}
	wg.Wait()
}

// What is remembered for one tenant or record opens for no other: the cache asks, and the answer is that it does not open.
func TestCacheIsPerBinding(t *testing.T) {
	s, c, keys := newCache(t, 1, nil)
	must(c.Unwrap(t.Context(), keys[0], knownBinding))
	s.calls.Store(0)
	for name, other := range map[string]Binding{
		"another tenant": {Tenant: knownBinding.Tenant + "x", Record: knownBinding.Record},
		"no tenant":      {Record: knownBinding.Record},
		"another record": {Tenant: knownBinding.Tenant, Record: knownBinding.Record + "x"},
		"exchanged":      {Tenant: knownBinding.Record, Record: knownBinding.Tenant},
	} {
		if k, err := c.Unwrap(t.Context(), keys[0], other); !errors.Is(err, ErrSealed) || k != nil {
			t.Errorf("%s: %v, %v", name, k, err)
		}
		wantCalls(t, s, name, 1)
	}
}
