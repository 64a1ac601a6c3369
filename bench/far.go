package main

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/internal/redistest"
)

// farRows returns rows for a Redis server that answers a millisecond late. There only the number of
// round trips matters.
func farRows(tb testing.TB, _ Scale) []Row {
	server := redistest.Start(tb)
	addr := delayed(tb, server.Addr, time.Millisecond)
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	tb.Cleanup(func() { _ = client.Close() })
	near := newWorld(tb, openStore(tb, server.Client(tb)), newRing(tb, "k1"), 256)
	w := near.on(tb, openStore(tb, client), newRing(tb, "k1"))
	raw := must(base.NewRedis(tb.Context(), client))(tb)
	create := creating(tb, w.store)
	return []Row{
		newRow("Get, masked", "GET 2 KiB", "", 0, w.get, raw.Get),
		newRow("Store.Commit create", "SET 2 KiB", "", 1.15, create, raw.Set),
		newRow("create", "SET 2 KiB", "", 0, w.create, raw.Set),
		newRow("update, masks sent back", "GET, SET 2 KiB", "", 0, w.update, raw.GetSet),
		newRow("page of 100, masked", "ZRANGE, 100 HMGET", "", 0, w.page, raw.Page),
	}
}

// delayed returns the address of a proxy for addr that delays the answers.
func delayed(tb testing.TB, addr string, by time.Duration) string {
	tb.Helper()
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(tb)
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", addr)
			if err != nil {
				_ = near.Close()
				continue
			}
			wait.Go(func() { forward(far, near, 0) })
			wait.Go(func() { forward(near, far, by) })
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		wait.Wait() // the cleanups of clients ran before, so their connections are closed
	})
	return listener.Addr().String()
}

// forward copies data from one connection to the other until one of the two ends. It delays each
// piece, and keeps reading while pieces wait.
func forward(to, from net.Conn, by time.Duration) {
	type piece struct {
		due   time.Time
		bytes []byte
	}
	pieces := make(chan piece, 1024)
	var wait sync.WaitGroup
	wait.Go(func() {
		defer to.Close()
		for p := range pieces {
			time.Sleep(time.Until(p.due)) // the simulated network delivers p then
			if _, err := to.Write(p.bytes); err != nil {
				_ = from.Close()
			}
		}
	})
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		if err != nil {
			break
		}
		pieces <- piece{time.Now().Add(by), buffer[:n]}
	}
	close(pieces)
	wait.Wait()
}
