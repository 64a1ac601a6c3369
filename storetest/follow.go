package storetest

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/go-installation/installation"
)

// followed is the tenant of the case in which readers follow the log beside writers.
const followed = "followed"

var followCases = []testCase{
	{"events/followed", "No event ever appears behind a cursor that was given out.",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			const each = 20 // events of a writer
			var done atomic.Bool
			results := make(chan error)
			var one, all []string
			go func() {
				var err error
				one, err = follow(t, r, installation.EventQuery{Tenant: followed}, &done)
				results <- err
			}()
			go func() {
				var err error
				all, err = follow(t, r, installation.EventQuery{AllTenants: true}, &done)
				results <- err
			}()
			race(t, func(i int) error { return writeEvents(t, s, i, each) })
			done.Store(true)
			for range 2 {
				if err := <-results; err != nil {
					t.Errorf("events read by a follower: got error %v, want none", err)
				}
			}
			sawAll(t, "of one tenant", one, each)
			sawAll(t, "of all tenants", all, each)
		})},
}

// writeEvents commits a record and its updates, with one event each.
func writeEvents(t tester, s installation.Store, writer, n int) error {
	c := create(installation.Key{Tenant: followed, ID: fmt.Sprint(writer)})
	for i := range n {
		c.Events = []installation.Event{eventOf(c, reasonOf(writer, i))}
		if _, err := s.Commit(t.Context(), c); err != nil {
			return err
		}
		c = update(c.Record)
	}
	return nil
}

func reasonOf(writer, i int) string { return fmt.Sprintf("writer %d, event %d", writer, i) }

// follow reads the log, only forward from its cursors, until it reaches the end after done is true.
// It returns the reasons of the events.
func follow(
	t tester, r installation.EventReader, q installation.EventQuery, done *atomic.Bool,
) (reasons []string, err error) {
	q.Limit = 7
	for {
		complete := done.Load()
		page, err := r.Events(t.Context(), q)
		if err != nil || (complete && len(page.Events) == 0) {
			return reasons, err
		}
		for _, e := range page.Events {
			reasons = append(reasons, e.Reason)
		}
		if len(page.Events) > 0 && page.Next == "" || len(reasons) > 100_000 {
			return reasons, fmt.Errorf("no end after %d events, the last cursor is %q",
				len(reasons), page.Next)
		}
		q.After = page.Next
		runtime.Gosched()
	}
}

// sawAll fails the case unless a reader saw each event of each writer once, and those of each
// writer in order.
func sawAll(t tester, what string, got []string, each int) {
	t.Helper()
	seen := make(map[string]bool)
	for _, reason := range got {
		seen[reason] = true
	}
	if want := racers * each; len(seen) != want || len(got) != want {
		t.Errorf("events read by a follower %s: got %d events, %d of them different, want %d",
			what, len(got), len(seen), want)
		return
	}
	for writer := range racers {
		last := -1
		for i := range each {
			at := slices.Index(got, reasonOf(writer, i))
			if at < last {
				t.Errorf("events read by a follower %s: got %v before %v, want it after that", what,
					reasonOf(writer, i), reasonOf(writer, i-1))
			}
			last = at
		}
	}
}
