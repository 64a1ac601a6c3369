package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

// forgetCases find stores that forget too much. No case wants that a store forgets.
var forgetCases = []testCase{
	{"forget/tombstone-in-time", "A store may forget a tombstone from this time on.",
		func(t tester, s installation.Store) {
			grave := commit(t, s, remove(commit(t, s, create(at("a")))))
			forget(t, s, grave.Deadline.Add(-time.Microsecond))
			sameRecord(t, "get", get(t, s, grave.Key), grave)
		}},
	{"forget/recreated", "A store may forget a tombstone from this time on.",
		func(t tester, s installation.Store) {
			grave := commit(t, s, remove(commit(t, s, create(at("a")))))
			again := create(at("a"))
			again.If, again.Record.Revision = grave.Revision, grave.Revision+1
			again.Record.Index = []string{"again"}
			commit(t, s, again)
			forget(t, s, grave.Deadline.Add(time.Hour))
			sameRecord(t, "get", get(t, s, at("a")), again.Record)
			lists(t, s, installation.Query{Tenant: "tenant", Term: "again"}, "a")
		}},
	{"forget/outcome-in-time", "A store keeps it up to the time Until and may forget it " +
		"afterwards.",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			c.Idempotency = outcome("key", "data")
			commit(t, s, c)
			forget(t, s, c.Idempotency.Until.Add(-time.Microsecond))
			recorded(t, s, "tenant", c.Idempotency)
		}},
	{"forget/outcome-used-again", "A store keeps it up to the time Until and may forget it " +
		"afterwards.",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			c.Idempotency = outcome("key", "data")
			commit(t, s, c)
			again := update(c.Record)
			again.Now = c.Idempotency.Until
			again.Idempotency = outcome("key", "other data")
			again.Idempotency.Until = again.Now.Add(4 * time.Hour)
			commit(t, s, again)
			forget(t, s, again.Now.Add(time.Hour))
			recorded(t, s, "tenant", again.Idempotency)
		}},
	{"move/put-outcome-longer", "A store keeps it up to the time Until and may forget it " +
		"afterwards.",
		withAbility(func(t tester, s installation.Store, m installation.Mover) {
			put(t, m, kept("tenant", "key", now.Add(time.Hour)), true)
			longer := kept("tenant", "key", now.Add(5*time.Hour))
			put(t, m, longer, true)
			forget(t, s, now.Add(2*time.Hour))
			recorded(t, s, "tenant", longer.Outcome)
		})},
	{"move/put-over-tombstone", "A store may forget a tombstone from this time on.",
		withAbility(func(t tester, s installation.Store, m installation.Mover) {
			grave := commit(t, s, remove(commit(t, s, create(at("a")))))
			again := row(at("a"), 9)
			put(t, m, again, true)
			forget(t, s, grave.Deadline.Add(time.Hour))
			sameRecord(t, "get", get(t, s, at("a")), again.Record)
		})},
	{"page/printable", "Next consists of printable ASCII characters, because hosts pass it on to " +
		"their clients.",
		func(t tester, s installation.Store) {
			for _, id := range []string{"\xff", "é", "\x01", "z"} {
				c := create(installation.Key{Tenant: "\xff\x01", ID: id})
				c.Record.Index, c.Record.Deadline = []string{"@\xff", "\xfe\n"}, now
				commit(t, s, c)
			}
			for _, q := range []installation.Query{
				{Tenant: "\xff\x01", Term: "\xfe\n"}, {Tenant: "\xff\x01", DueBefore: later},
				{AllTenants: true, Term: "@\xff"}, {AllTenants: true, DueBefore: later},
			} {
				q.Limit = 1
				for range 3 { // of four records
					q.After = listPage(t, s, q).Next
					printable(t, "list: Next", q.After)
				}
			}
		}},
	{"events/printable", "Next and the IDs of events consist of printable ASCII characters.",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			c := create(installation.Key{Tenant: "\xff\x01", ID: "\xfe"})
			c.Events = []installation.Event{eventOf(c, "1"), eventOf(c, "2")}
			commit(t, s, c)
			for _, q := range []installation.EventQuery{
				{Tenant: "\xff\x01", Limit: 1}, {AllTenants: true, Limit: 1},
			} {
				page, err := r.Events(t.Context(), q)
				if err != nil || len(page.Events) != 1 {
					t.Fatalf("events: got %d, error %v, want 1", len(page.Events), err)
				}
				printable(t, "events: Next", page.Next)
				printable(t, "events: ID", page.Events[0].ID)
			}
		})},
}

// forget commits so much at a time that a store forgets all that it may forget then.
func forget(t tester, s installation.Store, at time.Time) {
	t.Helper()
	for i := range 20 {
		c := create(installation.Key{Tenant: "tenant", ID: fmt.Sprintf("later %d", i)})
		c.Now = at
		c.Idempotency = outcome(c.Key.ID, "later")
		c.Idempotency.Until = at.Add(time.Hour)
		commit(t, s, c)
	}
}

// printable fails the case if a text is empty or has other bytes than printable ASCII characters.
func printable(t tester, what, text string) {
	t.Helper()
	other := func(r rune) bool { return r < ' ' || r > '~' }
	if text == "" || strings.ContainsFunc(text, other) {
		t.Errorf("%s: got %q, want printable ASCII characters", what, text)
	}
}
