package memstore

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/go-installation/installation"
)

// key is an index key under construction: a tuple, encoded so that the order of the bytes is the order of the tuples and
// that no key is the beginning of another. Both rest on strings without NUL, which the store contract promises.
type key []byte

// Scopes are the first byte of every key in the list index. They keep its lists apart, a term of the default tenant from a
// global one above all.
const (
	scopeTerm   = 't' // tenant, term, created, id
	scopeGlobal = 'g' // term, created, tenant, id
	scopeDue    = 'd' // tenant, deadline, id
	scopeAnyDue = 'a' // deadline, tenant, id
	scopeForget = 'x' // deadline, tenant, id; of tombstones
)

// newKey returns a key with room for strings of the given length in all.
func newKey(strings int) key {
	const scopeTimeAndTerminators = 1 + 8 + 3
	return make(key, 0, scopeTimeAndTerminators+strings)
}

func (k key) byte(b byte) key { return append(k, b) }

// string ends s with NUL, so that "a" comes before "a!" whatever follows either of them.
func (k key) string(s string) key { return append(append(k, s...), 0) }

// time flips the sign, so that times before 1970 come first.
func (k key) time(t time.Time) key { return k.number(uint64(t.UnixMicro()) ^ 1<<63) }

func (k key) number(n uint64) key { return binary.BigEndian.AppendUint64(k, n) }

func (k key) digest(d installation.Digest) key { return append(k, d[:]...) }

// end returns a bound above every key that starts with k, which ends in a string, and below all others that follow.
func (k key) end() key {
	bound := append(key(nil), k...)
	bound[len(bound)-1]++ // the terminator; no string holds a smaller byte
	return bound
}

// endOfTime returns a bound above every key that starts with k and a time that is not after t.
func (k key) endOfTime(t time.Time) key {
	return append(key(nil), k...).time(t.Add(time.Microsecond))
}

// clip ends the construction. go-memdb appends to the keys it is given; with room to spare, one row would write into the key
// of another.
func (k key) clip() key { return slices.Clip(k) }

func recordKey(k installation.Key) key {
	return newKey(len(k.Tenant) + len(k.ID)).string(k.Tenant).string(k.ID).clip()
}

// termKey is where the record at k stands in the list of a term.
func termKey(k installation.Key, term string, created time.Time) key {
	start := newKey(len(k.Tenant) + len(term) + len(k.ID))
	if installation.GlobalTerm(term) {
		return start.byte(scopeGlobal).string(term).time(created).string(k.Tenant).string(k.ID).clip()
	}
	return start.byte(scopeTerm).string(k.Tenant).string(term).time(created).string(k.ID).clip()
}

// dueKey is where the record at k stands among those of its tenant that have a deadline.
func dueKey(deadline time.Time, k installation.Key) key {
	return newKey(len(k.Tenant) + len(k.ID)).byte(scopeDue).string(k.Tenant).time(deadline).string(k.ID).clip()
}

// timeKey is where the record at k stands among those of all tenants that have a deadline in the given scope.
func timeKey(scope byte, deadline time.Time, k installation.Key) key {
	return newKey(len(k.Tenant) + len(k.ID)).byte(scope).time(deadline).string(k.Tenant).string(k.ID).clip()
}

func claimKey(tenant, claim string) key {
	return newKey(len(tenant) + len(claim)).string(tenant).string(claim).clip()
}

func outcomeKey(tenant string, d installation.Digest) key {
	return newKey(len(tenant) + len(d)).string(tenant).digest(d).clip()
}

// untilKey is where an outcome stands in the order in which outcomes expire.
func untilKey(until time.Time, tenant string, d installation.Digest) key {
	return newKey(len(tenant) + len(d)).time(until).string(tenant).digest(d).clip()
}

// eventKey is where an event stands in the log of all tenants.
func eventKey(seq uint64) key { return newKey(0).number(seq).clip() }

// tenantEventKey is where an event stands in the log of its tenant.
func tenantEventKey(tenant string, seq uint64) key {
	return newKey(len(tenant)).string(tenant).number(seq).clip()
}

func lossKey(tenant string) key { return newKey(len(tenant)).string(tenant).clip() }
