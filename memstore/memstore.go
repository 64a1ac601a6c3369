// Package memstore is an [installation.Store] in the memory of one process, on go-memdb.
//
// Use it for tests, for trying the library out, and for a program whose installations may end with it. Do not use it where
// a record must outlive the process or be seen by a second one: nothing is written anywhere, and everything is gone at
// exit. It passes the suite of package storetest like any other store and has every optional ability.
//
// # What to expect
//
//   - Readers never wait: each call reads one consistent snapshot, however long a commit runs beside it. Commits run one
//     after the other.
//   - A commit is applied to all indexes at once. Nothing a caller holds is shared with the store but
//     [installation.Body], which cannot be changed.
//   - The store has no clock and no goroutine. Tombstones and outcomes past their time are forgotten by later commits, a
//     few at a time, measured against the Now of those commits; a store that is not written to forgets nothing.
//   - The change log keeps its newest entries, [DefaultMaxEvents] unless told otherwise. For every tenant that lost
//     entries one small mark stays, so that only readers that really missed something get [installation.ErrTrimmed].
//   - Across tenants, records are in the order (Created, Tenant, ID), due ones in the order (Deadline, Tenant, ID).
package memstore

import (
	"context"
	"fmt"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
)

// DefaultMaxEvents is how many entries the change log keeps when [Options] does not say.
const DefaultMaxEvents = 100_000

// Options are the choices of [NewWithOptions]. The zero value is a good one.
type Options struct {
	// MaxEvents is how many entries the change log keeps over all tenants; the oldest go first. Below 1 it is
	// [DefaultMaxEvents].
	MaxEvents int
}

// Store keeps records in memory. Make one with [New]; its methods may be called from many goroutines at once.
type Store struct {
	db        *memdb.MemDB
	maxEvents uint64
}

var (
	_ installation.Store         = (*Store)(nil)
	_ installation.EventReader   = (*Store)(nil)
	_ installation.Counter       = (*Store)(nil)
	_ installation.HealthChecker = (*Store)(nil)
)

// New returns an empty store with the default options. It needs no closing.
func New() *Store { return NewWithOptions(nil) }

// NewWithOptions returns an empty store; nil options are the default ones. It needs no closing.
func NewWithOptions(o *Options) *Store {
	s := &Store{db: must(memdb.NewMemDB(schema())), maxEvents: DefaultMaxEvents}
	if o != nil && o.MaxEvents > 0 {
		s.maxEvents = uint64(o.MaxEvents)
	}
	return s
}

// Get implements [installation.Store].
func (s *Store) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	row := first[recordRow](s.db.Txn(false), tableRecords, indexID, recordKey(key))
	if row == nil {
		return nil, fmt.Errorf("get %q: %w", key.ID, installation.ErrNotFound)
	}
	return row.copyOut(), nil
}

// Outcome implements [installation.Store].
func (s *Store) Outcome(ctx context.Context, tenant string, d installation.Digest) (*installation.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	row := first[outcomeRow](s.db.Txn(false), tableOutcomes, indexID, outcomeKey(tenant, d))
	if row == nil {
		return nil, fmt.Errorf("outcome: %w", installation.ErrNotFound)
	}
	return row.copyOut(), nil
}

// Health implements [installation.HealthChecker]. It warns, always: memory is not a place to keep what must last.
func (s *Store) Health(ctx context.Context) ([]installation.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return []installation.Finding{{
		Level:  installation.LevelWarning,
		Rule:   "durability",
		Detail: "records are in the memory of this process and are gone when it ends",
	}}, nil
}
