package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// Scan reads at most scanBatch rows in one transaction, and stops after scanBytes bytes.
const (
	scanBatch = 100
	scanBytes = 1 << 20
)

// Scan implements [installation.Mover]. It reads in batches, so that no transaction is open while
// the caller handles a row.
func (s *Store) Scan(ctx context.Context) iter.Seq2[installation.Row, error] {
	return func(yield func(installation.Row, error) bool) {
		for _, b := range []bucket{bucketRecords, bucketOutcomes} {
			after := keyFirst
			for after != nil {
				var batch []installation.Row
				err := s.view(ctx, func(t *tx) (err error) {
					batch, after, err = t.batch(b, after)
					return err
				})
				if err != nil {
					yield(installation.Row{}, fmt.Errorf("scan: %w", err))
					return
				}
				for _, row := range batch {
					if err := ctx.Err(); err != nil {
						yield(installation.Row{}, err)
						return
					}
					if !yield(row, nil) {
						return
					}
				}
			}
		}
	}
}

// batch returns the rows after a key, and the key of the last one, or nil at the end.
func (t *tx) batch(
	b bucket, after storekey.Key,
) (rows []installation.Row, last storekey.Key, err error) {
	c, err := t.walk(b, storekey.Span{Low: after, High: keyLast})
	if err != nil {
		return nil, nil, err
	}
	for size := 0; len(rows) < scanBatch && size < scanBytes; {
		k, value, err := c.next()
		if err != nil || k == nil {
			return rows, nil, err
		}
		row, err := t.decode(b, value)
		if err != nil {
			return nil, nil, err
		}
		rows, last = append(rows, row), k
		size += len(value)
	}
	return rows, bytes.Clone(last), nil
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
	if len(tenantOf(row)) > installation.MaxTenant {
		return false, fmt.Errorf("put: %w", errTooLong)
	}
	err = s.update(ctx, func(t *tx) error {
		expired, err := t.expired(now)
		if err == nil {
			written, err = t.putNewer(canonical(row), expired)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("put: %w", err)
	}
	return written, nil
}

// putNewer writes a row unless the stored one is as new. It also forgets expired rows.
func (t *tx) putNewer(row installation.Row, expired []installation.Row) (bool, error) {
	if row.Outcome != nil {
		old, err := t.outcome(row.Tenant, row.Outcome.Digest)
		if err != nil || old.Outcome != nil && !old.Outcome.Until.Before(row.Outcome.Until) {
			return false, cmp.Or(err, errUnchanged)
		}
		return true, cmp.Or(t.forget(expired), t.putOutcome(old, row))
	}
	old, err := t.record(row.Record.Key)
	if err != nil || old.Record != nil && old.Record.Revision >= row.Record.Revision {
		return false, cmp.Or(err, errUnchanged)
	}
	if err := t.checkClaims(row.Record); err != nil {
		return false, err
	}
	return true, cmp.Or(t.forget(expired), t.putRecord(old, row))
}

func tenantOf(row installation.Row) string {
	if row.Record != nil {
		return row.Record.Key.Tenant
	}
	return row.Tenant
}
