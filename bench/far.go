package main

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/internal/redistest"
)

// farRows measure with a round trip of a millisecond, where what counts is how many of them there are.
func farRows(tb testing.TB, _ Scale) []Row {
	server := redistest.Start(tb)
	client := redis.NewClient(&redis.Options{Addr: delayed(tb, server.Addr, time.Millisecond), MaxRetries: -1})
	tb.Cleanup(func() { _ = client.Close() })
	w := newWorld(tb, openStore(tb, server.Client(tb)), newRing(tb, "k1"), 256)
	w.store = openStore(tb, client)
	w.svc = w.service(tb, newRing(tb, "k1"), nil)
	raw, transactions := newCommands(tb, client), newTransactions(tb, client)
	return []Row{
		{Name: "Get, masked", Against: "GET 2 KiB", Ours: w.get, Base: raw.get},
		{Name: "Store.Commit create", Against: "SET 2 KiB", Reach: 1.2, Ours: creating(tb, w.store), Base: raw.set},
		{Name: "create", Against: "SET 2 KiB", Ours: w.create, Base: raw.set},
		{Name: "update, masks sent back", Against: "GET, SET 2 KiB", Ours: w.update, Base: raw.getSet},
		{Name: "page of 100, masked", Against: "ZRANGE, 100 HMGET", Ours: w.page, Base: raw.paging(tb, w)},
		{Name: "Store.Commit create", Against: "WATCH, MULTI", Reach: 1, Ours: creating(tb, w.store), Base: transactions.create},
		{Name: "Store.Commit update", Against: "WATCH, MULTI", Reach: 1, Ours: updating(tb, w.store, 1), Base: transactions.update},
	}
}

// delayed returns the address of a proxy that hands everything on, answers later by the given time.
func delayed(tb testing.TB, addr string, by time.Duration) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(tb, err)
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
		wait.Wait() // clients were made later and so are closed by now, and with them all connections
	})
	return listener.Addr().String()
}

// forward copies from one connection to another until either ends, each piece later by the given time, in full flow.
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
			time.Sleep(time.Until(p.due)) // the delay that the proxy is for
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
