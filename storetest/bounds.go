package storetest

import (
	"fmt"
	"strings"

	"github.com/go-installation/installation"
)

var boundCases = []testCase{
	{"bounds/all", "A store takes a change with all values at their bounds.",
		func(t tester, s installation.Store) {
			c, other := atBounds("x"), atBounds("y")
			commit(t, s, c, other)
			for _, c := range []installation.Change{c, other} {
				sameRecord(t, "get", get(t, s, c.Key), c.Record)
				recorded(t, s, c.Key.Tenant, c.Idempotency)
				for _, term := range c.Record.Index {
					q := installation.Query{Tenant: c.Key.Tenant, Term: term}
					q.AllTenants = installation.GlobalTerm(term)
					lists(t, s, q, c.Key.ID)
				}
				logged(t, s, c.Key.Tenant, c.Events)
				late := create(installation.Key{Tenant: c.Key.Tenant, ID: "late"})
				late.Record.Claims = c.Record.Claims[installation.MaxClaims-1:]
				reject(t, s, late, installation.ErrExists)
			}
		}},
}

// atBounds returns a change with every value at its bound. The values of two such changes differ
// only in their last byte, which is end.
func atBounds(end string) installation.Change {
	long := func(start string, n int) string {
		return start + strings.Repeat("\xff", n-len(start)-len(end)) + end
	}
	c := create(installation.Key{
		Tenant: long("", installation.MaxTenant), ID: long("", installation.MaxID),
	})
	c.Record.Index, c.Record.Claims = nil, nil
	for i := range installation.MaxTerms {
		c.Record.Index = append(c.Record.Index,
			long(fmt.Sprintf("%02d", i), installation.MaxTerm))
	}
	c.Record.Index[installation.MaxTerms-1] = long("@", installation.MaxTerm) // sorts last
	for i := range installation.MaxClaims {
		c.Record.Claims = append(c.Record.Claims,
			long(fmt.Sprintf("%02d", i), installation.MaxClaim))
	}
	c.Record.Body = body(long("", installation.MaxBody))
	c.Idempotency = outcome("key of "+end, long("", installation.MaxOutcome))
	for i := range installation.MaxEvents {
		e := eventOf(c, fmt.Sprintf("%02d ", i))
		for encoded, _ := e.MarshalBinary(); len(encoded) < installation.MaxEvent; {
			e.Reason += strings.Repeat("r", max(1, installation.MaxEvent-len(encoded)-8))
			encoded, _ = e.MarshalBinary()
		}
		c.Events = append(c.Events, e)
	}
	return c
}
