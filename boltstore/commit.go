package boltstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// pruneBatch caps the tombstones and the outcomes that one commit forgets. A commit adds at most
// one of each, so any backlog shrinks.
const pruneBatch = 16

// Commit implements [installation.Store].
func (s *Store) Commit(
	ctx context.Context, c installation.Change,
) (receipt installation.Receipt, err error) {
	if len(c.Key.Tenant) > installation.MaxTenant {
		return receipt, fmt.Errorf("commit %q: %w", c.Key.ID, errTooLong)
	}
	err = s.update(ctx, func(t *tx) error {
		receipt, err = t.commit(c, s.opts.MaxEvents)
		return err
	})
	if err != nil {
		return installation.Receipt{}, fmt.Errorf("commit %q: %w", c.Key.ID, err)
	}
	return receipt, nil
}

// commit checks the cases of Commit in their order, and then writes c. All reads come before the
// first write.
func (t *tx) commit(
	c installation.Change, maxEvents int,
) (none installation.Receipt, err error) {
	old, err := t.record(c.Key)
	if err != nil {
		return none, err
	}
	if receipt, ok := old.Replay(c); ok {
		return receipt, errUnchanged
	}
	m, err := t.meta()
	if err != nil {
		return none, err
	}
	if c.Epoch != m.Epoch {
		return none, installation.ErrEpoch
	}
	var used installation.Row
	if c.Idempotency != nil {
		if used, err = t.outcome(c.Key.Tenant, c.Idempotency.Digest); err != nil {
			return none, err
		}
		if used.Outcome != nil && c.Now.Before(used.Outcome.Until) {
			return installation.Receipt{Outcome: used.Outcome}, errUnchanged
		}
	}
	if err := old.Check(c); err != nil {
		return none, err
	}
	if err := t.checkClaims(c.Record); err != nil {
		return none, err
	}
	expired, err := t.expired(c.Now)
	if err != nil {
		return none, err
	}
	log, err := t.log(len(c.Events))
	if err != nil {
		return none, err
	}
	// Forget first: one of the expired rows may be the old row at c.Key, or the used outcome.
	if err := t.forget(expired); err != nil {
		return none, err
	}
	next := canonical(old.Apply(c))
	if err := t.putRecord(old, next); err != nil {
		return none, err
	}
	if c.Idempotency != nil {
		kept := canonical(installation.Row{Tenant: c.Key.Tenant, Outcome: c.Idempotency})
		if err := t.putOutcome(used, kept); err != nil {
			return none, err
		}
	}
	return installation.Receipt{Revision: next.Record.Revision},
		t.appendEvents(log, c.Events, maxEvents)
}

// expired returns some tombstones and outcomes that have expired.
func (t *tx) expired(now time.Time) (rows []installation.Row, err error) {
	for _, from := range []struct {
		list, rows bucket
		sp         storekey.Span
	}{
		{bucketLists, bucketRecords, storekey.Forgettable(now)},
		{bucketExpiry, bucketOutcomes, storekey.Expired(now)},
	} {
		c, err := t.walk(from.list, from.sp)
		if err != nil {
			return nil, err
		}
		for range pruneBatch {
			k, _, err := c.next()
			if err != nil {
				return nil, err
			}
			if k == nil {
				break
			}
			row, err := t.row(from.rows, from.sp.Row(k))
			if err != nil {
				return nil, err
			}
			if row.Outcome == nil && (row.Record == nil || !row.Record.Deleted) {
				return nil, t.damaged(from.list, errors.New("an expired row is missing"))
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// forget removes tombstones and outcomes.
func (t *tx) forget(rows []installation.Row) (err error) {
	for _, row := range rows {
		if row.Outcome != nil {
			err = t.removeOutcome(row)
		} else {
			err = t.removeRecord(row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Trim implements [installation.Trimmer]. It forgets in short transactions, so commits do not wait
// for long. The change log needs no trimming: each commit keeps it at Options.MaxEvents.
func (s *Store) Trim(ctx context.Context, now time.Time) error {
	for forgotten := 1; forgotten > 0; {
		err := s.update(ctx, func(t *tx) error {
			rows, err := t.expired(now)
			if forgotten = len(rows); err != nil || forgotten == 0 {
				return cmp.Or(err, errUnchanged)
			}
			return t.forget(rows)
		})
		if err != nil {
			return fmt.Errorf("trim: %w", err)
		}
	}
	return nil
}
