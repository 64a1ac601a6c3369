package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMeasureCount measures what is known: the median of the rounds' ratios, and how far their quartiles lie apart.
func TestMeasureCount(t *testing.T) {
	ours := []float64{10, 20, 30, 40, 500}
	row := Row{Name: "known", Reach: 3, Count: func(time.Duration) (float64, float64, error) {
		v := ours[0]
		ours = ours[1:]
		return v, 10, nil
	}}
	got, err := Meter{Rounds: 5, Budget: time.Hour}.Measure(t.Context(), row)
	if err != nil || got.Ratio != 3 || got.Spread != 2 || got.Ours != 30 || got.Base != 10 || got.Allocs != -1 || !got.Reached() {
		t.Errorf("%+v, %v", got, err)
	}
	ours = []float64{10, 20, 30, 40}
	if got, err := (Meter{Rounds: 5}).Measure(t.Context(), row); err != nil || got.Ratio != 2 || len(ours) != 1 {
		t.Errorf("out of time: %+v, %v", got, err)
	}
	got.Reach = 2.9
	if got.Reached() {
		t.Error("3 is taken for 2.9")
	}
}

// TestMeasureTimed counts how both sides are called, and what of it is said to be allocated.
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
	if err != nil || got.Ratio <= 0 || got.Bytes < 1<<15 || got.Bytes > 1<<15+1<<12 { // half of what a call allocates, and little else
		t.Errorf("%+v, %v", got, err)
	}
	if called.Load() == 0 || prepared.Load() != called.Load() || theirs.Load() == 0 {
		t.Errorf("prepared %d, called %d, theirs %d", prepared.Load(), called.Load(), theirs.Load())
	}
}

// TestConcurrently checks that all is called once, and that an error ends the rest.
func TestConcurrently(t *testing.T) {
	var called [1000]atomic.Int64
	if _, err := concurrently(8, len(called), func(i int) error { called[i].Add(1); return nil }); err != nil {
		t.Error(err)
	}
	for i := range called {
		if n := called[i].Load(); n != 1 {
			t.Errorf("%d called %d times", i, n)
		}
	}
	broken := errors.New("broken")
	var last atomic.Int64
	_, err := concurrently(1, 1000, func(i int) error {
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

// TestMeasureErrors checks that nothing is measured of what fails, on either side, and that a cancelled run ends.
func TestMeasureErrors(t *testing.T) {
	broken := errors.New("broken")
	fine, fails := func() error { return nil }, func() error { return broken }
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
		"prepare":   {t.Context(), Row{Ours: fine, Base: fine, Prepare: func(int) error { return broken }}, broken},
		"count":     {t.Context(), Row{Count: func(time.Duration) (float64, float64, error) { return 1, 1, broken }}, broken},
		"cancelled": {cancelled, Row{Ours: fine, Base: fine}, context.Canceled},
	} {
		if _, err := (Meter{Rounds: 1, Slice: time.Microsecond}).Measure(tc.ctx, tc.row); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
	}
	if _, err := (Meter{Rounds: 1}).Measure(t.Context(), Row{Count: func(time.Duration) (float64, float64, error) { return 1, 0, nil }}); err == nil {
		t.Error("no error for a side that measures nothing")
	}
}

// TestWithServers checks that what was set up is undone, last first, however the function ends.
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
			if err == nil || !strings.Contains(err.Error(), "broken") || strings.Join(order, " ") != "second first" {
				t.Errorf("error %v, undone %v", err, order)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the directory is still there: %v", err)
			}
		})
	}
}

// TestWithServersPanic checks that what is broken is not taken for the end of a function.
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

var sample = []Result{
	{Group: "a", Row: Row{Name: "first", Against: "it", Reach: 2, Lacks: "sense"}, Ratio: 1.5, Spread: 0.1, Ours: 1500, Base: 1000, Allocs: 3, Bytes: 64},
	{Group: "a", Row: Row{Name: "second", Against: "it", Reach: 1}, Ratio: 1.5, Ours: 15e6, Base: 1e4, Allocs: -1, Bytes: -1},
	{Group: "b", Row: Row{Name: "third", Against: "one", Unit: "trips"}, Ratio: 250, Ours: 2.5, Base: 1, Allocs: -1, Bytes: -1},
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	printTable(&b, sample)
	const want = `| what   | against | ratio | spread | reach | ours      | theirs  | allocs | bytes | the other side lacks |
|--------|---------|-------|--------|-------|-----------|---------|--------|-------|----------------------|
| **a**  |         |       |        |       |           |         |        |       |                      |
| first  | it      | 1.50  | ±0.05  | 2 yes | 1500 ns   | 1000 ns | 3      | 64    | sense                |
| second | it      | 1.50  | ±0.00  | 1 NO  | 15 ms     | 10 µs   |        |       |                      |
| **b**  |         |       |        |       |           |         |        |       |                      |
| third  | one     | 250   | ±0.00  |       | 2.5 trips | 1 trips |        |       |                      |
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}

func TestJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rows.json")
	if err := writeJSON(file, sample[:1]); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil || b.String() != `[{"name":"a: first / it","ratio":1.5,"reach":2,"spread":0.1}]` {
		t.Errorf("%s, %v", &b, err)
	}
}
