package pgstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation/internal/storecall"
)

// querier runs one statement. Arguments are int64, bool, string, []byte and nil, which every driver
// can send in every mode.
type querier interface {
	// query calls each for every row of the result.
	query(ctx context.Context, sql string, args []any, each func(row) error) error
}

// row is one row of a result.
type row interface{ Scan(dest ...any) error }

// poolQuerier runs each statement in a transaction of its own.
type poolQuerier struct {
	pool *pgxpool.Pool
	mode pgx.QueryExecMode // 0 = that of the pool
}

func (p poolQuerier) query(
	ctx context.Context, sql string, args []any, each func(row) error,
) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		if stat := p.pool.Stat(); ctx.Err() != nil && stat.AcquiredConns() == stat.MaxConns() {
			err = fmt.Errorf("%w: %w", errBusy, err)
		}
		return storecall.NotSent{Err: err}
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, sql, withMode(p.mode, args)...)
	if err != nil {
		return sentOrNot(err)
	}
	return scanAll(rows, each)
}

// scanAll reads a result to its end. Only then has the server committed the statement.
func scanAll(rows pgx.Rows, each func(row) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return unreadable{err}
		}
	}
	return sentOrNot(rows.Err())
}

// sentOrNot marks an error of a statement that was not sent.
func sentOrNot(err error) error {
	if err != nil && pgconn.SafeToRetry(err) {
		return storecall.NotSent{Err: err}
	}
	return err
}

// unreadable is the error of a result that arrived and cannot be decoded.
type unreadable struct{ error }

// Unwrap returns the wrapped error.
func (e unreadable) Unwrap() error { return e.error }
