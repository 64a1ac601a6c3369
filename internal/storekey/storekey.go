// Package storekey builds the keys of a store that keeps sorted keys. A key encodes a tuple. Keys
// sort in the order of their tuples, and no key is a prefix of another key of its kind. Both
// properties rely on strings without NUL, as the store contract promises.
package storekey

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/go-installation/installation"
)

// Key is a key, or the beginning of one. The functions of this package return keys without spare
// capacity, so an append cannot change bytes that two keys share.
type Key []byte

// Scopes are the first byte of every key of a list. They keep the kinds of lists apart. Without
// them, a tenant named "@all" would share a prefix with the global term "@all".
const (
	scopeTerm   = 't' // tenant, term, created, id
	scopeGlobal = 'g' // term, created, tenant, id
	scopeDue    = 'd' // tenant, deadline, id
	scopeAnyDue = 'a' // deadline, tenant, id
	scopeForget = 'x' // deadline, tenant, id; of tombstones
)

// newKey returns a key with capacity for strings of the given total length.
func newKey(strings int) Key {
	const scopeTimeAndTerminators = 1 + 8 + 3
	return make(Key, 0, scopeTimeAndTerminators+strings)
}

func (k Key) byte(b byte) Key { return append(k, b) }

// string appends s and a NUL. The NUL makes "a" sort before "a!", whatever the rest of the key is.
func (k Key) string(s string) Key { return append(append(k, s...), 0) }

// time flips the sign bit, so that times before 1970 sort first.
func (k Key) time(t time.Time) Key { return k.number(uint64(t.UnixMicro()) ^ 1<<63) }

func (k Key) number(n uint64) Key { return binary.BigEndian.AppendUint64(k, n) }

func (k Key) recordKey(rk installation.Key) Key { return k.string(rk.Tenant).string(rk.ID) }

func (k Key) digest(d installation.Digest) Key { return append(k, d[:]...) }

// end returns an upper bound of the keys that start with k. The last part of k must be a string.
func (k Key) end() Key {
	bound := append(Key(nil), k...)
	// Every key with the prefix k has the terminator 0 here. With 1 the bound sorts after them.
	bound[len(bound)-1]++
	return bound
}

// endOfTime returns an upper bound of the keys that start with k and a time not after t.
func (k Key) endOfTime(t time.Time) Key {
	return append(Key(nil), k...).time(t.Add(time.Microsecond))
}

func (k Key) clip() Key { return slices.Clip(k) }

// Record is the key of the record at k.
func Record(k installation.Key) Key {
	return newKey(len(k.Tenant) + len(k.ID)).recordKey(k).clip()
}

// KeyOf returns the key of the record with a key of Record.
func KeyOf(k Key) installation.Key {
	tenant, id, _ := bytes.Cut(k, []byte{0})
	return installation.Key{Tenant: string(tenant), ID: string(bytes.TrimSuffix(id, []byte{0}))}
}

// Lists returns the position of a record or tombstone in each list that it is in: the lists of its
// terms and of its deadline. The times have to be in microseconds.
func Lists(r *installation.Record) []Key {
	if r.Deleted {
		if r.Deadline.IsZero() {
			return nil
		}
		return []Key{at(scopeForget, r.Deadline, r.Key)}
	}
	lists := make([]Key, 0, len(r.Index)+2)
	for _, term := range r.Index {
		lists = append(lists, ofTerm(r.Key, term, r.Created))
	}
	if !r.Deadline.IsZero() {
		lists = append(lists, due(r.Deadline, r.Key), at(scopeAnyDue, r.Deadline, r.Key))
	}
	return lists
}

// ofTerm is the position of the record at k in the list of a term.
func ofTerm(k installation.Key, term string, created time.Time) Key {
	start := newKey(len(k.Tenant) + len(term) + len(k.ID))
	if installation.GlobalTerm(term) {
		return start.byte(scopeGlobal).string(term).time(created).recordKey(k).clip()
	}
	return start.byte(scopeTerm).string(k.Tenant).string(term).time(created).string(k.ID).clip()
}

// due is the position of the record at k among the deadlines of its tenant.
func due(deadline time.Time, k installation.Key) Key {
	start := newKey(len(k.Tenant) + len(k.ID))
	return start.byte(scopeDue).string(k.Tenant).time(deadline).string(k.ID).clip()
}

// at is the position of the record at k among the deadlines of all tenants in a scope.
func at(scope byte, deadline time.Time, k installation.Key) Key {
	return newKey(len(k.Tenant) + len(k.ID)).byte(scope).time(deadline).recordKey(k).clip()
}

// Claim is the key of a claim of a tenant.
func Claim(tenant, claim string) Key {
	return newKey(len(tenant) + len(claim)).string(tenant).string(claim).clip()
}

// Outcome is the key of the outcome with a digest.
func Outcome(tenant string, d installation.Digest) Key {
	return newKey(len(tenant) + len(d)).string(tenant).digest(d).clip()
}

// Until is the position of an outcome in the order of expiry.
func Until(until time.Time, tenant string, d installation.Digest) Key {
	return newKey(len(tenant) + len(d)).time(until).string(tenant).digest(d).clip()
}

// Event is the position of an event in the log of all tenants.
func Event(seq uint64) Key { return newKey(0).number(seq).clip() }

// TenantEvent is the position of an event in the log of its tenant.
func TenantEvent(tenant string, seq uint64) Key {
	return newKey(len(tenant)).string(tenant).number(seq).clip()
}

// Tenant is the key of what a store keeps once for each tenant.
func Tenant(tenant string) Key { return newKey(len(tenant)).string(tenant).clip() }
