package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// refused fails the test unless Open returns an ErrUnavailable that contains all texts.
func refused(tb testing.TB, url string, o *pgstore.Options, texts ...string) error {
	tb.Helper()
	_, err := pgstore.Open(tb.Context(), newPool(tb, url, 2), o)
	if !errors.Is(err, installation.ErrUnavailable) {
		tb.Errorf("open: got error %v, want %v", err, installation.ErrUnavailable)
		return err
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			tb.Errorf("open: the error %q does not contain %q", err, text)
		}
	}
	return err
}

func TestOpenNamesVersions(t *testing.T) {
	server, o := pgtest.Shared(t), newOptions()
	url := server.URL("postgres")
	refused(t, url, o, "pgstore.Migrate")
	server.SQL(t, "postgres", fmt.Sprintf("CREATE SCHEMA %q", o.Schema))
	refused(t, url, o, "pgstore.Migrate")
	migrate(t, url, o)
	open(t, newPool(t, url, 2), o)
	set := func(version int) {
		server.SQL(t, "postgres", fmt.Sprintf("UPDATE %q.meta SET version = %d", o.Schema, version))
	}
	set(99)
	refused(t, url, o, "version 99", "works with 1", "pgstore.Migrate")
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	if err := pgstore.Migrate(t.Context(), conn, o); err == nil ||
		!strings.Contains(err.Error(), "version 99") {
		t.Errorf("migrate: got error %v, want one that names version 99", err)
	}
	set(0)
	refused(t, url, o, "version 0", "works with 1", "pgstore.Migrate")
}

func TestOldServerIsNamed(t *testing.T) {
	err := pgstore.ErrServer(14_0012)
	if !errors.Is(err, installation.ErrUnavailable) ||
		!strings.Contains(err.Error(), "PostgreSQL 14, and a store needs 15") {
		t.Errorf("got error %v, want one that names 14 and 15", err)
	}
}

func TestOpenNamesMissingRights(t *testing.T) {
	server := pgtest.Shared(t)
	database := server.NewDatabase(t)
	server.SQL(t, database, "CREATE ROLE poor LOGIN")
	o, url := newOptions(), server.URLAs("poor", database)
	migrate(t, server.URL(database), o)
	refused(t, url, o, "USAGE on the schema")
	grant := func(what string) {
		server.SQL(t, database, strings.ReplaceAll(what, "$", fmt.Sprintf("%q", o.Schema)))
	}
	grant("GRANT USAGE ON SCHEMA $ TO poor")
	refused(t, url, o, "SELECT on meta")
	grant("GRANT ALL ON ALL TABLES IN SCHEMA $ TO poor; REVOKE UPDATE ON $.log FROM poor;" +
		"REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA $ FROM PUBLIC;" +
		"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA $ TO poor;" +
		"REVOKE EXECUTE ON FUNCTION $.number_1 FROM poor")
	refused(t, url, o, "UPDATE on log, SELECT on fresh_serial_seq, EXECUTE on number_1")
	grant("GRANT UPDATE ON $.log TO poor; GRANT EXECUTE ON FUNCTION $.number_1 TO poor;" +
		"GRANT SELECT ON SEQUENCE $.fresh_serial_seq TO poor")
	open(t, newPool(t, url, 2), o)
}

func TestOpenChecksExpect(t *testing.T) {
	o, url := newOptions(), pgtest.Shared(t).URL("postgres")
	s := newStore(t, o)
	in, err := s.Namespace(t.Context())
	must(t, err)
	o.Expect = pgstore.Expect{ID: "another"}
	refused(t, url, o, in.ID, "another")
	o.Expect = pgstore.Expect{ID: in.ID, MinEpoch: 1}
	if err := refused(t, url, o, "epoch is 0"); !errors.Is(err, installation.ErrRestored) {
		t.Errorf("open: got error %v, want %v", err, installation.ErrRestored)
	}
	in, err = s.AcceptRestore(t.Context(), now)
	must(t, err)
	o.Expect.MinEpoch = in.Epoch
	open(t, newPool(t, url, 2), o)
}

func TestOpenRefusesStandby(t *testing.T) {
	server, o := pgtest.Start(t), newOptions()
	url := server.URL("postgres")
	migrate(t, url, o)
	server.StandBy(t)
	refused(t, url, o, "standby")
}

func TestOpenRejectsOptions(t *testing.T) {
	pool := newPool(t, pgtest.Shared(t).URL("postgres"), 2)
	for name, o := range map[string]*pgstore.Options{
		`schema "a`:      {Schema: `a"b`},
		"schema \"long":  {Schema: "long" + strings.Repeat("a", pgstore.MaxSchema)},
		`schema "pg_a"`:  {Schema: "pg_a"},
		"uses this name": {Schema: "information_schema"},
		"MaxEvents":      {MaxEvents: -1},
		"RetryFor":       {RetryFor: -1},
		"FailoverLoss":   {FailoverLoss: -1},
		"MinEpoch is":    {Expect: pgstore.Expect{ID: "a", MinEpoch: -1}},
		"MinEpoch needs": {Expect: pgstore.Expect{MinEpoch: 1}},
	} {
		_, err := pgstore.Open(t.Context(), pool, o)
		if err == nil || errors.Is(err, installation.ErrUnavailable) ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("got error %v, want one about %s", err, name)
		}
	}
	if _, err := pgstore.Open(t.Context(), nil, nil); err == nil {
		t.Error("got no error without a pool")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pgstore.Open(ended, pool, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

// TestMigrateManyTimes migrates one schema from many programs at once. All find one namespace.
func TestMigrateManyTimes(t *testing.T) {
	o, url := newOptions(), pgtest.Shared(t).URL("postgres")
	pool := newPool(t, url, 8)
	migrateAtOnce(t, pool, o)
	migrateAtOnce(t, newPool(t, url+"&default_transaction_isolation=serializable", 8), newOptions())
	first := open(t, pool, o)
	commit(t, first, create(at("a")))
	must(t, pgstore.Migrate(t.Context(), pool, o))
	before, err := first.Namespace(t.Context())
	must(t, err)
	after, err := open(t, pool, o).Namespace(t.Context())
	must(t, err)
	if before != after {
		t.Errorf("got namespace %v after another migration, want %v", after, before)
	}
}

// migrateAtOnce migrates on connections that are there already, so that all begin together.
func migrateAtOnce(t *testing.T, pool *pgxpool.Pool, o *pgstore.Options) {
	t.Helper()
	conns := make([]*pgxpool.Conn, 8)
	for i := range conns {
		var err error
		conns[i], err = pool.Acquire(t.Context())
		must(t, err)
		defer conns[i].Release()
	}
	var wait sync.WaitGroup
	for _, conn := range conns {
		wait.Go(func() {
			if err := pgstore.Migrate(t.Context(), conn, o); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

// TestOtherTablesAreNamed migrates and opens schemas in which another program has tables.
func TestOtherTablesAreNamed(t *testing.T) {
	server := pgtest.Shared(t)
	url := server.URL("postgres")
	pool := newPool(t, url, 1)
	for name, create := range map[string]string{
		"table":  `CREATE TABLE "$".records (id int)`,
		"meta":   `CREATE TABLE "$".meta (id int)`,
		"number": `CREATE TABLE "$".meta AS SELECT 1 AS version`,
		"index":  `CREATE TABLE "$".a (id int); CREATE INDEX meta ON "$".a (id)`,
	} {
		o := newOptions()
		server.SQL(t, "postgres", strings.ReplaceAll(`CREATE SCHEMA "$"; `+create, "$", o.Schema))
		wantUnavailable(t, name, pgstore.Migrate(t.Context(), pool, o), "of another program")
		if name != "table" {
			refused(t, url, o, "of another program")
		}
	}
}
