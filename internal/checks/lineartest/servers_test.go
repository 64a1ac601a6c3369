package lineartest

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/boltstore"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/internal/servertest"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/pgstore"
	"github.com/go-installation/installation/redisstore"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestMemstoreIsLinearizable(t *testing.T) {
	newHarness(memstore.New()).check(t)
}

func TestBoltstoreIsLinearizable(t *testing.T) {
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "store.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	newHarness(s).check(t)
}

func TestRedisstoreIsLinearizable(t *testing.T) {
	newHarness(openRedis(t, redistest.Start(t).Addr)).check(t)
}

func TestPgstoreIsLinearizable(t *testing.T) {
	newHarness(openPostgres(t, pgtest.Start(t).URL("postgres"), clients)).check(t)
}

// TestRedisstoreLosesAnswers loses scripts and answers between the clients and the server.
func TestRedisstoreLosesAnswers(t *testing.T) {
	server := redistest.Start(t)
	h := &harness{log: openRedis(t, server.Addr)}
	for range clients {
		proxy := redistest.StartProxy(t, server.Addr)
		proxy.Lose(h.lossy(openRedis(t, proxy.Addr())).loses, nil)
	}
	h.checkLosses(t)
}

// TestPgstoreLosesAnswers loses statements and answers between the clients and the server.
func TestPgstoreLosesAnswers(t *testing.T) {
	server := pgtest.Start(t)
	h := &harness{log: openPostgres(t, server.URL("postgres"), 1)}
	for range clients {
		proxy := server.StartProxy(t)
		c := h.lossy(openPostgres(t, proxy.URL("postgres"), 1))
		proxy.Lose("commit_1", c.loses)
	}
	h.checkLosses(t)
}

// loses decides what is lost of a request. After half of the losses, the caller gives up and does
// not learn the outcome.
func (c *client) loses() servertest.Loss {
	loss := servertest.LoseNothing
	switch rand.IntN(20) {
	case 0:
		loss = servertest.LoseRequest
	case 1, 2:
		loss = servertest.LoseAnswer
	default:
		return loss
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.giveUp != nil && rand.IntN(2) == 0 {
		c.giveUp()
	}
	return loss
}

// openRedis opens the store of a server.
func openRedis(t *testing.T, addr string) *redisstore.Store {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = c.Close() })
	s, err := redisstore.Open(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openPostgres opens the store in a database, with a pool of this many connections. It sends the
// text of each statement, so that a proxy can find the commits.
func openPostgres(t *testing.T, url string, connections int32) *pgstore.Store {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = connections
	conn, err := pgx.ConnectConfig(t.Context(), config.ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	err = pgstore.Migrate(t.Context(), conn, nil)
	_ = conn.Close(t.Context()) // it is not used again
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s, err := pgstore.Open(t.Context(), pool, &pgstore.Options{
		ExecMode: pgx.QueryExecModeExec,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
