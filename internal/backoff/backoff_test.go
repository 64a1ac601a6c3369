package backoff

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPausesDoubleUpToLimitWithJitter(t *testing.T) {
	const ms = time.Millisecond
	for _, tc := range []struct {
		pauses         Backoff
		first, longest time.Duration
	}{
		{Backoff{}, ms / 5, 100 * ms},
		{Backoff{First: 8 * ms, Longest: 512 * ms}, 8 * ms, 512 * ms},
	} {
		synctest.Test(t, func(t *testing.T) { checkPauses(t, tc.pauses, tc.first, tc.longest) })
	}
}

func checkPauses(t *testing.T, b Backoff, first, longest time.Duration) {
	t.Helper()
	for round := range 2 {
		want := first
		for n := range 60 {
			if b.Pauses() != n {
				t.Fatalf("Pauses is %d before pause %d", b.Pauses(), n)
			}
			start := time.Now()
			if err := b.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got <= want/2 || got > want {
				t.Errorf("round %d, pause %d: %v, want %v to %v", round, n, got, want/2, want)
			}
			want = min(2*want, longest)
		}
		b.Reset()
	}
}

func TestPausesDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[time.Duration]bool{}
		for range 20 {
			b := Backoff{pauses: 60}
			start := time.Now()
			if err := b.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			seen[time.Since(start)] = true
		}
		if len(seen) < 10 {
			t.Errorf("20 pauses had only %d lengths", len(seen))
		}
	})
}

func TestWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{pauses: 60}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := b.Wait(ctx); err != context.DeadlineExceeded {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
		if waited := time.Since(start); waited != time.Millisecond {
			t.Errorf("waited %v after the end of the context", waited)
		}
		if err := b.Wait(ctx); err != context.DeadlineExceeded {
			t.Errorf("ended context: got %v, want DeadlineExceeded", err)
		}
	})
}
