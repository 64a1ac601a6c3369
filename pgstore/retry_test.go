package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// newLossyStore returns a store whose connections lose what the proxy says.
func newLossyStore(t *testing.T, change func(*pgstore.Options)) (*pgstore.Store, *pgtest.Proxy) {
	t.Helper()
	server, o := pgtest.Shared(t), newOptions()
	o.ExecMode = pgx.QueryExecModeExec // every statement has its text
	migrate(t, server.URL("postgres"), o)
	if change != nil {
		change(o)
	}
	p := server.StartProxy(t)
	return open(t, newPool(t, p.URL("postgres"), 4), o), p
}

// TestLostAnswers loses the first tries of a commit, before or after the server has run them.
func TestLostAnswers(t *testing.T) {
	s, p := newLossyStore(t, nil)
	for _, loss := range []pgtest.Loss{pgtest.LoseAnswer, pgtest.LoseStatement} {
		key, left := at(fmt.Sprint("loss ", loss)), 3
		c := withEvent(create(key), "once")
		c.Idempotency = &installation.Outcome{
			Digest: installation.Digest{byte(loss)}, Until: now.Add(time.Hour), Data: []byte("x"),
		}
		p.Lose("commit_1", func() pgtest.Loss {
			if left--; left < 0 {
				return pgtest.LoseNothing
			}
			return loss
		})
		receipt, err := s.Commit(t.Context(), c)
		want := installation.Receipt{Revision: 1, Replayed: loss == pgtest.LoseAnswer}
		if err != nil || receipt != want {
			t.Errorf("loss %d: got receipt %v, error %v, want %v", loss, receipt, err, want)
		}
	}
	p.Lose("", nil)
	if got, _ := reasons(t, s, ""); len(got) != 2 {
		t.Errorf("got %d events of two commits, want 2", len(got))
	}
}

// TestUnknownOutcome loses every answer. The time is up then, and the change was applied.
func TestUnknownOutcome(t *testing.T) {
	s, p := newLossyStore(t, func(o *pgstore.Options) { o.RetryFor = 200 * time.Millisecond })
	p.Lose("commit_1", func() pgtest.Loss { return pgtest.LoseAnswer })
	c := create(at("a"))
	if _, err := s.Commit(t.Context(), c); !errors.Is(err, installation.ErrUnknownOutcome) {
		t.Errorf("got error %v, want %v", err, installation.ErrUnknownOutcome)
	}
	p.Lose("commit_1", func() pgtest.Loss { return pgtest.LoseNothing })
	receipt, err := s.Commit(t.Context(), c)
	if err != nil || !receipt.Replayed {
		t.Errorf("commit again: got receipt %v, error %v, want a replay", receipt, err)
	}
}

// TestContextEndsDuringCommit ends the context of a commit that waits for another transaction. The
// error says both that and that the outcome is unknown.
func TestContextEndsDuringCommit(t *testing.T) {
	o := newOptions()
	s := newStore(t, o)
	c := create(at("a"))
	commit(t, s, c)
	tx := host(t)
	execute(t, tx, o, "SELECT FROM {{schema}}.records FOR UPDATE")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := s.Commit(ctx, update(c.Record))
		failed <- err
	}()
	awaitBlocked(t, o, "commit_1")
	cancel()
	err := <-failed
	if !errors.Is(err, context.Canceled) || !errors.Is(err, installation.ErrUnknownOutcome) {
		t.Errorf("got error %v, want %v and %v", err, context.Canceled,
			installation.ErrUnknownOutcome)
	}
}

// endAtAnswer is a tracer that ends a context once the answer to a commit is there.
type endAtAnswer struct{ end context.CancelFunc }

func (e *endAtAnswer) TraceQueryStart(
	ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData,
) context.Context {
	return context.WithValue(ctx, e, strings.Contains(data.SQL, "commit_1"))
}

func (e *endAtAnswer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if isCommit, _ := ctx.Value(e).(bool); isCommit && e.end != nil {
		e.end()
	}
}

// TestContextEndsAtAnswer ends the context of a commit and of a put when the answer has arrived on
// a new connection. Nothing that the store does then may hide that the change was applied.
func TestContextEndsAtAnswer(t *testing.T) {
	o, url, tracer := newOptions(), pgtest.Shared(t).URL("postgres"), new(endAtAnswer)
	migrate(t, url, o)
	config, err := pgxpool.ParseConfig(url)
	must(t, err)
	config.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	must(t, err)
	t.Cleanup(pool.Close)
	s := open(t, pool, o)
	c := create(at("a"))
	for name, write := range map[string]func(context.Context) error{
		"commit": func(ctx context.Context) error { _, err := s.Commit(ctx, c); return err },
		"put": func(ctx context.Context) error {
			_, err := s.Put(ctx, now, installation.Row{}.Apply(create(at("b"))))
			return err
		},
	} {
		pool.Reset()
		var ctx context.Context
		ctx, tracer.end = context.WithCancel(t.Context())
		if err := write(ctx); err != nil {
			t.Errorf("%s: got error %v of a write that was applied, want none", name, err)
		}
	}
}

// awaitBlocked waits until a statement on the schema waits for a lock. It returns the process ID of
// its session.
func awaitBlocked(tb testing.TB, o *pgstore.Options, function string) (pid string) {
	tb.Helper()
	pool := newPool(tb, pgtest.Shared(tb).URL("postgres"), 1)
	pgtest.Await(tb, function+" waits for a lock", func() bool {
		must(tb, pool.QueryRow(tb.Context(), "SELECT coalesce(max(pid)::text, '')"+
			" FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1",
			"%\""+o.Schema+"\"."+function+"%").Scan(&pid))
		return pid != ""
	})
	return pid
}

// TestTerminatedCommitIsRepeated ends the session of a commit that waits for another transaction.
func TestTerminatedCommitIsRepeated(t *testing.T) {
	server := pgtest.Shared(t)
	for name, url := range map[string]string{
		"direct": server.URL("postgres"), "pgbouncer": server.Bouncer(t, "postgres"),
	} {
		o := newOptions()
		o.ExecMode = pgx.QueryExecModeExec
		migrate(t, server.URL("postgres"), o)
		s := open(t, newPool(t, url, 2), o)
		c := create(at("a"))
		commit(t, s, c)
		tx := host(t)
		execute(t, tx, o, "SELECT FROM {{schema}}.records FOR UPDATE")
		done := make(chan error)
		go func() {
			_, err := s.Commit(t.Context(), update(c.Record))
			done <- err
		}()
		first := awaitBlocked(t, o, "commit_1")
		server.SQL(t, "postgres", "SELECT pg_terminate_backend("+first+")")
		for awaitBlocked(t, o, "commit_1") == first {
		}
		must(t, tx.Rollback(t.Context()))
		if err := <-done; err != nil {
			t.Errorf("%s: got error %v, want none", name, err)
		}
	}
}

// TestDeadlockIsRetried makes the server undo the first tries, as after a deadlock.
func TestDeadlockIsRetried(t *testing.T) {
	for _, code := range []string{"40P01", "40001", "55P03"} {
		o := newOptions()
		s := newStore(t, o)
		tx := host(t)
		execute(t, tx, o, "CREATE SEQUENCE {{schema}}.tries")
		execute(t, tx, o, fmt.Sprintf(`CREATE FUNCTION {{schema}}.fail() RETURNS trigger
			LANGUAGE plpgsql AS $$ BEGIN
				IF nextval('{{schema}}.tries') <= 3 THEN
					RAISE EXCEPTION USING ERRCODE = '%s';
				END IF;
				RETURN NEW;
			END $$`, code))
		execute(t, tx, o, "CREATE TRIGGER fail BEFORE INSERT ON {{schema}}.lists"+
			" FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.fail()")
		must(t, tx.Commit(t.Context()))
		receipt, err := s.Commit(t.Context(), create(at("a")))
		if err != nil || receipt != (installation.Receipt{Revision: 1}) {
			t.Errorf("%s: got receipt %v, error %v, want revision 1", code, receipt, err)
		}
	}
}

// TestCommitSurvivesServer kills the server and starts it again while a store commits.
func TestCommitSurvivesServer(t *testing.T) {
	server, o := pgtest.Start(t, "fsync=on"), newOptions()
	migrate(t, server.URL("postgres"), o)
	s := open(t, newPool(t, server.URL("postgres"), 4), o)
	c := create(at("a"))
	commit(t, s, c)
	server.Kill()
	done := make(chan error)
	next := update(c.Record)
	go func() {
		_, err := s.Commit(t.Context(), next)
		done <- err
	}()
	server.Restart(t)
	must(t, <-done)
	got, err := s.Get(t.Context(), c.Key)
	must(t, err)
	if got.Revision != 2 {
		t.Errorf("got revision %d, want 2", got.Revision)
	}
}

// TestIsolationIsNamed commits where another isolation level is the default.
func TestIsolationIsNamed(t *testing.T) {
	server := pgtest.Shared(t)
	database, o := server.NewDatabase(t), newOptions()
	migrate(t, server.URL(database), o)
	server.SQL(t, database, "ALTER DATABASE "+database+
		" SET default_transaction_isolation = 'repeatable read'")
	s := open(t, newPool(t, server.URL(database), 2), o)
	_, err := s.Commit(t.Context(), create(at("a")))
	const want = `commit "a": installation: store unavailable: the isolation level is ` +
		`"repeatable read", and a store needs "read committed"`
	if !errors.Is(err, installation.ErrUnavailable) || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}
