package storetest

import (
	"slices"

	"github.com/go-installation/installation"
)

var tenantCases = []testCase{
	{"tenant/apart", "Key is the identity of an installation: byte-exact and case-sensitive.",
		func(t tester, s installation.Store) {
			for _, tenant := range []string{"a", "b"} {
				c := create(installation.Key{Tenant: tenant, ID: "x"})
				c.Record.Body = body("of " + tenant)
				own := create(installation.Key{Tenant: tenant, ID: "only in " + tenant})
				commit(t, s, c, own)
				sameRecord(t, "get", get(t, s, c.Key), c.Record)
			}
			commit(t, s, remove(get(t, s, installation.Key{Tenant: "a", ID: "x"})))
			lists(t, s, installation.Query{Tenant: "a", Term: all}, "only in a")
			lists(t, s, installation.Query{Tenant: "b", Term: all}, "only in b", "x")
			lists(t, s, installation.Query{Tenant: "c", Term: all})
		}},
	{"tenant/default", "The empty tenant is the default tenant.",
		func(t tester, s installation.Store) {
			commit(t, s, create(installation.Key{ID: "mine"}),
				create(installation.Key{Tenant: "other", ID: "theirs"}))
			lists(t, s, installation.Query{Term: all}, "mine")
			lists(t, s, installation.Query{Term: all, Reverse: true}, "mine")
			absent(t, s, installation.Key{ID: "theirs"})
		}},
	{"tenant/all-of-them",
		"AllTenants lists across tenants, in a stable order of the store's own choosing.",
		func(t tester, s installation.Store) {
			want := everywhere(t, s)
			for _, reverse := range []bool{false, true} {
				var first []installation.Key
				for limit := 1; limit <= len(want)+1; limit++ {
					q := installation.Query{AllTenants: true, Term: "@all", Tenant: "ignored",
						Limit: limit, Reverse: reverse}
					got := keys(list(t, s, q))
					if first == nil {
						first = got
					}
					if !slices.Equal(got, first) {
						t.Errorf("list %v: got %v, want %v as before", q, got, first)
					}
				}
				slices.SortFunc(first, compareKeys)
				if !slices.Equal(first, want) {
					t.Errorf("list of all tenants, reverse %t: got %v, want %v in any order",
						reverse, first, want)
				}
			}
		}},
	{"tenant/reverse", "Reverse reverses the order of a Term query.",
		func(t tester, s installation.Store) {
			everywhere(t, s)
			q := installation.Query{AllTenants: true, Term: "@all"}
			want := keys(list(t, s, q))
			slices.Reverse(want)
			q.Reverse = true
			if got := keys(list(t, s, q)); !slices.Equal(got, want) {
				t.Errorf("list %v: got %v, want %v", q, got, want)
			}
		}},
	{"tenant/due", "DueBefore lists records whose deadline is set and not after this time",
		func(t tester, s installation.Store) {
			want := everywhere(t, s)
			lists(t, s, installation.Query{DueBefore: later}, "x")
			lists(t, s, installation.Query{Tenant: "b", DueBefore: later}, "x", "y")
			got := keys(list(t, s, installation.Query{AllTenants: true, DueBefore: later}))
			slices.SortFunc(got, compareKeys)
			if !slices.Equal(got, want) {
				t.Errorf("list due of all tenants: got %v, want %v in any order", got, want)
			}
		}},
}

// everywhere stores records in three tenants and returns the sorted keys of the records.
func everywhere(t tester, s installation.Store) []installation.Key {
	t.Helper()
	want := []installation.Key{{Tenant: "", ID: "x"}, {Tenant: "a", ID: "x"},
		{Tenant: "b", ID: "x"}, {Tenant: "b", ID: "y"}}
	for _, key := range want {
		c := create(key)
		c.Record.Index = []string{"@all", all}
		c.Record.Deadline = now
		commit(t, s, c)
	}
	return want
}

func keys(records []*installation.Record) []installation.Key {
	out := make([]installation.Key, len(records))
	for i, r := range records {
		out[i] = r.Key
	}
	return out
}
