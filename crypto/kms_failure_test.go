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

// TestKMSFailure: the error names only the key, and the text of the service goes only to the
// operator.
func TestKMSFailure(t *testing.T) {
	var reports []string
	onError := func(id string, err error) { reports = append(reports, id+" "+err.Error()) }
	s, keys := newService(t, &KMSOptions{OnError: onError})
	k := must(NewDataKey(1, testSuite()))
	w := must(keys.Wrap(t.Context(), k, knownBinding))
	foreign := errors.New("403 for canary-token")
	s.down(foreign)
	_, e1 := keys.Unwrap(t.Context(), w, knownBinding)
	_, e2 := keys.Wrap(t.Context(), k, knownBinding)
	for _, err := range []error{e1, e2} {
		wantErr(t, err, ErrKeyUnavailable, "canary", "403")
		wrong := errors.Is(err, foreign) || errors.Is(err, ErrSealed)
		if wrong || !strings.Contains(err.Error(), "kms1") {
			t.Errorf("got %v", err)
		}
	}
	want := []string{"kms1 403 for canary-token", "kms1 403 for canary-token"}
	if !slices.Equal(reports, want) {
		t.Errorf("got reports %q, want %q", reports, want)
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
		t.Error("the service was called with an ended context")
	}
	k.Destroy()
	_, err = keys.Wrap(t.Context(), k, knownBinding)
	wantErr(t, err, ErrDestroyed)
}

// hang calls the service with a caller who waits for d.
func hang(t *testing.T, s *service, keys *KMSKey, w Wrapped, d time.Duration) {
	t.Helper()
	s.hang.Store(true)
	defer s.hang.Store(false)
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	_, err := keys.Unwrap(ctx, w, knownBinding)
	wantErr(t, err, context.DeadlineExceeded, "canary")
}

// wantBackoff fails the test unless calls fail for exactly d, and succeed after it. It runs in
// synctest, where a sleep only moves the clock.
func wantBackoff(t *testing.T, keys *KMSKey, w Wrapped, d time.Duration) {
	t.Helper()
	for _, after := range []time.Duration{0, d - 1} {
		time.Sleep(after) // fake time: to the start of the back-off, and to its last moment
		_, err := keys.Unwrap(t.Context(), w, knownBinding)
		wantErr(t, err, ErrKeyUnavailable)
	}
	time.Sleep(time.Nanosecond) // fake time: now d is over
	if _, err := keys.Unwrap(t.Context(), w, knownBinding); err != nil {
		t.Errorf("after the backoff: %v", err)
	}
}

// TestKMSBacksOffAfterTimeout: a service that hangs delays one call. Further calls fail at once
// until it may have recovered.
func TestKMSBacksOffAfterTimeout(t *testing.T) {
	s, keys := newService(t, &KMSOptions{Timeout: time.Minute})
	w := must(keys.Wrap(t.Context(), must(NewDataKey(1, testSuite())), knownBinding))
	s.calls.Store(0)
	synctest.Test(t, func(t *testing.T) {
		s.hang.Store(true)
		start := time.Now()
		for range 1000 {
			_, err := keys.Unwrap(t.Context(), w, knownBinding)
			wantErr(t, err, ErrKeyUnavailable, "canary")
			if errors.Is(err, context.DeadlineExceeded) {
				t.Fatal("the timeout of the service is taken for that of the caller")
			}
		}
		if took, n := time.Since(start), s.calls.Load(); took != time.Minute || n != 1 {
			t.Errorf("%d calls took %v, want 1 in one minute", n, took)
		}
		s.hang.Store(false)
		wantBackoff(t, keys, w, time.Minute)
	})
}

// TestKMSBacksOffAfterCallerGaveUp: a caller that waited for half of the timeout proves that
// the service hangs. Callers with less patience prove nothing, however many they are.
func TestKMSBacksOffAfterCallerGaveUp(t *testing.T) {
	var reports atomic.Int64
	onError := func(string, error) { reports.Add(1) }
	s, keys := newService(t, &KMSOptions{Timeout: time.Minute, OnError: onError})
	w := must(keys.Wrap(t.Context(), must(NewDataKey(1, testSuite())), knownBinding))
	synctest.Test(t, func(t *testing.T) {
		for range 10 {
			hang(t, s, keys, w, 30*time.Second-1)
		}
		_, err := keys.Unwrap(t.Context(), w, knownBinding)
		if err != nil || reports.Load() != 0 {
			t.Errorf("impatient callers: %v, %d reports", err, reports.Load())
		}
		hang(t, s, keys, w, 30*time.Second)
		if reports.Load() != 1 {
			t.Errorf("a patient caller: %d reports, want 1", reports.Load())
		}
		wantBackoff(t, keys, w, 30*time.Second)
	})
}

// TestKMSKeepsLongerBackoff: a shorter backoff does not end a longer one.
func TestKMSKeepsLongerBackoff(t *testing.T) {
	s, keys := newService(t, &KMSOptions{Timeout: time.Minute})
	w := must(keys.Wrap(t.Context(), must(NewDataKey(1, testSuite())), knownBinding))
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		s.hang.Store(true)
		wg.Go(func() { _, _ = keys.Unwrap(t.Context(), w, knownBinding) }) // for 60 seconds
		// fake time: the second call starts later and ends later than the first
		time.Sleep(30 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 31*time.Second) // until second 61
		defer cancel()
		_, _ = keys.Unwrap(ctx, w, knownBinding)
		wg.Wait()
		s.hang.Store(false)
		wantBackoff(t, keys, w, 59*time.Second)
	})
}

// TestKMSBackoffAfterClockIsSetBack: the backoff does not become longer.
func TestKMSBackoffAfterClockIsSetBack(t *testing.T) {
	now := time.Unix(100_000, 0)
	clock := func() time.Time { return now }
	s, keys := newService(t, &KMSOptions{Timeout: time.Millisecond, Now: clock})
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
		t.Errorf("%d calls, want 4", calls)
	}
}
