package memstore

import (
	"github.com/hashicorp/go-memdb"
)

// Tables and their indexes. Every index is Unique, since every key names one row: then go-memdb writes nothing behind the
// keys it is given. It does not enforce uniqueness, so claims are checked in the transaction.
const (
	tableRecords  = "records"
	tableOutcomes = "outcomes"
	tableEvents   = "events"
	tableLosses   = "losses"

	indexID     = "id"     // the name that go-memdb gives to the primary index
	indexClaims = "claims" // records by claim
	indexLists  = "lists"  // records by every list they are in, in the order of those lists
	indexUntil  = "until"  // outcomes by time, then key
	indexTenant = "tenant" // events by tenant, then sequence
)

func schema() *memdb.DBSchema {
	return &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{
		tableRecords: table(tableRecords, map[string]memdb.Indexer{
			indexID:     single[recordRow](func(r *recordRow) key { return r.id }),
			indexClaims: multi[recordRow](func(r *recordRow) [][]byte { return r.claims }),
			indexLists:  multi[recordRow](func(r *recordRow) [][]byte { return r.lists }),
		}),
		tableOutcomes: table(tableOutcomes, map[string]memdb.Indexer{
			indexID:    single[outcomeRow](func(r *outcomeRow) key { return outcomeKey(r.tenant, r.Digest) }),
			indexUntil: single[outcomeRow](func(r *outcomeRow) key { return untilKey(r.Until, r.tenant, r.Digest) }),
		}),
		tableEvents: table(tableEvents, map[string]memdb.Indexer{
			indexID:     single[eventRow](func(r *eventRow) key { return eventKey(r.seq) }),
			indexTenant: single[eventRow](func(r *eventRow) key { return tenantEventKey(r.Key.Tenant, r.seq) }),
		}),
		tableLosses: table(tableLosses, map[string]memdb.Indexer{
			indexID: single[lossRow](func(r *lossRow) key { return lossKey(r.tenant) }),
		}),
	}}
}

func table(name string, indexers map[string]memdb.Indexer) *memdb.TableSchema {
	t := &memdb.TableSchema{Name: name, Indexes: make(map[string]*memdb.IndexSchema, len(indexers))}
	for index, indexer := range indexers {
		t.Indexes[index] = &memdb.IndexSchema{Name: index, Unique: true, AllowMissing: true, Indexer: indexer}
	}
	return t
}

// single indexes a row of type T under one key.
type single[T any] func(row *T) key

// FromObject implements [memdb.SingleIndexer].
func (f single[T]) FromObject(row any) (bool, []byte, error) {
	return true, f(row.(*T)), nil
}

// FromArgs implements [memdb.Indexer]. The only argument is a key that the caller has built.
func (f single[T]) FromArgs(args ...any) ([]byte, error) { return args[0].(key), nil }

// multi indexes a row of type T under any number of keys.
type multi[T any] func(row *T) [][]byte

// FromObject implements [memdb.MultiIndexer].
func (f multi[T]) FromObject(row any) (bool, [][]byte, error) {
	keys := f(row.(*T))
	return len(keys) > 0, keys, nil
}

// FromArgs implements [memdb.Indexer]. The only argument is a key that the caller has built.
func (f multi[T]) FromArgs(args ...any) ([]byte, error) { return args[0].(key), nil }

// first returns the row of type T under k, or nil.
func first[T any](txn *memdb.Txn, table, index string, k key) *T {
	row, _ := must(txn.First(table, index, k)).(*T)
	return row
}

func insert(txn *memdb.Txn, table string, row any) { check(txn.Insert(table, row)) }

func remove(txn *memdb.Txn, table string, row any) { check(txn.Delete(table, row)) }

// check panics. go-memdb has errors for tables, indexes and rows that do not fit the schema, and for none that a caller of
// this package could bring about or handle.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// must is check for what comes with a value.
func must[T any](v T, err error) T {
	check(err)
	return v
}
