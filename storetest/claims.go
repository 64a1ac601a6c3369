package storetest

import (
	"errors"

	"github.com/go-installation/installation"
)

var claimCases = []testCase{
	{
		name: "claims/taken",
		rule: "Another record of the tenant holds one of c.Record.Claims: an [*ExistsError] " +
			"with the ID of the holder.",
		run: func(t tester, s installation.Store) {
			commit(t, s, claiming("holder", "a", "c"))
			late := claiming("late", "b", "c", "d")
			_, err := s.Commit(t.Context(), late)
			exists, ok := errors.AsType[*installation.ExistsError](err)
			if !ok || exists.Key != late.Key || exists.Holder != "holder" {
				t.Errorf("commit: error %v, want one that names the holder", err)
			}
			absent(t, s, late.Key)
			// still free: the rejected change took no claim
			commit(t, s, claiming("other", "b", "d"))
		},
	},
	{
		name: "claims/taken-only",
		rule: "an [*ExistsError] with the ID of the holder",
		run: func(t tester, s installation.Store) {
			commit(t, s, claiming("holder", "a"))
			_, err := s.Commit(t.Context(), claiming("late", "a"))
			onlyMatches(t, err, installation.ErrExists)
		},
	},
	{
		name: "claims/taken-by-update",
		rule: "Another record of the tenant holds one of c.Record.Claims: an [*ExistsError] " +
			"with the ID of the holder.",
		run: func(t tester, s installation.Store) {
			commit(t, s, claiming("holder", "a"))
			free := commit(t, s, claiming("free", "b"))
			c := update(free)
			c.Record.Claims = []string{"a"}
			reject(t, s, c, installation.ErrExists)
			sameRecord(t, "get", get(t, s, free.Key), free)
		},
	},
	{
		name: "claims/own",
		rule: "sorted strings; only one record of the tenant may hold each at a time",
		run: func(t tester, s installation.Store) {
			c := update(commit(t, s, claiming("a", "one")))
			c.Record.Claims = []string{"one", "two"}
			commit(t, s, c, update(c.Record))
			reject(t, s, claiming("b", "one"), installation.ErrExists)
			reject(t, s, claiming("b", "two"), installation.ErrExists)
		},
	},
	{
		name: "claims/other-tenant",
		rule: "sorted strings; only one record of the tenant may hold each at a time",
		run: func(t tester, s installation.Store) {
			for _, tenant := range []string{"", "a", "b"} {
				c := create(installation.Key{Tenant: tenant, ID: "in " + tenant})
				c.Record.Claims = []string{"claim"}
				commit(t, s, c)
			}
		},
	},
	{
		name: "claims/released-by-update",
		rule: "Otherwise Commit stores the record or tombstone of c in place of the old " +
			"record. The old index terms, claims and deadline are gone.",
		run: func(t tester, s installation.Store) {
			c := update(commit(t, s, claiming("a", "dropped", "kept")))
			c.Record.Claims = []string{"kept"}
			commit(t, s, c, claiming("b", "dropped"))
			reject(t, s, claiming("c", "kept"), installation.ErrExists)
		},
	},
	{
		name: "claims/released-by-tombstone",
		rule: "tombstone: only Key, Revision, Generation and Deadline are set",
		run: func(t tester, s installation.Store) {
			buried := remove(commit(t, s, claiming("a", "claim")))
			commit(t, s, buried, claiming("b", "claim"))
			again := claiming("a", "claim")
			again.If, again.Record.Revision = 2, 3
			reject(t, s, again, installation.ErrExists)
		},
	},
}

// claiming returns the change that creates a record with these claims.
func claiming(id string, claims ...string) installation.Change {
	c := create(at(id))
	c.Record.Claims = claims
	return c
}
