package storetest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-installation/installation"
)

var eventCases = []testCase{
	{"events/order", "Events of one tenant are in the order of their commits.",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			want := logSome(t, s)
			for tenant, committed := range want {
				for limit := 1; limit < 8; limit++ {
					q := installation.EventQuery{Tenant: tenant, Limit: limit}
					logs(t, r, q, committed)
				}
			}
			logs(t, r, installation.EventQuery{Tenant: "silent"}, nil)
		})},
	{"events/all-tenants", "Across tenants, the store chooses a stable order.",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			want := logSome(t, s)
			all := events(t, r, installation.EventQuery{AllTenants: true, Tenant: "ignored"})
			for limit := 1; limit < 8; limit++ {
				q := installation.EventQuery{AllTenants: true, Limit: limit}
				logs(t, r, q, all)
			}
			apart := make(map[string][]installation.Event)
			for _, e := range all {
				apart[e.Key.Tenant] = append(apart[e.Key.Tenant], e)
			}
			if len(apart) != len(want) {
				t.Errorf("events of all tenants: got %d tenants, want %d", len(apart), len(want))
			}
			for tenant, events := range want {
				sameList(t, apart[tenant], events, sameEvent,
					"events of all tenants, of these tenant %v", tenant)
			}
		})},
	{"events/whole", "Event is one entry of the change log.",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			c := create(at("a"))
			c.Events = []installation.Event{{
				Type: "a type of the future", Key: c.Key, Revision: 1<<53 + 1, Generation: 2,
				Time: now, Extension: "extension \xff", Account: "account",
				Actor: installation.Actor{
					Kind: installation.Customer, ID: "actor", ReadOnly: true,
					User: installation.Reference{ID: "user", Name: "né", Icon: "icon"},
				},
				Reason: "because\nof \"this\"", Changed: []string{"", "/a", "/b~1c"}, Omitted: 3,
			}}
			commit(t, s, c)
			logs(t, r, installation.EventQuery{Tenant: "tenant"}, c.Events)
		})},
	{"events/ids", "unique in the store; set when the event is read, empty in Change.Events",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			logSome(t, s)
			seen := make(map[string]bool)
			for _, e := range events(t, r, installation.EventQuery{AllTenants: true}) {
				if e.ID == "" || seen[e.ID] {
					t.Errorf("events of all tenants: got ID %v of %v, want a new one", e.ID, e)
				}
				seen[e.ID] = true
			}
		})},
	{"events/end", "Once a reader has received an event, Next is never empty. At the end of " +
		"the log, keep Next and continue from it later.",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			want := logSome(t, s)["b"]
			for _, q := range []installation.EventQuery{
				{Tenant: "b", Limit: 3}, {AllTenants: true, Limit: 3},
			} {
				if _, q.After, _ = walk(t, r, q); q.After == "" {
					t.Fatalf("events %v: got no cursor at the end, want one", q)
				}
				c := touch(get(t, s, installation.Key{Tenant: "b", ID: "x"}))
				reason := fmt.Sprintf("later, all %t", q.AllTenants)
				c.Events = []installation.Event{eventOf(c, reason)}
				commit(t, s, c)
				want = append(want, c.Events...)
				logs(t, r, q, c.Events)
			}
			logs(t, r, installation.EventQuery{Tenant: "b"}, want)
		})},
	{"events/cursor-repeated",
		"A page without events means the end of the log. Its Next is then the After of the query.",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			q := installation.EventQuery{Tenant: "b", Limit: 10}
			if _, last, given := walk(t, r, q); last != "" || given != "" {
				t.Errorf("events %v of an empty log: got cursors %v and %v, want none", q, given,
					last)
			}
			logSome(t, s)
			if _, last, given := walk(t, r, q); last != given {
				t.Errorf("events %v at the end: got cursor %v, want the given %v", q, last, given)
			}
		})},
	{"events/limit", "1 to [MaxPage]",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			logSome(t, s)
			for _, limit := range []int{1, 2, installation.MaxPage} {
				q := installation.EventQuery{AllTenants: true, Limit: limit}
				if n := len(eventPage(t, r, q).Events); n > limit {
					t.Errorf("events %v: got %d events, want no more than the limit", q, n)
				}
			}
		})},
	{"events/after-removal", "Every store must keep them; reading them back is optional",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			c := create(at("a"))
			c.Events = []installation.Event{eventOf(c, "made")}
			buried := remove(commit(t, s, c))
			buried.Events = []installation.Event{eventOf(buried, "removed")}
			commit(t, s, buried)
			logs(t, r, installation.EventQuery{Tenant: "tenant"},
				slices.Concat(c.Events, buried.Events))
		})},
}

// logSome makes several commits in three tenants in turn, each with up to three events. It returns
// the events of each tenant in the order of the commits.
func logSome(t tester, s installation.Store) map[string][]installation.Event {
	t.Helper()
	committed := make(map[string][]installation.Event)
	for i := range 4 {
		for _, tenant := range []string{"", "a", "b"} {
			c := create(installation.Key{Tenant: tenant, ID: "x"})
			if i > 0 {
				c = update(get(t, s, c.Key))
			}
			for j := range i {
				c.Events = append(c.Events, eventOf(c, fmt.Sprintf("%d.%d", i, j)))
			}
			commit(t, s, c)
			committed[tenant] = append(committed[tenant], c.Events...)
		}
	}
	return committed
}

// events returns all events of q from all pages. If q has no limit, the limit is 100.
func events(t tester, r installation.EventReader, q installation.EventQuery) []installation.Event {
	t.Helper()
	q.Limit = cmp.Or(q.Limit, 100)
	all, _, _ := walk(t, r, q)
	return all
}

// walk reads pages up to the first one without events. It returns the events of all pages, the Next
// of the last page, and the After that the last page was read with.
func walk(
	t tester, r installation.EventReader, q installation.EventQuery,
) (all []installation.Event, last, given string) {
	t.Helper()
	for range 10_000 {
		page := eventPage(t, r, q)
		if len(page.Events) == 0 {
			return all, page.Next, q.After
		}
		all = append(all, page.Events...)
		if page.Next == "" {
			t.Fatalf("events %v: got %d events and no cursor, want one", q, len(page.Events))
		}
		q.After = page.Next
	}
	t.Fatalf("events %v: got no end after 10,000 pages, want one", q)
	return nil, "", ""
}

func eventPage(
	t tester, r installation.EventReader, q installation.EventQuery,
) installation.EventPage {
	t.Helper()
	page, err := r.Events(t.Context(), q)
	if err != nil {
		t.Fatalf("events %v: got error %v, want none", q, err)
	}
	return page
}

// logs fails the case unless q returns these events.
func logs(
	t tester, r installation.EventReader, q installation.EventQuery, want []installation.Event,
) {
	t.Helper()
	sameList(t, events(t, r, q), want, sameEvent, "events %v", q)
}

// sameEvent compares all fields except the ID, which the store assigns.
func sameEvent(got, want installation.Event) bool {
	return got.Type == want.Type && got.Key == want.Key && got.Revision == want.Revision &&
		got.Generation == want.Generation && sameTime(got.Time, want.Time) &&
		got.Extension == want.Extension && got.Account == want.Account &&
		got.Actor == want.Actor && got.Reason == want.Reason &&
		slices.Equal(got.Changed, want.Changed) && got.Omitted == want.Omitted
}

// logged fails the case unless the change log of the tenant has exactly these events. It does
// nothing if the store cannot read the log back.
func logged(t tester, s installation.Store, tenant string, want []installation.Event) {
	t.Helper()
	if r, ok := ability[installation.EventReader](t, s); ok {
		logs(t, r, installation.EventQuery{Tenant: tenant}, want)
	}
}
