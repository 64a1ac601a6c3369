package storetest

import (
	"errors"
	"time"

	"github.com/go-installation/installation"
)

const invalidQuery = "If a query breaks a rule of its fields, List and Count return an error " +
	"that matches [ErrInvalid]"

var queryCases = []testCase{
	{"query/invalid", invalidQuery, func(t tester, s installation.Store) {
		everywhere(t, s)
		for _, q := range append(invalidSelections(),
			installation.Query{Tenant: "b", Term: all, Limit: 0},
			installation.Query{Tenant: "b", Term: all, Limit: -1},
			installation.Query{Tenant: "b", Term: all, Limit: installation.MaxPage + 1},
			installation.Query{Tenant: "b", Term: all, Limit: 1, Skip: -1},
			installation.Query{Tenant: "b", Term: all, Limit: 1, Skip: installation.MaxSkip + 1},
		) {
			page, err := s.List(t.Context(), q)
			if !errors.Is(err, installation.ErrInvalid) {
				t.Errorf("list %v: got %v, error %v, want error %v", q, ids(page.Records), err,
					installation.ErrInvalid)
			}
		}
	}},
	{"count/invalid", invalidQuery,
		withAbility(func(t tester, s installation.Store, c installation.Counter) {
			everywhere(t, s)
			for _, q := range invalidSelections() {
				n, err := c.Count(t.Context(), q)
				if !errors.Is(err, installation.ErrInvalid) {
					t.Errorf("count %v: got %d, error %v, want error %v", q, n, err,
						installation.ErrInvalid)
				}
			}
		})},
	{"events/invalid", "If Limit is out of range, Events returns an error that matches " +
		"[ErrInvalid].",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			logSome(t, s)
			for _, limit := range []int{-1, 0, installation.MaxPage + 1} {
				q := installation.EventQuery{Tenant: "b", Limit: limit}
				page, err := r.Events(t.Context(), q)
				if !errors.Is(err, installation.ErrInvalid) {
					t.Errorf("events %v: got %d events, error %v, want error %v", q,
						len(page.Events), err, installation.ErrInvalid)
				}
			}
		})},
	{"events/foreign-cursor", "For a value that no page returned, a store returns an error that " +
		"matches [ErrInvalid] or [ErrTrimmed], or starts at any position. It never returns " +
		"events of another tenant.",
		withAbility(func(t tester, s installation.Store, r installation.EventReader) {
			logSome(t, s)
			cursors := []string{"x", "0", "999999", "\x00", "\xff\xff", "-1", "0-0", "AAAA"}
			for _, q := range []installation.EventQuery{
				{Tenant: "", Limit: 2}, {Tenant: "a", Limit: 2}, {AllTenants: true, Limit: 2},
			} {
				cursors = append(cursors, eventPage(t, r, q).Next)
			}
			for _, cursor := range cursors {
				q := installation.EventQuery{Tenant: "b", After: cursor, Limit: 100}
				page, err := r.Events(t.Context(), q)
				if err != nil && !errors.Is(err, installation.ErrInvalid) &&
					!errors.Is(err, installation.ErrTrimmed) {
					t.Errorf("events %v: got error %v, want none, %v or %v", q, err,
						installation.ErrInvalid, installation.ErrTrimmed)
				}
				for _, e := range page.Events {
					if e.Key.Tenant != q.Tenant {
						t.Errorf("events %v: got an event of tenant %v, want only of %v", q,
							e.Key.Tenant, q.Tenant)
					}
				}
			}
		})},
	{"idempotency/boundary", "expired if Change.Now is this time or later",
		func(t tester, s installation.Store) {
			first := create(at("a"))
			first.Idempotency = outcome("key", "of the first")
			commit(t, s, first)
			late := create(at("b"))
			late.Now = first.Idempotency.Until.Add(-time.Microsecond)
			late.Idempotency = outcome("key", "of the second")
			answered(t, s, late, first.Idempotency)
			late.Op, late.Now = newOp(), first.Idempotency.Until
			late.Idempotency.Until = late.Now.Add(time.Hour)
			commit(t, s, late)
			recorded(t, s, "tenant", late.Idempotency)
		}},
	{"idempotency/receipt", "0 if Outcome is set", func(t tester, s installation.Store) {
		first := create(at("a"))
		first.Idempotency = outcome("key", "of the first")
		again := update(commit(t, s, first))
		again.Idempotency = outcome("key", "of the second")
		receipt, err := s.Commit(t.Context(), again)
		if err != nil || receipt.Revision != 0 {
			t.Errorf("commit %v if %d: got receipt %v, error %v, want revision 0", again.Key,
				again.If, receipt, err)
		}
	}},
}

// invalidSelections returns queries that select no list, or lists of two kinds.
func invalidSelections() []installation.Query {
	return []installation.Query{
		{Tenant: "b", Limit: 1},
		{AllTenants: true, Limit: 1},
		{Tenant: "b", Term: all, DueBefore: later, Limit: 1},
		{AllTenants: true, Term: "@all", DueBefore: later, Limit: 1},
		{AllTenants: true, Term: all, Limit: 1},
		{Tenant: "b", Term: "@all", Limit: 1},
		{Tenant: "", Term: "@all", Limit: 1},
	}
}
