package pgstore

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/go-installation/installation"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Version is the version of the schema that this package works with.
const Version = 1

// minServer is the oldest server, as the setting server_version_num says it.
const minServer = 150_000

// Beginner begins a transaction: a [pgx.Conn] or a pool.
type Beginner interface {
	// Begin begins a transaction of the default isolation level.
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Migrate brings the schema to [Version]. It creates the schema and a new namespace if they are not
// there. It changes nothing if the schema has this version already, so programs may call it at
// each start, also several at once. It never goes back to an older version.
//
// Migrate runs in one transaction. It needs the right to create the schema, or a schema that the
// user owns. The tables belong to that user; see the package comment for the rights of the user
// that [Open] gets.
//
// Programs with the version before can go on while a schema is migrated, unless the changelog says
// otherwise: the functions that they call stay.
func Migrate(ctx context.Context, db Beginner, o *Options) error {
	opts, err := o.complete()
	if err != nil {
		return fmt.Errorf("pgstore: migrate: %w", err)
	}
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		return migrate(ctx, tx, opts.Schema)
	})
	if err != nil {
		return fmt.Errorf("pgstore: migrate schema %q: %w", opts.Schema,
			wrapError(ctx, installation.ErrUnavailable, err))
	}
	return nil
}

func migrate(ctx context.Context, tx pgx.Tx, schema string) error {
	if err := execute(ctx, tx, schema, sqlReadCommitted); err != nil {
		return err
	}
	var server int64
	if err := tx.QueryRow(ctx, sqlServerVersion, pgx.QueryExecModeExec).Scan(&server); err != nil {
		return err
	}
	if server < minServer {
		return errServer(server)
	}
	if err := execute(ctx, tx, schema, sqlMigrationLock); err != nil {
		return err
	}
	from, err := migrated(ctx, tx, schema)
	switch {
	case err != nil || from == Version:
		return err
	case from > Version:
		return errVersion(from)
	}
	for v := from + 1; v <= Version; v++ {
		if err := apply(ctx, tx, schema, v); err != nil {
			return err
		}
	}
	if from == 0 {
		_, err = tx.Exec(ctx, fill(schema, sqlNewNamespace), pgx.QueryExecModeExec,
			int64(Version), rand.Text(), rand.Text())
	} else {
		_, err = tx.Exec(ctx, fill(schema, sqlSetVersion), pgx.QueryExecModeExec, int64(Version))
	}
	return err
}

// SQL of Migrate. The lock ends with the transaction. At another isolation level than READ
// COMMITTED, which can be the default, a statement after the lock does not see what its last holder
// has done.
const (
	sqlReadCommitted = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
	sqlServerVersion = "SELECT current_setting('server_version_num')::bigint"
	sqlMigrationLock = "SELECT pg_advisory_xact_lock({{migrate_lock}})"
	sqlFindMeta      = `SELECT count(c.oid) FILTER (WHERE c.relname = 'meta'), count(DISTINCT n.oid)
		FROM pg_catalog.pg_namespace n
		LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid WHERE n.nspname = $1::text`
	// Another program can have a table of this name, but not with this column.
	sqlVersion      = "SELECT version::bigint FROM {{schema}}.meta WHERE one"
	sqlCreateSchema = "CREATE SCHEMA {{schema}}"
	sqlNewNamespace = "INSERT INTO {{schema}}.meta (version, id, epoch, era)" +
		" VALUES ($1::bigint, $2::text, 0, $3::text)"
	sqlSetVersion = "UPDATE {{schema}}.meta SET version = $1::bigint"
)

// migrated returns the version of the schema, 0 for an empty one. It creates the schema.
func migrated(ctx context.Context, tx pgx.Tx, schema string) (version int64, err error) {
	var tables, schemas int64
	err = tx.QueryRow(ctx, sqlFindMeta, pgx.QueryExecModeExec, schema).Scan(&tables, &schemas)
	switch {
	case err != nil:
		return 0, err
	case schemas == 0:
		return 0, execute(ctx, tx, schema, sqlCreateSchema)
	case tables == 0:
		return 0, nil
	}
	err = tx.QueryRow(ctx, fill(schema, sqlVersion), pgx.QueryExecModeExec).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoNamespace
	}
	return version, err
}

// apply runs the files of one version.
func apply(ctx context.Context, tx pgx.Tx, schema string, version int64) error {
	names, err := fs.Glob(migrationFiles, fmt.Sprintf("migrations/%d_*.sql", version))
	if err != nil {
		return err
	}
	// Tables come first. Functions name each other only when they run.
	tables := fmt.Sprintf("migrations/%d_tables.sql", version)
	names = append([]string{tables}, slices.DeleteFunc(names, func(name string) bool {
		return name == tables
	})...)
	for _, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return err
		}
		if err := execute(ctx, tx, schema, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// execute runs statements without arguments. Only the simple protocol takes several at once.
func execute(ctx context.Context, tx pgx.Tx, schema, sql string) error {
	_, err := tx.Exec(ctx, fill(schema, sql), pgx.QueryExecModeSimpleProtocol)
	return err
}
