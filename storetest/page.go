package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/go-installation/installation"
)

var pageCases = []testCase{
	{"page/limits", "Limit is the largest number of records in the page, 1 to [MaxPage].",
		func(t tester, s installation.Store) {
			want := seven(t, s)
			for limit := 1; limit <= len(want)+1; limit++ {
				q := installation.Query{Tenant: "tenant", Term: all, Limit: limit}
				if n := len(listPage(t, s, q).Records); n > limit {
					t.Errorf("list %v: got %d records, want no more than the limit", q, n)
				}
				lists(t, s, q, want...)
			}
			lists(t, s, installation.Query{Tenant: "tenant", Term: all,
				Limit: installation.MaxPage}, want...)
			slices.Reverse(want)
			for limit := 1; limit <= len(want)+1; limit++ {
				lists(t, s, installation.Query{Tenant: "tenant", Term: all, Limit: limit,
					Reverse: true}, want...)
			}
		}},
	{"page/empty", "a list has ended when Next is empty", func(t tester, s installation.Store) {
		lists(t, s, everything)
		lists(t, s, installation.Query{Tenant: "tenant", Term: all, Reverse: true})
		lists(t, s, everythingDue)
	}},
	{"page/skip", "Skip passes over this many records first, at most [MaxSkip].",
		func(t tester, s installation.Store) {
			want := seven(t, s)
			for skip := range len(want) {
				lists(t, s, installation.Query{Tenant: "tenant", Term: all, Limit: 2,
					Skip: skip}, want[skip:]...)
			}
			lists(t, s, installation.Query{Tenant: "tenant", Term: all, Skip: len(want)})
			lists(t, s, installation.Query{Tenant: "tenant", Term: all, Skip: installation.MaxSkip})
			slices.Reverse(want)
			lists(t, s, installation.Query{Tenant: "tenant", Term: all, Skip: 3, Reverse: true},
				want[3:]...)
		}},
	{"page/skip-after-cursor", "Skip passes over this many records first, at most [MaxSkip].",
		func(t tester, s installation.Store) {
			want := seven(t, s)
			q := installation.Query{Tenant: "tenant", Term: all, Limit: 2}
			read := firstPage(t, s, &q)
			q.Skip, q.Limit = 2, 100
			lists(t, s, q, want[read+2:]...)
		}},
	{"page/removed-meanwhile", "It marks the position after the last record of that page, so " +
		"inserted or deleted records do not move it.",
		func(t tester, s installation.Store) {
			for _, reverse := range []bool{false, true} {
				want, q := sevenMore(t, s, reverse)
				read := firstPage(t, s, &q)
				for _, id := range want[:read] { // including the record that the cursor points to
					commit(t, s, remove(get(t, s, installation.Key{Tenant: q.Tenant, ID: id})))
				}
				q.Limit = 100
				lists(t, s, q, want[read:]...)
			}
		}},
	{"page/added-meanwhile", "It marks the position after the last record of that page, so " +
		"inserted or deleted records do not move it.",
		func(t tester, s installation.Store) {
			for _, reverse := range []bool{false, true} {
				want, q := sevenMore(t, s, reverse)
				read := firstPage(t, s, &q)
				for id, years := range map[string]int{"oldest": -1, "newest": 1} {
					c := create(installation.Key{Tenant: q.Tenant, ID: id})
					c.Record.Created = now.AddDate(years, 0, 0)
					commit(t, s, c)
				}
				last := "newest"
				if reverse {
					last = "oldest"
				}
				q.Limit = 100
				lists(t, s, q, append(want[read:], last)...)
			}
		}},
	{"page/ordinary-writes", "It marks the position after the last record of that page, so " +
		"inserted or deleted records do not move it.",
		func(t tester, s installation.Store) {
			want := seven(t, s)
			var got []string
			q := installation.Query{Tenant: "tenant", Term: all, Limit: 2}
			for range 100 { // a sweep: read a page, write every record on it, continue
				page := listPage(t, s, q)
				got = append(got, ids(page.Records)...)
				for _, r := range page.Records {
					commit(t, s, update(r))
				}
				if q.After = page.Next; q.After == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("list and update %v: got %v, want %v", q, got, want)
			}
		}},
	{"page/foreign-cursor",
		"For a value that no page returned, a store returns an error that matches [ErrInvalid] " +
			"or starts at any position. It never returns records outside the query.",
		func(t tester, s installation.Store) {
			for _, key := range []installation.Key{at("a"), at("b"), at("c"), {ID: "a"}, {ID: "b"},
				{Tenant: "zzz", ID: "a"}, {Tenant: "zzz", ID: "b"}} {
				c := create(key)
				c.Record.Index = []string{"@all", all, "mine=" + key.ID}
				c.Record.Deadline = now
				commit(t, s, c)
			}
			queries := []installation.Query{
				everything, {Tenant: "tenant", Term: "mine=b"}, everythingDue,
				{Tenant: "", Term: all}, {Tenant: "zzz", Term: all},
				{AllTenants: true, Term: "@all"}, {AllTenants: true, DueBefore: later},
			}
			cursors := []string{"x", "0", "999999", "\x00", "\xff\xff", "../zzz", "AAAA",
				"_____w", "-1"}
			for _, q := range queries {
				q.Limit = 1
				cursors = append(cursors, listPage(t, s, q).Next)
			}
			for _, q := range queries[:3] {
				members := ids(list(t, s, q))
				for _, q.After = range cursors {
					for _, q.Reverse = range []bool{false, true} {
						within(t, s, q, members)
					}
				}
			}
		}},
}

// within fails the case unless the store rejects q as invalid, or returns only records that are in
// the tenant of q and in members.
func within(t tester, s installation.Store, q installation.Query, members []string) {
	t.Helper()
	q.Limit = 100
	page, err := s.List(t.Context(), q)
	if err != nil && !errors.Is(err, installation.ErrInvalid) {
		t.Errorf("list %v: got error %v, want none or %v", q, err, installation.ErrInvalid)
	}
	for _, r := range page.Records {
		if r.Key.Tenant != q.Tenant || !slices.Contains(members, r.Key.ID) {
			t.Errorf("list %v: got %v, want only %v of tenant %v", q, r.Key, members, q.Tenant)
		}
	}
}

// firstPage reads pages of q up to the first one with records, and returns how many records that
// page has. It sets q.After so that q continues behind that page.
func firstPage(t tester, s installation.Store, q *installation.Query) int {
	t.Helper()
	for range 100 {
		page := listPage(t, s, *q)
		if page.Next == "" {
			break
		}
		if q.After = page.Next; len(page.Records) > 0 {
			return len(page.Records)
		}
	}
	t.Fatalf("list %v: got no page with records and a cursor, want one", *q)
	return 0
}

// sevenMore stores seven records in a tenant that is used only for this direction. It returns a
// query that lists the records in pages of three, and their IDs in the order of that list.
func sevenMore(
	t tester, s installation.Store, reverse bool,
) (want []string, q installation.Query) {
	t.Helper()
	q = installation.Query{Tenant: "forward", Term: all, Limit: 3, Reverse: reverse}
	if reverse {
		q.Tenant = "backward"
	}
	want = []string{"a", "b", "c", "d", "e", "f", "g"}
	for i, id := range want {
		c := create(installation.Key{Tenant: q.Tenant, ID: id})
		c.Record.Created = now.Add(time.Duration(i/2) * time.Second)
		commit(t, s, c)
	}
	if reverse {
		slices.Reverse(want)
	}
	return want, q
}
