package memstore

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/go-installation/installation"
)

// Rows are what go-memdb holds. It shares them with every snapshot, so a row never changes once it is inserted, and no row
// holds a slice that a caller can reach.

// recordRow is a record or a tombstone.
type recordRow struct {
	installation.Record
	ops    []applied // the last changes, oldest first
	id     key
	claims [][]byte // keys in the claims index
	lists  [][]byte // keys in the lists index
}

// applied remembers a change that was made.
type applied struct {
	op       [16]byte
	revision int64 // that the change led to
}

// newRecordRow returns the row that c asks for, c.Record being set; its ops are still to come.
func newRecordRow(c installation.Change) *recordRow {
	r := &recordRow{id: recordKey(c.Key)}
	r.Key = c.Key
	r.Revision = c.If + 1
	r.Generation = c.Record.Generation
	r.Deadline = stored(c.Record.Deadline)
	if c.Record.Deleted {
		r.Deleted = true
		if !r.Deadline.IsZero() {
			r.lists = [][]byte{timeKey(scopeForget, r.Deadline, r.Key)}
		}
		return r
	}
	r.Created = stored(c.Record.Created)
	r.Index = slices.Clone(c.Record.Index)
	r.Claims = slices.Clone(c.Record.Claims)
	r.Body = c.Record.Body
	for _, term := range r.Index {
		r.lists = append(r.lists, termKey(r.Key, term, r.Created))
	}
	if !r.Deadline.IsZero() {
		r.lists = append(r.lists, dueKey(r.Deadline, r.Key), timeKey(scopeAnyDue, r.Deadline, r.Key))
	}
	for _, claim := range r.Claims {
		r.claims = append(r.claims, claimKey(r.Key.Tenant, claim))
	}
	return r
}

// withOps returns a copy of r that remembers the changes of old, which may be nil, and c.
func (r *recordRow) withOps(old *recordRow, c installation.Change) *recordRow {
	next := *r
	next.ops = []applied{{op: c.Op, revision: next.Revision}}
	if old != nil {
		kept := old.ops[max(0, len(old.ops)-installation.RememberedOps+1):]
		next.ops = slices.Concat(kept, next.ops)
	}
	return &next
}

// replay returns the revision that op led to, if r, which may be nil, remembers it.
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

// listed returns the key of r in the list whose keys start with prefix, or nil.
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

// outcomeRow is what an idempotency key led to.
type outcomeRow struct {
	installation.Outcome
	tenant string
}

func newOutcomeRow(tenant string, o installation.Outcome) *outcomeRow {
	o.Until = stored(o.Until)
	o.Data = bytes.Clone(o.Data)
	return &outcomeRow{Outcome: o, tenant: tenant}
}

func (r *outcomeRow) copyOut() *installation.Outcome {
	o := r.Outcome
	o.Data = bytes.Clone(o.Data)
	return &o
}

// eventRow is an entry of the change log.
type eventRow struct {
	installation.Event
	seq uint64 // from 1, without gaps, over all tenants
}

func newEventRow(e installation.Event) *eventRow {
	e.Time = stored(e.Time)
	e.Changed = slices.Clone(e.Changed)
	return &eventRow{Event: e}
}

func (r *eventRow) copyOut() installation.Event {
	e := r.Event
	e.ID = strconv.FormatUint(r.seq, 10)
	e.Changed = slices.Clone(e.Changed)
	return e
}

// lossRow marks how far the log of a tenant was discarded.
type lossRow struct {
	tenant string
	seq    uint64 // of the newest event of the tenant that is gone
}

// stored is t as a store gives it back.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
