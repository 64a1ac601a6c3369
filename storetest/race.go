package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-installation/installation"
)

// racers is the number of goroutines in a race. The checks hold in whatever order the goroutines
// run.
const racers = 16

var raceCases = []testCase{
	{"race/update", "All methods may be called from many goroutines at once.",
		func(t tester, s installation.Store) {
			c := create(at("counter"))
			c.Record.Generation = 0
			commit(t, s, c)
			race(t, func(int) error { return increment(t, s, c.Key) })
			if got := get(t, s, c.Key); got.Generation != racers || got.Revision != 1+racers {
				t.Errorf("get after %d increments: got %d at revision %d, want %d at revision %d",
					racers, got.Generation, got.Revision, racers, 1+racers)
			}
		}},
	{"race/create", "Commit applies c, all of it or nothing.",
		func(t tester, s installation.Store) {
			wins := make([]bool, racers)
			race(t, func(i int) error {
				c := create(at("a"))
				c.Record.Index = []string{all, byRacer(i)}
				c.Record.Body = body(fmt.Sprint(i))
				_, err := s.Commit(t.Context(), c)
				wins[i] = err == nil
				return except(err, installation.ErrConflict)
			})
			winner := oneOf(t, wins)
			want := fmt.Sprint(winner)
			if got := string(get(t, s, at("a")).Body.Bytes()); got != want {
				t.Errorf("get %v: got body %v, want %v of the winner", at("a"), got, want)
			}
			for i := range racers {
				var want []string
				if i == winner {
					want = []string{"a"}
				}
				lists(t, s, installation.Query{Tenant: "tenant", Term: byRacer(i)}, want...)
			}
		}},
	{"race/claim", "sorted strings; at most one record of a tenant holds each of them",
		func(t tester, s installation.Store) {
			wins := make([]bool, racers)
			race(t, func(i int) error {
				_, err := s.Commit(t.Context(), claiming(fmt.Sprint(i), "claim"))
				wins[i] = err == nil
				return except(err, installation.ErrExists)
			})
			lists(t, s, everything, fmt.Sprint(oneOf(t, wins)))
		}},
	{"race/idempotency", "the tenant has an unexpired outcome with the same digest: nothing is " +
		"written; the receipt holds that outcome",
		func(t tester, s installation.Store) {
			wins := make([]bool, racers)
			answers := make([]string, racers)
			race(t, func(i int) error {
				c := create(at(fmt.Sprint(i)))
				c.Idempotency = outcome("key", fmt.Sprint(i))
				receipt, err := s.Commit(t.Context(), c)
				if err != nil {
					return err
				}
				wins[i], answers[i] = receipt.Outcome == nil, fmt.Sprint(i)
				if receipt.Outcome != nil {
					answers[i] = string(receipt.Outcome.Data)
				}
				return nil
			})
			winner := fmt.Sprint(oneOf(t, wins))
			for i, answer := range answers {
				if answer != winner {
					t.Errorf("commit of racer %d: got outcome %v, want %v of the winner", i, answer,
						winner)
				}
			}
			lists(t, s, everything, winner)
		}},
	{"race/same-change", "random token of this mutation, the same on every try of it",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			c.Events = []installation.Event{eventOf(c, "once")}
			wins := make([]bool, racers)
			race(t, func(i int) error {
				receipt, err := s.Commit(t.Context(), c)
				wins[i] = err == nil && !receipt.Replayed
				return err
			})
			oneOf(t, wins)
			sameRecord(t, "get", get(t, s, c.Key), c.Record)
			logged(t, s, "tenant", c.Events)
		}},
}

// race calls run on many goroutines at once, waits for them, and reports their errors.
func race(t tester, run func(racer int) error) {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, racers)
	for i := range racers {
		wg.Go(func() {
			<-start
			errs[i] = run(i)
		})
	}
	close(start)
	wg.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) > 0 {
		t.Errorf("calls of %d goroutines: got %d errors, the first %v, want none", racers,
			len(errs), errs[0])
	}
}

// increment adds 1 to the generation of the record at key, and retries on conflict.
func increment(t tester, s installation.Store, key installation.Key) error {
	for range 100 * racers {
		stored, err := s.Get(t.Context(), key)
		if err != nil {
			return err
		}
		c := update(stored)
		c.Record.Generation++
		_, err = s.Commit(t.Context(), c)
		if err == nil || !errors.Is(err, installation.ErrConflict) {
			return err
		}
	}
	return errors.New("nothing but conflicts")
}

// except returns nil if err matches allowed, and err otherwise.
func except(err, allowed error) error {
	if errors.Is(err, allowed) {
		return nil
	}
	return err
}

// byRacer returns an index term for racer i. No racer has a term that is a prefix of another.
func byRacer(i int) string { return fmt.Sprintf("by %02d", i) }

// oneOf returns the racer that won. It fails the case unless exactly one did.
func oneOf(t tester, wins []bool) int {
	t.Helper()
	winner, n := 0, 0
	for i, won := range wins {
		if won {
			winner = i
			n++
		}
	}
	if n != 1 {
		t.Fatalf("commits of %d racers: got %d winners, want 1", len(wins), n)
	}
	return winner
}
