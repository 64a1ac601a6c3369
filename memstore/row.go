package memstore

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// go-memdb shares rows with every snapshot. A row never changes after it was inserted, and
// holds no slice that a caller can reach.

// recordRow is a record or a tombstone.
type recordRow struct {
	installation.Record
	ops    []installation.Op // the last changes, oldest first
	id     storekey.Key
	claims [][]byte // keys in the claims index
	lists  [][]byte // keys in the lists index
}

// newRecordRow returns the row for a record or tombstone. It has no ops; withOps sets them.
func newRecordRow(from *installation.Record) *recordRow {
	r := &recordRow{id: storekey.Record(from.Key)}
	r.Key = from.Key
	r.Revision = from.Revision
	r.Generation = from.Generation
	r.Deadline = utcMicros(from.Deadline)
	if from.Deleted {
		r.Deleted = true
	} else {
		r.Created = utcMicros(from.Created)
		r.Index = slices.Clone(from.Index)
		r.Claims = slices.Clone(from.Claims)
		r.Body = from.Body
	}
	for _, k := range storekey.Lists(&r.Record) {
		r.lists = append(r.lists, k)
	}
	for _, claim := range r.Claims {
		r.claims = append(r.claims, storekey.Claim(r.Key.Tenant, claim))
	}
	return r
}

// row returns r as a Row: the zero Row if r is nil. The result shares memory with r.
func (r *recordRow) row() installation.Row {
	if r == nil {
		return installation.Row{}
	}
	return installation.Row{Record: &r.Record, Ops: r.ops}
}

// withOps returns a copy of r that remembers ops.
func (r *recordRow) withOps(ops []installation.Op) *recordRow {
	next := *r
	next.ops = ops
	return &next
}

// listed returns the key of r in the list with prefix, or nil if r is not in that list.
func (r *recordRow) listed(prefix storekey.Key) storekey.Key {
	for _, k := range r.lists {
		if bytes.HasPrefix(k, prefix) {
			return k
		}
	}
	return nil
}

func (r *recordRow) copyOut() *installation.Record {
	record := r.Record
	record.Index = slices.Clone(r.Index)
	record.Claims = slices.Clone(r.Claims)
	return &record
}

// outcomeRow is the outcome of an idempotency key.
type outcomeRow struct {
	installation.Outcome
	tenant string
}

func newOutcomeRow(tenant string, o installation.Outcome) *outcomeRow {
	o.Until = utcMicros(o.Until)
	o.Data = bytes.Clone(o.Data)
	return &outcomeRow{Outcome: o, tenant: tenant}
}

func (r *outcomeRow) idKey() storekey.Key { return storekey.Outcome(r.tenant, r.Digest) }

func (r *outcomeRow) untilKey() storekey.Key { return storekey.Until(r.Until, r.tenant, r.Digest) }

func (r *outcomeRow) copyOut() *installation.Outcome {
	o := r.Outcome
	o.Data = bytes.Clone(o.Data)
	return &o
}

// eventRow is an event in the change log.
type eventRow struct {
	installation.Event
	seq uint64 // from 1 without gaps, over all tenants
}

func newEventRow(e installation.Event) *eventRow {
	e.Time = utcMicros(e.Time)
	e.Changed = slices.Clone(e.Changed)
	return &eventRow{Event: e}
}

func (r *eventRow) idKey() storekey.Key { return storekey.Event(r.seq) }

func (r *eventRow) tenantKey() storekey.Key { return storekey.TenantEvent(r.Key.Tenant, r.seq) }

func (r *eventRow) copyOut() installation.Event {
	e := r.Event
	e.ID = strconv.FormatUint(r.seq, 10)
	e.Changed = slices.Clone(e.Changed)
	return e
}

// trimRow marks how far the log of a tenant was trimmed.
type trimRow struct {
	tenant string
	seq    uint64 // of the newest trimmed event of the tenant
}

func (r *trimRow) idKey() storekey.Key { return storekey.Tenant(r.tenant) }

// utcMicros returns t in UTC, cut to microseconds, as the store contract requires.
func utcMicros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
