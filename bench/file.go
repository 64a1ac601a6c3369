package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/boltstore"
)

// fileRows returns rows for the store and the service on one file. The other side is bbolt with as
// many bytes in a file of its own. Both sync every commit.
func fileRows(tb testing.TB, s Scale) []Row {
	dir := tb.TempDir()
	path := filepath.Join(dir, "store.db")
	filling := openFile(tb, path, true)
	ring := newRing(tb, "k1")
	fill(tb, filling, s.Records, time.Time{})
	w := newWorld(tb, filling, ring, 1024)
	check(tb, filling.Close())
	store := openFile(tb, path, false)
	w = w.on(tb, store, ring)
	raw := must(base.NewFile(filepath.Join(dir, "base.db"), s.Records, rowSize(tb)))(tb)
	tb.Cleanup(func() { _ = raw.Close() })
	create, update := creating(tb, store), updating(tb, store, 16)
	page := installation.Query{Tenant: tenant, Term: "all", Limit: base.PageSize}
	list := func() error { return listing(w.ctx, store, page) }

	const get, gets = "bbolt Get and copy", "bbolt Get of nothing"
	const put, walk = "bbolt Put", "bbolt cursor, 100 Gets and copies"
	const insert = "bbolt Put, two indexes"
	const reads, checked = "decoding, checksum", "decoding, checksums, checks of the pages"
	const writes = "compare-and-swap, all lists, claims, outcomes, change log, checksums"
	const opened = reads + ", decryption, masking"
	return []Row{
		newRow("Store.Get", get, reads, 1.3, w.storeGet, raw.Get),
		newRow("Store.Get of nothing", gets, "proof that it is missing", 0, w.getNothing,
			raw.GetNothing),
		newRow("Store.List page of 100", walk, checked, 2, list, raw.Page),
		newRow("Store.Commit create", insert, writes, 2.5, create, raw.Insert),
		newRow("Store.Commit update", put, writes, 0, update, raw.Replace),
		newRow("count 1024", "bbolt cursor", checked, 0, w.count, raw.Count),
		newRow("Get, masked", get, opened, 0, w.get, raw.Get),
		newRow("create", insert, writes+", encryption", 0, w.create, raw.Insert),
		many(newRow("Store.Get", get, reads, 1.3, w.storeGet, raw.Get)),
		many(newRow("Store.List page of 100", walk, checked, 2, list, raw.Page)),
		many(newRow("Get, masked", get, opened, 0, w.get, raw.Get)),
	}
}

// openFile opens a store. With noSync, commits are not synced.
func openFile(tb testing.TB, path string, noSync bool) *boltstore.Store {
	tb.Helper()
	store := must(boltstore.Open(path, &boltstore.Options{NoSync: noSync}))(tb)
	tb.Cleanup(func() { _ = store.Close() })
	return store
}

// many returns the row for 64 goroutines.
func many(r Row) Row {
	r.Name, r.Goroutines = r.Name+", 64 goroutines", 64
	return r
}

// rowSize returns how many bytes a store keeps for a record.
func rowSize(tb testing.TB) int {
	tb.Helper()
	c := creation(tenant, numbers.Add(1))
	return len(must(installation.Row{}.Apply(c).MarshalBinary())(tb))
}
