package pgstore_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
)

// wantNothing checks that a host cannot commit a transaction any more, and that nothing of it is
// stored.
func wantNothing(t *testing.T, what string, h txHost, tx hostTx) {
	t.Helper()
	if err := tx.commit(t.Context()); err == nil {
		t.Errorf("%s: the host can commit the transaction", what)
	}
	direct := pgtest.Shared(t).URL("postgres")
	s := open(t, newPool(t, direct, 1), h.options)
	page, err := s.List(t.Context(), installation.Query{Tenant: "tenant", Term: "all", Limit: 10})
	if err != nil || len(page.Records) != 0 {
		t.Errorf("%s: got records %v, error %v, want none", what, page.Records, err)
	}
	if events, _ := reasons(t, s, ""); len(events) != 0 {
		t.Errorf("%s: got events %v, want none", what, events)
	}
}

// TestTxLosesConnection loses each statement of a commit, and each answer. Whatever the server has
// run, nothing counts without the commit of the host, so the outcome is known.
func TestTxLosesConnection(t *testing.T) {
	server := pgtest.Shared(t)
	for name, make := range hosts {
		for _, statement := range []string{"SAVEPOINT inst", "commit_1", "RELEASE SAVEPOINT inst"} {
			for _, loss := range []pgtest.Loss{pgtest.LoseStatement, pgtest.LoseAnswer} {
				o := newOptions()
				o.ExecMode = pgx.QueryExecModeExec // every statement has its text
				migrate(t, server.URL("postgres"), o)
				p := server.StartProxy(t)
				h := make(t, o, newPool(t, p.URL("postgres"), 2))
				tx := h.begin(t, pgx.TxOptions{})
				commit(t, tx, withEvent(create(at("a")), "a"))
				var lost atomic.Bool
				p.Lose(statement, func() pgtest.Loss { lost.Store(true); return loss })
				_, err := tx.Commit(t.Context(), withEvent(create(at("b")), "b"))
				if !lost.Load() {
					t.Fatalf("%s: the proxy saw no %s", name, statement)
				}
				what := name + ", " + statement
				wantUnavailable(t, what, err, "rolls the transaction back: run it again")
				wantNothing(t, what, h, tx)
			}
		}
	}
}

// TestTxContextEndsWhileItWaits ends the context of a commit that waits for another transaction.
// That closes the connection and with it the transaction.
func TestTxContextEndsWhileItWaits(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		blocker, tx := h.begin(t, pgx.TxOptions{}), h.begin(t, pgx.TxOptions{})
		commit(t, blocker, create(at("a")))
		commit(t, tx, withEvent(create(at("b")), "b"))
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := tx.Commit(ctx, create(at("a")))
			failed <- err
		}()
		awaitBlocked(t, h.options, "commit_1")
		cancel()
		err := <-failed
		wantUnavailable(t, "commit", err, "if the connection is closed, run the transaction again")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want %v too", err, context.Canceled)
		}
		must(t, blocker.rollback(t.Context()))
		wantNothing(t, "after the context", h, tx)
	})
}

// endsBefore is a transaction that calls end before each statement with a prefix.
type endsBefore struct {
	pgx.Tx
	prefix string
	end    func()
}

func (tx endsBefore) Exec(
	ctx context.Context, sql string, args ...any,
) (pgconn.CommandTag, error) {
	if strings.HasPrefix(sql, tx.prefix) {
		tx.end()
	}
	return tx.Tx.Exec(ctx, sql, args...)
}

// Query calls end before a statement of the store.
func (tx endsBefore) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if strings.Contains(sql, "commit_1") && tx.prefix == "commit_1" {
		tx.end()
	}
	return tx.Tx.Query(ctx, sql, args...)
}

// TestTxContextEndsBetweenStatements ends the context of a commit between two of its statements.
// pgx does not notice that as long as it sends nothing, so the host can still commit. It commits
// the change if the call succeeded, and nothing of it if the call failed.
func TestTxContextEndsBetweenStatements(t *testing.T) {
	o := newOptions()
	s := newStore(t, o)
	for _, statement := range []string{"SAVEPOINT", "commit_1", "RELEASE"} {
		tx := host(t)
		ctx, cancel := context.WithCancel(t.Context())
		key := at(statement)
		_, err := s.InTx(endsBefore{tx, statement, cancel}).Commit(ctx, create(key))
		if (err == nil) != (statement == "RELEASE") {
			t.Errorf("%s: got error %v", statement, err)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v, want %v", statement, err, context.Canceled)
		}
		must(t, tx.Commit(t.Context()))
		want := err
		if want != nil {
			want = installation.ErrNotFound
		}
		if _, err := s.Get(t.Context(), key); !errors.Is(err, want) {
			t.Errorf("%s: get: got error %v, want %v", statement, err, want)
		}
	}
}

// TestTxContextEndsInQueue ends the context of a call that waits for its turn.
func TestTxContextEndsInQueue(t *testing.T) {
	o := newOptions()
	s := newStore(t, o)
	blocker := s.InTx(host(t))
	commit(t, blocker, create(at("a")))
	tx := s.InTx(host(t))
	waits, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = tx.Commit(waits, create(at("a"))) // fails when the test cancels it
	}()
	awaitBlocked(t, o, "commit_1")
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := tx.Get(&silent{Context: ended}, at("b"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	cancel()
	<-done
}

// silent is a context that tells only those who wait for it that it has ended.
type silent struct {
	context.Context
	waited bool
}

func (c *silent) Done() <-chan struct{} {
	c.waited = true
	return c.Context.Done()
}

func (c *silent) Err() error {
	if !c.waited {
		return nil
	}
	return c.Context.Err()
}
