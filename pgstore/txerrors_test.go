package pgstore_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// txCalls are the methods of a Tx that ask the server.
var txCalls = map[string]func(ctx context.Context, tx *pgstore.Tx) error{
	"get": func(ctx context.Context, tx *pgstore.Tx) error {
		_, err := tx.Get(ctx, at("a"))
		return err
	},
	"list": func(ctx context.Context, tx *pgstore.Tx) error {
		_, err := tx.List(ctx, installation.Query{Tenant: "tenant", Term: "all", Limit: 1})
		return err
	},
	"count": func(ctx context.Context, tx *pgstore.Tx) error {
		_, err := tx.Count(ctx, installation.Query{Tenant: "tenant", Term: "all"})
		return err
	},
	"outcome": func(ctx context.Context, tx *pgstore.Tx) error {
		_, err := tx.Outcome(ctx, "tenant", installation.Digest{1})
		return err
	},
	"commit": func(ctx context.Context, tx *pgstore.Tx) error {
		_, err := tx.Commit(ctx, create(at("a")))
		return err
	},
}

// wantUnavailable checks an error of a transaction: it matches ErrUnavailable and not
// ErrUnknownOutcome, and has a text.
func wantUnavailable(tb testing.TB, what string, err error, text string) {
	tb.Helper()
	if !errors.Is(err, installation.ErrUnavailable) ||
		errors.Is(err, installation.ErrUnknownOutcome) || !strings.Contains(err.Error(), text) {
		tb.Errorf("%s: got error %v, want %v and %q", what, err, installation.ErrUnavailable, text)
	}
}

func TestTxRefusesOtherIsolationLevels(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		for _, level := range []pgx.TxIsoLevel{
			pgx.ReadUncommitted, pgx.RepeatableRead, pgx.Serializable,
		} {
			tx := h.begin(t, pgx.TxOptions{IsoLevel: level})
			for name, call := range txCalls {
				wantUnavailable(t, name, call(t.Context(), tx.Tx), `"`+string(level)+`"`)
			}
			must(t, tx.exec(t.Context(), "SELECT 1"))
		}
	})
}

func TestTxInReadOnlyTransaction(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		tx := h.begin(t, pgx.TxOptions{AccessMode: pgx.ReadOnly})
		wantUnavailable(t, "commit", txCalls["commit"](t.Context(), tx.Tx), "is read-only: begin")
		err := txCalls["get"](t.Context(), tx.Tx)
		if !errors.Is(err, installation.ErrNotFound) {
			t.Errorf("get after it: got error %v, want %v", err, installation.ErrNotFound)
		}
	})
}

func TestTxAfterItsEnd(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		for end, finish := range map[string]func(hostTx) error{
			"commit":   func(tx hostTx) error { return tx.commit(t.Context()) },
			"rollback": func(tx hostTx) error { return tx.rollback(t.Context()) },
		} {
			tx := h.begin(t, pgx.TxOptions{})
			must(t, finish(tx))
			for name, call := range txCalls {
				err := call(t.Context(), tx.Tx)
				wantUnavailable(t, name+" after "+end, err, "has ended: begin a new one")
				if !errors.Is(err, pgx.ErrTxClosed) && !errors.Is(err, sql.ErrTxDone) {
					t.Errorf("%s after %s: got error %v, want that of the driver", name, end, err)
				}
			}
		}
	})
}

func TestTxAfterErrorOfHost(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		tx := h.begin(t, pgx.TxOptions{})
		if err := tx.exec(t.Context(), "SELECT 1/0"); err == nil {
			t.Fatal("a division by zero succeeded")
		}
		for name, call := range txCalls {
			wantUnavailable(t, name, call(t.Context(), tx.Tx), "has failed before: roll it back")
		}
		must(t, tx.rollback(t.Context()))
	})
}

// TestTxWhileHostReads uses the transaction while the host still reads a result.
func TestTxWhileHostReads(t *testing.T) {
	o := newOptions()
	s, tx := newStore(t, o), host(t)
	rows, err := tx.Query(t.Context(), "SELECT n FROM generate_series(1, 100000) AS n")
	must(t, err)
	rows.Next()
	for name, call := range txCalls {
		wantUnavailable(t, name, call(t.Context(), s.InTx(tx)), "at the same time")
	}
	rows.Close()
	must(t, txCalls["commit"](t.Context(), s.InTx(tx)))
}

// refusals are changes that a store refuses if the record a is at revision 1 and has the claim and
// the outcome "taken".
func refusals() map[error]installation.Change {
	stale, claim, old, invalid := create(at("a")), create(at("b")), create(at("c")), create(at("d"))
	claim.Record.Claims = []string{"free", "taken"}
	old.Epoch = 7
	invalid.Record.Revision = 0
	return map[error]installation.Change{
		installation.ErrConflict: stale, installation.ErrExists: claim,
		installation.ErrEpoch: old, installation.ErrInvalid: invalid,
	}
}

func usedKey() *installation.Outcome {
	return &installation.Outcome{
		Digest: installation.Digest{1}, Until: now.Add(time.Hour), Data: []byte("first"),
	}
}

// TestTxGoesOnAfterRefusal commits changes that are refused beside a row of the host. The
// transaction then has no lock of the changes, and the host commits its row.
func TestTxGoesOnAfterRefusal(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		first := create(at("a"))
		first.Record.Claims, first.Idempotency = []string{"taken"}, usedKey()
		commit(t, h, first)
		tx := h.begin(t, pgx.TxOptions{})
		must(t, tx.exec(t.Context(), pgstore.Fill(h.options.Schema,
			"CREATE TABLE {{schema}}.orders (n int); INSERT INTO {{schema}}.orders VALUES (1)")))
		for want, c := range refusals() {
			if _, err := tx.Commit(t.Context(), c); !errors.Is(err, want) {
				t.Errorf("got error %v, want %v", err, want)
			}
		}
		again := create(at("e"))
		again.Idempotency = usedKey()
		receipt, err := tx.Commit(t.Context(), again)
		if err != nil || receipt.Outcome == nil || string(receipt.Outcome.Data) != "first" {
			t.Errorf("used key: got receipt %v, error %v, want the first outcome", receipt, err)
		}

		// Each of these would wait for a lock that the transaction had kept.
		commit(t, h, update(first.Record))
		free := create(at("b"))
		free.Record.Claims = []string{"free"}
		commit(t, h, free)
		commit(t, h, create(at("e")))
		_, err = h.AcceptRestore(t.Context(), now)
		must(t, err)

		must(t, tx.commit(t.Context()))
		want := "1"
		got := pgtest.Shared(t).SQL(t, "postgres",
			pgstore.Fill(h.options.Schema, "SELECT n FROM {{schema}}.orders"))
		if got != want {
			t.Errorf("orders of the host: got %q, want %q", got, want)
		}
	})
}

// TestTxGoesOnAfterErrorOfServer makes the function fail, since it may not wait for a lock.
func TestTxGoesOnAfterErrorOfServer(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		c := create(at("a"))
		commit(t, h, c)
		other, tx := h.begin(t, pgx.TxOptions{}), h.begin(t, pgx.TxOptions{})
		commit(t, other, update(c.Record))
		must(t, tx.exec(t.Context(), "SET LOCAL lock_timeout = '1ms'"))
		_, err := tx.Commit(t.Context(), update(c.Record))
		wantUnavailable(t, "commit", err, "55P03")
		commit(t, tx, create(at("b")))
		must(t, tx.commit(t.Context()))
		_, err = h.Get(t.Context(), at("b"))
		must(t, err)
	})
}

// TestTxDeadlock lets two transactions wait for each other. One of them gets an error that says so,
// and the other one goes on when the first is rolled back.
func TestTxDeadlock(t *testing.T) {
	forHosts(t, func(t *testing.T, h txHost) {
		a, b := create(at("a")), create(at("b"))
		commit(t, h, a)
		commit(t, h, b)
		one, two := h.begin(t, pgx.TxOptions{}), h.begin(t, pgx.TxOptions{})
		commit(t, one, update(a.Record))
		commit(t, two, update(b.Record))
		failed := make(chan error, 2)
		finish := func(tx hostTx, c installation.Change) {
			if _, err := tx.Commit(t.Context(), c); err != nil {
				failed <- errors.Join(err, tx.rollback(t.Context()))
				return
			}
			failed <- tx.commit(t.Context())
		}
		go finish(one, update(b.Record))
		awaitBlocked(t, h.options, "commit_1")
		go finish(two, update(a.Record))
		first, second := <-failed, <-failed
		if first == nil {
			first, second = second, first
		}
		wantUnavailable(t, "one commit", first, "run all of it again")
		if second != nil {
			t.Errorf("the other commit: got error %v, want none", second)
		}
	})
}
