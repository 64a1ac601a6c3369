package main

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Work is one call that is measured. Row.Goroutines says how many goroutines make it.
type Work func() error

// Row is one comparison. It times Ours and Base, or it compares the two figures that Count returns.
type Row struct {
	Name    string
	Against string  // what the other side is
	Lacks   string  // what the other side does not do
	Reach   float64 // the goal: the largest ratio that is good enough; 0 = no goal

	Ours, Base Work
	Goroutines int               // how many call at once; 0 = 1
	Prepare    func(n int) error // prepares n calls of Ours; not timed
	Per        int               // how many things one call of Ours does; 0 = 1
	Collected  bool              // measure each side over two garbage collections

	// Count returns one figure for each side, in Unit. It can take about as long as its argument
	// says. If Unit is "", the figures are nanoseconds.
	Count func(time.Duration) (ours, base float64, err error)
	Unit  string
}

func newRow(name, against, lacks string, reach float64, ours, base Work) Row {
	return Row{Name: name, Against: against, Lacks: lacks, Reach: reach, Ours: ours, Base: base}
}

// Result is what was measured for a row.
type Result struct {
	Row
	Group         string
	Ratio, Spread float64 // median and interquartile range of the ratios of the rounds
	Ours, Base    float64 // medians: nanoseconds for one thing, see Row.Per; or figures of Count
	Allocs, Bytes float64 // of the process while Ours does one thing; -1 for Count
}

// Reached reports whether the ratio is as low as wanted.
func (r Result) Reached() bool { return r.Reach == 0 || r.Ratio <= r.Reach }

// Meter measures rows in rounds. In a round each side runs for a short slice of time, one right
// after the other, so that other load on the machine affects both sides.
type Meter struct {
	Rounds int           // at most
	Budget time.Duration // no round starts later than this, except the first minRounds
	Slice  time.Duration
}

const minRounds = 3

// Measure measures one row.
func (m Meter) Measure(ctx context.Context, r Row) (Result, error) {
	result := Result{Row: r, Allocs: -1, Bytes: -1}
	sample, err := r.Count, error(nil)
	if sample == nil {
		if sample, err = m.timed(r); err != nil {
			return result, err
		}
	}
	runtime.GC()
	var ours, base, ratios []float64
	began := time.Now()
	for len(ratios) < m.Rounds && (len(ratios) < minRounds || time.Since(began) < m.Budget) {
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
	result.Ours, result.Base = quantile(ours, 0.5), quantile(base, 0.5)
	result.Ratio = quantile(ratios, 0.5)
	result.Spread = quantile(ratios, 0.75) - quantile(ratios, 0.25)
	if r.Ours != nil {
		result.Allocs, result.Bytes, err = allocated(r)
	}
	return result, err
}

// timed returns a function like Row.Count that times the calls of both sides.
func (m Meter) timed(r Row) (func(time.Duration) (ours, base float64, err error), error) {
	goroutines, per := cmp.Or(r.Goroutines, 1), cmp.Or(r.Per, 1)
	ours := &side{work: r.Ours, goroutines: goroutines, prepare: r.Prepare}
	base := &side{work: r.Base, goroutines: goroutines}
	slice := m.Slice
	if goroutines > 1 {
		slice *= 8 // hides the start of the goroutines
	}
	if err := errors.Join(ours.estimate(slice), base.estimate(slice)); err != nil {
		return nil, err
	}
	if r.Collected {
		// Base can allocate so little that two collections would take minutes.
		ours.limit, base.limit = 4*m.Budget, m.Budget
	}
	turn := 0
	return func(time.Duration) (float64, float64, error) {
		order := []*side{ours, base}
		if turn++; turn%2 == 0 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if err := s.sample(); err != nil {
				return 0, 0, err
			}
		}
		return ours.each / float64(per), base.each, nil
	}, nil
}

// side is one side of a timed row.
type side struct {
	work       Work
	goroutines int
	prepare    func(n int) error
	calls      int           // how many take about a slice of time
	limit      time.Duration // of a sample over two garbage collections; 0 = a sample is one slice
	each       float64       // nanoseconds of a call in the last sample
}

// estimate finds out how many calls take about a slice of time.
func (s *side) estimate(slice time.Duration) error {
	for n := s.goroutines; ; n *= 2 {
		took, err := s.run(n, nothing)
		if err != nil {
			return err
		}
		if took >= slice/2 || n >= 1<<24 {
			s.calls = max(s.goroutines, int(float64(n)*float64(slice)/float64(max(took, 1))))
			return nil
		}
	}
}

// sample measures the calls of one slice. If limit is set, it measures slices until two garbage
// collections have ended or limit is reached.
func (s *side) sample() error {
	if s.limit > 0 {
		runtime.GC()
	}
	first, n := collections(), 0
	var total time.Duration
	for n == 0 || total < s.limit && collections() < first+2 {
		took, err := s.run(s.calls, nothing)
		if err != nil {
			return err
		}
		total += took
		n += s.calls
	}
	s.each = float64(total) / float64(n)
	return nil
}

// collections returns how many collections of garbage have ended.
func collections() uint64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// run returns how long n calls take. It prepares the calls, calls ready, and then starts to
// measure.
func (s *side) run(n int, ready func()) (time.Duration, error) {
	if s.prepare != nil {
		if err := s.prepare(n); err != nil {
			return 0, err
		}
	}
	ready()
	if s.goroutines > 1 {
		return concurrently(s.goroutines, n, func(int) error { return s.work() })
	}
	began := time.Now()
	for range n {
		if err := s.work(); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

func nothing() {}

// concurrently calls f with 0 to n-1 from several goroutines and returns how long that took. It
// stops at an error.
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

// allocated returns how often, and how many bytes, Ours allocates for one thing (see Row.Per).
func allocated(r Row) (allocs, bytes float64, err error) {
	calls := 200
	if r.Per > 0 {
		calls = 1 // one call does many things
	}
	var before, after runtime.MemStats
	s := side{work: r.Ours, goroutines: 1, prepare: r.Prepare}
	_, err = s.run(calls, func() { runtime.ReadMemStats(&before) })
	runtime.ReadMemStats(&after)
	things := float64(calls * cmp.Or(r.Per, 1))
	allocs = float64(after.Mallocs-before.Mallocs) / things
	return allocs, float64(after.TotalAlloc-before.TotalAlloc) / things, err
}

// quantile returns the value below which a part q of the values lies.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
