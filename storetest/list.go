package storetest

import (
	"slices"
	"time"

	"github.com/go-installation/installation"
)

var listCases = []testCase{
	{"list/order", "Term to list, in the order (Created, ID).",
		func(t tester, s installation.Store) {
			lists(t, s, everything, seven(t, s)...)
		}},
	{"list/reverse", "Reverse reverses the order of a Term query.",
		func(t tester, s installation.Store) {
			want := seven(t, s)
			slices.Reverse(want)
			lists(t, s, installation.Query{Tenant: "tenant", Term: all, Reverse: true}, want...)
		}},
	{"list/terms", "Query selects records by one index term, or by a deadline that has passed. " +
		"It covers one tenant, or all tenants for maintenance.",
		func(t tester, s installation.Store) {
			for id, terms := range map[string][]string{
				"a": {"x", "xy", "z"}, "b": {"x"}, "c": {"xy"}, "d": nil,
			} {
				c := create(at(id))
				c.Record.Index = terms
				commit(t, s, c)
			}
			lists(t, s, installation.Query{Tenant: "tenant", Term: "x"}, "a", "b")
			lists(t, s, installation.Query{Tenant: "tenant", Term: "xy"}, "a", "c")
			lists(t, s, installation.Query{Tenant: "tenant", Term: "z"}, "a")
			lists(t, s, installation.Query{Tenant: "tenant", Term: "y"})
			lists(t, s, installation.Query{Tenant: "tenant", Term: "x", Reverse: true}, "b", "a")
		}},
	{"list/whole-records", "one page of the records that q names",
		func(t tester, s installation.Store) {
			c := full()
			stored := commit(t, s, c)
			for name, q := range map[string]installation.Query{
				"list by term":     {Tenant: "tenant", Term: all},
				"list by deadline": {Tenant: "tenant", DueBefore: later},
			} {
				got := list(t, s, q)
				if len(got) != 1 {
					t.Fatalf("%s: got %d records, want 1", name, len(got))
				}
				sameRecord(t, name, got[0], stored)
			}
		}},
	{"list/moved", "lists are in the order (Created, ID)", func(t tester, s installation.Store) {
		c := update(commit(t, s, create(at("a"))))
		c.Record.Created = now.Add(time.Second)
		commit(t, s, create(at("b")), c)
		lists(t, s, everything, "b", "a")
	}},
}

// seven stores seven records with the term all in mixed order, some with the same creation time.
// Between them it stores records with other terms. It returns the IDs of the seven in the order in
// which a list has to return them.
func seven(t tester, s installation.Store) []string {
	t.Helper()
	for _, r := range []struct {
		id  string
		age time.Duration
	}{
		{"d", time.Microsecond}, {"e", time.Hour}, {"a", 0}, {"c", time.Microsecond},
		{"b", time.Hour}, {"f", 48 * time.Hour}, {"aa", 0},
	} {
		c := create(at(r.id))
		c.Record.Created = now.Add(-r.age)
		c.Record.Index = []string{all, "of " + r.id}
		noise := create(at("not " + r.id))
		noise.Record.Created = c.Record.Created
		noise.Record.Index = []string{"al", "all!"}
		commit(t, s, c, noise)
	}
	return []string{"f", "b", "e", "c", "d", "a", "aa"}
}
