package main

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

// postgresRows returns rows for the store and the service on PostgreSQL. The other side is pgx with
// as many bytes in a table with two indexes, through the same pool. The server syncs every commit.
func postgresRows(tb testing.TB, s Scale) []Row {
	server := pgtest.Start(tb, "fsync=on", "shared_buffers=128MB", "max_wal_size=1GB")
	_, filling := openPostgres(tb, server, "off")
	ring := newRing(tb, "k1")
	fill(tb, filling, s.Records, time.Time{})
	w := newWorld(tb, filling, ring, 1024)
	pool, store := openPostgres(tb, server, "on")
	w = w.on(tb, store, ring)
	raw := must(base.NewPostgres(tb.Context(), pool, s.Records, rowSize(tb)))(tb)
	update := updating(tb, store, 128)
	server.SQL(tb, "postgres", "VACUUM ANALYZE")
	server.SQL(tb, "postgres", "CHECKPOINT")
	create := creating(tb, store)
	page := installation.Query{Tenant: tenant, Term: "all", Limit: base.PageSize}
	list := func() error { return listing(w.ctx, store, page) }

	const get, gets, page100 = "SELECT", "SELECT of nothing", "SELECT of 100 rows"
	const insert, replace, count = "INSERT, two indexes", "UPDATE", "SELECT count(*)"
	const reads, opened = "decoding", "decoding, decryption, masking"
	const writes = "compare-and-swap, all lists, claims, outcomes, change log"
	rows := []Row{
		// The first row has no goal: the server is busy for some seconds after so many writes.
		newRow("Store.Get of nothing", gets, "", 0, w.getNothing, raw.SelectNothing),
		newRow("Store.Get", get, reads, 1.3, w.storeGet, raw.Select),
		newRow("Store.List page of 100", page100, reads, 2, list, raw.Page),
		newRow("Store.Commit create", insert, writes, 2.5, create, raw.Insert),
		newRow("Store.Commit update", replace, writes, 0, update, raw.Update),
		newRow("count 1024", count, "", 0, w.count, raw.Count),
		newRow("Get, masked", get, opened, 0, w.get, raw.Select),
		newRow("create", insert, writes+", encryption", 0, w.create, raw.Insert),
	}
	for _, r := range rows {
		if r = many(r); r.Against == insert {
			r.Reach = 0 // one sync is then for many commits, so the ratio is that of the work
		}
		rows = append(rows, r)
	}
	return rows
}

// openPostgres returns a store and its pool. Commits are synced if synced is "on".
func openPostgres(
	tb testing.TB, server *pgtest.Server, synced string,
) (*pgxpool.Pool, *pgstore.Store) {
	tb.Helper()
	config := must(pgxpool.ParseConfig(server.URL("postgres")))(tb)
	config.MaxConns = 16
	config.ConnConfig.RuntimeParams["synchronous_commit"] = synced
	pool := must(pgxpool.NewWithConfig(tb.Context(), config))(tb)
	tb.Cleanup(pool.Close)
	check(tb, pgstore.Migrate(tb.Context(), pool, nil))
	return pool, must(pgstore.Open(tb.Context(), pool, nil))(tb)
}
