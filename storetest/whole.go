package storetest

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/go-installation/installation"
)

// wholeCases race changes with readers and with each other, for many rounds. In one round the first
// call often ends before the next one starts.
var wholeCases = []testCase{
	{"race/whole", "Commit applies c, all of it or nothing.", wholeRecord},
	{"race/event-order", "Events of one tenant are in the order of their commits.",
		withAbility(eventOrder)},
	{"race/claims", "at most one record of a tenant holds each of them",
		func(t tester, s installation.Store) {
			rounds(t, func(round string, i int) (bool, error) {
				c := claiming(fmt.Sprint(i)+round, "claim"+round)
				_, err := s.Commit(t.Context(), c)
				return err == nil, except(err, installation.ErrExists)
			})
		}},
	{"race/claims-swapped", "Another record of the tenant holds one of c.Record.Claims: an " +
		"[*ExistsError] with the ID of the holder.", swapClaims},
	{"race/outcomes", "nothing is written; the receipt holds that outcome",
		func(t tester, s installation.Store) {
			rounds(t, func(round string, i int) (bool, error) {
				c := create(at(fmt.Sprint(i) + round))
				c.Idempotency = outcome("key"+round, fmt.Sprint(i))
				receipt, err := s.Commit(t.Context(), c)
				return err == nil && receipt.Outcome == nil, err
			})
		}},
	{"race/revisions", "The stored revision differs from c.If: a [*ConflictError] with the " +
		"stored revision.",
		func(t tester, s installation.Store) {
			rounds(t, func(round string, _ int) (bool, error) {
				_, err := s.Commit(t.Context(), create(at("a"+round)))
				return err == nil, except(err, installation.ErrConflict)
			})
		}},
}

// rounds races run many times. It fails the case unless one racer wins each round.
func rounds(t tester, run func(round string, racer int) (won bool, err error)) {
	t.Helper()
	for n := range 20 {
		wins := make([]bool, racers)
		race(t, func(i int) (err error) {
			wins[i], err = run(fmt.Sprintf(" of round %d", n), i)
			return err
		})
		oneOf(t, wins)
	}
}

// swapped is the tenant of the case in which records try to swap their claims.
const swapped = "swapped"

// swapClaims lets two racers at a time swap the claims of their records. Each wants what the other
// still holds, so nobody gets it. A store that locks the claims that it releases and then those
// that it takes makes the racers wait for each other. It must not blame the caller for that.
func swapClaims(t tester, s installation.Store) {
	var records [racers]*installation.Record
	for i := range records {
		c := create(installation.Key{Tenant: swapped, ID: fmt.Sprint(i)})
		c.Record.Claims = []string{fmt.Sprint(i)}
		records[i] = commit(t, s, c)
	}
	race(t, func(i int) error {
		for range 20 {
			c := update(records[i])
			c.Record.Claims = records[i^1].Claims
			_, err := s.Commit(t.Context(), c)
			if err == nil {
				return fmt.Errorf("commit %q: got no error for a claim that %q holds", c.Key.ID,
					records[i^1].Key.ID)
			}
			if !errors.Is(err, installation.ErrExists) {
				return err
			}
		}
		return nil
	})
	for _, want := range records {
		sameRecord(t, "get", get(t, s, want.Key), want)
	}
}

// wholeID is the ID of the record in the case race/whole.
const wholeID = "whole"

// wholeRecord lets one racer write a record with an outcome and an event in each change. Others
// read the record. Whatever they see, its outcome and its event must be there already.
func wholeRecord(t tester, s installation.Store) {
	var done atomic.Bool
	race(t, func(i int) error {
		switch {
		case i == 0:
			defer done.Store(true)
			return writeWhole(t, s)
		case i > 3:
			return nil
		}
		for last := false; !last; runtime.Gosched() {
			last = done.Load()
			r, err := s.Get(t.Context(), at(wholeID))
			if errors.Is(err, installation.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if err := readWhole(t, s, r.Revision); err != nil {
				return err
			}
		}
		return nil
	})
}

func writeWhole(t tester, s installation.Store) error {
	c := create(at(wholeID))
	for range 100 {
		c.Idempotency = outcome(fmt.Sprint("key ", c.Record.Revision), "data")
		c.Events = []installation.Event{eventOf(c, "written")}
		if _, err := s.Commit(t.Context(), c); err != nil {
			return err
		}
		c = update(c.Record)
	}
	return nil
}

// readWhole returns an error if the outcome or the event of a revision is not there.
func readWhole(t tester, s installation.Store, revision int64) error {
	key := digest(fmt.Sprint("key ", revision))
	if _, err := s.Outcome(t.Context(), "tenant", key); err != nil {
		return fmt.Errorf("outcome of revision %d: %w", revision, err)
	}
	r, ok := ability[installation.EventReader](t, s)
	if !ok {
		return nil
	}
	var seen int64
	q := installation.EventQuery{Tenant: "tenant", Limit: installation.MaxPage}
	for seen < revision {
		page, err := r.Events(t.Context(), q)
		if err != nil {
			return err
		}
		if len(page.Events) == 0 {
			return fmt.Errorf("got %d events at revision %d, want as many", seen, revision)
		}
		seen, q.After = seen+int64(len(page.Events)), page.Next
	}
	return nil
}

// eventOrder lets racers write the same record, with an event in each change. The events must be in
// the order of the revisions.
func eventOrder(t tester, s installation.Store, r installation.EventReader) {
	commit(t, s, create(at("a")))
	race(t, func(int) error {
		for range 5 {
			if err := writeNext(t, s); err != nil {
				return err
			}
		}
		return nil
	})
	var last int64
	for _, e := range events(t, r, installation.EventQuery{Tenant: "tenant"}) {
		if e.Revision <= last {
			t.Errorf("events: got revision %d after %d, want the order of commits", e.Revision,
				last)
		}
		last = e.Revision
	}
}

// writeNext writes the record "a" again, and retries on conflict.
func writeNext(t tester, s installation.Store) error {
	for range 100 * racers {
		stored, err := s.Get(t.Context(), at("a"))
		if err != nil {
			return err
		}
		c := update(stored)
		c.Events = []installation.Event{eventOf(c, "next")}
		_, err = s.Commit(t.Context(), c)
		if err == nil || !errors.Is(err, installation.ErrConflict) {
			return err
		}
	}
	return errors.New("got nothing but conflicts, want one commit")
}
