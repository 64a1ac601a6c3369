package runner

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func list(jobs ...Job) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		for _, job := range jobs {
			if !yield(job, nil) {
				return
			}
		}
	}
}

func TestRoundDoesAllJobs(t *testing.T) {
	broken := errors.New("broken")
	gives := func(r Result, err error) Job {
		return func(context.Context) (Result, error) { return r, err }
	}
	var got []Result
	jobs := list(gives(Refreshed, nil), gives(Broken, broken), gives(Left, nil))
	err := Round(t.Context(), jobs, 1, func(r Result) { got = append(got, r) })
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want that of the job", err)
	}
	if want := []Result{Refreshed, Broken, Left}; !slices.Equal(got, want) {
		t.Errorf("results %v, want %v", got, want)
	}
}

func TestRoundEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := 0
	job := func(context.Context) (Result, error) {
		done++
		cancel()
		return Refreshed, nil
	}
	err := Round(ctx, list(job, job, job), 1, func(Result) {})
	if !errors.Is(err, context.Canceled) || done == 3 {
		t.Errorf("%d jobs, error %v", done, err)
	}
}

// TestRoundPanicsAtItsEnd: a panic of one job neither ends the process nor stops the other jobs.
func TestRoundPanicsAtItsEnd(t *testing.T) {
	done := 0
	jobs := list(
		func(context.Context) (Result, error) { panic("of the host") },
		func(context.Context) (Result, error) { done++; return Refreshed, nil },
	)
	defer func() {
		if v := recover(); v != "of the host" || done != 1 {
			t.Errorf("panic %v after %d other jobs", v, done)
		}
	}()
	_ = Round(t.Context(), jobs, 1, func(Result) {})
	t.Error("no panic")
}

func TestPauseHasJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := make(map[time.Duration]bool)
		for range 3 {
			began := time.Now()
			if err := Pause(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
			pause := time.Since(began)
			if pause < 48*time.Second || pause > time.Minute {
				t.Errorf("paused for %v, want 48s to 1m", pause)
			}
			took[pause] = true
		}
		if len(took) == 1 {
			t.Errorf("each pause took the same time: %v", took)
		}
	})
}
