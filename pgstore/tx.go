package pgstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-installation/installation"
)

// Tx is a store in a transaction of the host: what it writes becomes visible when the host commits,
// together with the other rows that the host writes there. Pass it to
// [installation.Service.On]. The package comment says what differs from a [Store].
//
// Make one Tx for each transaction, with [Store.InTx] or [Store.InSQLTx]. Its methods may be called
// from many goroutines at once, and take turns. The host must not use the transaction itself while
// a method runs. A Tx needs no closing.
//
// A Tx implements [installation.Store] and [installation.Counter]. Of [installation.Namespacer] it
// has only Namespace. It has no [installation.EventReader], [installation.HealthChecker] or
// [installation.Mover].
type Tx struct {
	db    *txQuerier
	store *Store // on db
}

var (
	_ installation.Store      = (*Tx)(nil)
	_ installation.Counter    = (*Tx)(nil)
	_ installation.Namespacer = (*Tx)(nil)
)

// InTx returns the store in a transaction of the host. The transaction must have the isolation
// level READ COMMITTED; otherwise every method fails and names the level. It may be a nested one of
// [pgx.Tx.Begin]. The host commits it or rolls it back.
func (s *Store) InTx(tx pgx.Tx) *Tx { return s.in(pgxTx{tx, s.opts.ExecMode}) }

// InSQLTx is InTx for database/sql. The driver must be that of
// [github.com/jackc/pgx/v5/stdlib].
func (s *Store) InSQLTx(tx *sql.Tx) *Tx { return s.in(sqlTx{tx, s.opts.ExecMode}) }

func (s *Store) in(conn txConn) *Tx {
	q := &txQuerier{conn: conn, turn: make(chan struct{}, 1), end: s.opts.RetryFor}
	return &Tx{db: q, store: &Store{
		db: q, opts: s.opts, text: s.text, known: s.known, watch: s.watch, inTx: true,
	}}
}

// Get implements [installation.Store].
func (t *Tx) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	return t.store.Get(ctx, key)
}

// List implements [installation.Store].
func (t *Tx) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	return t.store.List(ctx, q)
}

// Outcome implements [installation.Store].
func (t *Tx) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (*installation.Outcome, error) {
	return t.store.Outcome(ctx, tenant, d)
}

// Count implements [installation.Counter].
func (t *Tx) Count(ctx context.Context, q installation.Query) (int64, error) {
	return t.store.Count(ctx, q)
}

// Namespace implements [installation.Namespacer].
func (t *Tx) Namespace(ctx context.Context) (installation.Namespace, error) {
	return t.store.Namespace(ctx)
}

// AcceptRestore implements [installation.Namespacer]. It returns an error that matches
// [installation.ErrUnsupported]: a new epoch must count at once. Call [Store.AcceptRestore].
func (t *Tx) AcceptRestore(context.Context, time.Time) (installation.Namespace, error) {
	return installation.Namespace{}, fmt.Errorf("accept restore in a transaction of the host: %w",
		installation.ErrUnsupported)
}

// Commit implements [installation.Store]. It makes one try, in a savepoint. If it returns an error,
// or a receipt for something that was written before, the transaction is as it was before the call:
// it has no lock of the change, and the host can go on with it. The text of the error says when the
// host cannot: the connection failed, or the transaction had ended or failed before. Nothing of the
// change counts then either, so the error never matches [installation.ErrUnknownOutcome].
//
// Without a deadline, Commit waits for locks as long as lock_timeout and statement_timeout of the
// server allow. It forgets no expired rows and trims no log; see [Store.Trim].
func (t *Tx) Commit(
	ctx context.Context, c installation.Change,
) (r installation.Receipt, err error) {
	if err := ctx.Err(); err != nil {
		return r, err
	}
	args, err := t.store.commitArgs(c, 0)
	if err != nil {
		return r, fmt.Errorf("commit %q: %w", c.Key.ID, err)
	}
	var a answer
	err = t.db.alone(ctx, func() error {
		return t.db.inSavepoint(ctx, func() (keep bool, err error) {
			a, err = t.store.call(ctx, t.db.conn, args)
			return a.status == "applied", err
		})
	})
	if err == nil {
		r, err = t.store.receipt(c, a)
	}
	if err != nil {
		return installation.Receipt{}, fmt.Errorf("commit %q: %w", c.Key.ID, err)
	}
	return r, nil
}
