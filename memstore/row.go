package memstore

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/go-installation/installation"
)

// go-memdb shares rows with every snapshot. A row never changes after it was inserted, and
// holds no slice that a caller can reach.

// recordRow is a record or a tombstone.
type recordRow struct {
	installation.Record
	ops    []applied // the last changes, oldest first
	id     key
	claims [][]byte // keys in the claims index
	lists  [][]byte // keys in the lists index
}

// applied is a change that a record remembers.
type applied struct {
	op         [16]byte
	revision   int64 // after the change
	withRecord bool  // the change had a record or tombstone
}

// newRecordRow returns the row for c. c must have a record. withOps adds the ops later.
func newRecordRow(c installation.Change) *recordRow {
	r := &recordRow{id: recordKey(c.Key)}
	r.Key = c.Key
	r.Revision = c.Record.Revision
	r.Generation = c.Record.Generation
	r.Deadline = utcMicros(c.Record.Deadline)
	if c.Record.Deleted {
		r.Deleted = true
		if !r.Deadline.IsZero() {
			r.lists = [][]byte{timeKey(scopeForget, r.Deadline, r.Key)}
		}
		return r
	}
	r.Created = utcMicros(c.Record.Created)
	r.Index = slices.Clone(c.Record.Index)
	r.Claims = slices.Clone(c.Record.Claims)
	r.Body = c.Record.Body
	for _, term := range r.Index {
		r.lists = append(r.lists, termKey(r.Key, term, r.Created))
	}
	if !r.Deadline.IsZero() {
		r.lists = append(r.lists, dueKey(r.Deadline, r.Key),
			timeKey(scopeAnyDue, r.Deadline, r.Key))
	}
	for _, claim := range r.Claims {
		r.claims = append(r.claims, claimKey(r.Key.Tenant, claim))
	}
	return r
}

// withOps returns a copy of r that remembers the op token of c and the newest op tokens of old. old
// may be nil.
func (r *recordRow) withOps(old *recordRow, c installation.Change) *recordRow {
	next := *r
	next.ops = []applied{{c.Op, next.Revision, c.Record != nil}}
	if old != nil {
		kept := old.ops[max(0, len(old.ops)-installation.RememberedOps+1):]
		next.ops = slices.Concat(kept, next.ops)
	}
	return &next
}

// replay returns the revision after op, if r remembers op. r may be nil.
func (r *recordRow) replay(op [16]byte) (revision int64, ok bool) {
	if r == nil {
		return 0, false
	}
	for _, a := range r.ops {
		if a.op == op {
			return a.revision, true
		}
	}
	return 0, false
}

// neverApplied reports whether r proves that no try of c was applied, and none will be: case 3 of
// Commit in [installation.Store]. The caller has checked that the revision of r is not c.If and
// that r does not remember c.Op. If r remembers as many ops as it can, the oldest of them decides:
// an applied c would be newer, so r would still remember c.
func (r *recordRow) neverApplied(c installation.Change) bool {
	switch {
	case r == nil || r.Revision <= c.If:
		return false
	case len(r.ops) < installation.RememberedOps:
		return true
	case c.Record != nil:
		return r.ops[0].revision <= c.If
	default:
		return r.ops[0].revision < c.If || r.ops[0].revision == c.If && r.ops[0].withRecord
	}
}

// listed returns the key of r in the list with prefix, or nil if r is not in that list.
func (r *recordRow) listed(prefix key) key {
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

func (r *outcomeRow) idKey() key { return outcomeKey(r.tenant, r.Digest) }

func (r *outcomeRow) untilKey() key { return untilKey(r.Until, r.tenant, r.Digest) }

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

func (r *eventRow) idKey() key { return eventKey(r.seq) }

func (r *eventRow) tenantKey() key { return tenantEventKey(r.Key.Tenant, r.seq) }

func (r *eventRow) copyOut() installation.Event {
	e := r.Event
	e.ID = strconv.FormatUint(r.seq, 10)
	e.Changed = slices.Clone(e.Changed)
	return e
}

// trimRow marks how far the log of a tenant was discarded.
type trimRow struct {
	tenant string
	seq    uint64 // of the newest discarded event of the tenant
}

func (r *trimRow) idKey() key { return trimKey(r.tenant) }

// utcMicros returns t in UTC, in microseconds, as the store contract requires.
func utcMicros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
