package memstore

import (
	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation/internal/storekey"
)

// Tables and their indexes. Each key belongs to one row, so every index sets Unique: go-memdb
// then uses the keys as they are. go-memdb does not check uniqueness; Commit checks claims.
const (
	tableRecords  = "records"
	tableOutcomes = "outcomes"
	tableEvents   = "events"
	tableTrims    = "trims"

	indexID     = "id"     // go-memdb's name of the primary index
	indexClaims = "claims" // records by claim
	indexLists  = "lists"  // records by their lists, in list order
	indexUntil  = "until"  // outcomes by time, then key
	indexTenant = "tenant" // events by tenant, then sequence
)

func schema() *memdb.DBSchema {
	return &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{
		tableRecords: table(tableRecords, map[string]memdb.Indexer{
			indexID:     single[recordRow](func(r *recordRow) storekey.Key { return r.id }),
			indexClaims: multi[recordRow](func(r *recordRow) [][]byte { return r.claims }),
			indexLists:  multi[recordRow](func(r *recordRow) [][]byte { return r.lists }),
		}),
		tableOutcomes: table(tableOutcomes, map[string]memdb.Indexer{
			indexID:    single[outcomeRow]((*outcomeRow).idKey),
			indexUntil: single[outcomeRow]((*outcomeRow).untilKey),
		}),
		tableEvents: table(tableEvents, map[string]memdb.Indexer{
			indexID:     single[eventRow]((*eventRow).idKey),
			indexTenant: single[eventRow]((*eventRow).tenantKey),
		}),
		tableTrims: table(tableTrims, map[string]memdb.Indexer{
			indexID: single[trimRow]((*trimRow).idKey),
		}),
	}}
}

func table(name string, indexers map[string]memdb.Indexer) *memdb.TableSchema {
	indexes := make(map[string]*memdb.IndexSchema, len(indexers))
	for index, indexer := range indexers {
		indexes[index] = &memdb.IndexSchema{
			Name: index, Unique: true, AllowMissing: true, Indexer: indexer,
		}
	}
	return &memdb.TableSchema{Name: name, Indexes: indexes}
}

// single indexes a row of type T under one key.
type single[T any] func(row *T) storekey.Key

// FromObject implements [memdb.SingleIndexer].
func (f single[T]) FromObject(row any) (bool, []byte, error) {
	return true, f(row.(*T)), nil
}

// FromArgs implements [memdb.Indexer]. The only argument is a complete key.
func (f single[T]) FromArgs(args ...any) ([]byte, error) { return args[0].(storekey.Key), nil }

// multi indexes a row of type T under any number of keys.
type multi[T any] func(row *T) [][]byte

// FromObject implements [memdb.MultiIndexer].
func (f multi[T]) FromObject(row any) (bool, [][]byte, error) {
	keys := f(row.(*T))
	return len(keys) > 0, keys, nil
}

// FromArgs implements [memdb.Indexer]. The only argument is a complete key.
func (f multi[T]) FromArgs(args ...any) ([]byte, error) { return args[0].(storekey.Key), nil }

// first returns the row of type T under k, or nil.
func first[T any](txn *memdb.Txn, table, index string, k storekey.Key) *T {
	row, _ := must(txn.First(table, index, k)).(*T)
	return row
}

func insert(txn *memdb.Txn, table string, row any) { check(txn.Insert(table, row)) }

func remove(txn *memdb.Txn, table string, row any) { check(txn.Delete(table, row)) }

// check panics on an error. go-memdb returns errors only for tables, indexes and rows outside
// of the schema. A caller of this package can neither cause nor handle such an error.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// must is check for a call with a result.
func must[T any](v T, err error) T {
	check(err)
	return v
}
