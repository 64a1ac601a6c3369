package pgstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
	"github.com/go-installation/installation/storetest"
)

// hostTx is a transaction of a host: of pgx or of database/sql.
type hostTx struct {
	*pgstore.Tx
	exec             func(ctx context.Context, sql string) error
	commit, rollback func(ctx context.Context) error
}

// txHost is a host that shares its pool with a store.
type txHost struct {
	*pgstore.Store
	options *pgstore.Options
	begin   func(tb testing.TB, o pgx.TxOptions) hostTx
}

// hosts are the ways in which a host can begin a transaction.
var hosts = map[string]func(tb testing.TB, o *pgstore.Options, pool *pgxpool.Pool) txHost{
	"pgx": pgxHost, "database/sql": sqlHost,
}

// forHosts runs a test for each kind of host.
func forHosts(t *testing.T, test func(t *testing.T, h txHost)) {
	t.Helper()
	for name, make := range hosts {
		t.Run(name, func(t *testing.T) {
			o, url := newOptions(), pgtest.Shared(t).URL("postgres")
			migrate(t, url, o)
			test(t, make(t, o, newPool(t, url, 20)))
		})
	}
}

func pgxHost(tb testing.TB, o *pgstore.Options, pool *pgxpool.Pool) txHost {
	tb.Helper()
	s := open(tb, pool, o)
	return txHost{s, o, func(tb testing.TB, o pgx.TxOptions) hostTx {
		tb.Helper()
		tx, err := pool.BeginTx(context.Background(), o)
		must(tb, err)
		tb.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // the test may have ended it
		return hostTx{s.InTx(tx), func(ctx context.Context, sql string) error {
			_, err := tx.Exec(ctx, sql)
			return err
		}, tx.Commit, tx.Rollback}
	}}
}

func sqlHost(tb testing.TB, o *pgstore.Options, pool *pgxpool.Pool) txHost {
	tb.Helper()
	s, db := open(tb, pool, o), stdlib.OpenDBFromPool(pool)
	tb.Cleanup(func() { must(tb, db.Close()) })
	levels := map[pgx.TxIsoLevel]sql.IsolationLevel{
		pgx.RepeatableRead: sql.LevelRepeatableRead, pgx.Serializable: sql.LevelSerializable,
		pgx.ReadUncommitted: sql.LevelReadUncommitted,
	}
	return txHost{s, o, func(tb testing.TB, o pgx.TxOptions) hostTx {
		tb.Helper()
		tx, err := db.BeginTx(context.Background(), &sql.TxOptions{
			Isolation: levels[o.IsoLevel], ReadOnly: o.AccessMode == pgx.ReadOnly,
		})
		must(tb, err)
		tb.Cleanup(func() { _ = tx.Rollback() }) // the test may have ended it
		return hostTx{s.InSQLTx(tx), func(ctx context.Context, sql string) error {
			_, err := tx.ExecContext(ctx, sql)
			return err
		}, func(context.Context) error { return tx.Commit() },
			func(context.Context) error { return tx.Rollback() }}
	}}
}

// TestTx runs the conformance suite in transactions. The suite does not get to see Namespace: where
// there is one, it needs AcceptRestore too.
func TestTx(t *testing.T) {
	for name, make := range hosts {
		t.Run(name, func(t *testing.T) {
			url := pgtest.Shared(t).URL("postgres")
			pool := newPool(t, url, 4)
			storetest.Run(t, func(t *testing.T) installation.Store {
				o := newOptions()
				migrate(t, url, o)
				tx := make(t, o, pool).begin(t, pgx.TxOptions{})
				return struct {
					installation.Store
					installation.Counter
				}{uncancelled{tx}, tx}
			})
		})
	}
}

// uncancelled keeps the end of a context from a commit that runs: pgx would close the connection,
// which ends the transaction of all later calls. TestTxContextEndsWhileItWaits has that case.
type uncancelled struct{ installation.Store }

func (s uncancelled) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	if ctx.Err() == nil {
		ctx = context.WithoutCancel(ctx)
	}
	return s.Store.Commit(ctx, c)
}

// TestTxThroughBouncer commits through PgBouncer, where a transaction may get any session.
func TestTxThroughBouncer(t *testing.T) {
	server := pgtest.Shared(t)
	url := server.Bouncer(t, "postgres")
	for name, make := range hosts {
		for _, mode := range []pgx.QueryExecMode{
			pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
		} {
			o := newOptions()
			o.ExecMode = mode
			migrate(t, server.URL("postgres"), o)
			h := make(t, o, newPool(t, url, 4))
			won := race(t, nil, func(i int) error {
				tx := h.begin(t, pgx.TxOptions{})
				_, err := tx.Commit(t.Context(), full(fmt.Sprint(i)))
				return errors.Join(err, tx.commit(t.Context()))
			})
			if won != many {
				t.Errorf("%s, %v: %d of %d commits succeeded", name, mode, won, many)
			}
			n, err := h.Count(t.Context(), installation.Query{Tenant: "tenant", Term: "all"})
			if n != many || err != nil {
				t.Errorf("%s, %v: got %d records, error %v, want %d", name, mode, n, err, many)
			}
		}
	}
}

// TestTxInNestedTransaction commits in nested transactions of pgx. What the host rolls back of them
// is gone.
func TestTxInNestedTransaction(t *testing.T) {
	s, tx := newStore(t, newOptions()), host(t)
	for id, end := range map[string]func(pgx.Tx) error{
		"kept":   func(tx pgx.Tx) error { return tx.Commit(t.Context()) },
		"undone": func(tx pgx.Tx) error { return tx.Rollback(t.Context()) },
	} {
		nested, err := tx.Begin(t.Context())
		must(t, err)
		commit(t, s.InTx(nested), create(at(id)))
		must(t, end(nested))
	}
	must(t, tx.Commit(t.Context()))
	for id, want := range map[string]error{"kept": nil, "undone": installation.ErrNotFound} {
		if _, err := s.Get(t.Context(), at(id)); !errors.Is(err, want) {
			t.Errorf("%s: got error %v, want %v", id, err, want)
		}
	}
}
