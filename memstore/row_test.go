package memstore

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// TestIndexKeys validates every key of rows with all fields set. Each key is clipped, because
// go-memdb appends to keys, and no key is a prefix of another, because older radix trees cannot
// tell those apart.
func TestIndexKeys(t *testing.T) {
	full := change(installation.Key{Tenant: "t", ID: "i"}, 1)
	full.Record.Deadline = now
	full.Record.Index = []string{"@a", "@a!", "a", "a!", "t"}
	full.Record.Claims = []string{"a", "a!", "t"}
	e := newEventRow(installation.Event{Key: full.Key})
	e.seq = 1
	for table, rows := range map[string][]any{
		tableRecords: {
			newRecordRow(full.Record),
			newRecordRow(tombstone(installation.Key{Tenant: "t", ID: "ii"}, 2, now).Record),
		},
		tableOutcomes: {newOutcomeRow("t", installation.Outcome{Until: now})},
		tableEvents:   {e},
		tableTrims:    {&trimRow{tenant: "t"}, &trimRow{}},
	} {
		for name, index := range schema().Tables[table].Indexes {
			keys := keysOf(t, index.Indexer, rows)
			for i, k := range keys {
				if len(k) != cap(k) {
					t.Errorf("%s.%s: key %q has room for %d bytes more", table, name, k,
						cap(k)-len(k))
				}
				for j, other := range keys {
					if i != j && bytes.HasPrefix(other, k) {
						t.Errorf("%s.%s: key %q begins with key %q", table, name, other, k)
					}
				}
			}
		}
	}
}

func keysOf(t *testing.T, indexer memdb.Indexer, rows []any) [][]byte {
	t.Helper()
	var keys [][]byte
	for _, row := range rows {
		switch indexer := indexer.(type) {
		case memdb.SingleIndexer:
			ok, k, err := indexer.FromObject(row)
			if !ok || err != nil {
				t.Fatalf("no key of %T: %v", row, err)
			}
			keys = append(keys, k)
		case memdb.MultiIndexer:
			_, more, err := indexer.FromObject(row)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, more...)
		}
	}
	return keys
}

// TestRowsDoNotChange proves that an update does not modify the old row, which snapshots still
// read.
func TestRowsDoNotChange(t *testing.T) {
	s := New()
	key := installation.Key{ID: "a"}
	for revision := int64(1); revision <= installation.RememberedOps; revision++ {
		commit(t, s, change(key, revision))
	}
	old := first[recordRow](s.db.Txn(false), tableRecords, indexID, storekey.Record(key))
	before := fmt.Sprintf("%+v", *old)
	touch := change(key, installation.RememberedOps+1)
	touch.Record = nil
	copy(touch.Op[:], "touched")
	commit(t, s, touch, change(key, installation.RememberedOps+1),
		tombstone(key, installation.RememberedOps+2, now))
	if after := fmt.Sprintf("%+v", *old); after != before {
		t.Errorf("the row is %s, was %s", after, before)
	}
	if n := len(first[recordRow](s.db.Txn(false), tableRecords, indexID,
		storekey.Record(key)).ops); n != installation.RememberedOps {
		t.Errorf("%d op tokens are remembered, want %d", n, installation.RememberedOps)
	}
}
