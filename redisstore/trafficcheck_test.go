package redisstore_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/ledger"
	"github.com/go-installation/installation/redisstore"
)

// check stops the writers and compares all that is stored with what they were told. It returns the
// number of torn records: the record, its events, its outcomes and its lists disagree.
func (t *traffic) check(tb testing.TB) (torn int64) {
	tb.Helper()
	t.stop()
	t.wait.Wait()
	counts, err := t.ledger.Check(tb.Context(), t.store)
	if err != nil {
		tb.Error(err)
	}
	history := historyOf(tb, t.store)
	var found atomic.Int64
	var wait sync.WaitGroup
	live := make([][]*installation.Record, len(t.areas))
	for i, a := range t.areas {
		wait.Go(func() {
			for _, r := range a.rows {
				last, err := r.check(tb.Context(), t.store, counts, history[r.key])
				if err != nil {
					found.Add(1)
					tb.Errorf("%v: %v", r.key, err)
				}
				if last != nil && !last.Deleted {
					live[i] = append(live[i], last)
				}
			}
		})
	}
	wait.Wait()
	for i, a := range t.areas {
		compareLists(tb, t.store, a.tenant, live[i])
	}
	everywhere := installation.Query{AllTenants: true, Term: "@all", Limit: installation.MaxPage}
	listed := len(pagesOf(tb, t.store, everywhere))
	all := 0
	for _, r := range slices.Concat(live...) {
		if slices.Contains(r.Index, everywhere.Term) {
			all++
		}
	}
	if listed != all {
		tb.Errorf("%d records are listed across tenants, want %d", listed, all)
	}
	checkIndex(tb, t.store)
	return found.Load()
}

// historyOf returns the reasons of the events of each record, oldest first.
func historyOf(tb testing.TB, r installation.EventReader) map[installation.Key][]string {
	tb.Helper()
	history := make(map[installation.Key][]string)
	q := installation.EventQuery{AllTenants: true, Limit: installation.MaxPage}
	for {
		page, err := r.Events(tb.Context(), q)
		if err != nil {
			tb.Error(err)
			return nil
		}
		if len(page.Events) == 0 {
			return history
		}
		for _, e := range page.Events {
			history[e.Key] = append(history[e.Key], e.Reason)
		}
		q.After = page.Next
	}
}

// check compares what is stored with the changes to a row, and returns the last one that was
// applied. Each has to follow the one before it. A change with an unknown outcome was applied if it
// has an event.
func (r *row) check(
	ctx context.Context, s *redisstore.Store, counts map[string]int, history []string,
) (last *installation.Record, err error) {
	var applied []attempt
	for _, a := range r.attempts {
		if a.result == ledger.Success || a.result == ledger.Unknown && counts[a.operation] > 0 {
			applied = append(applied, a)
		} else if err := a.checkAbsent(ctx, s, r.key.Tenant); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(applied, func(a, b attempt) int { return cmp.Compare(a.from, b.from) })
	var operations []string
	revision := int64(0)
	for _, a := range applied {
		if a.from != revision {
			return nil, fmt.Errorf("%s follows revision %d, not %d", a.operation, a.from, revision)
		}
		revision, last = a.leaves.Revision, a.leaves
		operations = append(operations, a.operation)
		if err := a.checkOutcome(ctx, s, r.key.Tenant); err != nil {
			return nil, err
		}
	}
	if !slices.Equal(history, operations) {
		return last, fmt.Errorf("events %q, want %q", history, operations)
	}
	stored, err := s.Get(ctx, r.key)
	if errors.Is(err, installation.ErrNotFound) && last == nil {
		return nil, nil
	}
	if err != nil {
		return last, err
	}
	return last, compareRecords(stored, last)
}

// checkOutcome reads the outcome of an applied change.
func (a attempt) checkOutcome(ctx context.Context, s *redisstore.Store, tenant string) error {
	if a.outcome == nil {
		return nil
	}
	o, err := s.Outcome(ctx, tenant, a.outcome.Digest)
	if err != nil || string(o.Data) != a.operation || !o.Until.Equal(a.outcome.Until) {
		return fmt.Errorf("%s: outcome %+v, error %w", a.operation, o, err)
	}
	return nil
}

// checkAbsent checks that a change that was not applied left no outcome of its own.
func (a attempt) checkAbsent(ctx context.Context, s *redisstore.Store, tenant string) error {
	if a.outcome == nil {
		return nil
	}
	o, err := s.Outcome(ctx, tenant, a.outcome.Digest)
	if err == nil && string(o.Data) != a.operation || errors.Is(err, installation.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("%s: the outcome is there, error %w", a.operation, err)
}

func compareRecords(got, want *installation.Record) error {
	if want == nil {
		return fmt.Errorf("%+v is stored, want nothing", got)
	}
	same := got.Revision == want.Revision && got.Generation == want.Generation &&
		got.Deleted == want.Deleted && got.Created.Equal(want.Created) &&
		got.Deadline.Equal(want.Deadline) && slices.Equal(got.Claims, want.Claims) &&
		slices.Equal(got.Index, want.Index) &&
		string(got.Body.Bytes()) == string(want.Body.Bytes())
	if !same {
		return fmt.Errorf("%+v is stored, want %+v", got, want)
	}
	return nil
}

// compareLists compares all lists of a tenant, and its claims, with the live records.
func compareLists(
	tb testing.TB, s *redisstore.Store, tenant string, live []*installation.Record,
) {
	tb.Helper()
	slices.SortFunc(live, func(a, b *installation.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Key.ID, b.Key.ID))
	})
	claims := make(map[string]installation.Key)
	for _, r := range live {
		for _, claim := range r.Claims {
			if other, taken := claims[claim]; taken {
				tb.Errorf("%v and %v have the claim %s", other, r.Key, claim)
			}
			claims[claim] = r.Key
		}
	}
	for _, term := range trafficTerms() {
		q := installation.Query{Tenant: tenant, Term: term, Limit: installation.MaxPage}
		compareList(tb, s, q, live, func(r *installation.Record) bool {
			return slices.Contains(r.Index, term)
		})
	}
	slices.SortFunc(live, func(a, b *installation.Record) int {
		return cmp.Or(a.Deadline.Compare(b.Deadline), cmp.Compare(a.Key.ID, b.Key.ID))
	})
	q := installation.Query{
		Tenant: tenant, DueBefore: time.Now().AddDate(1, 0, 0), Limit: installation.MaxPage,
	}
	compareList(tb, s, q, live, func(r *installation.Record) bool { return !r.Deadline.IsZero() })
}

// compareList compares one list with the records that belong to it.
func compareList(
	tb testing.TB, s *redisstore.Store, q installation.Query, live []*installation.Record,
	belongs func(*installation.Record) bool,
) {
	tb.Helper()
	var want []installation.Key
	for _, r := range live {
		if belongs(r) {
			want = append(want, r.Key)
		}
	}
	if got := pagesOf(tb, s, q); !slices.Equal(got, want) {
		tb.Errorf("%s: list %q has %d records, want %d, or another order",
			q.Tenant, q.Term, len(got), len(want))
	}
}
