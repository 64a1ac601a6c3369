package storetest

import "github.com/go-installation/installation"

var replayCases = []testCase{
	{"replay/same-change",
		"The record at c.Key remembers c.Op: this very change was applied before.",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			commit(t, s, c)
			replayed(t, s, c, 1)
			c = update(c.Record)
			commit(t, s, c)
			replayed(t, s, c, 2)
			sameRecord(t, "get", get(t, s, c.Key), c.Record)
		}},
	{"replay/writes-nothing", "Nothing is written; the receipt has the revision that c led " +
		"to, and Replayed is true.",
		func(t tester, s installation.Store) {
			first := create(at("a"))
			second := update(commit(t, s, first))
			second.Record.Body = body("as updated")
			commit(t, s, second)

			first.Idempotency = outcome("key", "of a replay")
			first.Events = []installation.Event{eventOf(first, "of a replay")}
			replayed(t, s, first, 1)

			sameRecord(t, "get", get(t, s, first.Key), second.Record)
			noOutcome(t, s, first)
			logged(t, s, first.Key.Tenant, nil)
		}},
	{"replay/last-ones",
		"A record or tombstone remembers the Op of its last [RememberedOps] changes.",
		func(t tester, s installation.Store) {
			changes := []installation.Change{create(at("a"))}
			for len(changes) < installation.RememberedOps+3 {
				changes = append(changes, update(changes[len(changes)-1].Record))
			}
			commit(t, s, changes...)
			for _, c := range changes[len(changes)-installation.RememberedOps:] {
				replayed(t, s, c, c.Record.Revision)
			}
		}},
	{"replay/without-record", "If c.Record is nil, Commit keeps the stored record and its " +
		"revision, but the record now remembers c.Op.",
		func(t tester, s installation.Store) {
			stored := commit(t, s, create(at("a")))
			c := touch(stored)
			commit(t, s, c)
			commit(t, s, update(stored))
			replayed(t, s, c, stored.Revision)
		}},
	{"replay/tombstone",
		"A record or tombstone remembers the Op of its last [RememberedOps] changes.",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			buried := remove(commit(t, s, c))
			commit(t, s, buried)
			replayed(t, s, buried, 2)
			replayed(t, s, c, 1)
		}},
	{"replay/recreated",
		"A record or tombstone remembers the Op of its last [RememberedOps] changes.",
		func(t tester, s installation.Store) {
			buried := remove(commit(t, s, create(at("a"))))
			commit(t, s, buried)
			again := create(at("a"))
			again.If, again.Record.Revision = 2, 3
			commit(t, s, again)
			replayed(t, s, buried, 2)
			sameRecord(t, "get", get(t, s, again.Key), again.Record)
		}},
	{"replay/other-record",
		"The record at c.Key remembers c.Op: this very change was applied before.",
		func(t tester, s installation.Store) {
			here, there := create(at("a")), create(at("b"))
			there.Op = here.Op
			commit(t, s, here, there)
			sameRecord(t, "get", get(t, s, there.Key), there.Record)
		}},
}

// replayed commits c again and fails the case unless the receipt reports a replay at this revision.
func replayed(t tester, s installation.Store, c installation.Change, revision int64) {
	t.Helper()
	receipt, err := s.Commit(t.Context(), c)
	if err != nil || !receipt.Replayed || receipt.Revision != revision {
		t.Errorf("commit %v if %d again: got receipt %v, error %v, want receipt %v", c.Key, c.If,
			receipt, err, installation.Receipt{Revision: revision, Replayed: true})
	}
}

// noOutcome fails the case if the outcome of c was stored.
func noOutcome(t tester, s installation.Store, c installation.Change) {
	t.Helper()
	if o, _ := s.Outcome(t.Context(), c.Key.Tenant, c.Idempotency.Digest); o != nil {
		t.Errorf("outcome %v of a change that was not made: got %v, want none",
			c.Idempotency.Digest, o)
	}
}
