package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

// row returns a row with a record that was created in one change.
func row(key installation.Key, revision int64) installation.Row {
	c := create(key)
	c.Record.Revision = revision
	return installation.Row{}.Apply(c)
}

// kept returns a row with an outcome.
func kept(tenant, idempotencyKey string, until time.Time) installation.Row {
	o := outcome(idempotencyKey, "data of "+idempotencyKey)
	o.Until = until
	return installation.Row{Tenant: tenant, Outcome: o}
}

// furnished commits records, tombstones and outcomes in three tenants, and returns their rows.
func furnished(t tester, s installation.Store) []installation.Row {
	t.Helper()
	var rows []installation.Row
	for _, tenant := range []string{"", "tenant", "other"} {
		for _, id := range []string{"@reserved", "long", "gone", "touched"} {
			c := create(installation.Key{Tenant: tenant, ID: id})
			c.Record.Index, c.Record.Claims = []string{"@all", all}, []string{"of " + id}
			c.Record.Deadline = now
			c.Idempotency = outcome(id, tenant)
			commit(t, s, c)
			r := installation.Row{}.Apply(c)
			rows = append(rows, installation.Row{Tenant: tenant, Outcome: c.Idempotency})
			for _, follow := range sequel(id) {
				next := follow(r)
				commit(t, s, next)
				r = r.Apply(next)
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// sequel returns what follows the creation of a record of this id.
func sequel(id string) []func(installation.Row) installation.Change {
	again := func(r installation.Row) installation.Change { return update(r.Record) }
	only := func(r installation.Row) installation.Change { return touch(r.Record) }
	end := func(r installation.Row) installation.Change { return remove(r.Record) }
	switch id {
	case "long":
		return slices.Repeat([]func(installation.Row) installation.Change{again, only},
			installation.RememberedOps/2+1)
	case "gone":
		return []func(installation.Row) installation.Change{again, end}
	case "touched":
		return []func(installation.Row) installation.Change{only}
	}
	return nil
}

// scan returns all rows once, even if the store returns some twice.
func scan(t tester, m installation.Mover) []installation.Row {
	t.Helper()
	var rows []installation.Row
	seen := make(map[string]bool)
	for r, err := range m.Scan(t.Context()) {
		if err != nil {
			t.Fatalf("scan: got error %v, want none", err)
		}
		if name := nameOf(r); !seen[name] {
			seen[name] = true
			rows = append(rows, r)
		}
	}
	return rows
}

// nameOf names what a row is about.
func nameOf(r installation.Row) string {
	if r.Record != nil {
		return fmt.Sprintf("record %q %q", r.Record.Key.Tenant, r.Record.Key.ID)
	}
	if r.Outcome != nil {
		return fmt.Sprintf("outcome %q %x", r.Tenant, r.Outcome.Digest[:4])
	}
	return "nothing"
}

// only returns the rows of the record with this id.
func only(rows []installation.Row, id string) []installation.Row {
	return slices.DeleteFunc(rows, func(r installation.Row) bool {
		return r.Record == nil || r.Record.Key.ID != id
	})
}

// sameRows fails the case unless both lists have the same rows, in any order.
func sameRows(t tester, what string, got, want []installation.Row) {
	t.Helper()
	byName := func(a, b installation.Row) int { return strings.Compare(nameOf(a), nameOf(b)) }
	got, want = slices.SortedFunc(slices.Values(got), byName),
		slices.SortedFunc(slices.Values(want), byName)
	a, b := names(got), names(want)
	sameList(t, a, b, equal, "%s of rows", what)
	if !slices.Equal(a, b) {
		return
	}
	for i, r := range want {
		if r.Outcome != nil {
			sameOutcome(t, what+" of outcome", got[i].Outcome, r.Outcome)
			continue
		}
		sameRecord(t, what+" of", got[i].Record, r.Record)
		sameList(t, got[i].Ops, r.Ops, equal, "%s of changes of %v", what, r.Record.Key)
	}
}

func names(rows []installation.Row) []string {
	list := make([]string, len(rows))
	for i, r := range rows {
		list[i] = nameOf(r)
	}
	return list
}

// put puts a row and checks whether the store says that it has written it.
func put(t tester, m installation.Mover, r installation.Row, want bool) {
	t.Helper()
	if written, err := m.Put(t.Context(), now, r); err != nil || written != want {
		t.Errorf("put %s: got %t, error %v, want %t", nameOf(r), written, err, want)
	}
}

func clone(r installation.Row) installation.Row {
	r.Ops = slices.Clone(r.Ops)
	if r.Record != nil {
		r.Record = cloneRecord(r.Record)
	}
	if r.Outcome != nil {
		o := *r.Outcome
		o.Data = bytes.Clone(o.Data)
		r.Outcome = &o
	}
	return r
}

func cloneRecord(r *installation.Record) *installation.Record {
	next := *r
	next.Index, next.Claims = slices.Clone(r.Index), slices.Clone(r.Claims)
	return &next
}

// scramble changes all that a row refers to.
func scramble(r installation.Row) {
	clear(r.Ops)
	if r.Record != nil {
		clear(r.Record.Index)
		clear(r.Record.Claims)
		r.Record.Revision = 99
	}
	if r.Outcome != nil {
		clear(r.Outcome.Data)
		r.Outcome.Until = time.Time{}
	}
}

// ended returns a context that has ended.
func ended(t tester) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

// scanWhileWritten changes a store with every row that it gets from a scan.
func scanWhileWritten(t tester, s installation.Store, m installation.Mover) {
	const many = 300 // more than a store reads at once
	stays := make(map[string]bool)
	for i := range 30 { // a store may forget these during the scan
		commit(t, s, remove(commit(t, s, create(at(fmt.Sprintf("gone %d", i))))))
	}
	for i := range many {
		c := create(at(fmt.Sprintf("old %d", i)))
		commit(t, s, c)
		stays[nameOf(installation.Row{Record: c.Record})] = true
	}
	n := 0
	for r, err := range m.Scan(t.Context()) {
		if err != nil {
			t.Fatalf("scan: got error %v, want none", err)
		}
		delete(stays, nameOf(r))
		if n++; n > many {
			continue // else a scan that returns new rows never ends
		}
		old, young := fmt.Sprintf("old %d", (n*7)%many), fmt.Sprintf("young %d", n)
		answers(t, "get and commit during a scan", func() error {
			stored, err := s.Get(t.Context(), at(old))
			if err != nil {
				return err
			}
			for _, c := range []installation.Change{update(stored), create(at(young))} {
				c.Now = now.AddDate(0, 2, 0)
				if _, err := s.Commit(t.Context(), c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if len(stays) > 0 {
		t.Errorf("scan beside writers: got %d of %d rows from before, want all of them",
			many-len(stays), many)
	}
	for _, err := range m.Scan(t.Context()) {
		if err != nil {
			t.Errorf("scan up to the first row: got error %v, want none", err)
		}
		break
	}
	commit(t, s, create(at("after the scans")))
}

// patience is how long a call may wait for a lock that the caller itself holds. A store that has no
// such lock never waits for it, so the length does not matter: it only ends a hang.
const patience = 30 * time.Second

// answers runs call and ends the case if call fails, or does not return.
func answers(t tester, what string, call func() error) {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- call() }()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case err := <-result:
		if err != nil {
			t.Fatalf("%s: got error %v, want none", what, err)
		}
	case <-limit.C:
		t.Fatalf("%s: got no answer, want one", what)
	}
}

// putAll puts the rows that a store may get from another one, and uses them.
func putAll(t tester, s installation.Store, m installation.Mover) {
	r := row(at("a"), 1)
	r.Record.Index, r.Record.Claims = []string{"@all", all}, []string{"claim"}
	r.Record.Deadline, r.Record.Generation = now, 1<<40
	changes := []installation.Change{}
	for range installation.RememberedOps {
		c := update(r.Record)
		c.Record.Revision += 1 << 40 // as after a restore
		changes = append(changes, c)
		r = r.Apply(c)
	}
	saved := kept("tenant", "key", now.Add(time.Hour))
	put(t, m, r, true)
	put(t, m, saved, true)
	sameRows(t, "scan", scan(t, m), []installation.Row{r, saved})
	sameRecord(t, "get", get(t, s, at("a")), r.Record)
	lists(t, s, everything, "a")
	lists(t, s, everythingDue, "a")
	lists(t, s, installation.Query{AllTenants: true, Term: "@all"}, "a")
	recorded(t, s, "tenant", saved.Outcome)
	for _, c := range changes { // the record remembers them
		receipt, err := s.Commit(t.Context(), c)
		if err != nil || !receipt.Replayed || receipt.Revision != c.Record.Revision {
			t.Errorf("commit %v if %d again: got receipt %v, error %v, want receipt %v", c.Key,
				c.If, receipt, err,
				installation.Receipt{Revision: c.Record.Revision, Replayed: true})
		}
	}
	reject(t, s, claiming("b", "claim"), installation.ErrExists)
	used := create(at("b"))
	used.Idempotency = saved.Outcome
	if receipt, err := s.Commit(t.Context(), used); err != nil || receipt.Outcome == nil {
		t.Errorf("commit %v: got receipt %v, error %v, want receipt %v", used.Key, receipt, err,
			installation.Receipt{Outcome: saved.Outcome})
	}
	commit(t, s, update(r.Record))
}

// putOlder puts rows that are not newer than what is stored.
func putOlder(t tester, s installation.Store, m installation.Mover) {
	want := []installation.Row{
		row(at("a"), 5), row(at("gone"), 5), kept("tenant", "key", now.Add(time.Hour)),
	}
	want[1] = want[1].Apply(remove(want[1].Record)) // revision 6
	for _, r := range want {
		put(t, m, r, true)
	}
	longer := want[2].Outcome.Until
	for _, r := range []installation.Row{
		row(at("a"), 4), row(at("a"), 5), row(at("gone"), 5), row(at("gone"), 6),
		kept("tenant", "key", longer), kept("tenant", "key", longer.Add(-time.Minute)),
	} {
		if r.Outcome != nil {
			r.Outcome.Data = []byte("other")
		} else {
			r.Record.Claims = []string{"of the older row"}
		}
		put(t, m, r, false)
	}
	sameRows(t, "scan", scan(t, m), want)
	commit(t, s, claiming("b", "of the older row"))
	want[0], want[2] = row(at("a"), 6), kept("tenant", "key", longer.Add(time.Minute))
	put(t, m, want[0], true)
	put(t, m, want[2], true)
	put(t, m, kept("other", "key", now.Add(time.Minute)), true)
	sameRows(t, "scan", only(scan(t, m), "a"), want[:1])
	recorded(t, s, "tenant", want[2].Outcome)
}
