package accesslog_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-installation/installation/internal/accesslog"
)

var start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// begin makes one access, and reports whether it was due. It is recorded then.
func begin(t *testing.T, l *accesslog.Log, key string, at time.Time) bool {
	t.Helper()
	due, done, err := l.Begin(t.Context(), accesslog.Key{ID: key}, at, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	done(true)
	done(false) // only the first call counts
	return due
}

func TestFirstOfIntervalIsDue(t *testing.T) {
	l := accesslog.New(10_000)
	for _, step := range []struct {
		key  string
		at   time.Duration
		want bool
	}{
		{"a", 0, true}, {"a", 0, false}, {"b", 0, true},
		{"a", time.Hour - 1, false}, {"a", time.Hour, true}, {"a", 2*time.Hour - 1, false},
		{"a", time.Hour - 1, true}, // the clock was put back
	} {
		if got := begin(t, l, step.key, start.Add(step.at)); got != step.want {
			t.Errorf("%s at %s: due %t, want %t", step.key, step.at, got, step.want)
		}
	}
}

// The memory is bounded. What was forgotten is due again.
func TestForgetsOldest(t *testing.T) {
	l := accesslog.New(10_000)
	for i := range 100 {
		begin(t, l, strconv.Itoa(i), start)
	}
	if begin(t, l, "99", start) {
		t.Error("the newest access was forgotten")
	}
	if !begin(t, l, "0", start) {
		t.Error("a hundred accesses are remembered in 10,000 bytes")
	}
}

// Of many callers, one records while the others wait. If it fails, the next one records.
func TestOneRecordsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := accesslog.New(10_000)
		var tries, at atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				due, done, err := l.Begin(t.Context(), accesslog.Key{ID: "a"}, start, time.Hour)
				if err != nil || !due {
					done(false)
					return
				}
				if at.Add(1) != 1 {
					t.Error("two record at once")
				}
				time.Sleep(time.Second) // in the bubble, where it takes no time
				at.Add(-1)
				done(tries.Add(1) == 3)
			})
		}
		wg.Wait()
		if n := tries.Load(); n != 3 {
			t.Errorf("%d tries, want 3: the third succeeded", n)
		}
	})
}

func TestWaitEndsWithContext(t *testing.T) {
	l := accesslog.New(10_000)
	_, done, err := l.Begin(t.Context(), accesslog.Key{ID: "a"}, start, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	due, _, err := l.Begin(ctx, accesslog.Key{ID: "a"}, start, time.Hour)
	if due || !errors.Is(err, context.Canceled) {
		t.Errorf("due %t, error %v", due, err)
	}
	done(false)
	if !begin(t, l, "a", start) {
		t.Error("an access that failed counts as recorded")
	}
}
