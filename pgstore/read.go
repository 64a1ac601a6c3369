package pgstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/go-installation/installation"
)

// Get implements [installation.Store]. It is one SELECT.
func (s *Store) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	r := new(installation.Record)
	err := s.find(ctx, s.text.get, []byte(key.Tenant), []byte(key.ID), r.UnmarshalBinary)
	if err != nil {
		return nil, fmt.Errorf("get %q: %w", key.ID, err)
	}
	return r, nil
}

// Outcome implements [installation.Store].
func (s *Store) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (*installation.Outcome, error) {
	o := new(installation.Outcome)
	err := s.find(ctx, s.text.outcome, []byte(tenant), d[:], o.UnmarshalBinary)
	if err != nil {
		return nil, fmt.Errorf("outcome: %w", err)
	}
	return o, nil
}

// find reads one value and decodes it.
func (s *Store) find(
	ctx context.Context, sql string, tenant, key []byte, decode func([]byte) error,
) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var failed error
	err := s.readOne(ctx, sql, []any{tenant, key}, decoder(func(b []byte) error {
		failed = decode(b)
		return nil
	}))
	return cmp.Or(err, failed)
}

// decoder decodes a value from the memory of the connection, so that the value is copied once.
type decoder func([]byte) error

// ScanBytes implements [pgtype.BytesScanner]. The bytes are valid during the call only.
func (d decoder) ScanBytes(b []byte) error { return d(b) }

// Scan implements [sql.Scanner], for transactions of database/sql.
func (d decoder) Scan(value any) error {
	b, ok := value.([]byte)
	if !ok && value != nil {
		return fmt.Errorf("a value is %T and not bytes", value)
	}
	return d(b)
}

var (
	_ pgtype.BytesScanner = decoder(nil)
	_ sql.Scanner         = decoder(nil)
)

// readOne reads the only row of a statement. It returns an error that matches
// [installation.ErrNotFound] if the result is empty.
func (s *Store) readOne(ctx context.Context, sql string, args []any, dest ...any) error {
	return s.oneRow(ctx, s.read, sql, args, dest)
}

// askOne is readOne for calls that must go on after a restore.
func (s *Store) askOne(ctx context.Context, sql string, args []any, dest ...any) error {
	return s.oneRow(ctx, s.ask, sql, args, dest)
}

func (s *Store) oneRow(
	ctx context.Context, run func(context.Context, func(context.Context) error) error,
	sql string, args, dest []any,
) error {
	found := false
	err := run(ctx, func(ctx context.Context) error {
		found = false
		return s.db.query(ctx, sql, args, func(r row) error {
			found = true
			return r.Scan(dest...)
		})
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: nothing is stored", installation.ErrNotFound)
	}
	return err
}
