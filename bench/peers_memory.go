package main

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	scsmemory "github.com/alexedwards/scs/v2/memstore"
	"gocloud.dev/docstore"
	"gocloud.dev/docstore/memdocstore"

	"github.com/go-installation/installation/memstore"
)

// Peers are what a user would pick instead of a store of ours. Each row says what the peer does not do; those that lack nothing
// are to be no faster.

// memoryPeerRows compare memstore.
func memoryPeerRows(tb testing.TB, s Scale) []Row {
	store := memstore.New()
	fill(tb, store, s.Records, time.Time{})
	w := newWorld(tb, store, newRing(tb, "k1"), 1024)
	update := updating(tb, store, 1)

	plain := &plainMap{values: make(map[string]string)}
	sessions := scsmemory.NewWithCleanupInterval(0)
	documents, err := memdocstore.OpenCollection("ID", nil)
	check(tb, err)
	tb.Cleanup(func() { _ = documents.Close() })
	inDocuments := &documentPeer{ctx: tb.Context(), collection: documents, revised: &storedDocument{ID: newID(), Body: value}}
	check(tb, documents.Create(tb.Context(), inDocuments.revised))
	locked := newLocked(s.Records, w.ids)
	expiry := time.Now().Add(time.Hour)
	for _, id := range w.ids {
		plain.set(id)
		check(tb, sessions.Commit(id, []byte(value), expiry))
		check(tb, documents.Put(tb.Context(), &storedDocument{ID: id, Body: value}))
	}
	for range s.Records {
		plain.set(newID())
		check(tb, sessions.Commit(newID(), []byte(value), expiry))
	}

	const all = "compare-and-swap, lists, claims, outcomes, change log"
	return []Row{
		{Name: "Store.Get", Against: "map, RWMutex", Lacks: all, Ours: w.storeGet, Base: func() error { return plain.get(w.id()) }},
		{Name: "Store.Get", Against: "scs memstore", Lacks: all, Ours: w.storeGet, Base: func() error { _, _, err := sessions.Find(w.id()); return err }},
		{Name: "Store.Get", Against: "memdocstore", Lacks: "sorted lists, claims, outcomes, change log", Ours: w.storeGet, Base: func() error { return inDocuments.get(w.id()) }},
		{Name: "Store.Commit update", Against: "map, RWMutex", Lacks: all, Ours: update, Base: func() error { plain.set(w.id()); return nil }},
		{Name: "Store.Commit update", Against: "scs memstore", Lacks: all, Ours: update, Base: func() error { return sessions.Commit(w.id(), []byte(value), expiry) }},
		{Name: "Store.Commit update", Against: "memdocstore, revision", Lacks: "sorted lists, claims, outcomes, change log", Ours: update, Base: inDocuments.update},
		{Name: "Store.Commit create", Against: "RWMutex, maps, sorted slices", Lacks: "outcomes, change log, snapshots", Ours: creating(tb, store), Base: func() error { locked.put(newID()); return nil }},
	}
}

// plainMap is the least there is.
type plainMap struct {
	mu     sync.RWMutex
	values map[string]string
}

func (m *plainMap) get(id string) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.values[id] == "" {
		return errors.New("no value")
	}
	return nil
}

func (m *plainMap) set(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[id] = value
}

// storedDocument is what the document store keeps. The last field is where it puts the revision.
type storedDocument struct {
	ID, Body         string
	DocstoreRevision any
}

type documentPeer struct {
	ctx        context.Context
	collection *docstore.Collection
	revised    *storedDocument
}

func (p *documentPeer) get(id string) error { return p.collection.Get(p.ctx, &storedDocument{ID: id}) }

func (p *documentPeer) update() error { return p.collection.Replace(p.ctx, p.revised) }
