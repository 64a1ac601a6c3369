package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-installation/installation"
)

// trimCases trim a store without a commit.
var trimCases = []testCase{
	{"trim/expired", "Trim forgets outcomes whose Until is not after now, and tombstones whose " +
		"Deadline is set and not after now.",
		withAbility(func(t tester, s installation.Store, r installation.Trimmer) {
			due := now.AddDate(0, 1, 0)
			live := create(at("live"))
			live.Record.Deadline = due.Add(-time.Hour)
			live.Idempotency = until("late", due.Add(time.Microsecond))
			commit(t, s, live)
			grave := bury(t, s, "late", due.Add(time.Microsecond))
			forever := bury(t, s, "forever", time.Time{})
			const many = 40
			for i := range many {
				c := create(at(fmt.Sprintf("gone %d", i)))
				c.Idempotency = until(c.Key.ID, due.Add(-time.Duration(i)*time.Second))
				commit(t, s, c)
				bury(t, s, c.Key.ID, due.Add(-time.Duration(i)*time.Second))
			}

			for range 2 { // it can be repeated
				trim(t, r, due)
			}

			sameRecord(t, "get", get(t, s, at("live")), live.Record)
			recorded(t, s, "tenant", live.Idempotency)
			sameRecord(t, "get", get(t, s, grave.Key), grave)
			sameRecord(t, "get", get(t, s, forever.Key), forever)
			for i := range many {
				id := fmt.Sprintf("gone %d", i)
				absent(t, s, at(id))
				unrecorded(t, s, "tenant", id)
			}
		})},
	{"trim/beside-writers", "It can be repeated, and called by several processes at once.",
		withAbility(func(t tester, s installation.Store, r installation.Trimmer) {
			due := now.AddDate(0, 1, 0)
			race(t, func(i int) error {
				c := create(at(fmt.Sprint(i)))
				c.Idempotency = until(c.Key.ID, due)
				if _, err := s.Commit(t.Context(), c); err != nil {
					return err
				}
				if _, err := s.Commit(t.Context(), remove(c.Record)); err != nil {
					return err
				}
				return r.Trim(t.Context(), due)
			})
			for i := range racers {
				absent(t, s, at(fmt.Sprint(i)))
				unrecorded(t, s, "tenant", fmt.Sprint(i))
			}
		})},
}

// until returns an outcome that expires at a time.
func until(idempotencyKey string, at time.Time) *installation.Outcome {
	o := outcome(idempotencyKey, "data")
	o.Until = at
	return o
}

// bury leaves a tombstone with a deadline, and returns it.
func bury(
	t tester, s installation.Store, id string, deadline time.Time,
) *installation.Record {
	t.Helper()
	stored, err := s.Get(t.Context(), at(id))
	if err != nil {
		stored = commit(t, s, create(at(id)))
	}
	c := remove(stored)
	c.Record.Deadline = deadline
	return commit(t, s, c)
}

func trim(t tester, r installation.Trimmer, at time.Time) {
	t.Helper()
	if err := r.Trim(t.Context(), at); err != nil {
		t.Fatalf("trim: got error %v, want none", err)
	}
}

// unrecorded fails the case if the outcome of an idempotency key is there.
func unrecorded(t tester, s installation.Store, tenant, idempotencyKey string) {
	t.Helper()
	o, err := s.Outcome(t.Context(), tenant, digest(idempotencyKey))
	if !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("outcome of %q: got %v, error %v, want error %v", idempotencyKey, o, err,
			installation.ErrNotFound)
	}
}
