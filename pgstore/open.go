package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// open checks that the server, the schema, the rights and the namespace are as they must be.
func (s *Store) open(ctx context.Context) error {
	var server int64
	var standby, exists, usable bool
	var sample []byte
	err := s.askOne(ctx, sqlServer, []any{s.opts.Schema}, &server, &standby, &exists, &usable,
		&sample)
	if _, ok := errors.AsType[unreadable](err); ok {
		return storecall.Unavailable("the driver cannot read bytea: set bytea_output of the " +
			"database or the user to \"hex\"")
	}
	switch {
	case err != nil:
		return err
	case server < minServer:
		return errServer(server)
	case standby:
		return storecall.Unavailable("the server is a standby, and a store has to write; " +
			"connect to the primary")
	case !exists:
		return errNoTables
	case !usable:
		return storecall.Unavailable("the user lacks rights: USAGE on the schema")
	}
	if err := s.checkVersion(ctx); err != nil {
		return err
	}
	if err := s.checkRights(ctx); err != nil {
		return err
	}
	in, _, err := s.askNamespace(ctx)
	if err != nil {
		return err
	}
	want := s.opts.Expect
	switch {
	case want.ID != "" && in.ID != want.ID:
		return storecall.Unavailable("the namespace is %s and Options.Expect wants %s",
			in.ID, want.ID)
	case in.Epoch < want.MinEpoch:
		return &storecall.Error{
			Sentinel: installation.ErrUnavailable,
			Text: fmt.Sprintf("the epoch is %d and Options.Expect wants %d or more: the data is "+
				"older than the last accepted restore", in.Epoch, want.MinEpoch),
			Causes: []error{installation.ErrRestored},
		}
	}
	s.known.Store(&in)
	return nil
}

const sqlServer = `SELECT current_setting('server_version_num')::bigint, pg_is_in_recovery(),
	count(n.oid) > 0, coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE')), false),
	decode('ff', 'hex')
	FROM pg_catalog.pg_namespace n WHERE n.nspname = $1::text`

var errNoTables = storecall.Unavailable("the schema has no tables of a store; run pgstore.Migrate")

var errNoNamespace = storecall.Unavailable("the table meta is empty: the schema was restored " +
	"without its data; restore it with its data, or drop it and run pgstore.Migrate")

// checkVersion compares the version of the schema.
func (s *Store) checkVersion(ctx context.Context) error {
	var version int64
	err := s.askOne(ctx, s.text.version, nil, &version)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "42P01": // undefined table
			return errNoTables
		case "42501": // insufficient privilege
			return storecall.Unavailable("the user lacks rights: SELECT on meta")
		}
	}
	if errors.Is(err, installation.ErrNotFound) {
		return errNoNamespace
	}
	if err != nil {
		return err
	}
	if version != Version {
		return errVersion(version)
	}
	return nil
}

func errVersion(version int64) error {
	if version > Version {
		return storecall.Unavailable("the schema has version %d and this package works with %d; a "+
			"newer pgstore.Migrate has run, so use that release", version, Version)
	}
	return storecall.Unavailable("the schema has version %d and this package works with %d; run "+
		"pgstore.Migrate", version, Version)
}

func errServer(server int64) error {
	return storecall.Unavailable("the server is PostgreSQL %d, and a store needs %d or later",
		server/10_000, minServer/10_000)
}

// rights are what the user of a store needs on each table.
var rights = []struct{ table, privileges string }{
	{"meta", "SELECT, UPDATE"},
	{"records", "SELECT, INSERT, UPDATE, DELETE"},
	{"lists", "SELECT, INSERT, DELETE"},
	{"claims", "SELECT, INSERT, DELETE"},
	{"outcomes", "SELECT, INSERT, UPDATE, DELETE"},
	{"fresh", "SELECT, INSERT, DELETE"},
	{"events", "SELECT, INSERT, DELETE"},
	{"log", "SELECT, UPDATE"},
	{"trims", "SELECT, INSERT, UPDATE"},
	{"fresh_serial_seq", "SELECT"},
}

// checkRights returns an error that names the rights that the user lacks.
func (s *Store) checkRights(ctx context.Context) error {
	var tables, privileges []string
	for _, r := range rights {
		for p := range strings.SplitSeq(r.privileges, ", ") {
			tables, privileges = append(tables, r.table), append(privileges, p)
		}
	}
	var missing []string
	err := s.ask(ctx, func(ctx context.Context) error {
		missing = nil
		return s.db.query(ctx, s.text.rights,
			[]any{strings.Join(tables, ","), strings.Join(privileges, ","), s.opts.Schema},
			func(r row) error {
				var name string
				err := r.Scan(&name)
				missing = append(missing, name)
				return err
			})
	})
	if err == nil && len(missing) > 0 {
		err = storecall.Unavailable("the user lacks rights: %s", strings.Join(missing, ", "))
	}
	return err
}
