package pgstore_test

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/pgstore"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// schemas counts the schemas of this test binary.
var schemas atomic.Int64

// newOptions returns options with a schema of its own.
func newOptions() *pgstore.Options {
	return &pgstore.Options{
		Schema: fmt.Sprintf("test-%d", schemas.Add(1)), RetryFor: pgtest.Patience,
	}
}

// newPool returns a pool that is closed when the test ends.
func newPool(tb testing.TB, url string, connections int32) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(url)
	must(tb, err)
	config.MaxConns = connections
	config.ConnConfig.ConnectTimeout = pgtest.Patience
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	must(tb, err)
	tb.Cleanup(pool.Close)
	return pool
}

// migrate makes the schema as the superuser.
func migrate(tb testing.TB, url string, o *pgstore.Options) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	must(tb, err)
	defer conn.Close(tb.Context())
	must(tb, pgstore.Migrate(tb.Context(), conn, o))
}

// newStore returns a store in a new schema of the shared server.
func newStore(tb testing.TB, o *pgstore.Options) *pgstore.Store {
	tb.Helper()
	url := pgtest.Shared(tb).URL("postgres")
	migrate(tb, url, o)
	return open(tb, newPool(tb, url, 20), o)
}

func open(tb testing.TB, pool *pgxpool.Pool, o *pgstore.Options) *pgstore.Store {
	tb.Helper()
	s, err := pgstore.Open(tb.Context(), pool, o)
	must(tb, err)
	return s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

var now = time.Date(2100, 1, 2, 3, 4, 5, 6000, time.UTC)

func at(id string) installation.Key { return installation.Key{Tenant: "tenant", ID: id} }

// create returns a change that creates a record.
func create(key installation.Key) installation.Change {
	return installation.Change{Op: token(), Now: now, Key: key, Record: &installation.Record{
		Key: key, Revision: 1, Generation: 1, Created: now, Index: []string{"@all", "all"},
		Body: installation.BodyFromBytes("body"),
	}}
}

// update returns a change of a stored record.
func update(r *installation.Record) installation.Change {
	next := *r
	next.Revision++
	return installation.Change{Op: token(), Now: now, Key: r.Key, If: r.Revision, Record: &next}
}

// token returns a new op token.
func token() (op [16]byte) {
	binary.BigEndian.PutUint64(op[:], uint64(tokens.Add(1)))
	return op
}

var tokens atomic.Int64

func commit(tb testing.TB, s installation.Store, c installation.Change) {
	tb.Helper()
	if _, err := s.Commit(tb.Context(), c); err != nil {
		tb.Fatalf("commit: %v", err)
	}
}

// withEvent adds an event to a change.
func withEvent(c installation.Change, reason string) installation.Change {
	c.Events = append(c.Events, installation.Event{Key: c.Key, Time: now, Reason: reason})
	return c
}
