package storetest

import "github.com/go-installation/installation"

var outcomeCases = []testCase{
	{"outcome/committed", "Outcome returns the outcome that was committed under d in the " +
		"tenant, or an error that matches [ErrNotFound].",
		func(t tester, s installation.Store) {
			changes := []installation.Change{create(at("a")), create(at("b")),
				create(installation.Key{ID: "a"})}
			for i := range changes {
				changes[i].Idempotency = outcome("key "+changes[i].Key.ID,
					"data \x00\xff of "+changes[i].Key.Tenant)
			}
			changes[1].Idempotency.Data = nil
			commit(t, s, changes...)
			for _, c := range changes {
				recorded(t, s, c.Key.Tenant, c.Idempotency)
			}
		}},
	{"outcome/nothing", "Outcome returns the outcome that was committed under d in the " +
		"tenant, or an error that matches [ErrNotFound].",
		func(t tester, s installation.Store) {
			c := create(at("a"))
			c.Idempotency = outcome("key", "data")
			commit(t, s, c)
			for _, tc := range []struct{ tenant, key string }{{"tenant", "other"},
				{"other", "key"}, {"", "key"}} {
				d := digest(tc.key)
				o, err := s.Outcome(t.Context(), tc.tenant, d)
				if o != nil {
					t.Errorf("outcome %v of tenant %v: got %v, want none", d, tc.tenant, o)
				}
				onlyMatches(t, err, installation.ErrNotFound, "outcome %v of tenant %v", d,
					tc.tenant)
			}
		}},
}

// recorded fails the case unless the tenant has this outcome.
func recorded(t tester, s installation.Store, tenant string, want *installation.Outcome) {
	t.Helper()
	got, err := s.Outcome(t.Context(), tenant, want.Digest)
	if err != nil {
		t.Fatalf("outcome %v of tenant %v: got error %v, want none", want.Digest, tenant, err)
	}
	sameOutcome(t, "outcome", got, want)
}
