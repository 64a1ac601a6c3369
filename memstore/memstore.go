// Package memstore is an [installation.Store] in the memory of one process, based on go-memdb.
//
// Use it for tests, for trying the library, and for programs that can afford to lose their
// installations at exit. Do not use it if records must outlive the process or be visible to another
// process. The store passes the suite of package storetest and has all optional abilities.
//
// # What to expect
//
//   - Reads never wait. Each call reads one consistent snapshot, even during a long commit.
//     Commits run one after another.
//   - A commit updates all indexes at once. The store shares nothing with its callers except
//     [installation.Body], which is immutable.
//   - The store has no clock and no goroutine. Each commit removes a few tombstones and outcomes
//     that are expired at Change.Now. Without commits, nothing is forgotten.
//   - The change log keeps its newest events, by default [DefaultMaxEvents]. For each tenant
//     with trimmed events the store keeps a small mark, so only readers that missed an event get
//     [installation.ErrTrimmed].
//   - Across tenants, records are in the order (Created, Tenant, ID), and due records in the
//     order (Deadline, Tenant, ID).
package memstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/go-memdb"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/storekey"
)

// DefaultMaxEvents is the default of Options.MaxEvents.
const DefaultMaxEvents = 100_000

// Options are the optional settings of a store. Zero fields have defaults.
type Options struct {
	// MaxEvents is the maximum number of events in the change log, for all tenants together.
	// The oldest events are trimmed first. An event has at most [installation.MaxEvent] bytes, so
	// the default bounds the log to 200 MB. A value below 1 means [DefaultMaxEvents].
	MaxEvents int
}

// Store keeps records in memory. Create a Store with [New]. It is safe for use by many goroutines.
type Store struct {
	db        *memdb.MemDB
	maxEvents uint64
	namespace atomic.Pointer[installation.Namespace]
}

var (
	_ installation.Store         = (*Store)(nil)
	_ installation.EventReader   = (*Store)(nil)
	_ installation.Counter       = (*Store)(nil)
	_ installation.HealthChecker = (*Store)(nil)
	_ installation.Namespacer    = (*Store)(nil)
	_ installation.Mover         = (*Store)(nil)
)

// New returns an empty store with default options. The store needs no closing.
func New() *Store { return NewWithOptions(nil) }

// NewWithOptions returns an empty store. Nil means the default options. The store needs no closing.
func NewWithOptions(o *Options) *Store {
	s := &Store{db: must(memdb.NewMemDB(schema())), maxEvents: DefaultMaxEvents}
	if o != nil && o.MaxEvents > 0 {
		s.maxEvents = uint64(o.MaxEvents)
	}
	s.namespace.Store(&installation.Namespace{ID: rand.Text()})
	return s
}

// Get implements [installation.Store].
func (s *Store) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	row := first[recordRow](s.db.Txn(false), tableRecords, indexID, storekey.Record(key))
	if row == nil {
		return nil, fmt.Errorf("get %q: %w", key.ID, installation.ErrNotFound)
	}
	return row.copyOut(), nil
}

// Outcome implements [installation.Store].
func (s *Store) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (*installation.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	row := first[outcomeRow](s.db.Txn(false), tableOutcomes, indexID, storekey.Outcome(tenant, d))
	if row == nil {
		return nil, fmt.Errorf("outcome: %w", installation.ErrNotFound)
	}
	return row.copyOut(), nil
}

// Health implements [installation.HealthChecker]. It always warns that memory is not durable.
func (s *Store) Health(ctx context.Context) ([]health.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return []health.Finding{{Level: health.Warning, Rule: "durability",
		Detail: "records are in the memory of this process and are gone when it ends"}}, nil
}
