package crypto

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestKMSDown: a service that fails is an error that may pass, names the key alone, and its text goes to the operator only.
func TestKMSDown(t *testing.T) {
	var told []string
	s, keys := newService(t, &KMSOptions{OnError: func(id string, err error) { told = append(told, id+" "+err.Error()) }})
	k := must(NewDataKey(1, testSuite()))
	w := must(keys.Wrap(t.Context(), k, knownBinding))
	foreign := errors.New("403 for canary-token")
	s.down(foreign)
	_, e1 := keys.Unwrap(t.Context(), w, knownBinding)
	_, e2 := keys.Wrap(t.Context(), k, knownBinding)
	for _, err := range []error{e1, e2} {
		wantErr(t, err, ErrKeyUnavailable, "canary", "403")
		if errors.Is(err, foreign) || errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), "kms1") {
			t.Errorf("got %v", err)
		}
	}
	if want := []string{"kms1 403 for canary-token", "kms1 403 for canary-token"}; !slices.Equal(told, want) {
		t.Errorf("the operator was told %q, want %q", told, want)
	}
	s.down(ErrSealed)
	_, err := keys.Wrap(t.Context(), k, knownBinding)
	wantErr(t, err, ErrKeyUnavailable)
	s.up()
	if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
		t.Errorf("up again: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := s.calls.Load()
	_, e1 = keys.Unwrap(ctx, w, knownBinding)
	_, e2 = keys.Wrap(ctx, k, knownBinding)
	wantErr(t, e1, context.Canceled)
	wantErr(t, e2, context.Canceled)
	if s.calls.Load() != calls {
		t.Error("the service was called under a context that is over")
	}
	k.Destroy()
	_, err = keys.Wrap(t.Context(), k, knownBinding)
	wantErr(t, err, ErrDestroyed)
}

// TestKMSHangs: a service that does not answer holds up one call, and then none until it may have recovered. It runs in a bubble of synctest:
// to sleep moves the clock there, takes no time, and orders nothing that something else should.
func TestKMSHangs(t *testing.T) {
	var told atomic.Int64
	s, keys := newService(t, &KMSOptions{Timeout: time.Minute, OnError: func(string, error) { told.Add(1) }})
	w := must(keys.Wrap(t.Context(), must(NewDataKey(1, testSuite())), knownBinding))
	synctest.Test(t, func(t *testing.T) {
		s.hang.Store(true)
		start := time.Now()
		for range 1000 {
			_, err := keys.Unwrap(t.Context(), w, knownBinding)
			wantErr(t, err, ErrKeyUnavailable, "canary")
			if errors.Is(err, context.DeadlineExceeded) {
				t.Fatal("the limit of the key service is taken for that of the caller")
			}
		}
		if took := time.Since(start); took != time.Minute || s.calls.Load() != 2 {
			t.Errorf("1000 calls took %v and asked %d times, want one minute for one", took, s.calls.Load()-1)
		}
		s.hang.Store(false)
		time.Sleep(time.Minute)
		if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
			t.Errorf("after the rest: %v", err)
		}

		// A caller who does not wait for half of the limit says nothing of the service, however many there are.
		giveUp := func(after time.Duration) {
			t.Helper()
			s.hang.Store(true)
			defer s.hang.Store(false)
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			_, err := keys.Unwrap(ctx, w, knownBinding)
			wantErr(t, err, context.DeadlineExceeded, "canary")
		}
		for range 10 {
			giveUp(30*time.Second - 1)
		}
		if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil || told.Load() != 1 {
			t.Errorf("after callers in a hurry: %v; the operator was told %d times, want 1", err, told.Load())
		}
		// One who does is believed: the service is left alone for as long as it was waited for.
		giveUp(30 * time.Second)
		if told.Load() != 2 {
			t.Errorf("the operator was told %d times, want 2", told.Load())
		}
		for _, after := range []time.Duration{0, 30*time.Second - 1} {
			time.Sleep(after)
			_, err := keys.Unwrap(t.Context(), w, knownBinding)
			wantErr(t, err, ErrKeyUnavailable)
		}
		time.Sleep(time.Nanosecond)
		if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
			t.Errorf("after the rest: %v", err)
		}
		// A shorter rest does not end a longer one.
		var wg sync.WaitGroup
		s.hang.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 61*time.Second)
		defer cancel()
		for _, ctx := range []context.Context{t.Context(), ctx} {
			wg.Go(func() { _, _ = keys.Unwrap(ctx, w, knownBinding) })
			time.Sleep(30 * time.Second)
		}
		wg.Wait()
		s.hang.Store(false)
		time.Sleep(58 * time.Second) // 59 after the first, 58 after the second
		_, err := keys.Unwrap(t.Context(), w, knownBinding)
		wantErr(t, err, ErrKeyUnavailable)
		time.Sleep(2 * time.Second)
		if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
			t.Errorf("after both rests: %v", err)
		}
	})
}

// A clock that is set back does not keep a key service alone for longer than it was to be.
func TestKMSWhereClockIsSetBack(t *testing.T) {
	now := time.Unix(100_000, 0)
	s, keys := newService(t, &KMSOptions{Timeout: time.Millisecond, Now: func() time.Time { return now }})
	w := must(keys.Wrap(t.Context(), must(NewDataKey(1, testSuite())), knownBinding))
	s.hang.Store(true)
	_, err := keys.Unwrap(t.Context(), w, knownBinding)
	wantErr(t, err, ErrKeyUnavailable)
	s.hang.Store(false)
	_, err = keys.Unwrap(t.Context(), w, knownBinding)
	wantErr(t, err, ErrKeyUnavailable)
	now = time.Unix(1000, 0)
	if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
		t.Error(err)
	}
	s.hang.Store(true)
	for range 2 {
		_, err = keys.Unwrap(t.Context(), w, knownBinding)
		wantErr(t, err, ErrKeyUnavailable)
	}
	if calls := s.calls.Load(); calls != 4 { // wrapped, hung, opened, hung
		t.Errorf("%d calls, want 4: it hangs again, and is left alone again", calls)
	}
}
