package pgstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// TestRestoreIsNoticed puts the epoch back and changes the ID, as a restored backup would.
func TestRestoreIsNoticed(t *testing.T) {
	for _, change := range []string{"epoch = epoch - 1, era = 'old'", "id = 'another'"} {
		o := newOptions()
		s := newStore(t, o)
		in, err := s.AcceptRestore(t.Context(), now)
		must(t, err)
		pgtest.Shared(t).SQL(t, "postgres", fmt.Sprintf("UPDATE %q.meta SET %s", o.Schema, change))
		c := create(at("a"))
		c.Epoch, c.Record.Revision = in.Epoch, in.Epoch
		_, err = s.Commit(t.Context(), c)
		if !errors.Is(err, installation.ErrRestored) ||
			!errors.Is(err, installation.ErrUnavailable) {
			t.Errorf("commit: got error %v, want %v", err, installation.ErrRestored)
		}
		_, err = s.Put(t.Context(), now, installation.Row{}.Apply(c))
		if !errors.Is(err, installation.ErrRestored) {
			t.Errorf("put: got error %v, want %v", err, installation.ErrRestored)
		}
		if got := levelOf(t, s, "namespace"); got != health.Error {
			t.Errorf("health: got level %s, want %s", got, health.Error)
		}
		next, err := s.AcceptRestore(t.Context(), now)
		must(t, err)
		if next.Epoch <= in.Epoch {
			t.Errorf("accepted epoch %d after %d, want a greater one", next.Epoch, in.Epoch)
		}
		c.Epoch, c.Record.Revision = next.Epoch, next.Epoch
		commit(t, s, c)
		if got := levelOf(t, s, "namespace"); got != health.OK {
			t.Errorf("health after acceptance: got level %s, want %s", got, health.OK)
		}
	}
}

// TestOpenTransactionBlocksOnlyAcceptance keeps a transaction open that has committed a change.
func TestOpenTransactionBlocksOnlyAcceptance(t *testing.T) {
	o := newOptions()
	s := newStore(t, o)
	tx := host(t)
	execute(t, tx, o, "SELECT pg_advisory_xact_lock_shared({{epoch_lock}})")
	accepted := make(chan error)
	go func() {
		_, err := s.AcceptRestore(t.Context(), now)
		accepted <- err
	}()
	awaitBlocked(t, o, "accept_1")
	commit(t, s, create(at("a"))) // would wait for the transaction if acceptance waited for good
	select {
	case err := <-accepted:
		t.Fatalf("accept restore did not wait for the transaction: error %v", err)
	default:
	}
	must(t, tx.Rollback(t.Context()))
	must(t, <-accepted)
	if _, err := s.Commit(t.Context(), create(at("b"))); !errors.Is(err, installation.ErrEpoch) {
		t.Errorf("commit of the old epoch: got error %v, want %v", err, installation.ErrEpoch)
	}
}

func levelOf(tb testing.TB, s installation.HealthChecker, rule string) health.Level {
	tb.Helper()
	findings, err := s.Health(tb.Context())
	must(tb, err)
	for _, f := range findings {
		if f.Rule == rule {
			return f.Level
		}
	}
	tb.Fatalf("no finding %q in %v", rule, findings)
	return ""
}

// TestHealth looks at a server that is as it should be, but for fsync, and at a standby.
func TestHealth(t *testing.T) {
	server, o := pgtest.Start(t, "fsync=on"), newOptions()
	migrate(t, server.URL("postgres"), o)
	s := open(t, newPool(t, server.URL("postgres"), 2), o)
	for _, rule := range []string{"server", "namespace", "durability", "transactions"} {
		if got := levelOf(t, s, rule); got != health.OK {
			t.Errorf("%s: got level %s, want %s", rule, got, health.OK)
		}
	}
	server.SQL(t, "postgres", "ALTER DATABASE postgres SET synchronous_commit = off")
	relaxed := open(t, newPool(t, server.URL("postgres"), 2), o)
	if got := levelOf(t, relaxed, "durability"); got != health.Warning {
		t.Errorf("without synchronous_commit: got level %s, want %s", got, health.Warning)
	}
	if got := levelOf(t, newStore(t, newOptions()), "durability"); got != health.Error {
		t.Errorf("without fsync: got level %s, want %s", got, health.Error)
	}
	server.StandBy(t)
	if got := levelOf(t, s, "server"); got != health.Error {
		t.Errorf("standby: got level %s, want %s", got, health.Error)
	}
}

// TestShorterLogIsNoticed puts the counter of events back, as a restore does, under two processes
// that have seen all events. Every call of both fails until one of them accepts the restore.
func TestShorterLogIsNoticed(t *testing.T) {
	o := newOptions()
	o.FailoverLoss = 1 // so every call looks
	first := newStore(t, o)
	second := open(t, newPool(t, pgtest.Shared(t).URL("postgres"), 4), o)
	stores := []*pgstore.Store{first, second}
	c := create(at("a"))
	c.Events = []installation.Event{{Key: c.Key}, {Key: c.Key}, {Key: c.Key}}
	commit(t, first, c)
	for range 3 { // see the events, and settle them
		for _, s := range stores {
			_, err := s.Get(t.Context(), c.Key)
			must(t, err)
		}
	}
	pgtest.Shared(t).SQL(t, "postgres",
		fmt.Sprintf("SELECT setval('%q.fresh_serial_seq', 1)", o.Schema))
	for range 2 { // it does not pass by itself
		for i, s := range stores {
			for name, call := range callsOf(t, s) {
				if err := call(); !errors.Is(err, installation.ErrRestored) {
					t.Errorf("%s of process %d: got error %v, want %v", name, i, err,
						installation.ErrRestored)
				}
			}
			if got := levelOf(t, s, "namespace"); got != health.Error {
				t.Errorf("health of process %d: got level %s, want %s", i, got, health.Error)
			}
		}
	}
	_, err := first.AcceptRestore(t.Context(), now)
	must(t, err)
	for _, s := range stores {
		_, err := s.Get(t.Context(), c.Key)
		must(t, err)
		if got := levelOf(t, s, "namespace"); got != health.OK {
			t.Errorf("health after acceptance: got level %s, want %s", got, health.OK)
		}
	}
}

// callsOf returns calls that read or write.
func callsOf(t *testing.T, s *pgstore.Store) map[string]func() error {
	return map[string]func() error{
		"get": func() error { _, err := s.Get(t.Context(), at("a")); return err },
		"outcome": func() error {
			_, err := s.Outcome(t.Context(), "tenant", installation.Digest{})
			return err
		},
		"list": func() error {
			_, err := s.List(t.Context(), installation.Query{Term: "all", Limit: 1})
			return err
		},
		"count": func() error {
			_, err := s.Count(t.Context(), installation.Query{Term: "all"})
			return err
		},
		"events": func() error {
			_, err := s.Events(t.Context(), installation.EventQuery{Limit: 1})
			return err
		},
		"scan": func() error {
			for _, err := range s.Scan(t.Context()) {
				return err
			}
			return nil
		},
		"trim":   func() error { return s.Trim(t.Context(), now) },
		"commit": func() error { _, err := s.Commit(t.Context(), create(at("b"))); return err },
		"put": func() error {
			_, err := s.Put(t.Context(), now, installation.Row{}.Apply(create(at("b"))))
			return err
		},
	}
}

// TestNewConnectionLooks puts the counter of events back, and ends the connections of a store that
// would not look for an hour. The first answer on a new connection is an error, and nothing is
// written.
func TestNewConnectionLooks(t *testing.T) {
	outcome := installation.Row{Tenant: "tenant", Outcome: &installation.Outcome{
		Until: now.Add(time.Hour), Data: []byte("outcome")}}
	for name, call := range map[string]func(*pgstore.Store) error{
		"get": func(s *pgstore.Store) error { _, err := s.Get(t.Context(), at("a")); return err },
		"commit": func(s *pgstore.Store) error {
			_, err := s.Commit(t.Context(), create(at("b")))
			return err
		},
		"put": func(s *pgstore.Store) error {
			_, err := s.Put(t.Context(), now, installation.Row{}.Apply(create(at("b"))))
			return err
		},
		"put of an outcome": func(s *pgstore.Store) error {
			_, err := s.Put(t.Context(), now, outcome)
			return err
		},
	} {
		o := newOptions()
		o.FailoverLoss = 1
		url := pgtest.Shared(t).URL("postgres")
		migrate(t, url, o)
		pool := newPool(t, url, 1)
		s := open(t, pool, o)
		c := create(at("a"))
		c.Events = []installation.Event{{Key: c.Key}, {Key: c.Key}}
		commit(t, s, c)
		for range 3 {
			_, err := s.Get(t.Context(), c.Key)
			must(t, err)
		}
		s.SetFailoverLoss(time.Hour)
		_, err := s.Get(t.Context(), c.Key) // it looks, and the next look is an hour away
		must(t, err)
		pgtest.Shared(t).SQL(t, "postgres",
			fmt.Sprintf("SELECT setval('%q.fresh_serial_seq', 1)", o.Schema))
		_, err = s.Get(t.Context(), c.Key)
		must(t, err)
		pool.Reset()
		if err := call(s); !errors.Is(err, installation.ErrRestored) {
			t.Errorf("%s on a new connection: got error %v, want %v", name, err,
				installation.ErrRestored)
		}
		other := open(t, newPool(t, url, 1), o)
		_, err = other.Outcome(t.Context(), "tenant", outcome.Outcome.Digest)
		_, missing := other.Get(t.Context(), at("b"))
		for _, err := range []error{err, missing} {
			if !errors.Is(err, installation.ErrNotFound) {
				t.Errorf("%s wrote something: error %v", name, err)
			}
		}
	}
}
