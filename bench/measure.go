package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Work is one call that is measured. It is called from as many goroutines as its row says.
type Work func() error

// Row is one comparison. Its cost is that of Ours in terms of Base, or what Count says.
type Row struct {
	Name    string
	Against string  // what the other side is
	Lacks   string  // what the other side does not do, "" if it does as much
	Reach   float64 // the ratio that is wanted at most, 0 for none

	Ours, Base Work
	Goroutines int               // that call at once; 0 = 1
	Prepare    func(n int) error // makes ready for so many calls of Ours, outside the time
	Per        int               // how many things one call of Ours does that one call of Base does; 0 = 1

	// Count returns two figures of a unit to compare, in place of calls that are timed. It may take as long as it is told.
	Count func(time.Duration) (ours, base float64, err error)
	Unit  string
}

// Result is what was measured of a row.
type Result struct {
	Row
	Group         string
	Ratio, Spread float64 // median, and distance of the quartiles, of the rounds' ratios
	Ours, Base    float64 // medians: nanoseconds of one thing, or figures of Count
	Allocs, Bytes float64 // allocated for one thing that Ours does, by the whole process; -1 where nothing is called
}

// Reached reports whether the ratio is as low as wanted.
func (r Result) Reached() bool { return r.Reach == 0 || r.Ratio <= r.Reach }

// Meter measures rows. In each round both sides run for a slice of time, one right after the other, so that whatever else the
// machine does meets both; and slices are short, so that of many rounds most are left alone.
type Meter struct {
	Rounds int           // at most
	Budget time.Duration // after which there are no more rounds, once there were minRounds
	Slice  time.Duration
}

const minRounds = 3

// Measure measures one row.
func (m Meter) Measure(ctx context.Context, r Row) (Result, error) {
	result := Result{Row: r, Allocs: -1, Bytes: -1}
	sample := r.Count
	if sample == nil {
		timed, err := m.timed(r)
		if err != nil {
			return result, err
		}
		sample = timed
	}
	runtime.GC()
	var ours, base, ratios []float64
	for began := time.Now(); len(ratios) < m.Rounds && (len(ratios) < minRounds || time.Since(began) < m.Budget); {
		if err := ctx.Err(); err != nil {
			return result, err
		}
		o, b, err := sample(m.Slice)
		if err != nil {
			return result, err
		}
		if b == 0 {
			return result, errors.New("the other side measures nothing")
		}
		ours, base, ratios = append(ours, o), append(base, b), append(ratios, o/b)
	}
	result.Ours, result.Base, result.Ratio = quantile(ours, 0.5), quantile(base, 0.5), quantile(ratios, 0.5)
	result.Spread = quantile(ratios, 0.75) - quantile(ratios, 0.25)
	if r.Ours != nil {
		var err error
		if result.Allocs, result.Bytes, err = allocated(r); err != nil {
			return result, err
		}
	}
	return result, nil
}

// timed returns a Count for the two calls of a row.
func (m Meter) timed(r Row) (func(time.Duration) (ours, base float64, err error), error) {
	goroutines, per := cmp.Or(r.Goroutines, 1), cmp.Or(r.Per, 1)
	ourside, theirs := side{r.Ours, goroutines, r.Prepare}, side{r.Base, goroutines, nil}
	slice := m.Slice
	if goroutines > 1 {
		slice *= 8 // starting them is not to be seen
	}
	ourCalls, err := ourside.calls(slice)
	if err != nil {
		return nil, err
	}
	theirCalls, err := theirs.calls(slice)
	if err != nil {
		return nil, fmt.Errorf("the other side: %w", err)
	}
	first := false
	return func(time.Duration) (ours, base float64, err error) {
		var theirTime, ourTime time.Duration
		if first = !first; first {
			theirTime, err = theirs.run(theirCalls, nothing)
		}
		if err == nil {
			ourTime, err = ourside.run(ourCalls, nothing)
		}
		if err == nil && !first {
			theirTime, err = theirs.run(theirCalls, nothing)
		}
		return float64(ourTime) / float64(ourCalls*per), float64(theirTime) / float64(theirCalls), err
	}, nil
}

// side is one side of a timed row.
type side struct {
	work       Work
	goroutines int
	prepare    func(n int) error
}

// calls returns how many calls take about a slice of time.
func (s side) calls(slice time.Duration) (int, error) {
	n := s.goroutines
	for {
		took, err := s.run(n, nothing)
		if err != nil {
			return 0, err
		}
		if took >= slice/2 || n >= 1<<24 {
			return max(s.goroutines, int(float64(n)*float64(slice)/float64(max(took, 1)))), nil
		}
		n *= 2
	}
}

// run returns how long n calls take. It tells when all is ready for them.
func (s side) run(n int, ready func()) (time.Duration, error) {
	if s.prepare != nil {
		if err := s.prepare(n); err != nil {
			return 0, err
		}
	}
	ready()
	if s.goroutines == 1 {
		began := time.Now()
		for range n {
			if err := s.work(); err != nil {
				return 0, err
			}
		}
		return time.Since(began), nil
	}
	return concurrently(s.goroutines, n, func(int) error { return s.work() })
}

func nothing() {}

// concurrently calls f with 0 to n-1 from several goroutines and returns how long that took. It stops at an error.
func concurrently(goroutines, n int, f func(i int) error) (time.Duration, error) {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wait sync.WaitGroup
	began := time.Now()
	for range goroutines {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wait.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return time.Since(began), nil
}

// allocated returns how often, and how many bytes, ours allocates for one thing it does.
func allocated(r Row) (allocs, bytes float64, err error) {
	calls := 20
	if r.Per > 0 {
		calls = 1 // which does much
	}
	if r.Prepare != nil {
		if err := r.Prepare(calls); err != nil {
			return 0, 0, err
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		if err := r.Ours(); err != nil {
			return 0, 0, err
		}
	}
	runtime.ReadMemStats(&after)
	things := float64(calls * cmp.Or(r.Per, 1))
	return float64(after.Mallocs-before.Mallocs) / things, float64(after.TotalAlloc-before.TotalAlloc) / things, nil
}

// quantile returns the value below which a part q of the values lies, between two of them if need be.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
