package main

import (
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/internal/pgtest"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/memstore"
)

// sizeRows returns rows for the memory that a record of 2 KiB takes, or the room on disk, with its
// entries in all lists, its claim and its event. The other side is the payload.
func sizeRows(tb testing.TB, s Scale) []Row {
	n := max(2000, s.Records/4)
	before := heapInUse()
	kept := memstore.New()
	fill(tb, kept, n, time.Time{})
	inMemory := (heapInUse() - before) / float64(n)
	w := newWorld(tb, kept, newRing(tb, "k1"), 1)
	record := must(kept.Get(tb.Context(), installation.Key{Tenant: tenant, ID: w.ids[0]}))(tb)

	client := redistest.Start(tb).Client(tb)
	store := openStore(tb, client)
	fill(tb, store, 100, time.Time{}) // opens connections and loads scripts, which do not count
	before = used(tb, client)
	fill(tb, store, n, time.Time{})
	onRedis := (used(tb, client) - before) / float64(n)

	path := filepath.Join(tb.TempDir(), "store.db")
	fill(tb, openFile(tb, path, true), n, time.Time{})
	inFile := fileSize(tb, path) / float64(n)
	server := pgtest.Start(tb)
	_, onPostgres := openPostgres(tb, server, "off")
	before = databaseSize(tb, server)
	fill(tb, onPostgres, n, time.Time{})
	inTables := (databaseSize(tb, server) - before) / float64(n)
	return []Row{
		sizeRow("sealed body", 0, float64(len(record.Body.Bytes()))),
		sizeRow("memstore, each record", 5.0, inMemory),
		sizeRow("redisstore, each record", 4.5, onRedis),
		sizeRow("boltstore, each record", 0, inFile),
		sizeRow("pgstore, each record", 0, inTables),
	}
}

// sizeRow returns a row for a size in bytes. Its goal is at most reach thousand bytes.
func sizeRow(name string, reach, size float64) Row {
	return Row{
		Name: name, Against: "payload", Lacks: "lists, claims, change log", Unit: "B",
		Reach: reach * 1000 / base.BodySize,
		Count: func(time.Duration) (float64, float64, error) { return size, base.BodySize, nil },
	}
}

// databaseSize returns how many bytes a database takes on disk.
func databaseSize(tb testing.TB, server *pgtest.Server) float64 {
	tb.Helper()
	text := server.SQL(tb, "postgres", "SELECT pg_database_size('postgres')")
	return must(strconv.ParseFloat(text, 64))(tb)
}

func heapInUse() float64 {
	runtime.GC()
	runtime.GC() // frees what the first one marks
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// used returns how many bytes a server uses.
func used(tb testing.TB, client *redis.Client) float64 {
	tb.Helper()
	text := client.InfoMap(tb.Context(), "memory").Item("Memory", "used_memory")
	return must(strconv.ParseFloat(text, 64))(tb)
}
