package base

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Postgres is pgx on a table with two indexes beside its primary key.
type Postgres struct {
	ctx   context.Context
	pool  *pgxpool.Pool
	ids   *ids
	value []byte
}

const (
	sqlTable = `CREATE TABLE base (
	id      text PRIMARY KEY,
	tenant  text NOT NULL,
	created bigint NOT NULL,
	owner   text NOT NULL,
	record  bytea NOT NULL
);
ALTER TABLE base ALTER COLUMN record SET STORAGE EXTERNAL;
CREATE INDEX base_tenant ON base (tenant, created, id);
CREATE INDEX base_owner ON base (owner, created, id)`
	sqlInsert = "INSERT INTO base (id, tenant, created, owner, record)" +
		" VALUES ($1, $2, $3, $4, $5)"
	sqlSelect = "SELECT record FROM base WHERE id = $1"
	sqlUpdate = "UPDATE base SET record = $2 WHERE id = $1"
	sqlPage   = "SELECT record FROM base WHERE tenant = $1 ORDER BY created, id LIMIT $2"
	sqlCount  = "SELECT count(*) FROM base WHERE tenant = $1"

	table, here, elsewhere, owner = "base", "project-4400", "other", "ACC-1000-2000"
)

// NewPostgres creates a table with n records of another tenant, and with 1,024 that the calls are
// about. Each record has size bytes.
func NewPostgres(ctx context.Context, pool *pgxpool.Pool, n, size int) (*Postgres, error) {
	p := &Postgres{
		ctx: ctx, pool: pool, ids: newIDs(stored), value: bytes.Repeat([]byte("x"), size),
	}
	if _, err := pool.Exec(ctx, sqlTable, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, err
	}
	for tenant, ids := range map[string][]string{elsewhere: newIDs(n).list, here: p.ids.list} {
		columns := []string{"id", "tenant", "created", "owner", "record"}
		source := pgx.CopyFromSlice(len(ids), func(i int) ([]any, error) {
			return []any{ids[i], tenant, int64(i), owner, p.value}, nil
		})
		if _, err := pool.CopyFrom(ctx, pgx.Identifier{table}, columns, source); err != nil {
			return nil, err
		}
	}
	_, err := pool.Exec(ctx, "VACUUM ANALYZE base")
	return p, err
}

// Insert inserts a record.
func (p *Postgres) Insert() error {
	_, err := p.pool.Exec(p.ctx, sqlInsert, newID(), "created", numbers.Load(), owner, p.value)
	return err
}

// Update replaces a record.
func (p *Postgres) Update() error {
	_, err := p.pool.Exec(p.ctx, sqlUpdate, p.ids.id(), p.value)
	return err
}

// Select reads a record.
func (p *Postgres) Select() error {
	var value []byte
	err := p.pool.QueryRow(p.ctx, sqlSelect, p.ids.id()).Scan(&value)
	if err == nil && len(value) != len(p.value) {
		err = fmt.Errorf("a record of %d bytes", len(value))
	}
	return err
}

// SelectNothing looks for a record that is not there.
func (p *Postgres) SelectNothing() error {
	var value []byte
	err := p.pool.QueryRow(p.ctx, sqlSelect, "x"+p.ids.id()).Scan(&value)
	if !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("a record of %d bytes: %w", len(value), err)
	}
	return nil
}

// Page reads a page of records.
func (p *Postgres) Page() error {
	rows, err := p.pool.Query(p.ctx, sqlPage, here, PageSize)
	if err != nil {
		return err
	}
	page, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err == nil && len(page) != PageSize {
		err = fmt.Errorf("a page of %d", len(page))
	}
	return err
}

// Count counts the records that the calls are about.
func (p *Postgres) Count() error {
	var n int
	err := p.pool.QueryRow(p.ctx, sqlCount, here).Scan(&n)
	if err == nil && n != stored {
		err = fmt.Errorf("%d records", n)
	}
	return err
}
