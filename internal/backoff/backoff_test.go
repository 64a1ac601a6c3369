package backoff

import (
	"context"
	"errors"
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

// A newer revision resets the pauses. Wait gives up after 60 pauses without one.
func TestConflictsEndWithoutNewerRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		giveUp := errors.New("store unavailable")
		c := Conflicts{GiveUp: giveUp}
		start := time.Now()
		if err := c.Wait(t.Context(), 1); err != nil || time.Since(start) != 0 {
			t.Fatalf("first revision: %v after %v, want no pause", err, time.Since(start))
		}
		for _, revision := range []int64{1, 2} { // the second one resets the pauses
			for range maxStaleReads {
				if err := c.Wait(t.Context(), revision); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Wait(t.Context(), 2); err != nil {
			t.Fatalf("the newer revision itself counts as a pause: %v", err)
		}
		if err := c.Wait(t.Context(), 1); !errors.Is(err, giveUp) {
			t.Errorf("after the last pause: got %v, want the error GiveUp", err)
		}
		if waited := time.Since(start); waited < 5*time.Second || waited > 12*time.Second {
			t.Errorf("two rounds of pauses took %v, want about 10 seconds", waited)
		}
	})
}
