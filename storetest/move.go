package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/go-installation/installation"
)

var moveCases = []testCase{
	{"move/scan", "Scan returns every row of all tenants: records and tombstones with the " +
		"changes that they remember, and outcomes.",
		withAbility(func(t tester, s installation.Store, m installation.Mover) {
			want := furnished(t, s)
			sameRows(t, "scan", scan(t, m), want)
		})},
	{"move/scan-while-written", "A row that exists during the whole scan is returned at least " +
		"once, as it was at some time meanwhile. A row that appears or vanishes meanwhile may be " +
		"left out. The caller can use the store during the scan, and can end the scan early.",
		withAbility(scanWhileWritten)},
	{"move/scan-ended", "An error comes last, and without a row. A scan without an error is " +
		"complete.",
		withAbility(func(t tester, s installation.Store, m installation.Mover) {
			furnished(t, s)
			ctx, cancel := ended(t)
			defer cancel()
			var errs []error
			for row, err := range m.Scan(ctx) {
				errs = append(errs, err)
				if row.Record != nil || row.Outcome != nil {
					t.Errorf("scan: got a row with error %v, want no row", err)
				}
			}
			if len(errs) != 1 || !errors.Is(errs[0], ctx.Err()) {
				t.Errorf("scan: got errors %v, want only %v", errs, ctx.Err())
			}
		})},
	{"move/put", "Put writes a row as it is, with its revision and the changes that it " +
		"remembers, and reports whether it did.",
		withAbility(putAll)},
	{"move/put-replaces", "Put writes a row as it is",
		withAbility(func(t tester, s installation.Store, m installation.Mover) {
			c := claiming("a", "free again")
			c.Record.Index, c.Record.Deadline = []string{"@old", "old"}, now
			commit(t, s, c)
			next := row(c.Record.Key, 7)
			next.Record.Index = []string{"@new", "new"}
			put(t, m, next, true)
			sameRecord(t, "get", get(t, s, c.Key), next.Record)
			lists(t, s, installation.Query{Tenant: "tenant", Term: "old"})
			lists(t, s, installation.Query{AllTenants: true, Term: "@old"})
			lists(t, s, installation.Query{AllTenants: true, Term: "@new"}, "a")
			lists(t, s, everythingDue)
			commit(t, s, claiming("b", "free again"))
			sameRows(t, "scan", only(scan(t, m), "a"), []installation.Row{next})
		})},
	{"move/put-tombstone", "Put writes a row as it is",
		withAbility(func(t tester, s installation.Store, m installation.Mover) {
			c := claiming("a", "free again")
			commit(t, s, c)
			grave := row(c.Key, 9)
			grave.Record = remove(c.Record).Record
			grave.Record.Revision = 9
			put(t, m, grave, true)
			sameRecord(t, "get", get(t, s, c.Key), grave.Record)
			lists(t, s, everything)
			commit(t, s, claiming("b", "free again"))
			again := create(c.Key)
			again.If, again.Record.Revision = 9, 10
			commit(t, s, again)
		})},
	{"move/put-older", "It writes nothing if the store has a record with the same or a higher " +
		"revision at the key, or an outcome that is kept as long or longer.",
		withAbility(putOlder)},
	{"move/put-epoch", "It ignores the epoch and appends no events.",
		withAbility(func(t tester, s installation.Store, m installation.Mover) {
			if n, ok := ability[installation.Namespacer](t, s); ok {
				if _, err := n.AcceptRestore(t.Context(), now); err != nil {
					t.Fatalf("accept restore: got error %v, want none", err)
				}
			}
			put(t, m, row(at("a"), 1), true)
			put(t, m, kept("tenant", "key", now.Add(time.Hour)), true)
			if _, ok := ability[installation.EventReader](t, s); ok {
				logged(t, s, "tenant", nil)
			}
		})},
	{"move/put-claim", "If another record of the tenant holds one of the claims, it returns an " +
		"[*ExistsError].",
		withAbility(func(t tester, s installation.Store, m installation.Mover) {
			commit(t, s, claiming("holder", "taken"))
			thief := row(at("thief"), 3)
			thief.Record.Claims = []string{"free", "taken"}
			_, err := m.Put(t.Context(), now, thief)
			exists, _ := errors.AsType[*installation.ExistsError](err)
			if exists == nil || exists.Holder != "holder" {
				t.Errorf("put %s: got error %v, want an ExistsError with the holder %v",
					nameOf(thief), err, "holder")
			}
			absent(t, s, at("thief"))
			thief.Record.Claims = []string{"free"}
			put(t, m, thief, true)
			other := row(installation.Key{Tenant: "other", ID: "thief"}, 3)
			other.Record.Claims = []string{"taken"}
			put(t, m, other, true)
		})},
	{"move/put-invalid", "If the row breaks a rule of its fields, the error matches [ErrInvalid]",
		withAbility(func(t tester, s installation.Store, m installation.Mover) {
			both, many, none := row(at("a"), 1), row(at("a"), 1), row(at("a"), 1)
			both.Outcome = outcome("key", "data")
			many.Ops = slices.Repeat(many.Ops, installation.RememberedOps+1)
			none.Ops = nil
			other := row(at("a"), 2)
			other.Ops[0].Revision = 1
			remembers := kept("tenant", "key", now)
			remembers.Ops = other.Ops
			for _, r := range []installation.Row{
				{}, both, many, none, other, remembers, row(at("a"), 0),
			} {
				if written, err := m.Put(t.Context(), now, r); written ||
					!errors.Is(err, installation.ErrInvalid) {
					t.Errorf("put %s: got %t, error %v, want error %v", nameOf(r), written, err,
						installation.ErrInvalid)
				}
			}
			sameRows(t, "scan", scan(t, m), nil)
		})},
	{"move/ownership", "Arguments are neither kept nor changed. What a method returns belongs to " +
		"the caller, who may change it freely.",
		withAbility(func(t tester, s installation.Store, m installation.Mover) {
			given := []installation.Row{row(at("a"), 5), kept("tenant", "key", now.Add(time.Hour))}
			given[0].Record.Index = []string{"@all", all}
			given[0].Record.Claims = []string{"claim"}
			for _, r := range given {
				changed := clone(r)
				put(t, m, changed, true)
				scramble(changed)
			}
			for _, r := range scan(t, m) {
				scramble(r)
			}
			sameRows(t, "scan", scan(t, m), given)
		})},
}
