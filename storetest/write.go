package storetest

import (
	"time"

	"github.com/go-installation/installation"
)

var writeCases = []testCase{
	{"write/replaces", "Otherwise Commit stores the record or tombstone of c in place of the " +
		"old record. The old index terms, claims and deadline are gone.",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			c.Record.Index = []string{"@old", "kept", "old"}
			c.Record.Deadline = now
			stored := commit(t, s, c)

			next := update(stored)
			next.Record.Index = []string{"@new", "kept", "new"}
			next.Record.Deadline = time.Time{}
			next.Record.Body = body("as updated")
			commit(t, s, next)

			sameRecord(t, "get", get(t, s, c.Key), next.Record)
			for _, term := range []string{"kept", "new"} {
				q := installation.Query{Tenant: "tenant", Term: term, Limit: 10}
				lists(t, s, q, "a")
				for _, r := range listPage(t, s, q).Records {
					sameRecord(t, "list "+term, r, next.Record)
				}
			}
			lists(t, s, installation.Query{AllTenants: true, Term: "@new"}, "a")
			lists(t, s, installation.Query{Tenant: "tenant", Term: "old"})
			lists(t, s, installation.Query{AllTenants: true, Term: "@old"})
			lists(t, s, everythingDue)
			lists(t, s, installation.Query{AllTenants: true, DueBefore: later})
		}},
	{"write/tombstone", "Tombstones are in no list.", func(t tester, s installation.Store) {
		c := create(at("a"))
		c.Record.Index = []string{"@all", all}
		c.Record.Deadline = now
		commit(t, s, remove(commit(t, s, c)))
		lists(t, s, everything)
		lists(t, s, installation.Query{AllTenants: true, Term: "@all"})
	}},
	{"write/tombstone-kept", "A store may forget a tombstone from this time on.",
		func(t tester, s installation.Store) {
			buried := commit(t, s, remove(commit(t, s, create(at("a")))))
			c := create(at("b"))
			for range 5 { // for stores that forget tombstones during commits
				c.Now = buried.Deadline.Add(-time.Second)
				commit(t, s, c)
				c = update(c.Record)
			}
			sameRecord(t, "get", get(t, s, buried.Key), buried)
			late := create(at("a"))
			late.Now = buried.Deadline.Add(-time.Second)
			reject(t, s, late, installation.ErrConflict)
		}},
	{"write/without-record", "If c.Record is nil, Commit keeps the stored record and its " +
		"revision, but the record now remembers c.Op. With or without c.Record, Commit also " +
		"writes the outcome and the events.",
		func(t tester, s installation.Store) {
			c := full()
			c.Idempotency, c.Events = nil, nil
			unchanged := touch(commit(t, s, c))
			unchanged.Idempotency = outcome("key", "data")
			unchanged.Events = []installation.Event{eventOf(unchanged, "only this")}
			commit(t, s, unchanged)

			sameRecord(t, "get", get(t, s, c.Key), c.Record)
			lists(t, s, everything, c.Key.ID)
			lists(t, s, everythingDue, c.Key.ID)
			reject(t, s, claiming("b", c.Record.Claims...), installation.ErrExists)
			recorded(t, s, "tenant", unchanged.Idempotency)
			logged(t, s, "tenant", unchanged.Events)
		}},
	{"write/nothing-of-a-conflict", "Commit applies c, all of it or nothing.",
		func(t tester, s installation.Store) {
			stored := commit(t, s, create(at("a")))
			c := create(at("a"))
			leavesNothing(t, s, c, installation.ErrConflict)
			sameRecord(t, "get", get(t, s, c.Key), stored)
		}},
	{"write/nothing-of-a-claimant", "Commit applies c, all of it or nothing.",
		func(t tester, s installation.Store) {
			commit(t, s, claiming("holder", "taken"))
			c := claiming("a", "taken")
			leavesNothing(t, s, c, installation.ErrExists)
			absent(t, s, c.Key)
		}},
}

// leavesNothing fills in all fields of c that a store could keep, and commits c twice. It fails the
// case unless both commits fail with want and leave no trace.
func leavesNothing(t tester, s installation.Store, c installation.Change, want error) {
	t.Helper()
	c.Record.Index = []string{"@rejected", "rejected"}
	c.Record.Claims = append([]string{"rejected"}, c.Record.Claims...)
	c.Record.Deadline = now
	c.Idempotency = outcome("rejected", "rejected")
	c.Events = []installation.Event{eventOf(c, "rejected")}
	reject(t, s, c, want)
	reject(t, s, c, want) // a rejected change leaves no op token either

	lists(t, s, installation.Query{Tenant: "tenant", Term: "rejected"})
	lists(t, s, installation.Query{AllTenants: true, Term: "@rejected"})
	lists(t, s, everythingDue)
	noOutcome(t, s, c)
	logged(t, s, "tenant", nil)
	commit(t, s, claiming("free", "rejected"))
}
