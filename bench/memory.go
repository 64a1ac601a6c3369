package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/memstore"
)

// memoryRows measure the service on memstore. The other side is go-memdb with as many rows of as many bytes, and the cipher
// alone on what has to be opened; what it does not do is all that the library is for.
func memoryRows(tb testing.TB, s Scale) []Row {
	ring := newRing(tb, "k1")
	store := memstore.New()
	fill(tb, store, s.Records)
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

// bodyRows measure what a stored body costs, encoded and decoded. The other side keeps the same parts as JSON.
func bodyRows(tb testing.TB, w *world) []Row {
	tb.Helper()
	seen := &recorder{Store: w.store}
	onSeen := &world{ctx: w.ctx, store: seen, ids: w.ids}
	onSeen.svc = onSeen.service(tb, newRing(tb, "k1"), nil)
	check(tb, onSeen.create())
	record := *seen.last.Record

	type parts struct {
		Status, KeyID string
		Generation    int64
		Key, Manifest []byte
		Values        map[string][]byte
	}
	same := parts{"installed", "k1", 1, make([]byte, 110), make([]byte, storedManifest(tb, record.Body)), map[string][]byte{}}
	for _, name := range []string{"/client_secret", "/api_token", "/webhook_secret", "/db_password"} {
		same.Values[name] = make([]byte, 110)
	}
	text, err := json.Marshal(same)
	check(tb, err)

	// A read without the key decodes the body, finds that the key is missing, and says what is known in plain.
	stranger := &world{ctx: w.ctx, ids: []string{record.Key.ID}}
	stranger.store = one{Store: w.store, record: record, body: record.Body.Bytes()}
	stranger.svc = stranger.service(tb, newRing(tb, "k9"), nil)
	return []Row{
		{Name: "encode a body", Against: "encoding/json", Lacks: "limits", Ours: func() error { record.Body.Bytes(); return nil }, Base: func() error { _, err := json.Marshal(same); return err }},
		{
			Name: "decode a body (a read without its key)", Against: "encoding/json", Lacks: "limits, duplicate keys", Base: func() error { return json.Unmarshal(text, new(parts)) },
			Ours: func() error {
				if err := stranger.get(); !errors.Is(err, installation.ErrUnknownKey) {
					return err
				}
				return nil
			},
		},
	}
}

// table is go-memdb with one index.
type table struct {
	db  *memdb.MemDB
	row *tableRow
}

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

// recorder is a store that remembers the last change.
type recorder struct {
	installation.Store
	last installation.Change
}

// Commit implements [installation.Store].
func (r *recorder) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	r.last = c
	return r.Store.Commit(ctx, c)
}

// one is a store that answers with one record, from its stored bytes each time.
type one struct {
	installation.Store
	record installation.Record
	body   []byte
}

// Get implements [installation.Store].
func (o one) Get(context.Context, installation.Key) (*installation.Record, error) {
	r := o.record
	r.Body = installation.BodyFromBytes(o.body)
	return &r, nil
}

// tailRow compares the slowest of a hundred reads while commits go on without a pause. The other side keeps the same lists and
// claims in maps and sorted slices under one RWMutex, as a store without snapshots has to.
func tailRow(tb testing.TB, w *world, s Scale) Row {
	locked := newLocked(s.Records, w.ids)
	commit := updating(tb, w.store, 1)
	create := creating(tb, w.store)
	return Row{
		Name: "Store.Get, p99 while others commit", Against: "RWMutex, maps, sorted slices", Lacks: "change log, outcomes; memory for snapshots", Reach: 1, Unit: "ns",
		Count: func(d time.Duration) (ours, base float64, err error) {
			if ours, err = tail(d, w.storeGet, func() error { return errors.Join(create(), commit()) }); err != nil {
				return 0, 0, err
			}
			base, err = tail(d, func() error { return locked.get(w.id()) }, func() error { locked.put(newID()); return nil })
			return ours, base, err
		},
	}
}

// tail returns the time in nanoseconds within which 99 of 100 reads end while writes go on, over five slices of time.
func tail(slice time.Duration, read, write Work) (float64, error) {
	var wait sync.WaitGroup
	stop := make(chan struct{})
	failed := make(chan error, 1)
	wait.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := write(); err != nil {
				failed <- err
				return
			}
		}
	})
	var times []float64
	for began, last := time.Now(), time.Now(); last.Sub(began) < 5*slice; {
		if err := read(); err != nil {
			close(stop)
			wait.Wait()
			return 0, err
		}
		now := time.Now()
		times = append(times, float64(now.Sub(last)))
		last = now
	}
	close(stop)
	wait.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return quantile(times, 0.99), nil
	}
}

// locked is a store under one lock: records by id, and the same nine lists and claims as ours, kept sorted.
type locked struct {
	mu      sync.RWMutex
	records map[string]*installation.Record
	lists   map[string][]string
	claims  map[string]string
}

func newLocked(n int, ids []string) *locked {
	l := &locked{records: map[string]*installation.Record{}, lists: map[string][]string{}, claims: map[string]string{}}
	for range n {
		l.put(newID())
	}
	for _, id := range ids {
		l.put(id)
	}
	return l
}

func (l *locked) put(id string) {
	c := creation(tenant, numbers.Add(1), installation.Body{})
	r := c.Record
	r.Key.ID = id
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records[id] = r
	for _, claim := range r.Claims {
		l.claims[claim] = id
	}
	for _, term := range r.Index {
		at, there := slices.BinarySearch(l.lists[term], id)
		if !there {
			l.lists[term] = slices.Insert(l.lists[term], at, id)
		}
	}
}

func (l *locked) get(id string) error {
	l.mu.RLock()
	r := l.records[id]
	l.mu.RUnlock()
	if r == nil {
		return errors.New("no record")
	}
	copied := *r
	copied.Index, copied.Claims = slices.Clone(r.Index), slices.Clone(r.Claims)
	return nil
}
