package sqlitestore

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"github.com/go-installation/installation"
)

// Scan implements [installation.Mover]. All rows are as they were when the scan began.
func (s *Store) Scan(ctx context.Context) iter.Seq2[installation.Row, error] {
	return func(yield func(installation.Row, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(installation.Row{}, err)
			return
		}
		rows, err := s.db.QueryContext(ctx,
			"SELECT row FROM records UNION ALL SELECT row FROM outcomes")
		if err != nil {
			yield(installation.Row{}, unavailable(ctx, err))
			return
		}
		defer func() { _ = rows.Close() }() // Err has the errors
		for rows.Next() {
			var encoded []byte
			var row installation.Row
			if err := rows.Scan(&encoded); err != nil {
				yield(installation.Row{}, unavailable(ctx, err))
				return
			}
			if err := row.UnmarshalBinary(encoded); err != nil {
				yield(installation.Row{}, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(installation.Row{}, unavailable(ctx, err))
		}
	}
}

// Put implements [installation.Mover].
func (s *Store) Put(
	ctx context.Context, now time.Time, row installation.Row,
) (written bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := row.Validate(); err != nil {
		return false, err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		if err := prune(ctx, tx, now); err != nil {
			return err
		}
		if row.Outcome != nil {
			written, err = replaceOutcome(ctx, tx, row)
		} else {
			written, err = replaceRecord(ctx, tx, row)
		}
		return err
	})
	return written && err == nil, err
}

func replaceOutcome(ctx context.Context, tx *sql.Tx, row installation.Row) (bool, error) {
	old, err := outcomeAt(ctx, tx, row.Tenant, row.Outcome.Digest)
	if err != nil || old.Outcome != nil && !row.Outcome.Until.After(old.Outcome.Until) {
		return false, err
	}
	return true, putOutcome(ctx, tx, row)
}

func replaceRecord(ctx context.Context, tx *sql.Tx, row installation.Row) (bool, error) {
	old, err := recordAt(ctx, tx, row.Record.Key)
	if err != nil || old.Record != nil && row.Record.Revision <= old.Record.Revision {
		return false, err
	}
	if err := checkClaims(ctx, tx, row.Record.Key, row.Record); err != nil {
		return false, err
	}
	return true, putRecord(ctx, tx, row)
}
