package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// txConn is a transaction of the host.
type txConn interface {
	querier
	// exec runs statements without arguments.
	exec(ctx context.Context, sql string) error
}

// txQuerier runs statements in a transaction of the host, one at a time. Its errors match
// [installation.ErrUnavailable].
type txQuerier struct {
	conn    txConn
	turn    chan struct{} // full while a call runs
	checked bool          // whether the isolation level is right
	end     time.Duration // time limit for the end of a savepoint
}

func (q *txQuerier) query(
	ctx context.Context, sql string, args []any, each func(row) error,
) error {
	return q.alone(ctx, func() error { return q.conn.query(ctx, sql, args, each) })
}

// alone runs f while no other call uses the transaction.
func (q *txQuerier) alone(ctx context.Context, f func() error) error {
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := q.check(ctx)
	if err == nil {
		err = f()
	}
	return txError(ctx, err)
}

// check rejects a transaction with another isolation level than READ COMMITTED. There a read would
// return old rows, and the retry of a write the same ones again. The level cannot change after the
// first statement of a transaction.
func (q *txQuerier) check(ctx context.Context) error {
	if q.checked {
		return nil
	}
	var level string
	err := q.conn.query(ctx, sqlIsolation, nil, func(r row) error { return r.Scan(&level) })
	if err != nil {
		return err
	}
	if level != "read committed" {
		return storecall.Unavailable("the isolation level of the transaction is %q, and a store "+
			"needs \"read committed\"", level)
	}
	q.checked = true
	return nil
}

const sqlIsolation = "SELECT current_setting('transaction_isolation')"

// Statements that begin and end a savepoint.
const (
	sqlSavepoint = "SAVEPOINT installation_commit"
	sqlRelease   = "RELEASE SAVEPOINT installation_commit"
	sqlUndo      = "ROLLBACK TO SAVEPOINT installation_commit; " + sqlRelease
)

// inSavepoint runs f in a savepoint. If f does not return true, inSavepoint undoes what f did, and
// releases the locks that f took.
//
// The end of the savepoint has a context of its own: pgx does not close the connection if the
// context of a call has ended before the call. The host could then commit what f did, after the
// caller got an error. If the end fails, the transaction cannot be committed any more.
func (q *txQuerier) inSavepoint(ctx context.Context, f func() (keep bool, err error)) error {
	if err := q.conn.exec(ctx, sqlSavepoint); err != nil {
		return err
	}
	keep, err := f()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.end)
	defer cancel()
	if keep && err == nil {
		if err = q.conn.exec(ctx, sqlRelease); err == nil {
			return nil
		}
	}
	undone := q.conn.exec(ctx, sqlUndo)
	if err == nil {
		err = undone
	}
	return err
}

// txErrors are errors of the server that mean something else in a transaction of the host.
var txErrors = map[string]string{
	"25P02": "the transaction has failed before: roll it back and run it again",
	"25006": "the transaction is read-only: begin one that may write, on the primary",
	"40P01": "the transaction and others have waited for each other: roll it back and run all of " +
		"it again",
}

// txError returns the error of a call in a transaction of the host that ended with err.
func txError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*storecall.Error](err); ok {
		return e
	}
	return storecall.Wrap(ctx, installation.ErrUnavailable, err, txText(err))
}

func txText(err error) string {
	const again = ", and the server rolls the transaction back: run it again"
	e, _ := errors.AsType[*pgconn.PgError](err)
	verdict, text := explain(err)
	switch {
	case errors.Is(err, pgx.ErrTxClosed), errors.Is(err, sql.ErrTxDone):
		return "the transaction has ended: begin a new one"
	case e != nil && txErrors[e.Code] != "":
		return txErrors[e.Code] + " (SQLSTATE " + e.Code + ")"
	case storecall.IsContextError(err):
		return "the time was up: if the connection is closed, run the transaction again"
	case hasText(err, "conn busy"):
		return "another call uses the transaction at the same time"
	case e == nil && verdict != verdictRejected, verdict == verdictUnknown:
		return text + again
	}
	return text
}

// withMode returns the arguments of a statement for pgx, which takes the mode before the others.
func withMode(mode pgx.QueryExecMode, args []any) []any {
	if mode == 0 {
		return args
	}
	return append([]any{mode}, args...)
}

// pgxTx is a transaction of pgx.
type pgxTx struct {
	tx   pgx.Tx
	mode pgx.QueryExecMode // 0 = that of the connection
}

func (c pgxTx) query(
	ctx context.Context, sql string, args []any, each func(row) error,
) error {
	rows, err := c.tx.Query(ctx, sql, withMode(c.mode, args)...)
	if err != nil {
		return err
	}
	return scanAll(rows, each)
}

func (c pgxTx) exec(ctx context.Context, sql string) error {
	_, err := c.tx.Exec(ctx, sql)
	return err
}

// sqlTx is a transaction of database/sql. The driver of pgx passes all arguments on to pgx, the
// mode too.
type sqlTx struct {
	tx   *sql.Tx
	mode pgx.QueryExecMode // 0 = that of the connection
}

func (c sqlTx) query(
	ctx context.Context, sql string, args []any, each func(row) error,
) error {
	rows, err := c.tx.QueryContext(ctx, sql, withMode(c.mode, args)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return unreadable{err}
		}
	}
	return rows.Err()
}

func (c sqlTx) exec(ctx context.Context, sql string) error {
	_, err := c.tx.ExecContext(ctx, sql)
	return err
}
