package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// newCache returns a key service, a cache of its key, and n wrapped keys. Call it outside of
// synctest: the FIPS module cannot seed its random numbers while time stands still.
func newCache(t *testing.T, n int, opts *CacheOptions) (*service, *Cache, []Wrapped) {
	t.Helper()
	s, kms := newService(t, nil)
	c := must(NewCache(kms, opts))
	var keys []Wrapped
	for range n {
		k := must(NewDataKey(1, testSuite()))
		keys = append(keys, must(c.Wrap(t.Context(), k, knownBinding)))
	}
	s.calls.Store(0)
	return s, c, keys
}

// wantCalls fails the test unless the service had this many calls since the last wantCalls.
func wantCalls(t *testing.T, s *service, what string, want int64) {
	t.Helper()
	if got := s.calls.Swap(0); got != want {
		t.Errorf("%s: %d calls, want %d", what, got, want)
	}
}

func TestCacheReturnsCopies(t *testing.T) {
	s, c, keys := newCache(t, 1, nil)
	first := must(c.Unwrap(t.Context(), keys[0], knownBinding))
	sealed := must(first.Seal(nil, knownPlace, knownValue))
	raw := must(first.Reveal())
	for range 100 {
		k := must(c.Unwrap(t.Context(), keys[0], knownBinding))
		if !bytes.Equal(must(k.Reveal()), raw) {
			t.Fatal("another key came back")
		}
		got, err := k.Open(nil, knownPlace, sealed)
		if err != nil || !bytes.Equal(got, knownValue) {
			t.Fatalf("got %q, %v", got, err)
		}
		k.Destroy() // the caller's own
	}
	wantCalls(t, s, "one key read a hundred times", 1)
	if _, err := first.Reveal(); err != nil {
		t.Errorf("a key was destroyed with another one: %v", err)
	}
	first.Destroy()
	k := must(c.Unwrap(t.Context(), keys[0], knownBinding))
	if !bytes.Equal(must(k.Reveal()), raw) {
		t.Error("the first caller destroyed the cached key")
	}
	wantCalls(t, s, "after all of them were destroyed", 0)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Unwrap(ctx, keys[0], knownBinding)
	wantErr(t, err, context.Canceled)
}

// TestCacheDistinguishesCalls: a key that is cached for one call opens for no other. The cache
// asks the service, which rejects the call.
func TestCacheDistinguishesCalls(t *testing.T) {
	s, c, keys := newCache(t, 1, nil)
	must(c.Unwrap(t.Context(), keys[0], knownBinding))
	s.calls.Store(0)
	tenant, record := knownBinding.Tenant, knownBinding.Record
	for name, other := range map[string]Binding{
		"another tenant": {tenant + "x", record},
		"no tenant":      {"", record},
		"another record": {tenant, record + "x"},
		"swapped":        {record, tenant},
		"shifted":        {tenant + record[:1], record[1:]},
	} {
		k, err := c.Unwrap(t.Context(), keys[0], other)
		if !errors.Is(err, ErrSealed) || k != nil {
			t.Errorf("%s: %v, %v", name, k, err)
		}
		wantCalls(t, s, name, 1)
	}
	_, err := c.Unwrap(t.Context(), Wrapped{KeyID: "kms2", Bytes: keys[0].Bytes}, knownBinding)
	wantErr(t, err, ErrUnknownKey)
	bad := Wrapped{KeyID: "kms1", Bytes: append(bytes.Clone(keys[0].Bytes), 'x')}
	_, err = c.Unwrap(t.Context(), bad, knownBinding)
	wantErr(t, err, ErrSealed)
}

// TestCacheWithoutService: cached keys open while the service is down, and no others. Errors
// are not cached.
func TestCacheWithoutService(t *testing.T) {
	s, c, keys := newCache(t, 2, nil)
	must(c.Unwrap(t.Context(), keys[0], knownBinding))
	s.down(errors.New("out of reach"))
	if _, err := c.Unwrap(t.Context(), keys[0], knownBinding); err != nil {
		t.Errorf("cached: %v", err)
	}
	_, err := c.Unwrap(t.Context(), keys[1], knownBinding)
	wantErr(t, err, ErrKeyUnavailable)
	_, err = c.Uncached().Unwrap(t.Context(), keys[0], knownBinding)
	wantErr(t, err, ErrKeyUnavailable)
	first, last := must(NewKeySet(c, knownRing())), must(NewKeySet(knownRing(), c))
	for _, set := range []*KeySet{first, last} {
		_, err = set.Uncached().Unwrap(t.Context(), keys[0], knownBinding)
		wantErr(t, err, ErrKeyUnavailable)
	}
	s.up()
	if _, err := c.Unwrap(t.Context(), keys[1], knownBinding); err != nil {
		t.Errorf("an error was cached: %v", err)
	}
}

// TestCacheSharesCalls: a hundred concurrent callers for one key share one call and its error.
func TestCacheSharesCalls(t *testing.T) {
	s, c, keys := newCache(t, 2, nil)
	synctest.Test(t, func(t *testing.T) {
		c.keys = &slowKeys{KeyWrapper: c.keys}
		ask := func(n int) int {
			var count atomic.Int64
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if _, err := c.Unwrap(t.Context(), keys[n], knownBinding); err != nil {
						count.Add(1)
					}
				})
			}
			wg.Wait()
			return int(count.Load())
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

// TestCacheCallerGivesUp: if the caller that made the call gives up, the waiting callers do not
// fail. A waiting caller may give up too.
func TestCacheCallerGivesUp(t *testing.T) {
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
					t.Errorf("failed with the context of another caller: %v", err)
				}
			})
		}
		time.Sleep(500 * time.Millisecond) // fake time: the call is half over, so all wait for it
		giveUp()
		wg.Wait()
		wantCalls(t, s, "after the first gave up", 1)
	})
}

// TestCacheClearDropsRunningCalls: a call that runs during Clear is not cached.
func TestCacheClearDropsRunningCalls(t *testing.T) {
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
			t.Error("cached after Clear")
		}
	})
}

// panics is a key wrapper with a bug.
type panics struct{ KeyWrapper }

func (panics) Unwrap(context.Context, Wrapped, Binding) (*DataKey, error) { panic("bug") }

// TestCacheSurvivesPanic: after a wrapper panics, no caller waits for its call.
func TestCacheSurvivesPanic(t *testing.T) {
	_, c, keys := newCache(t, 1, nil)
	sound := c.keys
	c.keys = panics{sound}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the caller")
			}
		}()
		_, _ = c.Unwrap(t.Context(), keys[0], knownBinding)
	}()
	c.keys = sound
	if _, err := c.Unwrap(t.Context(), keys[0], knownBinding); err != nil {
		t.Error(err)
	}
}

func TestNewCacheRejects(t *testing.T) {
	_, kms := newService(t, nil)
	for name, tc := range map[string]struct {
		keys KeyWrapper
		opts CacheOptions
	}{
		"no keys":       {keys: nil},
		"empty keyring": {keys: &Keyring{}},
		"size":          {kms, CacheOptions{Size: -1}},
		"ttl":           {kms, CacheOptions{TTL: -1}},
	} {
		if c, err := NewCache(tc.keys, &tc.opts); c != nil || !errors.Is(err, ErrKeyring) {
			t.Errorf("%s: got %v, %v", name, c, err)
		}
	}
	c := must(NewCache(kms, nil))
	if c.Primary() != "kms1" || len(c.KeyIDs()) != 1 || c.Suite() != kms.Suite() {
		t.Errorf("got %v", c)
	}
	if got := fmt.Sprint(c); got != "cache of key service kms1" {
		t.Errorf("got %q", got)
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
