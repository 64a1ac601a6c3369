package main

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// tailRow compares the slowest of a hundred reads while commits go on without a pause. The other side keeps the same lists and
// claims in maps and sorted slices under one RWMutex, as a store without snapshots has to.
func tailRow(tb testing.TB, w *world, s Scale) Row {
	locked := newLocked(s.Records, w.ids)
	commit := updating(tb, w.store, 1)
	create := creating(tb, w.store)
	return Row{
		Name: "Store.Get, p99 while others commit", Against: "RWMutex, maps, sorted slices", Lacks: "change log, outcomes; memory for snapshots", Reach: 1, Unit: "ns",
		Count: func(d time.Duration) (ours, base float64, err error) {
			if ours, err = tail(d, w.storeGet, func() error { return errors.Join(create(), commit()) }); err != nil {
				return 0, 0, err
			}
			base, err = tail(d, func() error { return locked.get(w.id()) }, func() error { locked.put(newID()); return nil })
			return ours, base, err
		},
	}
}

// tail returns the time in nanoseconds within which 99 of 100 reads end while writes go on, over twenty slices of time.
func tail(slice time.Duration, read, write Work) (float64, error) {
	var wait sync.WaitGroup
	stop := make(chan struct{})
	failed := make(chan error, 1)
	wait.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := write(); err != nil {
				failed <- err
				return
			}
		}
	})
	var times []float64
	for began, last := time.Now(), time.Now(); last.Sub(began) < 20*slice; {
		if err := read(); err != nil {
			close(stop)
			wait.Wait()
			return 0, err
		}
		now := time.Now()
		times = append(times, float64(now.Sub(last)))
		last = now
	}
	close(stop)
	wait.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return quantile(times, 0.99), nil
	}
}

// locked is a store under one lock: records by id, and the same nine lists and claims as ours, kept sorted.
type locked struct {
	mu      sync.RWMutex
	records map[string]*installation.Record
	lists   map[string][]string
	claims  map[string]string
}

func newLocked(n int, ids []string) *locked {
	l := &locked{records: map[string]*installation.Record{}, lists: map[string][]string{}, claims: map[string]string{}}
	for range n {
		l.put(newID())
	}
	for _, id := range ids {
		l.put(id)
	}
	return l
}

func (l *locked) put(id string) {
	c := creation(tenant, numbers.Add(1), installation.Body{})
	r := c.Record
	r.Key.ID = id
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records[id] = r
	for _, claim := range r.Claims {
		l.claims[claim] = id
	}
	for _, term := range r.Index {
		at, there := slices.BinarySearch(l.lists[term], id)
		if !there {
			l.lists[term] = slices.Insert(l.lists[term], at, id)
		}
	}
}

func (l *locked) get(id string) error {
	l.mu.RLock()
	r := l.records[id]
	l.mu.RUnlock()
	if r == nil {
		return errors.New("no record")
	}
	copied := *r
	copied.Index, copied.Claims = slices.Clone(r.Index), slices.Clone(r.Claims)
	return nil
}
