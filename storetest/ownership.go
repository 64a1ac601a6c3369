package storetest

import (
	"fmt"
	"reflect"

	"github.com/go-installation/installation"
)

var ownershipCases = []testCase{
	{"ownership/arguments-not-kept", "Arguments are neither kept nor changed.",
		func(t tester, s installation.Store) {
			c, want := full(), full()
			commit(t, s, c)
			scribble(c.Record)
			clear(c.Idempotency.Data)
			clear(c.Events[0].Changed)
			clear(c.Events)

			sameRecord(t, "get", get(t, s, want.Key), want.Record)
			lists(t, s, installation.Query{Tenant: want.Key.Tenant, Term: want.Record.Index[0]},
				want.Key.ID)
			recorded(t, s, want.Key.Tenant, want.Idempotency)
			logged(t, s, want.Key.Tenant, want.Events)
		}},
	{"ownership/arguments-unchanged", "Arguments are neither kept nor changed.",
		func(t tester, s installation.Store) {
			c := full()
			want := full()
			want.Op = c.Op
			commit(t, s, c)
			if !reflect.DeepEqual(c, want) {
				got, want := differing(c, want)
				t.Errorf("change after commit: got %v, want %v as before", got, want)
			}
			c = remove(c.Record)
			record := *c.Record
			commit(t, s, c)
			if !reflect.DeepEqual(*c.Record, record) {
				got, want := differing(*c.Record, record)
				t.Errorf("tombstone after commit: got %v, want %v as before", got, want)
			}
		}},
	{"ownership/results", "What a method returns belongs to the caller, who may change it " +
		"freely. Only [Body] is shared, because nobody can change it.",
		func(t tester, s installation.Store) {
			c, want := full(), full()
			commit(t, s, c)
			q := installation.Query{Tenant: c.Key.Tenant, Term: c.Record.Index[0], Limit: 1}

			scribble(get(t, s, c.Key))
			for _, r := range listPage(t, s, q).Records {
				scribble(r)
			}
			if o, err := s.Outcome(t.Context(), c.Key.Tenant, c.Idempotency.Digest); err == nil {
				clear(o.Data)
			}
			again := create(at("again"))
			again.Idempotency = outcome("key", "data of the second")
			if receipt, err := s.Commit(t.Context(), again); err == nil && receipt.Outcome != nil {
				clear(receipt.Outcome.Data)
			}
			if r, ok := ability[installation.EventReader](t, s); ok {
				for _, e := range events(t, r, installation.EventQuery{Tenant: c.Key.Tenant}) {
					clear(e.Changed)
				}
			}
			logged(t, s, c.Key.Tenant, want.Events)

			sameRecord(t, "get", get(t, s, c.Key), want.Record)
			for _, r := range listPage(t, s, q).Records {
				sameRecord(t, "list", r, want.Record)
			}
			recorded(t, s, c.Key.Tenant, want.Idempotency)
		}},
	{"ownership/results-stay", "What a method returns belongs to the caller",
		func(t tester, s installation.Store) {
			c, want := full(), full()
			commit(t, s, c)
			q := installation.Query{Tenant: c.Key.Tenant, Term: c.Record.Index[0], Limit: 1}
			record, page := get(t, s, c.Key), listPage(t, s, q)
			o, err := s.Outcome(t.Context(), c.Key.Tenant, c.Idempotency.Digest)
			if err != nil {
				t.Fatalf("outcome: got error %v, want none", err)
			}

			// A store may not use the memory again, neither for a write nor for another read.
			for i := range 3 {
				next := full()
				next.Key = at(fmt.Sprint("next ", i))
				next.Record.Key, next.Events = next.Key, nil
				next.Record.Index = []string{"acc=2", all, "ext=2"}
				next.Record.Claims = []string{next.Key.ID}
				next.Idempotency = outcome(next.Key.ID, "next")
				commit(t, s, next)
				get(t, s, next.Key)
				recorded(t, s, next.Key.Tenant, next.Idempotency)
				lists(t, s, installation.Query{Tenant: "tenant", Term: "acc=2"}, nextIDs[:i+1]...)
			}
			commit(t, s, remove(record))
			sameRecord(t, "get before later calls", record, want.Record)
			for _, r := range page.Records {
				sameRecord(t, "list before later calls", r, want.Record)
			}
			sameOutcome(t, "outcome before later calls", o, want.Idempotency)
		}},
}

// nextIDs are the IDs of the later records of the case ownership/results-stay.
var nextIDs = []string{"next 0", "next 1", "next 2"}

// full returns a change with a value in every field that a store could share with the caller. Two
// such changes differ only in Op.
func full() installation.Change {
	c := create(at("full"))
	c.Record.Index = []string{"acc=1", all, "ext=1"}
	c.Record.Claims = []string{"claim 1", "claim 2"}
	c.Record.Deadline = now
	c.Idempotency = outcome("key", "data")
	e := eventOf(c, "first")
	e.Changed = []string{"/a", "/b"}
	c.Events = []installation.Event{e}
	return c
}

// scribble overwrites r and its slices up to their capacity.
func scribble(r *installation.Record) {
	clear(r.Index[:cap(r.Index)])
	clear(r.Claims[:cap(r.Claims)])
	*r = installation.Record{}
}
