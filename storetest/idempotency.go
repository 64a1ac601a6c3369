package storetest

import (
	"time"

	"github.com/go-installation/installation"
)

var idempotencyCases = []testCase{
	{"idempotency/used", "c.Idempotency is given and the tenant has an unexpired outcome with " +
		"the same digest: nothing is written; the receipt holds that outcome.",
		func(t tester, s installation.Store) {
			first := create(at("a"))
			first.Idempotency = outcome("key", "of the first")
			stored := commit(t, s, first)

			second := create(at("b")) // an idempotency key belongs to a tenant, not to a record
			second.Idempotency = outcome("key", "of the second")
			second.Events = []installation.Event{eventOf(second, "second")}
			answered(t, s, second, first.Idempotency)
			third := update(stored)
			third.Record.Body = body("as updated")
			third.Idempotency = outcome("key", "of the third")
			answered(t, s, third, first.Idempotency)

			absent(t, s, second.Key)
			sameRecord(t, "get", get(t, s, stored.Key), stored)
			lists(t, s, everything, "a")
			logged(t, s, "tenant", nil)
		}},
	{"idempotency/not-given",
		"c.Idempotency is given and the tenant has an unexpired outcome with the same digest",
		func(t tester, s installation.Store) {
			for _, c := range []installation.Change{create(at("a")), create(at("b"))} {
				c.Idempotency = outcome("key of "+c.Key.ID, c.Key.ID)
				commit(t, s, c, update(c.Record))
			}
		}},
	{"idempotency/other-tenant", "Digest identifies an idempotency key within a tenant.",
		func(t tester, s installation.Store) {
			for _, tenant := range []string{"", "a", "b"} {
				c := create(installation.Key{Tenant: tenant, ID: "x"})
				c.Idempotency = outcome("key", tenant)
				commit(t, s, c)
			}
		}},
	{"idempotency/expired", "time of the service; the store uses it to find expired " +
		"tombstones and outcomes",
		func(t tester, s installation.Store) {
			first := create(at("a"))
			first.Idempotency = outcome("key", "of the first")
			commit(t, s, first)

			next := create(at("b"))
			next.Now = first.Idempotency.Until.Add(time.Second)
			next.Idempotency = outcome("key", "of the second")
			next.Idempotency.Until = next.Now.Add(time.Hour)
			sameRecord(t, "get", get(t, s, commit(t, s, next).Key), next.Record)
			recorded(t, s, "tenant", next.Idempotency)
		}},
	{"idempotency/until", "kept up to this time, UTC, microseconds",
		func(t tester, s installation.Store) {
			first := create(at("a"))
			first.Idempotency = outcome("key", "of the first")
			commit(t, s, first)

			late := create(at("b"))
			late.Now = first.Idempotency.Until.Add(-time.Second)
			late.Idempotency = outcome("key", "of the second")
			answered(t, s, late, first.Idempotency)
		}},
}

// answered commits c and fails the case unless the receipt has want, the outcome that an earlier
// change stored under the same idempotency key.
func answered(t tester, s installation.Store, c installation.Change, want *installation.Outcome) {
	t.Helper()
	receipt, err := s.Commit(t.Context(), c)
	if err != nil || receipt.Replayed || receipt.Outcome == nil {
		t.Errorf("commit %v if %d: got receipt %v, error %v, want receipt %v", c.Key, c.If, receipt,
			err, installation.Receipt{Outcome: want})
		return
	}
	sameOutcome(t, "outcome in the receipt", receipt.Outcome, want)
}
