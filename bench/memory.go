package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// memoryRows returns rows for the service on memstore. The other side is go-memdb with rows of the
// same number and size, and the cipher alone on what a call has to open or seal.
func memoryRows(tb testing.TB, s Scale) []Row {
	ring := newRing(tb, "k1")
	cache := must(crypto.NewCache(ring, nil))(tb)
	store := memstore.New()
	fill(tb, store, s.Records, time.Time{})
	w := newWorld(tb, store, ring, 1024)
	cached, dropping := w.on(tb, store, cache), w.on(tb, dropped{store}, ring)
	check(tb, cached.openAll(0))
	connected := cached.connected(tb)
	invited := &invitations{world: w}
	raw := must(base.NewMemory(s.Records))(tb)
	commit, replace := creating(tb, store), updating(tb, store, 1)

	const read, page = "memdb First, open manifest", "memdb range, open 100 manifests"
	const create, update = "memdb insert, seal body", "memdb First, insert, open and seal manifest"
	const reads = "masking, checks of the record, decoding"
	const writes = "compare-and-swap, lists, claims, change log, sealing"
	rows := []Row{
		newRow("Get, masked", read, reads, 4, w.get, raw.Read),
		newRow("Get, masked, key cache", read, reads, 2.8, cached.get, raw.Read),
		{
			Name: "Get, masked, 64 goroutines", Against: read, Lacks: reads, Goroutines: 64,
			Ours: w.get, Base: raw.ReadAlone,
		},
		newRow("page of 100, masked", page, reads, 4.5, w.page, raw.Page),
		newRow("page of 100, masked, key cache", page, reads, 0, cached.page, raw.Page),
		newRow("create", create, writes, 0, w.create, raw.Create),
		newRow("create, commit dropped", create, writes, 0, dropping.create, raw.Create),
		newRow("update, masks sent back", update, writes, 0, w.update, raw.Update),
		newRow("patch one value", update, writes, 0, w.patch, raw.Update),
		{
			Name: "accept", Against: update, Lacks: writes, Ours: invited.accept,
			Prepare: invited.prepare, Base: raw.Update,
		},
		newRow("Reveal one", "memdb First, open manifest and value, insert",
			"event before the value leaves", 0, w.reveal, raw.Reveal),
		newRow("Open, key cache", "Get, masked, key cache; open its secrets",
			"policy, the right to reveal, wiping", 1.5, cached.open, cached.getAndOpenValues(tb)),
		newRow("Refresh of a fresh token, key cache", "Open, key cache", "the time of expiry", 1.25,
			connected.refresh, connected.open),
		newRow("Store.Get", "memdb First", "copies", 0, w.storeGet, raw.First),
		newRow("Store.Commit create", "memdb insert", writes, 8, commit, raw.Insert),
		newRow("Store.Commit update", "memdb insert", writes, 4, replace, raw.Replace),
	}
	for i := range rows {
		rows[i].Collected = true
	}
	return append(rows, countRow(tb, s))
}

// dropped is a store whose Commit succeeds and stores nothing.
type dropped struct{ installation.Store }

// Commit implements [installation.Store].
func (dropped) Commit(context.Context, installation.Change) (installation.Receipt, error) {
	return installation.Receipt{}, nil
}

// countRow returns a row that compares a count of many records with a count of a thousand.
func countRow(tb testing.TB, s Scale) Row {
	tb.Helper()
	counting := func(n int) Work {
		store := memstore.New()
		_, err := concurrently(8, n, func(int) error {
			c := creation(tenant, numbers.Add(1))
			c.Record.Body = installation.BodyFromBytes([]byte("a count reads none"))
			return failure(store.Commit(tb.Context(), c))
		})
		check(tb, err)
		w := (&world{ctx: tb.Context()}).on(tb, store, newRing(tb, "k1"))
		return w.count
	}
	return Row{
		Name: fmt.Sprintf("count at %d", s.Counted), Reach: 1.5,
		Against: fmt.Sprintf("the same at %d", base.CountRecords),
		Ours:    counting(s.Counted), Base: counting(base.CountRecords),
	}
}
