package memstore

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
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

	old := first[recordRow](txn, tableRecords, indexID, recordKey(c.Key))
	if revision, ok := old.replay(c.Op); ok {
		return installation.Receipt{Revision: revision, Replayed: true}, nil
	}
	if c.Epoch != s.namespace.Load().Epoch {
		return none, fmt.Errorf("commit %q: %w", c.Key.ID, installation.ErrEpoch)
	}
	if used := unexpired(txn, w.outcome, c.Now); used != nil {
		return installation.Receipt{Outcome: used.copyOut()}, nil
	}
	if err := checkRevision(old, c); err != nil {
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
	row := w.record.withOps(old, c)
	insert(txn, tableRecords, row)
	if w.outcome != nil {
		insert(txn, tableOutcomes, w.outcome)
	}
	s.appendEvents(txn, w.events)
	txn.Commit()
	return installation.Receipt{Revision: row.Revision}, nil
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
		w.record = newRecordRow(c)
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
	used := first[outcomeRow](txn, tableOutcomes, indexID, outcomeKey(wanted.tenant, wanted.Digest))
	if used == nil || !now.Before(used.Until) {
		return nil
	}
	return used
}

// checkRevision rejects c if c.If is not the revision of old, which may be nil. It also rejects c
// if c has no record and nothing is stored, or if the revision of its record is not above c.If.
func checkRevision(old *recordRow, c installation.Change) error {
	var revision int64
	if old != nil {
		revision = old.Revision
	}
	if revision != c.If || (old == nil && c.Record == nil) {
		return &installation.ConflictError{
			Key: c.Key, Revision: revision, NotApplied: old.neverApplied(c),
		}
	}
	if c.Record != nil && c.Record.Revision <= c.If {
		return fmt.Errorf("%w: revision %d does not follow %d",
			installation.ErrInvalid, c.Record.Revision, c.If)
	}
	return nil
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
	for _, row := range until(key{scopeForget}, now).rows(txn) {
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
