package storetest

import (
	"cmp"
	"slices"
	"time"

	"github.com/go-installation/installation"
)

var dueCases = []testCase{
	{"due/boundary", "DueBefore lists records whose deadline is set and not after this time",
		func(t tester, s installation.Store) {
			commit(t, s, dueAt("before", now.Add(-time.Microsecond)), dueAt("then", now),
				dueAt("after", now.Add(time.Microsecond)), dueAt("never", time.Time{}))
			lists(t, s, installation.Query{Tenant: "tenant", DueBefore: now.Add(-time.Second)})
			lists(t, s, installation.Query{Tenant: "tenant", DueBefore: now}, "before", "then")
			lists(t, s, installation.Query{Tenant: "tenant", DueBefore: now.Add(time.Hour)},
				"before", "then", "after")
		}},
	{"due/order", "The order is by deadline.", func(t tester, s installation.Store) {
		commit(t, s, dueAt("a", now.Add(-1*time.Hour)), dueAt("b", now.Add(-4*time.Hour)),
			dueAt("c", now.Add(-2*time.Hour)), dueAt("d", now.Add(-3*time.Hour)))
		lists(t, s, everythingDue, "b", "d", "c", "a")
	}},
	{"due/pages", "a list has ended when Next is empty", func(t tester, s installation.Store) {
		want := everywhere(t, s)
		for limit := 1; limit <= len(want)+1; limit++ {
			lists(t, s, installation.Query{Tenant: "b", DueBefore: later, Limit: limit}, "x", "y")
			q := installation.Query{AllTenants: true, DueBefore: later, Limit: limit}
			got := keys(list(t, s, q))
			slices.SortFunc(got, compareKeys)
			if !slices.Equal(got, want) {
				t.Errorf("list %v: got %v, want %v in any order", q, got, want)
			}
		}
	}},
	{"due/skip", "Skip passes over this many records first, at most [MaxSkip].",
		func(t tester, s installation.Store) {
			commit(t, s, dueAt("a", now.Add(-2*time.Hour)), dueAt("b", now.Add(-time.Hour)),
				dueAt("c", now))
			lists(t, s, installation.Query{Tenant: "tenant", DueBefore: later, Skip: 1}, "b", "c")
			lists(t, s, installation.Query{Tenant: "tenant", DueBefore: later, Skip: 3})
		}},
	{"due/reverse", "It has no meaning with DueBefore.", func(t tester, s installation.Store) {
		commit(t, s, dueAt("a", now.Add(-time.Hour)), dueAt("b", now))
		lists(t, s, installation.Query{Tenant: "tenant", DueBefore: later, Reverse: true}, "a", "b")
	}},
	{"due/tombstone", "Tombstones are not among them.", func(t tester, s installation.Store) {
		buried := remove(commit(t, s, dueAt("a", now)))
		commit(t, s, buried, dueAt("b", now))
		for _, q := range []installation.Query{{Tenant: "tenant"}, {AllTenants: true}} {
			for _, q.DueBefore = range []time.Time{later, buried.Record.Deadline.Add(time.Hour)} {
				lists(t, s, q, "b")
			}
		}
	}},
	{"due/swept", "It marks the position after the last record of that page, so inserted or " +
		"deleted records do not move it.",
		func(t tester, s installation.Store) {
			var got []string
			want := []string{"a", "b", "c", "d", "e"}
			for _, id := range want {
				commit(t, s, dueAt(id, now))
			}
			q := installation.Query{Tenant: "tenant", DueBefore: later, Limit: 2}
			for range 100 { // read a page, clear the deadlines of its records, continue
				page := listPage(t, s, q)
				got = append(got, ids(page.Records)...)
				for _, r := range page.Records {
					c := update(r)
					c.Record.Deadline = time.Time{}
					commit(t, s, c)
				}
				if q.After = page.Next; q.After == "" {
					break
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("list and update %v: got %v, want %v in any order", q, got, want)
			}
			lists(t, s, everythingDue)
		}},
}

// dueAt returns the change that creates a record with this deadline.
func dueAt(id string, deadline time.Time) installation.Change {
	c := create(at(id))
	c.Record.Deadline = deadline
	return c
}

func compareKeys(a, b installation.Key) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID))
}
