package main

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation/memstore"
)

// memoryRows measure the service on memstore. The other side is go-memdb with as many rows of as many bytes, and the cipher
// alone on what has to be opened; what it does not do is all that the library is for.
func memoryRows(tb testing.TB, s Scale) []Row {
	ring := newRing(tb, "k1")
	store := memstore.New()
	fill(tb, store, s.Records, time.Time{})
	w := newWorld(tb, store, ring, 1024)
	cached := &world{ctx: w.ctx, store: store, ids: w.ids}
	cached.svc = w.service(tb, newCache(tb, ring), nil)
	invited := &invitations{world: w}

	raw := newRaw(tb)
	record := w.record(tb, w.ids[0])
	manifest := raw.sealedOf(storedManifest(tb, record.Body))
	secret := raw.sealedOf(64 + 16)
	db := newTable(tb, s.Records, w.ids)
	first := func() error { return db.first(w.id()) }
	look := func() error { return errors.Join(first(), raw.open(manifest)) }

	const reads = "masking, checks of the record, decoding"
	const writes = "compare-and-swap, lists, claims, change log, sealing"
	rows := []Row{
		{Name: "count", Against: "memdb range", Ours: w.count, Base: func() error { return db.page(len(w.ids)) }},
		{Name: "Get, masked", Against: "memdb First, open manifest", Lacks: reads, Reach: 4, Ours: w.get, Base: look},
		{Name: "Get, masked, key cache", Against: "memdb First, open manifest", Lacks: reads, Reach: 2.5, Ours: cached.get, Base: look},
		{Name: "Get, masked, 64 goroutines", Against: "memdb First, open manifest", Lacks: reads, Ours: w.get, Base: func() error { return errors.Join(first(), newOpener(raw, manifest)()) }, Goroutines: 64},
		{
			Name: "Reveal one", Against: "memdb First, open manifest and value, insert", Lacks: "event before the value leaves", Ours: w.reveal,
			Base: func() error { return errors.Join(look(), raw.open(secret), db.insert(w.id())) },
		},
		{Name: "create", Against: "memdb insert, seal manifest", Lacks: writes, Ours: w.create, Base: db.write(raw)},
		{Name: "update, masks sent back", Against: "memdb insert, open and seal manifest", Lacks: writes, Ours: w.update, Base: db.rewrite(raw, manifest)},
		{Name: "patch one value", Against: "memdb insert, open and seal manifest", Lacks: writes, Ours: w.patch, Base: db.rewrite(raw, manifest)},
		{Name: "accept", Against: "memdb insert, open and seal manifest", Lacks: writes, Ours: invited.accept, Prepare: invited.prepare, Base: db.rewrite(raw, manifest)},
		{Name: "page of 100, masked", Against: "memdb range, open 100 manifests", Lacks: reads, Ours: w.page, Base: func() error { return errors.Join(db.page(pageSize), raw.openTimes(manifest, pageSize)) }},
		{Name: "Store.Get", Against: "memdb First", Lacks: "copies", Ours: w.storeGet, Base: first},
		{Name: "Store.Commit create", Against: "memdb insert", Lacks: writes, Ours: creating(tb, store), Base: func() error { return db.insert(newID()) }},
		{Name: "Store.Commit update", Against: "memdb insert", Lacks: writes, Ours: updating(tb, store, 1), Base: func() error { return db.insert(w.id()) }},
	}
	rows = append(rows, bodyRows(tb, w)...)
	return append(rows, tailRow(tb, w, s))
}

// table is go-memdb with one index.
type table struct{ db *memdb.MemDB }

type tableRow struct{ ID, Body string }

func newTable(tb testing.TB, n int, ids []string) *table {
	tb.Helper()
	db, err := memdb.NewMemDB(&memdb.DBSchema{Tables: map[string]*memdb.TableSchema{"rows": {
		Name: "rows", Indexes: map[string]*memdb.IndexSchema{"id": {Name: "id", Unique: true, Indexer: &memdb.StringFieldIndex{Field: "ID"}}},
	}}})
	check(tb, err)
	t := &table{db: db}
	txn := db.Txn(true)
	for range n {
		check(tb, txn.Insert("rows", &tableRow{newID(), value}))
	}
	for _, id := range ids {
		check(tb, txn.Insert("rows", &tableRow{id, value}))
	}
	txn.Commit()
	return t
}

func newID() string { return keyOf("", numbers.Add(1)).ID }

func (t *table) first(id string) error {
	row, err := t.db.Txn(false).First("rows", "id", id)
	if row == nil {
		return errors.New("no row")
	}
	return err
}

func (t *table) insert(id string) error {
	txn := t.db.Txn(true)
	defer txn.Abort()
	if err := txn.Insert("rows", &tableRow{id, value}); err != nil {
		return err
	}
	txn.Commit()
	return nil
}

func (t *table) page(n int) error {
	it, err := t.db.Txn(false).LowerBound("rows", "id", "")
	if err != nil {
		return err
	}
	for range n {
		if it.Next() == nil {
			return errors.New("no more rows")
		}
	}
	return nil
}

// write returns a call that seals and inserts a new row.
func (t *table) write(raw *raw) Work {
	text := make([]byte, bodySize)
	return func() error {
		raw.seal(text)
		return t.insert(newID())
	}
}

// rewrite returns a call that reads, opens, seals and inserts a row.
func (t *table) rewrite(raw *raw, manifest []byte) Work {
	id, text := newID(), make([]byte, len(manifest))
	return func() error {
		_ = t.first(id) // there from the second time on
		if err := raw.open(manifest); err != nil {
			return err
		}
		raw.seal(text)
		return t.insert(id)
	}
}

func (r *raw) openTimes(sealed []byte, n int) error {
	for range n {
		if err := r.open(sealed); err != nil {
			return err
		}
	}
	return nil
}

// newOpener returns a call that opens with a buffer of its own.
func newOpener(r *raw, sealed []byte) Work {
	return func() error {
		_, err := r.aead.Open(nil, r.nonce, sealed, r.additional)
		return err
	}
}
