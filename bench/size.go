package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/memstore"
)

// sizeRows measure what a record takes, with its place in all lists, its claim and its event. The other side keeps as many
// bytes as the body has under an id.
func sizeRows(tb testing.TB, s Scale) []Row {
	n := max(2000, s.Records/20)
	body := 0.0
	heap := func(f func() any) float64 { // what f keeps, for each record
		before := heapInUse()
		kept := f()
		after := heapInUse()
		runtime.KeepAlive(kept)
		return (after - before) / float64(n)
	}
	inMemory := heap(func() any {
		w := newWorld(tb, memstore.New(), newRing(tb, "k1"), n)
		body = float64(len(w.record(tb, w.ids[0]).Body.Bytes()))
		return w.store
	})
	inMap := heap(func() any {
		m := make(map[string][]byte)
		for range n {
			m[newID()] = make([]byte, int(body))
		}
		return m
	})

	client := redistest.Start(tb).Client(tb)
	store := openStore(tb, client)
	newWorld(tb, store, newRing(tb, "k1"), 100) // brings connections and scripts, which are no part of a record
	before := used(tb, client)
	newWorld(tb, store, newRing(tb, "k1"), n)
	onRedis := (used(tb, client) - before) / float64(n)
	check(tb, client.FlushAll(tb.Context()).Err())
	before = used(tb, client)
	for i := range n {
		check(tb, client.Set(tb.Context(), fmt.Sprintf("%036d", i), make([]byte, int(body)), 0).Err())
	}
	inStrings := (used(tb, client) - before) / float64(n)

	const lacks = "lists, claims, change log"
	return []Row{
		sizeRow("stored body", "2 KiB", "", body, bodySize),
		sizeRow("memstore, each record", "map of bytes", lacks, inMemory, inMap),
		sizeRow("redisstore, each record", "SET of the body", lacks, onRedis, inStrings),
	}
}

func sizeRow(name, against, lacks string, ours, base float64) Row {
	return Row{Name: name, Against: against, Lacks: lacks, Unit: "B", Count: func(time.Duration) (float64, float64, error) { return ours, base, nil }}
}

func heapInUse() float64 {
	runtime.GC()
	runtime.GC() // what the first one has only marked as free
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// used returns how many bytes a server uses.
func used(tb testing.TB, client *redis.Client) float64 {
	tb.Helper()
	for line := range strings.Lines(client.Info(tb.Context(), "memory").Val()) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			n, err := strconv.ParseFloat(text, 64)
			check(tb, err)
			return n
		}
	}
	tb.Fatal("the server does not say how much memory it uses")
	return 0
}
