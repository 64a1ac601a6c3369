package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	_ "modernc.org/sqlite" // registers the driver
)

// Tenants, IDs, terms and claims are BLOBs, which SQLite compares byte by byte. Times are
// microseconds since 1970. Columns beside the rows are only there to find the rows.
const tables = `
CREATE TABLE IF NOT EXISTS meta (
	one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, epoch INTEGER NOT NULL,
	era TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS records (
	tenant BLOB NOT NULL, id BLOB NOT NULL, deleted INTEGER NOT NULL, deadline INTEGER,
	row BLOB NOT NULL, PRIMARY KEY (tenant, id)
);
CREATE INDEX IF NOT EXISTS due ON records (deleted, deadline, id, tenant);
CREATE TABLE IF NOT EXISTS terms (
	term BLOB NOT NULL, tenant BLOB NOT NULL, created INTEGER NOT NULL, id BLOB NOT NULL,
	PRIMARY KEY (term, tenant, created, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS everywhere ON terms (term, created, id, tenant);
CREATE INDEX IF NOT EXISTS termsof ON terms (tenant, id);
CREATE TABLE IF NOT EXISTS claims (
	tenant BLOB NOT NULL, claim BLOB NOT NULL, id BLOB NOT NULL, PRIMARY KEY (tenant, claim)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claimsof ON claims (tenant, id);
CREATE TABLE IF NOT EXISTS outcomes (
	tenant BLOB NOT NULL, digest BLOB NOT NULL, until INTEGER NOT NULL, row BLOB NOT NULL,
	PRIMARY KEY (tenant, digest)
);
CREATE INDEX IF NOT EXISTS expired ON outcomes (until);
CREATE TABLE IF NOT EXISTS events (
	seq INTEGER PRIMARY KEY AUTOINCREMENT, tenant BLOB NOT NULL, event BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS eventsof ON events (tenant, seq);`

// Store is an [installation.Store] in one file.
type Store struct{ db *sql.DB }

// Open opens the store in a file. It creates the file if it does not exist. The value of
// synchronous is that of the pragma: FULL survives a loss of power.
func Open(ctx context.Context, path, synchronous string) (*Store, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(60000)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+")")
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	s := &Store{db: db}
	err = s.write(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, tables+"\nINSERT OR IGNORE INTO meta VALUES (1, ?, 0, '')",
			rand.Text())
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// write calls f in a transaction. No other transaction writes meanwhile, so what f reads stays
// true until its changes are visible.
func (s *Store) write(ctx context.Context, f func(tx *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // fails after Commit, and has nothing to do then
	if err := f(tx); err != nil {
		return err
	}
	switch err := tx.Commit(); {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrTxDone), errors.Is(err, ctx.Err()):
		return unavailable(ctx, err) // the context ended first, and the changes are gone
	default:
		return fmt.Errorf("%w: sqlite: %v", installation.ErrUnknownOutcome, err)
	}
}

// unavailable returns an error for a failure of the database or the end of the context.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: sqlite: %v", installation.ErrUnavailable, err)
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scan reads the one row of a query, and reports whether there is one.
func scan(ctx context.Context, row *sql.Row, into ...any) (bool, error) {
	switch err := row.Scan(into...); {
	case err == nil:
		return true, nil
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	default:
		return false, unavailable(ctx, err)
	}
}

func exec(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	if _, err := tx.ExecContext(ctx, query, args...); err != nil {
		return unavailable(ctx, err)
	}
	return nil
}

// Namespace implements [installation.Namespacer].
func (s *Store) Namespace(ctx context.Context) (installation.Namespace, error) {
	if err := ctx.Err(); err != nil {
		return installation.Namespace{}, err
	}
	return namespace(ctx, s.db)
}

func namespace(ctx context.Context, db querier) (in installation.Namespace, err error) {
	row := db.QueryRowContext(ctx, "SELECT id, epoch, era FROM meta")
	found, err := scan(ctx, row, &in.ID, &in.Epoch, &in.Era)
	if err == nil && !found {
		err = fmt.Errorf("%w: sqlite: there is no namespace", installation.ErrUnavailable)
	}
	return in, err
}

// AcceptRestore implements [installation.Namespacer].
func (s *Store) AcceptRestore(
	ctx context.Context, now time.Time,
) (in installation.Namespace, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		if in, err = namespace(ctx, tx); err != nil {
			return err
		}
		in.Epoch, in.Era = max(now.UnixMicro(), in.Epoch+1), rand.Text()
		return exec(ctx, tx, "UPDATE meta SET epoch = ?, era = ?", in.Epoch, in.Era)
	})
	return in, err
}

// Health implements [installation.HealthChecker].
func (s *Store) Health(ctx context.Context) ([]health.Finding, error) {
	if _, err := s.Namespace(ctx); err != nil {
		return nil, err
	}
	var synchronous int
	row := s.db.QueryRowContext(ctx, "PRAGMA synchronous")
	if _, err := scan(ctx, row, &synchronous); err != nil {
		return nil, err
	}
	if synchronous < 2 {
		return []health.Finding{{Level: health.Warning, Rule: "synchronous",
			Detail: "a loss of power can undo the last commits"}}, nil
	}
	return nil, nil
}
