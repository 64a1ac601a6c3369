package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/go-installation/installation"
)

// Get implements [installation.Store].
func (s *Store) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	row, err := recordAt(ctx, s.db, key)
	if err == nil && row.Record == nil {
		err = fmt.Errorf("%w: no record", installation.ErrNotFound)
	}
	return row.Record, err
}

// Outcome implements [installation.Store].
func (s *Store) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (*installation.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	row, err := outcomeAt(ctx, s.db, tenant, d)
	if err == nil && row.Outcome == nil {
		err = fmt.Errorf("%w: no outcome", installation.ErrNotFound)
	}
	return row.Outcome, err
}

// recordAt returns the row at key. If nothing is stored, it returns the zero Row.
func recordAt(
	ctx context.Context, db querier, key installation.Key,
) (installation.Row, error) {
	return rowOf(ctx, db.QueryRowContext(ctx,
		"SELECT row FROM records WHERE tenant = ? AND id = ?", []byte(key.Tenant), []byte(key.ID)))
}

// outcomeAt returns the row of an outcome. If nothing is stored, it returns the zero Row.
func outcomeAt(
	ctx context.Context, db querier, tenant string, d installation.Digest,
) (installation.Row, error) {
	return rowOf(ctx, db.QueryRowContext(ctx,
		"SELECT row FROM outcomes WHERE tenant = ? AND digest = ?", []byte(tenant), d[:]))
}

func rowOf(ctx context.Context, found *sql.Row) (row installation.Row, err error) {
	var encoded []byte
	ok, err := scan(ctx, found, &encoded)
	if ok {
		err = row.UnmarshalBinary(encoded)
	}
	return row, err
}

// Commit implements [installation.Store].
func (s *Store) Commit(
	ctx context.Context, c installation.Change,
) (receipt installation.Receipt, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		receipt, err = commit(ctx, tx, c)
		return err
	})
	if err != nil {
		return installation.Receipt{}, err
	}
	return receipt, nil
}

// commit checks the cases of Commit in their order, and then writes c.
func commit(
	ctx context.Context, tx *sql.Tx, c installation.Change,
) (none installation.Receipt, err error) {
	row, err := recordAt(ctx, tx, c.Key)
	if err != nil {
		return none, err
	}
	if receipt, ok := row.Replay(c); ok {
		return receipt, nil
	}
	in, err := namespace(ctx, tx)
	if err != nil {
		return none, err
	}
	if c.Epoch != in.Epoch {
		return none, fmt.Errorf("%w: it is %d", installation.ErrEpoch, in.Epoch)
	}
	if c.Idempotency != nil {
		used, err := outcomeAt(ctx, tx, c.Key.Tenant, c.Idempotency.Digest)
		if err != nil {
			return none, err
		}
		if used.Outcome != nil && c.Now.Before(used.Outcome.Until) {
			return installation.Receipt{Outcome: used.Outcome}, nil
		}
	}
	if err := row.Check(c); err != nil {
		return none, err
	}
	if err := checkClaims(ctx, tx, c.Key, c.Record); err != nil {
		return none, err
	}
	if err := prune(ctx, tx, c.Now); err != nil {
		return none, err
	}
	row = row.Apply(c)
	if err := putRecord(ctx, tx, row); err != nil {
		return none, err
	}
	if c.Idempotency != nil {
		kept := installation.Row{Outcome: c.Idempotency, Tenant: c.Key.Tenant}
		if err := putOutcome(ctx, tx, kept); err != nil {
			return none, err
		}
	}
	return installation.Receipt{Revision: row.Record.Revision}, appendEvents(ctx, tx, c)
}

// checkClaims returns an error if another record of the tenant holds a claim of r.
func checkClaims(
	ctx context.Context, tx *sql.Tx, key installation.Key, r *installation.Record,
) error {
	if r == nil {
		return nil
	}
	for _, claim := range r.Claims {
		var holder []byte
		found, err := scan(ctx, tx.QueryRowContext(ctx,
			"SELECT id FROM claims WHERE tenant = ? AND claim = ? AND id <> ?",
			[]byte(key.Tenant), []byte(claim), []byte(key.ID)), &holder)
		if err != nil {
			return err
		}
		if found {
			return &installation.ExistsError{Key: key, Holder: string(holder)}
		}
	}
	return nil
}

// prune forgets outcomes and tombstones that have expired.
func prune(ctx context.Context, tx *sql.Tx, now time.Time) error {
	if err := exec(ctx, tx, "DELETE FROM outcomes WHERE until <= ?", now.UnixMicro()); err != nil {
		return err
	}
	return exec(ctx, tx, "DELETE FROM records WHERE deleted = 1 AND deadline <= ?",
		now.UnixMicro())
}

// putRecord writes a record or tombstone, with its terms and claims, in place of the old one.
func putRecord(ctx context.Context, tx *sql.Tx, row installation.Row) error {
	encoded, err := row.MarshalBinary()
	if err != nil {
		return err
	}
	r := row.Record
	tenant, id := []byte(r.Key.Tenant), []byte(r.Key.ID)
	deadline := sql.NullInt64{Int64: r.Deadline.UnixMicro(), Valid: !r.Deadline.IsZero()}
	if err := exec(ctx, tx, "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)",
		tenant, id, r.Deleted, deadline, encoded); err != nil {
		return err
	}
	if err := exec(ctx, tx, "DELETE FROM terms WHERE tenant = ? AND id = ?",
		tenant, id); err != nil {
		return err
	}
	if err := exec(ctx, tx, "DELETE FROM claims WHERE tenant = ? AND id = ?",
		tenant, id); err != nil {
		return err
	}
	for _, term := range r.Index {
		if err := exec(ctx, tx, "INSERT INTO terms VALUES (?, ?, ?, ?)",
			[]byte(term), tenant, r.Created.UnixMicro(), id); err != nil {
			return err
		}
	}
	for _, claim := range r.Claims {
		if err := exec(ctx, tx, "INSERT INTO claims VALUES (?, ?, ?)",
			tenant, []byte(claim), id); err != nil {
			return err
		}
	}
	return nil
}

// putOutcome writes an outcome in place of an expired one.
func putOutcome(ctx context.Context, tx *sql.Tx, row installation.Row) error {
	encoded, err := row.MarshalBinary()
	if err != nil {
		return err
	}
	return exec(ctx, tx, "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?)",
		[]byte(row.Tenant), row.Outcome.Digest[:], row.Outcome.Until.UnixMicro(), encoded)
}

// appendEvents writes the events of c. Their numbers are in the order of the commits, because only
// one transaction writes at a time.
func appendEvents(ctx context.Context, tx *sql.Tx, c installation.Change) error {
	for _, e := range c.Events {
		encoded, err := e.MarshalBinary()
		if err != nil {
			return err
		}
		if err := exec(ctx, tx, "INSERT INTO events (tenant, event) VALUES (?, ?)",
			[]byte(e.Key.Tenant), encoded); err != nil {
			return err
		}
	}
	return nil
}
