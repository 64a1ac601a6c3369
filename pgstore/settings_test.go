package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// TestSettingsOfDatabase uses a store in databases with unusual defaults.
func TestSettingsOfDatabase(t *testing.T) {
	server := pgtest.Shared(t)
	for _, setting := range []string{
		"plpgsql.variable_conflict = use_column", "plpgsql.extra_errors = 'all'",
		"search_path = evil, public", "standard_conforming_strings = off",
		"plan_cache_mode = force_generic_plan", "bytea_output = escape",
	} {
		database := server.NewDatabase(t)
		server.SQL(t, database, `CREATE SCHEMA evil; CREATE FUNCTION evil.pg_is_in_recovery()
			RETURNS boolean LANGUAGE sql AS 'SELECT true'`)
		server.SQL(t, database, fmt.Sprintf("ALTER DATABASE %q SET %s", database, setting))
		o, url := newOptions(), server.URL(database)
		migrate(t, url, o)
		s := open(t, newPool(t, url, 1), o)
		commit(t, s, withEvent(create(at("\xff'\\")), "reason"))
		page, err := s.List(t.Context(), installation.Query{
			Tenant: "tenant", Term: "all", Limit: 1,
		})
		if err != nil || len(page.Records) != 1 {
			t.Errorf("%s: got %d records, error %v, want 1", setting, len(page.Records), err)
		}
		events, err := s.Events(t.Context(), installation.EventQuery{AllTenants: true, Limit: 1})
		if err != nil || len(events.Events) != 1 {
			t.Errorf("%s: got %d events, error %v, want 1", setting, len(events.Events), err)
		}
	}
}

// TestUnreadableBytesAreNamed opens a store where pgx gets bytes as text of a form that it cannot
// read.
func TestUnreadableBytesAreNamed(t *testing.T) {
	server := pgtest.Shared(t)
	database := server.NewDatabase(t)
	server.SQL(t, database, fmt.Sprintf("ALTER DATABASE %q SET bytea_output = escape", database))
	o := newOptions()
	migrate(t, server.URL(database), o)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		o.ExecMode = mode
		refused(t, server.URL(database), o, "bytea_output")
	}
}

// TestClosedPoolIsNamed calls a store whose pool is closed. A retry cannot succeed, so the test
// would take all of RetryFor if there was one.
func TestClosedPoolIsNamed(t *testing.T) {
	o, url := newOptions(), pgtest.Shared(t).URL("postgres")
	migrate(t, url, o)
	pool := newPool(t, url, 1)
	s := open(t, pool, o)
	pool.Close()
	_, err := s.Get(t.Context(), at("i"))
	wantUnavailable(t, "get", err, "the pool is closed")
	_, err = s.Commit(t.Context(), create(at("i")))
	wantUnavailable(t, "commit", err, "the pool is closed")
}

// TestBusyPoolIsNamed calls a store while a transaction has the only connection of the pool.
func TestBusyPoolIsNamed(t *testing.T) {
	o, url := newOptions(), pgtest.Shared(t).URL("postgres")
	migrate(t, url, o)
	o.RetryFor = 20 * time.Millisecond
	pool := newPool(t, url, 1)
	tx, err := pool.Begin(t.Context())
	must(t, err)
	defer func() { must(t, tx.Rollback(t.Context())) }()
	_, err = pgstore.Open(t.Context(), pool, o)
	wantUnavailable(t, "open", err, "all connections of the pool are in use")
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open: got error %v, which matches %v", err, context.DeadlineExceeded)
	}
	ctx, cancel := context.WithTimeout(t.Context(), o.RetryFor)
	defer cancel()
	_, err = pgstore.Open(ctx, pool, o)
	wantUnavailable(t, "open in time", err, "all connections of the pool are in use")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open in time: got error %v, want %v", err, context.DeadlineExceeded)
	}
}

// TestWrongAddressIsNamed opens a store where no connection can be made.
func TestWrongAddressIsNamed(t *testing.T) {
	server := pgtest.Shared(t)
	o := &pgstore.Options{RetryFor: 200 * time.Millisecond}
	for address, want := range map[string]string{
		"postgres://a:hunter2@" + server.Addr + "/postgres?sslmode=require": "refused TLS",
		"postgres://a:hunter2@nowhere..example/postgres?sslmode=disable":    "lookup nowhere",
		"postgres://a:hunter2@127.0.0.1:1/postgres?sslmode=disable":         "connection refused",
	} {
		if err := refused(t, address, o, want); strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error %v has the password", address, err)
		}
	}
}

// TestEventsWithoutReaders reads and trims a log that nobody has read for long. No statement moves
// all of it: with many more events, that would take longer than RetryFor and never succeed.
func TestEventsWithoutReaders(t *testing.T) {
	const many = 25_000
	write := func(o *pgstore.Options, s *pgstore.Store) {
		commit(t, s, withEvent(create(at("first")), "first"))
		damage(t, o, fmt.Sprintf(`INSERT INTO {{schema}}.fresh (tenant, event)
			SELECT 'other', f.event FROM {{schema}}.fresh f, generate_series(1, %d)`, many))
		commit(t, s, withEvent(create(at("last")), "last"))
	}
	o := newOptions()
	s := newStore(t, o)
	write(o, s)
	page, err := s.Events(t.Context(), installation.EventQuery{AllTenants: true, Limit: 1})
	if err != nil || len(page.Events) != 1 || page.Events[0].Reason != "first" {
		t.Errorf("first page: got %v, error %v", page.Events, err)
	}
	var left bool
	conn := newPool(t, pgtest.Shared(t).URL("postgres"), 1)
	must(t, conn.QueryRow(t.Context(), pgstore.Fill(o.Schema,
		"SELECT count(*) > 0 FROM {{schema}}.fresh")).Scan(&left))
	if !left {
		t.Error("one statement has moved all events")
	}
	page, err = s.Events(t.Context(), installation.EventQuery{Tenant: "tenant", Limit: 3})
	if err != nil || len(page.Events) != 2 || page.Events[1].Reason != "last" {
		t.Errorf("page of a tenant: got %v, error %v, want first and last", page.Events, err)
	}

	o = newOptions()
	o.MaxEvents = 1
	s = newStore(t, o)
	write(o, s)
	must(t, s.Trim(t.Context(), now))
	page, err = s.Events(t.Context(), installation.EventQuery{AllTenants: true, Limit: 2})
	if err != nil || len(page.Events) != 1 || page.Events[0].Reason != "last" {
		t.Errorf("after Trim: got %d events, error %v, want the last", len(page.Events), err)
	}
}

// TestDialerIsNotQuoted connects with a dialer of the host, whose error has a token.
func TestDialerIsNotQuoted(t *testing.T) {
	config, err := pgxpool.ParseConfig("postgres://a@db.example/postgres?sslmode=disable")
	must(t, err)
	config.ConnConfig.LookupFunc = func(context.Context, string) ([]string, error) {
		return []string{"127.0.0.1"}, nil
	}
	config.ConnConfig.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no access with hunter2")
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	must(t, err)
	defer pool.Close()
	_, err = pgstore.Open(t.Context(), pool, &pgstore.Options{RetryFor: time.Millisecond})
	wantUnavailable(t, "open", err, "the connection failed")
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error %v quotes the dialer", err)
	}
}
