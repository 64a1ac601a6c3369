package storetest

import (
	"math"
	"time"

	"github.com/go-installation/installation"
)

// confusedCases keep values apart that a store can take for the same: in cursors, counts, logs,
// tokens and digests, and between tenants. Each was missing when faults were planted in a store.
var confusedCases = []testCase{
	{"page/odd", "It marks the position after the last record of that page, so inserted or " +
		"deleted records do not move it.", pageOdd},
	{"count/odd", "Strings are byte-exact",
		withAbility(func(t tester, s installation.Store, c installation.Counter) {
			for _, x := range odd {
				r := create(at("of " + x))
				r.Record.Index = []string{x}
				commit(t, s, r)
			}
			for _, x := range odd {
				q := installation.Query{Tenant: "tenant", Term: x}
				q.AllTenants = installation.GlobalTerm(x)
				counts(t, c, q, 1)
			}
		})},
	{"events/odd", "It never returns events of another tenant.",
		withAbility(func(t tester, s installation.Store, _ installation.EventReader) {
			logs := make(map[string][]installation.Event)
			for _, tenant := range append([]string{"A"}, odd...) {
				c := create(installation.Key{Tenant: tenant, ID: "x"})
				c.Events = []installation.Event{eventOf(c, "of "+tenant)}
				commit(t, s, c)
				logs[tenant] = c.Events
			}
			for tenant, want := range logs {
				logged(t, s, tenant, want)
			}
		})},
	{"events/ids-of-pages",
		"unique in the store; set when the event is read, empty in Change.Events",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			logSome(t, s)
			seen := make(map[string]bool)
			for _, e := range events(t, r, installation.EventQuery{AllTenants: true, Limit: 1}) {
				if e.ID == "" || seen[e.ID] {
					t.Errorf("event %q: got the ID %q, want another for each", e.Reason, e.ID)
				}
				seen[e.ID] = true
			}
		})},
	{"replay/tokens", "The record at c.Key remembers c.Op: this very change was applied before.",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			commit(t, s, c)
			for i := range c.Op {
				next := update(get(t, s, c.Key))
				next.Op = c.Op
				next.Op[i] ^= 1
				commit(t, s, next)
			}
		}},
	{"outcome/digests", "Digest identifies an idempotency key within a tenant.",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			c.Idempotency = outcome("key", "data")
			kept := []*installation.Outcome{c.Idempotency}
			stored := commit(t, s, c)
			for i := range c.Idempotency.Digest {
				next := touch(stored)
				next.Idempotency = outcome("key", string(rune('a'+i)))
				next.Idempotency.Digest[i] ^= 1
				commit(t, s, next)
				kept = append(kept, next.Idempotency)
			}
			for _, o := range kept {
				recorded(t, s, "tenant", o)
			}
		}},
	{"claims/same-id", "at most one record of a tenant holds each of them",
		func(t tester, s installation.Store) {
			in := func(tenant, id string) installation.Change {
				c := create(installation.Key{Tenant: tenant, ID: id})
				c.Record.Claims = []string{"claim"}
				return c
			}
			here := update(commit(t, s, in("b", "x"), in("a", "x")))
			reject(t, s, in("a", "late"), installation.ErrExists)
			here.Record.Claims = nil
			commit(t, s, here, remove(here.Record))
			reject(t, s, in("b", "late"), installation.ErrExists)
			commit(t, s, in("a", "late"))
		}},
	{"idempotency/kept", "A store keeps it up to the time Until and may forget it afterwards.",
		func(t tester, s installation.Store) {
			first := create(at("a"))
			first.Idempotency = outcome("key", "of the first")
			c := update(commit(t, s, first))
			for range 5 { // for stores that forget outcomes during commits
				c.Now = first.Idempotency.Until.Add(-time.Microsecond)
				commit(t, s, c)
				c = update(c.Record)
			}
			recorded(t, s, "tenant", first.Idempotency)
			c.Now = first.Idempotency.Until.Add(-time.Microsecond)
			c.Idempotency = outcome("key", "of the last")
			c.Idempotency.Until = first.Idempotency.Until.Add(time.Hour)
			answered(t, s, c, first.Idempotency)
			recorded(t, s, "tenant", first.Idempotency) // not kept longer now
		}},
	{"write/tombstone-without-deadline", "zero = never", func(t tester, s installation.Store) {
		c := remove(commit(t, s, create(at("a"))))
		c.Record.Deadline = time.Time{}
		buried := commit(t, s, c)
		other := create(at("b"))
		for range 5 { // for stores that forget tombstones during commits
			other.Now = now.AddDate(100, 0, 0)
			commit(t, s, other)
			other = update(other.Record)
		}
		sameRecord(t, "get", get(t, s, buried.Key), buried)
		reject(t, s, create(at("a")), installation.ErrConflict)
	}},
	{"revision/large", "The service chooses the revision, which can be any number above " +
		"c.If. The store keeps it as it is.",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			for _, to := range []int64{1<<53 + 1, 1<<62 + 1, math.MaxInt64} { // no floats
				c.Record.Revision = to
				commit(t, s, c)
				sameRecord(t, "get", get(t, s, c.Key), c.Record)
				c = update(c.Record)
			}
		}},
	{"times/far", "Times come back equal to the microsecond, in UTC.",
		func(t tester, s installation.Store) {
			for id, year := range map[string]int{"z": 1500, "y": 1900, "b": 2600, "a": 9999} {
				c := create(at(id))
				c.Record.Created = time.Date(year, 1, 2, 3, 4, 5, 6_000, time.UTC)
				c.Record.Deadline = c.Record.Created.Add(time.Hour)
				commit(t, s, c)
				sameRecord(t, "get", get(t, s, c.Key), c.Record)
			}
			lists(t, s, everything, "z", "y", "b", "a")
			q := installation.Query{Tenant: "tenant", DueBefore: now.AddDate(1000, 0, 0)}
			lists(t, s, q, "z", "y", "b")
		}},
}

// pageOdd reads lists record by record, so that each odd string is in a cursor.
func pageOdd(t tester, s installation.Store) {
	for _, x := range odd {
		for _, key := range []installation.Key{at(x), {Tenant: x, ID: "x"}} {
			c := create(key)
			c.Record.Index, c.Record.Deadline = []string{"@all", all}, now
			commit(t, s, c)
		}
	}
	for _, q := range []installation.Query{
		{Tenant: "tenant", Term: all}, {Tenant: "tenant", DueBefore: later},
		{AllTenants: true, Term: "@all"}, {AllTenants: true, DueBefore: later},
	} {
		for _, q.Reverse = range []bool{false, true} {
			q.Limit = 1
			want := len(odd)
			if q.AllTenants {
				want *= 2
			}
			seen := make(map[installation.Key]bool)
			records := list(t, s, q)
			for _, r := range records {
				seen[r.Key] = true
			}
			if len(records) != want || len(seen) != want {
				t.Errorf("list %+v: got %d records, %d of them different, want %d", q,
					len(records), len(seen), want)
			}
		}
	}
}
