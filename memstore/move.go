package memstore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
)

// Scan implements [installation.Mover]. It yields the rows of one snapshot.
func (s *Store) Scan(ctx context.Context) iter.Seq2[installation.Row, error] {
	return func(yield func(installation.Row, error) bool) {
		txn := s.db.Txn(false)
		records := must(txn.Get(tableRecords, indexID))
		for r, ok := records.Next().(*recordRow); ok; r, ok = records.Next().(*recordRow) {
			row := installation.Row{Record: r.copyOut(), Ops: slices.Clone(r.ops)}
			if !yieldUnlessEnded(ctx, yield, row) {
				return
			}
		}
		outcomes := must(txn.Get(tableOutcomes, indexID))
		for o, ok := outcomes.Next().(*outcomeRow); ok; o, ok = outcomes.Next().(*outcomeRow) {
			row := installation.Row{Tenant: o.tenant, Outcome: o.copyOut()}
			if !yieldUnlessEnded(ctx, yield, row) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(installation.Row{}, err)
		}
	}
}

// yieldUnlessEnded yields row, or only the error of ctx if ctx has ended. It reports whether to go
// on.
func yieldUnlessEnded(
	ctx context.Context, yield func(installation.Row, error) bool, row installation.Row,
) bool {
	if err := ctx.Err(); err != nil {
		yield(installation.Row{}, err)
		return false
	}
	return yield(row, nil)
}

// Put implements [installation.Mover].
func (s *Store) Put(
	ctx context.Context, now time.Time, row installation.Row,
) (written bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := row.Validate(); err != nil {
		return false, fmt.Errorf("put: %w", err)
	}
	txn := s.db.Txn(true)
	defer txn.Abort()
	if err := ctx.Err(); err != nil { // the wait for the lock may have been long
		return false, err
	}
	forgetTombstones(txn, now)
	forgetOutcomes(txn, now)
	if row.Outcome != nil {
		written = putOutcome(txn, newOutcomeRow(row.Tenant, *row.Outcome))
	} else {
		put := newRecordRow(row.Record).withOps(slices.Clone(row.Ops))
		if written, err = putRecord(txn, put); err != nil {
			return false, fmt.Errorf("put %q: %w", row.Record.Key.ID, err)
		}
	}
	txn.Commit()
	return written, nil
}

func putRecord(txn *memdb.Txn, row *recordRow) (written bool, err error) {
	old := first[recordRow](txn, tableRecords, indexID, row.id)
	if old != nil && old.Revision >= row.Revision {
		return false, nil
	}
	if err := checkClaims(txn, row); err != nil {
		return false, err
	}
	insert(txn, tableRecords, row)
	return true, nil
}

func putOutcome(txn *memdb.Txn, row *outcomeRow) (written bool) {
	old := first[outcomeRow](txn, tableOutcomes, indexID, row.idKey())
	if old != nil && !old.Until.Before(row.Until) {
		return false
	}
	insert(txn, tableOutcomes, row)
	return true
}
