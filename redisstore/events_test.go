package redisstore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestTrimmed checks that a reader gets ErrTrimmed only if it missed an event.
func TestTrimmed(t *testing.T) {
	s := open(t, redistest.Start(t).Client(t), &redisstore.Options{MaxEvents: 100})
	busy := installation.Key{Tenant: "busy", ID: "a"}
	quiet := installation.Key{Tenant: "quiet", ID: "a"}
	r := must(t, s, create(quiet, "quiet 1"))
	place := read(t, s, installation.EventQuery{Tenant: "quiet"}, "quiet 1").Next
	everywhere := read(t, s, installation.EventQuery{AllTenants: true}, "quiet 1").Next

	b := must(t, s, create(busy, "busy"))
	missed := read(t, s, installation.EventQuery{Tenant: "busy"}, "busy").Next
	for i := range 1000 { // a server forgets in steps of a hundred
		b = must(t, s, update(b, fmt.Sprint("busy ", i)))
	}
	trimmed(t, s, installation.EventQuery{Tenant: "busy", After: missed})
	trimmed(t, s, installation.EventQuery{AllTenants: true, After: everywhere})

	// Nothing of the quiet one is missing, though its own entry is gone too.
	page := read(t, s, installation.EventQuery{Tenant: "quiet", After: place})
	if page.Next != place {
		t.Errorf("page %+v, want the cursor %q repeated", page, place)
	}
	r = must(t, s, update(r, "quiet 2"))
	place = read(t, s, installation.EventQuery{Tenant: "quiet", After: place}, "quiet 2").Next
	r = must(t, s, update(r, "quiet 3"))
	for i := range 1000 {
		b = must(t, s, update(b, fmt.Sprint("busy again ", i)))
	}
	trimmed(t, s, installation.EventQuery{Tenant: "quiet", After: place})
	must(t, s, update(r, "quiet 4"))
	trimmed(t, s, installation.EventQuery{Tenant: "quiet", After: place})
	read(t, s, installation.EventQuery{Tenant: "quiet"}, "quiet 4")
}

// TestTrimmedUpToCursor trims the log up to the entry of a cursor, and no further: the reader has
// missed nothing. If one more entry is trimmed, it has.
func TestTrimmedUpToCursor(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "edge"})
	other := installation.Key{Tenant: "other", ID: "a"}
	a, b := must(t, s, create(id("a"), "a 1")), must(t, s, create(other, "b 1"))
	a, b = must(t, s, update(a, "a 2")), must(t, s, update(b, "b 2"))
	all := []string{"a 1", "b 1", "a 2", "b 2"}
	cursors := map[string]installation.EventQuery{} // by the last event that was read
	for n, last := range all {
		q := installation.EventQuery{AllTenants: true, Limit: n + 1}
		page, err := s.Events(t.Context(), q)
		if err != nil || len(page.Events) != n+1 {
			t.Fatalf("page %+v, error %v", page, err)
		}
		cursors[last] = installation.EventQuery{AllTenants: true, After: page.Next}
	}
	first := read(t, s, installation.EventQuery{Tenant: "tenant"}, "a 1", "a 2").Events[0].ID
	for kept := len(all); kept > 0; kept-- {
		client.XTrimMaxLen(t.Context(), "{edge:00}:e", int64(kept))
		gone := len(all) - kept
		for n, last := range all {
			if n+1 < gone {
				trimmed(t, s, cursors[last])
			} else {
				read(t, s, cursors[last], all[n+1:]...)
			}
		}
		if own := (installation.EventQuery{Tenant: "tenant", After: first}); kept >= 2 {
			read(t, s, own, "a 2")
		} else {
			trimmed(t, s, own)
		}
	}
	must(t, s, update(a, "a 3"))
	must(t, s, update(b, "b 3"))
	client.XTrimMaxLen(t.Context(), "{edge:00}:e", 1)
	trimmed(t, s, cursors["b 2"])
}

// twoTenants returns keys in bucket 0 and in bucket 1 of two.
func twoTenants() (zero, one installation.Key) {
	zero.ID, one.ID = "a", "a"
	for i := 0; zero.Tenant == "" || one.Tenant == ""; i++ {
		if redisstore.BucketOf(tenant(i), 2) == "00" {
			zero.Tenant = tenant(i)
		} else {
			one.Tenant = tenant(i)
		}
	}
	return zero, one
}

// TestTrimmedElsewhere checks that a reader of all tenants learns what it missed in a bucket
// that was empty, and in one that its first page did not reach.
func TestTrimmedElsewhere(t *testing.T) {
	zero, one := twoTenants()
	for name, tc := range map[string]struct{ seen, before, busy installation.Key }{
		"was empty":   {seen: one, busy: zero},
		"not come to": {seen: zero, before: one, busy: one},
	} {
		t.Run(name, func(t *testing.T) {
			client := redistest.Start(t).Client(t)
			s := open(t, client, &redisstore.Options{Buckets: 2, MaxEvents: 100})
			must(t, s, create(tc.seen, "seen"))
			if tc.before != (installation.Key{}) {
				tc.before.ID = "before"
				must(t, s, create(tc.before, "before"))
			}
			page, err := s.Events(t.Context(), installation.EventQuery{AllTenants: true, Limit: 1})
			if err != nil || len(page.Events) != 1 || page.Events[0].Reason != "seen" {
				t.Fatalf("the first page: %+v, error %v", page, err)
			}
			q := installation.EventQuery{AllTenants: true, After: page.Next}
			if tc.before == (installation.Key{}) {
				read(t, s, q)
			}
			r := must(t, s, create(tc.busy, "first"))
			if tc.before == (installation.Key{}) {
				read(t, s, q, "first")
			} else {
				read(t, s, q, "before", "first")
			}
			for i := range 1000 {
				r = must(t, s, update(r, fmt.Sprint("busy ", i)))
			}
			trimmed(t, s, q)
		})
	}
}

// TestBusyBucketDoesNotStarveOthers writes more to a bucket than fits a page: the events of
// another bucket are read too.
func TestBusyBucketDoesNotStarveOthers(t *testing.T) {
	zero, one := twoTenants()
	for name, keys := range map[string][2]installation.Key{
		"first": {zero, one}, "second": {one, zero},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, dialMini(t), &redisstore.Options{Buckets: 2})
			busy := must(t, s, create(keys[0], "busy"))
			must(t, s, create(keys[1], "quiet"))
			q := installation.EventQuery{AllTenants: true, Limit: 5}
			seen := map[string]int{}
			for range 4 {
				for range 10 {
					busy = must(t, s, update(busy, "busy"))
				}
				page, err := s.Events(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Events {
					seen[e.Reason]++
				}
				q.After = page.Next
			}
			if seen["quiet"] != 1 {
				t.Errorf("the pages hold %v, want the quiet event among them", seen)
			}
		})
	}
}

// TestEventsAfterLoss deletes the newest entries, as a failover may: a reader that has seen
// them gets ErrTrimmed.
func TestEventsAfterLoss(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "loss"})
	r := must(t, s, create(id("a"), "kept"))
	tail := client.HGet(t.Context(), "{loss:00}:h", "ttenant").Val()
	r = must(t, s, update(r, "lost"))
	own := read(t, s, installation.EventQuery{Tenant: "tenant"}, "kept", "lost").Next
	all := read(t, s, installation.EventQuery{AllTenants: true}, "kept", "lost").Next

	lost := client.HGet(t.Context(), "{loss:00}:h", "ttenant").Val()
	client.XDel(t.Context(), "{loss:00}:e", lost)
	client.HSet(t.Context(), "{loss:00}:h", "ttenant", tail, "last", tail)
	trimmed(t, s, installation.EventQuery{Tenant: "tenant", After: own})
	trimmed(t, s, installation.EventQuery{AllTenants: true, After: all})
	must(t, s, update(r, "new"))
	trimmed(t, s, installation.EventQuery{Tenant: "tenant", After: own})
	trimmed(t, s, installation.EventQuery{AllTenants: true, After: all})
	read(t, s, installation.EventQuery{Tenant: "tenant"}, "kept", "new")
}

// TestEventsAfterLossOfTenant does the same with all entries of a tenant.
func TestEventsAfterLossOfTenant(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "loss"})
	must(t, s, create(installation.Key{Tenant: "other", ID: "a"}, "kept"), create(id("a"), "lost"))
	own := read(t, s, installation.EventQuery{Tenant: "tenant"}, "lost").Next
	lost := client.HGet(t.Context(), "{loss:00}:h", "ttenant").Val()
	client.XDel(t.Context(), "{loss:00}:e", lost)
	client.HDel(t.Context(), "{loss:00}:h", "ttenant")
	trimmed(t, s, installation.EventQuery{Tenant: "tenant", After: own})
	read(t, s, installation.EventQuery{Tenant: "tenant"})
}

// TestEventsRejectCursors passes cursors that no page has returned.
func TestEventsRejectCursors(t *testing.T) {
	s := open(t, dialMini(t), &redisstore.Options{Buckets: 4})
	must(t, s, create(id("a"), ""))
	for _, after := range []string{
		"x", "0", "0-", "99-1-1", "0-1-1-1", "1-1,", ",,,", "0//,,,", "0//0-0,0-0,0-0,x",
		"4//0-0,0-0,0-0,0-0", "-1//0-0,0-0,0-0,0-0", "0/x/0-0,0-0,0-0,0-0", "0-01-1",
	} {
		for _, all := range []bool{false, true} {
			_, err := s.Events(t.Context(), installation.EventQuery{
				Tenant: "tenant", AllTenants: all, After: after, Limit: 1,
			})
			wantError(t, fmt.Sprintf("events after %q, all %t", after, all), err,
				installation.ErrInvalid)
		}
	}
}

// read checks the events of a query.
func read(
	tb testing.TB, r installation.EventReader, q installation.EventQuery, want ...string,
) installation.EventPage {
	tb.Helper()
	q.Limit = 10
	page, err := r.Events(tb.Context(), q)
	if err != nil {
		tb.Fatalf("events %+v: %v", q, err)
	}
	var got []string
	for _, e := range page.Events {
		got = append(got, e.Reason)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		tb.Errorf("events %+v: got %q, want %q", q, got, want)
	}
	return page
}

func trimmed(tb testing.TB, r installation.EventReader, q installation.EventQuery) {
	tb.Helper()
	q.Limit = 10
	if page, err := r.Events(tb.Context(), q); !errors.Is(err, installation.ErrTrimmed) {
		tb.Errorf("events %+v: %+v, error %v, want %v", q, page, err, installation.ErrTrimmed)
	}
}
