package main

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMeasureCount checks the median of the rounds' ratios and the distance of their quartiles.
func TestMeasureCount(t *testing.T) {
	ours := []float64{10, 20, 30, 40, 500}
	row := Row{Name: "known", Reach: 3, Count: func(time.Duration) (float64, float64, error) {
		v := ours[0]
		ours = ours[1:]
		return v, 10, nil
	}}
	got, err := Meter{Rounds: 5, Budget: time.Hour}.Measure(t.Context(), row)
	want := Result{Ratio: 3, Spread: 2, Ours: 30, Base: 10, Allocs: -1, Bytes: -1}
	got.Row = Row{}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	ours = []float64{10, 20, 30, 40}
	got, err = Meter{Rounds: 5}.Measure(t.Context(), row)
	if err != nil || got.Ratio != 2 || !got.Reached() || len(ours) != 1 {
		t.Errorf("out of time: %+v, %v", got, err)
	}
	if got.Reach = 1.9; got.Reached() {
		t.Error("a ratio of 2 reaches 1.9")
	}
}

// TestMeasureTimed counts the calls of both sides and what Ours allocates.
func TestMeasureTimed(t *testing.T) {
	var prepared, called, theirs atomic.Int64
	var kept atomic.Pointer[[1 << 16]byte]
	row := Row{
		Name: "timed", Goroutines: 4, Per: 2,
		Prepare: func(n int) error { prepared.Add(int64(n)); return nil },
		Ours:    func() error { called.Add(1); kept.Store(new([1 << 16]byte)); return nil },
		Base:    func() error { theirs.Add(1); return nil },
	}
	got, err := Meter{Rounds: 3, Slice: time.Microsecond}.Measure(t.Context(), row)
	// A call does two things, so each allocates half of the array, and little else.
	if err != nil || got.Ratio <= 0 || got.Bytes < 1<<15 || got.Bytes > 1<<15+1<<12 {
		t.Errorf("%+v, %v", got, err)
	}
	if called.Load() == 0 || prepared.Load() != called.Load() || theirs.Load() == 0 {
		t.Errorf("prepared %d, called %d, theirs %d", prepared.Load(), called.Load(), theirs.Load())
	}
}

// TestMeasureCollected checks that a side runs until two collections are over, or its time is up.
func TestMeasureCollected(t *testing.T) {
	kept := make([][]byte, 16)
	n := 0
	row := Row{
		Name: "collected", Collected: true,
		Ours: func() error { n++; kept[n%len(kept)] = make([]byte, 1<<16); return nil },
		Base: func() error { return nil },
	}
	before := collections()
	meter := Meter{Rounds: minRounds, Budget: 200 * time.Millisecond, Slice: 10 * time.Microsecond}
	got, err := meter.Measure(t.Context(), row)
	// Each of three rounds also begins with a collection on both sides.
	if ended := collections() - before; err != nil || got.Ratio <= 1 || ended < minRounds*(1+2+1) {
		t.Errorf("%+v, %d collections, %v", got, ended, err)
	}
}

// TestConcurrently checks that each number is passed once, and that an error ends the rest.
func TestConcurrently(t *testing.T) {
	var called [1000]atomic.Int64
	_, err := concurrently(8, len(called), func(i int) error { called[i].Add(1); return nil })
	if err != nil {
		t.Error(err)
	}
	for i := range called {
		if n := called[i].Load(); n != 1 {
			t.Errorf("%d called %d times", i, n)
		}
	}
	broken := errors.New("broken")
	var last atomic.Int64
	_, err = concurrently(1, 1000, func(i int) error {
		last.Store(int64(i))
		if i == 10 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || last.Load() != 10 {
		t.Errorf("error %v after %d calls", err, last.Load())
	}
}

// TestMeasureErrors checks that an error of either side and a cancelled context end a run.
func TestMeasureErrors(t *testing.T) {
	broken := errors.New("broken")
	fine, fails := func() error { return nil }, func() error { return broken }
	count := func(base float64, err error) func(time.Duration) (float64, float64, error) {
		return func(time.Duration) (float64, float64, error) { return 1, base, err }
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		ctx  context.Context
		row  Row
		want error
	}{
		"ours":      {t.Context(), Row{Ours: fails, Base: fine}, broken},
		"theirs":    {t.Context(), Row{Ours: fine, Base: fails}, broken},
		"many":      {t.Context(), Row{Ours: fails, Base: fine, Goroutines: 8}, broken},
		"count":     {t.Context(), Row{Count: count(1, broken)}, broken},
		"cancelled": {cancelled, Row{Ours: fine, Base: fine}, context.Canceled},
	} {
		_, err := Meter{Rounds: 1, Slice: time.Microsecond}.Measure(tc.ctx, tc.row)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
	}
	prepare := Row{Ours: fine, Base: fine, Prepare: func(int) error { return broken }}
	if _, err := (Meter{}).Measure(t.Context(), prepare); !errors.Is(err, broken) {
		t.Errorf("prepare: error %v, want %v", err, broken)
	}
	if _, err := (Meter{Rounds: 1}).Measure(t.Context(), Row{Count: count(0, nil)}); err == nil {
		t.Error("no error for a side that measures nothing")
	}
}

// TestWithServers checks that cleanups run, last first, however the function ends.
func TestWithServers(t *testing.T) {
	broken := errors.New("broken")
	for name, end := range map[string]func(testing.TB) error{
		"returns": func(testing.TB) error { return broken },
		"fatal":   func(tb testing.TB) error { tb.Fatal(broken); return nil },
		"fatalf":  func(tb testing.TB) error { tb.Fatalf("%v", broken); return nil },
		"skips":   func(tb testing.TB) error { tb.Skip(broken); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			var order []string
			var dir string
			err := withServers(t.Context(), func(tb testing.TB) error {
				dir = tb.TempDir()
				tb.Cleanup(func() { order = append(order, "first") })
				tb.Cleanup(func() {
					order = append(order, "second")
					if tb.Context().Err() == nil {
						t.Error("the context outlives the function")
					}
				})
				return end(tb)
			})
			if err == nil || !strings.Contains(err.Error(), "broken") {
				t.Errorf("error %v", err)
			}
			if strings.Join(order, " ") != "second first" {
				t.Errorf("cleaned up in the order %v", order)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the directory is still there: %v", err)
			}
		})
	}
}

// TestWithServersPanic checks that any other panic goes on after the cleanups.
func TestWithServersPanic(t *testing.T) {
	undone := false
	defer func() {
		if r := recover(); r != "broken" || !undone {
			t.Errorf("recovered %v, undone %t", r, undone)
		}
	}()
	_ = withServers(t.Context(), func(tb testing.TB) error {
		tb.Cleanup(func() { undone = true })
		panic("broken")
	})
}
