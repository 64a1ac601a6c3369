package storetest

import (
	"errors"

	"github.com/go-installation/installation"
)

var claimCases = []testCase{
	{"claims/taken", "Another record of the tenant holds one of c.Record.Claims: an " +
		"[*ExistsError] with the ID of the holder.",
		func(t tester, s installation.Store) {
			commit(t, s, claiming("holder", "a", "c"))
			late := claiming("late", "b", "c", "d")
			_, err := s.Commit(t.Context(), late)
			exists, ok := errors.AsType[*installation.ExistsError](err)
			if !ok || exists.Key != late.Key || exists.Holder != "holder" {
				t.Errorf("commit %v if %d: got error %v, want an ExistsError with %v and holder %v",
					late.Key, late.If, err, late.Key, "holder")
			}
			absent(t, s, late.Key)
			// still free: the rejected change took no claim
			commit(t, s, claiming("other", "b", "d"))
		}},
	{"claims/taken-only", "an [*ExistsError] with the ID of the holder",
		func(t tester, s installation.Store) {
			commit(t, s, claiming("holder", "a"))
			late := claiming("late", "a")
			_, err := s.Commit(t.Context(), late)
			onlyMatches(t, err, installation.ErrExists, "commit %v if %d", late.Key, late.If)
		}},
	{"claims/taken-by-update", "Another record of the tenant holds one of c.Record.Claims: an " +
		"[*ExistsError] with the ID of the holder.",
		func(t tester, s installation.Store) {
			commit(t, s, claiming("holder", "a"))
			free := commit(t, s, claiming("free", "b"))
			c := update(free)
			c.Record.Claims = []string{"a"}
			reject(t, s, c, installation.ErrExists)
			sameRecord(t, "get", get(t, s, free.Key), free)
		}},
	{"claims/holder-case", `"a" and "A" are two tenants, two IDs, two index terms`,
		func(t tester, s installation.Store) {
			commit(t, s, claiming("a", "claim"))
			reject(t, s, claiming("A", "claim"), installation.ErrExists)
			absent(t, s, at("A"))
		}},
	{"claims/own", "sorted strings; at most one record of a tenant holds each of them",
		func(t tester, s installation.Store) {
			c := update(commit(t, s, claiming("a", "one")))
			c.Record.Claims = []string{"one", "two"}
			commit(t, s, c, update(c.Record))
			reject(t, s, claiming("b", "one"), installation.ErrExists)
			reject(t, s, claiming("b", "two"), installation.ErrExists)
		}},
	{"claims/other-tenant", "sorted strings; at most one record of a tenant holds each of them",
		func(t tester, s installation.Store) {
			for _, tenant := range []string{"", "a", "b"} {
				c := create(installation.Key{Tenant: tenant, ID: "in " + tenant})
				c.Record.Claims = []string{"claim"}
				commit(t, s, c)
			}
		}},
	{"claims/released-by-update", "Otherwise Commit stores the record or tombstone of c in " +
		"place of the old record. The old index terms, claims and deadline are gone.",
		func(t tester, s installation.Store) {
			c := update(commit(t, s, claiming("a", "dropped", "kept")))
			c.Record.Claims = []string{"kept"}
			commit(t, s, c, claiming("b", "dropped"))
			reject(t, s, claiming("c", "kept"), installation.ErrExists)
		}},
	{"claims/released-by-tombstone",
		"tombstone: only Key, Revision, Generation and Deadline are set",
		func(t tester, s installation.Store) {
			buried := remove(commit(t, s, claiming("a", "claim")))
			commit(t, s, buried, claiming("b", "claim"))
			again := claiming("a", "claim")
			again.If, again.Record.Revision = 2, 3
			reject(t, s, again, installation.ErrExists)
		}},
}

// claiming returns the change that creates a record with these claims.
func claiming(id string, claims ...string) installation.Change {
	c := create(at(id))
	c.Record.Claims = claims
	return c
}
