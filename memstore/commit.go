package memstore

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// pruneBatch caps the tombstones and the outcomes that one commit forgets. A commit adds at
// most one of each, so any backlog shrinks.
const pruneBatch = 16

// Commit implements [installation.Store].
func (s *Store) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	var none installation.Receipt
	if err := ctx.Err(); err != nil {
		return none, err
	}
	w := prepare(c)

	txn := s.db.Txn(true)
	defer txn.Abort()
	if err := ctx.Err(); err != nil { // the wait for the lock may have been long
		return none, err
	}

	old := first[recordRow](txn, tableRecords, indexID, storekey.Record(c.Key))
	row := old.row()
	if receipt, ok := row.Replay(c); ok {
		return receipt, nil
	}
	if c.Epoch != s.namespace.Load().Epoch {
		return none, fmt.Errorf("commit %q: %w", c.Key.ID, installation.ErrEpoch)
	}
	if used := unexpired(txn, w.outcome, c.Now); used != nil {
		return installation.Receipt{Outcome: used.copyOut()}, nil
	}
	if err := row.Check(c); err != nil {
		return none, err
	}
	if err := checkClaims(txn, w.record); err != nil {
		return none, err
	}

	if w.record == nil {
		w.record = old
	}
	// Forget first: one of the expired rows may be the old row at c.Key.
	forgetTombstones(txn, c.Now)
	forgetOutcomes(txn, c.Now)
	next := w.record.withOps(row.Apply(c).Ops)
	insert(txn, tableRecords, next)
	if w.outcome != nil {
		insert(txn, tableOutcomes, w.outcome)
	}
	s.appendEvents(txn, w.events)
	txn.Commit()
	return installation.Receipt{Revision: next.Revision}, nil
}

// writes are the rows of a change. They are created before the writer lock is taken.
type writes struct {
	record  *recordRow // nil keeps the record
	outcome *outcomeRow
	events  []*eventRow
}

func prepare(c installation.Change) writes {
	var w writes
	if c.Record != nil {
		w.record = newRecordRow(c.Record)
	}
	if c.Idempotency != nil {
		w.outcome = newOutcomeRow(c.Key.Tenant, *c.Idempotency)
	}
	for _, e := range c.Events {
		w.events = append(w.events, newEventRow(e))
	}
	return w
}

// unexpired returns the stored outcome with the digest of wanted. It returns nil if no such outcome
// is stored, if the outcome has expired, or if wanted is nil.
func unexpired(txn *memdb.Txn, wanted *outcomeRow, now time.Time) *outcomeRow {
	if wanted == nil {
		return nil
	}
	used := first[outcomeRow](txn, tableOutcomes, indexID, wanted.idKey())
	if used == nil || !now.Before(used.Until) {
		return nil
	}
	return used
}

// checkClaims rejects row, which may be nil, if another record holds one of its claims.
func checkClaims(txn *memdb.Txn, row *recordRow) error {
	if row == nil {
		return nil
	}
	for _, k := range row.claims {
		holder := first[recordRow](txn, tableRecords, indexClaims, k)
		if holder != nil && holder.Key != row.Key {
			return &installation.ExistsError{Key: row.Key, Holder: holder.Key.ID}
		}
	}
	return nil
}

func forgetTombstones(txn *memdb.Txn, now time.Time) {
	n := 0
	for _, row := range rowsOf(txn, storekey.Forgettable(now)) {
		if n++; n > pruneBatch {
			return
		}
		remove(txn, tableRecords, row)
	}
}

func forgetOutcomes(txn *memdb.Txn, now time.Time) {
	it := must(txn.Get(tableOutcomes, indexUntil))
	for range pruneBatch {
		row, ok := it.Next().(*outcomeRow)
		if !ok || now.Before(row.Until) {
			return
		}
		remove(txn, tableOutcomes, row)
	}
}
