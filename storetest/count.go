package storetest

import (
	"time"

	"github.com/go-installation/installation"
)

var countCases = []testCase{
	{"count/terms", "Count returns how many records q names",
		withAbility(func(t tester, s installation.Store, c installation.Counter) {
			counts(t, c, everything, 0)
			ids := seven(t, s)
			counts(t, c, everything, int64(len(ids)))
			counts(t, c, installation.Query{Tenant: "tenant", Term: "of a"}, 1)
			counts(t, c, installation.Query{Tenant: "tenant", Term: "none"}, 0)
			counts(t, c, installation.Query{Tenant: "other", Term: all}, 0)
		})},
	{"count/tombstone", "Tombstones are in no list.",
		withAbility(func(t tester, s installation.Store, c installation.Counter) {
			buried := remove(commit(t, s, create(at("b"))))
			commit(t, s, create(at("a")), buried)
			counts(t, c, everything, 1)
			for _, q := range []installation.Query{{Tenant: "tenant"}, {AllTenants: true}} {
				q.DueBefore = buried.Record.Deadline.Add(time.Hour)
				counts(t, c, q, 0)
			}
		})},
	{"count/due", "Count returns how many records q names",
		withAbility(func(t tester, s installation.Store, c installation.Counter) {
			commit(t, s, dueAt("a", now), dueAt("b", now.Add(time.Hour)),
				dueAt("never", time.Time{}))
			counts(t, c, installation.Query{Tenant: "tenant", DueBefore: now.Add(time.Minute)}, 1)
			counts(t, c, everythingDue, 2)
		})},
	{"count/all-tenants", "Count returns how many records q names",
		withAbility(func(t tester, s installation.Store, c installation.Counter) {
			everywhere(t, s)
			counts(t, c, installation.Query{AllTenants: true, Term: "@all"}, 4)
			counts(t, c, installation.Query{AllTenants: true, DueBefore: later}, 4)
			counts(t, c, installation.Query{Tenant: "", Term: all}, 1)
		})},
	{"count/ignored", "After, Skip, Limit and Reverse are ignored",
		withAbility(func(t tester, s installation.Store, c installation.Counter) {
			q := installation.Query{Tenant: "tenant", Term: all, Limit: 2}
			want := int64(len(seven(t, s)))
			firstPage(t, s, &q)
			q.Skip = 1
			counts(t, c, q, want)
			q.Reverse = true
			counts(t, c, q, want)
		})},
}

func counts(t tester, c installation.Counter, q installation.Query, want int64) {
	t.Helper()
	if got, err := c.Count(t.Context(), q); err != nil || got != want {
		t.Errorf("count %v: got %d, error %v, want %d", q, got, err, want)
	}
}
