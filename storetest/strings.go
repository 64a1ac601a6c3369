package storetest

import (
	"slices"
	"strings"

	"github.com/go-installation/installation"
)

var stringCases = []testCase{
	{"strings/letter-case", `"a" and "A" are two tenants, two IDs, two index terms`,
		func(t tester, s installation.Store) {
			for _, key := range []installation.Key{{Tenant: "a", ID: "a"},
				{Tenant: "a", ID: "A"}, {Tenant: "A", ID: "a"}} {
				c := create(key)
				c.Record.Index = []string{all, key.Tenant + key.ID}
				c.Record.Claims = []string{key.ID}
				c.Record.Body = body(key.Tenant + key.ID)
				c.Idempotency = outcome("key", key.Tenant)
				c.Idempotency.Digest[0] = key.ID[0]
				sameRecord(t, "get", get(t, s, commit(t, s, c).Key), c.Record)
			}
			lists(t, s, installation.Query{Tenant: "a", Term: all}, "A", "a")
			lists(t, s, installation.Query{Tenant: "A", Term: all}, "a")
			lists(t, s, installation.Query{Tenant: "a", Term: "aA"}, "A")
			lists(t, s, installation.Query{Tenant: "a", Term: "aa"}, "a")
		}},
	{"strings/odd", "Any bytes but NUL may occur in them.", func(t tester, s installation.Store) {
		for _, x := range odd {
			c := create(installation.Key{Tenant: x, ID: x})
			c.Record.Index = []string{"term " + x}
			c.Record.Claims = []string{x}
			commit(t, s, c)
			sameRecord(t, "get", get(t, s, c.Key), c.Record)
			lists(t, s, installation.Query{Tenant: x, Term: "term " + x}, x)
		}
		for _, x := range odd {
			c := create(at(x))
			c.Record.Index, c.Record.Claims = []string{all, "x" + x}, []string{x}
			commit(t, s, c)
		}
		for _, x := range odd {
			lists(t, s, installation.Query{Tenant: "tenant", Term: "x" + x}, x)
		}
		lists(t, s, everything,
			slices.Sorted(slices.Values(odd))...)
	}},
	{"strings/boundaries", "Strings are byte-exact", func(t tester, s installation.Store) {
		// A store that builds its keys with one of these separators would mix up left and right.
		separators := []string{"", "::", "--", "é"}
		for b := byte(1); b > 0; b++ { // all bytes but NUL
			separators = append(separators, string([]byte{b}))
		}
		for _, sep := range separators {
			left := create(installation.Key{Tenant: "a" + sep + "b", ID: "c"})
			right := create(installation.Key{Tenant: "a", ID: "b" + sep + "c"})
			left.Record.Index, left.Record.Claims = []string{"d"}, []string{"e"}
			right.Record.Index, right.Record.Claims = []string{"b" + sep + "d"},
				[]string{"b" + sep + "e"}
			left.Record.Body, right.Record.Body = body("left"), body("right")
			commit(t, s, left, right)
			sameRecord(t, "get", get(t, s, left.Key), left.Record)
			sameRecord(t, "get", get(t, s, right.Key), right.Record)
			lists(t, s, installation.Query{Tenant: left.Key.Tenant, Term: "d"}, "c")
			lists(t, s, installation.Query{Tenant: "a", Term: "b" + sep + "d"}, right.Key.ID)
		}
		// A tenant or term must not match a longer one that begins with it.
		for n := range 4 {
			c := create(installation.Key{Tenant: strings.Repeat("t", n+1), ID: "x"})
			c.Record.Index = []string{strings.Repeat("y", n+1)}
			commit(t, s, c)
		}
		lists(t, s, installation.Query{Tenant: "t", Term: "y"}, "x")
		lists(t, s, installation.Query{Tenant: "t", Term: "yy"})
		lists(t, s, installation.Query{Tenant: "tt", Term: "y"})
		lists(t, s, installation.Query{Tenant: "tt", Term: "yy"}, "x")
	}},
}
