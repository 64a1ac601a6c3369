package memstore

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/go-installation/installation"
)

// key is an index key under construction. It encodes a tuple. Keys sort in the order of their
// tuples, and no key is a prefix of another key. Both properties rely on strings without NUL, as
// the store contract promises.
type key []byte

// Scopes are the first byte of every key in the list index. They keep the kinds of lists apart.
// Without them, a tenant named "@all" would share a prefix with the global term "@all".
const (
	scopeTerm   = 't' // tenant, term, created, id
	scopeGlobal = 'g' // term, created, tenant, id
	scopeDue    = 'd' // tenant, deadline, id
	scopeAnyDue = 'a' // deadline, tenant, id
	scopeForget = 'x' // deadline, tenant, id; of tombstones
)

// newKey returns a key with capacity for strings of the given total length.
func newKey(strings int) key {
	const scopeTimeAndTerminators = 1 + 8 + 3
	return make(key, 0, scopeTimeAndTerminators+strings)
}

func (k key) byte(b byte) key { return append(k, b) }

// string appends s and a NUL. The NUL makes "a" sort before "a!", whatever the rest of the key is.
func (k key) string(s string) key { return append(append(k, s...), 0) }

// time flips the sign bit, so that times before 1970 sort first.
func (k key) time(t time.Time) key { return k.number(uint64(t.UnixMicro()) ^ 1<<63) }

func (k key) number(n uint64) key { return binary.BigEndian.AppendUint64(k, n) }

func (k key) recordKey(rk installation.Key) key { return k.string(rk.Tenant).string(rk.ID) }

func (k key) digest(d installation.Digest) key { return append(k, d[:]...) }

// end returns an upper bound of the keys that start with k. The last part of k must be a string.
func (k key) end() key {
	bound := append(key(nil), k...)
	// Every key with the prefix k has the terminator 0 here. With 1 the bound sorts after them.
	bound[len(bound)-1]++
	return bound
}

// endOfTime returns an upper bound of the keys that start with k and a time not after t.
func (k key) endOfTime(t time.Time) key {
	return append(key(nil), k...).time(t.Add(time.Microsecond))
}

// clip finishes the key. Copies of a row share their keys. Without spare capacity, an append to a
// key cannot change the shared bytes.
func (k key) clip() key { return slices.Clip(k) }

func recordKey(k installation.Key) key {
	return newKey(len(k.Tenant) + len(k.ID)).recordKey(k).clip()
}

// termKey is the position of the record at k in the list of a term.
func termKey(k installation.Key, term string, created time.Time) key {
	start := newKey(len(k.Tenant) + len(term) + len(k.ID))
	if installation.GlobalTerm(term) {
		return start.byte(scopeGlobal).string(term).time(created).recordKey(k).clip()
	}
	return start.byte(scopeTerm).string(k.Tenant).string(term).time(created).string(k.ID).clip()
}

// dueKey is the position of the record at k among the deadlines of its tenant.
func dueKey(deadline time.Time, k installation.Key) key {
	start := newKey(len(k.Tenant) + len(k.ID))
	return start.byte(scopeDue).string(k.Tenant).time(deadline).string(k.ID).clip()
}

// timeKey is the position of the record at k among the deadlines of all tenants in a scope.
func timeKey(scope byte, deadline time.Time, k installation.Key) key {
	return newKey(len(k.Tenant) + len(k.ID)).byte(scope).time(deadline).recordKey(k).clip()
}

func claimKey(tenant, claim string) key {
	return newKey(len(tenant) + len(claim)).string(tenant).string(claim).clip()
}

func outcomeKey(tenant string, d installation.Digest) key {
	return newKey(len(tenant) + len(d)).string(tenant).digest(d).clip()
}

// untilKey is the position of an outcome in the order of expiry.
func untilKey(until time.Time, tenant string, d installation.Digest) key {
	return newKey(len(tenant) + len(d)).time(until).string(tenant).digest(d).clip()
}

// eventKey is the position of an event in the log of all tenants.
func eventKey(seq uint64) key { return newKey(0).number(seq).clip() }

// tenantEventKey is the position of an event in the log of its tenant.
func tenantEventKey(tenant string, seq uint64) key {
	return newKey(len(tenant)).string(tenant).number(seq).clip()
}

func trimKey(tenant string) key { return newKey(len(tenant)).string(tenant).clip() }
