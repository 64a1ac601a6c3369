package redisstore

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

// This file builds and parses every key and every index member. Different inputs never give the
// same bytes. All keys of a bucket start with its hash tag, "{namespace:05}", so that a cluster
// keeps them together. A cluster takes the text between the first two braces as the tag. A
// namespace has no braces, so nothing that follows can change the tag.

// keyspace is a namespace split into buckets.
type keyspace struct {
	namespace string
	buckets   int
}

// bucket is a part of a keyspace that stays on one server. Scripts are atomic within a bucket.
type bucket struct {
	number int
	tag    string
}

// of returns the bucket of a tenant. The hash is part of the stored format.
func (s keyspace) of(tenant string) bucket {
	h := fnv.New64a()
	h.Write([]byte(tenant)) // never fails
	return s.bucket(int(h.Sum64() % uint64(s.buckets)))
}

func (s keyspace) bucket(number int) bucket {
	return bucket{number, fmt.Sprintf("{%s:%02d}", s.namespace, number)}
}

// all returns the buckets in order.
func (s keyspace) all() []bucket {
	buckets := make([]bucket, s.buckets)
	for i := range buckets {
		buckets[i] = s.bucket(i)
	}
	return buckets
}

// pattern returns a pattern for SCAN. It matches the keys of all buckets, and every other key with
// the same beginning. A namespace contains no special characters of a pattern.
func (s keyspace) pattern() string { return "{" + s.namespace + ":*" }

// split returns the bucket of a key and the rest of the key after the hash tag.
func (s keyspace) split(key string) (b bucket, rest string, ok bool) {
	number, rest, _ := strings.Cut(strings.TrimPrefix(key, "{"+s.namespace+":"), "}")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= s.buckets {
		return bucket{}, "", false
	}
	b = s.bucket(n)
	return b, rest, b.tag+rest == key
}

// Fixed keys. Every bucket has these three keys beside its records. They exist from Open on,
// because while a slot moves, a server rejects a script if one of its keys does not exist there.
func (b bucket) index() string  { return b.tag + ":x" } // sorted set, all scores 0: see member
func (b bucket) events() string { return b.tag + ":e" } // stream: the change log
func (b bucket) fields() string { return b.tag + ":h" } // hash: see outcomeField and tailField

func (b bucket) fixed() []string { return []string{b.index(), b.events(), b.fields()} }

// accessLog is the key of a stream for a log of accesses. It is reserved: no release writes it yet,
// and nothing else may use it. It is not a fixed key, because most hosts will not need it. Verify
// accepts it, so that this release can verify what a later one has written.
func (b bucket) accessLog() string { return b.tag + ":a" }

// slotOf returns the slot of a key in a cluster: the CRC-16/XMODEM of its hash tag modulo 16384.
// Only the texts of errors use it.
func slotOf(key string) uint16 {
	tag, _, _ := strings.Cut(strings.TrimPrefix(key, "{"), "}")
	var crc uint16
	for _, c := range []byte(tag) {
		crc ^= uint16(c) << 8
		for range 8 {
			crc = crc<<1 ^ crc>>15*0x1021
		}
	}
	return crc % 16384
}

// record returns the key of a record. Its value is a string, which the header of commit.lua
// describes.
func (b bucket) record(k installation.Key) string {
	return b.tag + ":r:" + strconv.Itoa(len(k.Tenant)) + ":" + k.Tenant + ":" + k.ID
}

// Fields of the hash of a bucket. The field "" keeps the hash alive, because Redis deletes an empty
// hash. The other fields can be told apart by their first byte.
const (
	fieldFirst = "first" // id of the first event of the bucket
	fieldLast  = "last"  // id of its last event
)

// First bytes of the fields that tailField and outcomeField build.
const (
	tailScope    = "t"
	outcomeScope = "o"
)

// tailField is the field with the id of a tenant's last event.
func tailField(tenant string) string { return tailScope + tenant }

// outcomeField is the field of an outcome; see outcomeValue.
func outcomeField(tenant string, d installation.Digest) string {
	return outcomeScope + strconv.Itoa(len(tenant)) + ":" + tenant + string(d[:])
}

// parseOutcomeField parses a field that outcomeField has built.
func parseOutcomeField(field string) (tenant string, d installation.Digest, ok bool) {
	length, rest, _ := strings.Cut(strings.TrimPrefix(field, outcomeScope), ":")
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || len(rest)-len(d) != n {
		return "", d, false
	}
	copy(d[:], rest[n:])
	return rest[:n], d, outcomeField(rest[:n], d) == field
}

// recordKey parses a key that bucket.record builds. The bucket in the key can be another one than
// the bucket of the tenant.
func (s keyspace) recordKey(key string) (bucket, installation.Key, bool) {
	b, rest, ok := s.split(key)
	rest, isRecord := strings.CutPrefix(rest, ":r:")
	length, rest, _ := strings.Cut(rest, ":")
	n, err := strconv.Atoi(length)
	if !ok || !isRecord || err != nil || n < 0 || n >= len(rest) || rest[n] != ':' {
		return bucket{}, installation.Key{}, false
	}
	k := installation.Key{Tenant: rest[:n], ID: rest[n+1:]}
	return b, k, b.record(k) == key
}

// A scope is the first byte of an index member. It keeps the lists in the index apart. A text in a
// member ends with NUL, which the store contract excludes from texts. A time has eight bytes. So
// the members of a list sort in the order of the list.
const (
	scopeTerm    = "t" // tenant NUL, term NUL, created, id
	scopeGlobal  = "g" // term NUL, created, tenant NUL, id
	scopeClaim   = "c" // tenant NUL, claim NUL, id
	scopeDue     = "d" // tenant NUL, deadline, id
	scopeAnyDue  = "a" // deadline, tenant NUL, id
	scopeMeta    = "m" // the meta of the bucket; see type meta
	scopeOutcome = "o" // end of the outcome in digits, field of the outcome
)

const nul = "\x00"

// timeBytes is the length of sortableTime.
const timeBytes = 8

// sortableTime returns t as bytes that sort by time. The sign is flipped, so that times before
// 1970 come first.
func sortableTime(t time.Time) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(t.UnixMicro())^1<<63))
}

// decodeTime decodes what sortableTime returns.
func decodeTime(s string) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(s)) ^ 1<<63)).UTC()
}

// fits reports whether sortableTime can encode t.
func fits(t time.Time) bool {
	return t.After(time.UnixMicro(math.MinInt64)) && t.Before(time.UnixMicro(math.MaxInt64))
}

func termPrefix(tenant, term string) string   { return scopeTerm + tenant + nul + term + nul }
func globalPrefix(term string) string         { return scopeGlobal + term + nul }
func claimPrefix(tenant, claim string) string { return scopeClaim + tenant + nul + claim + nul }
func duePrefix(tenant string) string          { return scopeDue + tenant + nul }

func termMember(k installation.Key, term string, created time.Time) string {
	if installation.GlobalTerm(term) {
		return globalPrefix(term) + sortableTime(created) + k.Tenant + nul + k.ID
	}
	return termPrefix(k.Tenant, term) + sortableTime(created) + k.ID
}

func claimMember(k installation.Key, claim string) string {
	return claimPrefix(k.Tenant, claim) + k.ID
}

func dueMember(k installation.Key, deadline time.Time) string {
	return duePrefix(k.Tenant) + sortableTime(deadline) + k.ID
}

func anyDueMember(k installation.Key, deadline time.Time) string {
	return scopeAnyDue + sortableTime(deadline) + k.Tenant + nul + k.ID
}

// endMember returns the index member for the end of an outcome with this field and value. The value
// has to begin with the digits of the end.
func endMember(field, value string) string { return scopeOutcome + value[:digits] + field }

// parseEnd parses a member that endMember builds. It returns the field of the outcome.
func parseEnd(member string) (field string, ok bool) {
	rest, ok := strings.CutPrefix(member, scopeOutcome)
	if !ok || len(rest) < digits || strings.Trim(rest[:digits], "0123456789") != "" {
		return "", false
	}
	_, _, ok = parseOutcomeField(rest[digits:])
	return rest[digits:], ok
}

// members returns the index members of a live record: claims first, then terms, then its
// deadline.
func members(r *installation.Record) []string {
	list := make([]string, 0, len(r.Claims)+len(r.Index)+2)
	for _, claim := range r.Claims {
		list = append(list, claimMember(r.Key, claim))
	}
	for _, term := range r.Index {
		list = append(list, termMember(r.Key, term, r.Created))
	}
	if !r.Deadline.IsZero() {
		list = append(list, dueMember(r.Key, r.Deadline), anyDueMember(r.Key, r.Deadline))
	}
	return list
}

// hasMember reports whether member is one of the index members of r.
func hasMember(r *installation.Record, member string) bool {
	e, ok := parseMember(member)
	if !ok || r.Deleted || e.key != r.Key {
		return false
	}
	switch e.scope {
	case scopeClaim:
		return slices.Contains(r.Claims, e.name)
	case scopeDue:
		return !r.Deadline.IsZero() && member == dueMember(r.Key, r.Deadline)
	case scopeAnyDue:
		return !r.Deadline.IsZero() && member == anyDueMember(r.Key, r.Deadline)
	default:
		return slices.Contains(r.Index, e.name) && member == termMember(r.Key, e.name, r.Created)
	}
}

// entry is a parsed index member of a record, without its time, which the record has too.
type entry struct {
	scope string
	key   installation.Key
	name  string // the term or the claim
}

// parseMember parses an index member that members builds.
func parseMember(member string) (entry, bool) {
	if member == "" {
		return entry{}, false
	}
	e := entry{scope: member[:1]}
	rest, ok := member[1:], true
	text := func() (s string) { // up to the next NUL
		if ok {
			s, rest, ok = strings.Cut(rest, nul)
		}
		return s
	}
	skipTime := func() {
		if ok = ok && len(rest) >= timeBytes; ok {
			rest = rest[timeBytes:]
		}
	}
	switch e.scope {
	case scopeTerm:
		e.key.Tenant, e.name = text(), text()
		skipTime()
	case scopeGlobal:
		e.name = text()
		skipTime()
		e.key.Tenant = text()
	case scopeClaim:
		e.key.Tenant, e.name = text(), text()
	case scopeDue:
		e.key.Tenant = text()
		skipTime()
	case scopeAnyDue:
		skipTime()
		e.key.Tenant = text()
	default:
		return entry{}, false
	}
	e.key.ID = rest
	return e, ok
}

// maxName is the maximum length of a term or claim in bytes. packNames writes this length, plus one
// for the scope, in two bytes.
const maxName = 1<<16 - 2

// packNames joins the claims and terms of a record, so that a script can split them. Each has the
// length of what follows in two bytes, its scope in one byte, and its text.
func packNames(r *installation.Record) string {
	var b strings.Builder
	add := func(scope, name string) {
		b.WriteByte(byte((len(name) + 1) >> 8))
		b.WriteByte(byte(len(name) + 1))
		b.WriteString(scope)
		b.WriteString(name)
	}
	for _, claim := range r.Claims {
		add(scopeClaim, claim)
	}
	for _, term := range r.Index {
		if installation.GlobalTerm(term) {
			add(scopeGlobal, term)
		} else {
			add(scopeTerm, term)
		}
	}
	return b.String()
}

// unpackNames sets the terms and claims of r to those that packNames has joined. It returns false
// if packed is damaged.
func unpackNames(r *installation.Record, packed string) bool {
	for len(packed) > 0 {
		if len(packed) < 3 {
			return false
		}
		n := int(packed[0])<<8 | int(packed[1])
		if packed = packed[2:]; n < 1 || len(packed) < n {
			return false
		}
		scope, name := packed[:1], packed[1:n]
		packed = packed[n:]
		switch {
		case scope == scopeClaim:
			r.Claims = append(r.Claims, name)
		case scope == scopeGlobal && installation.GlobalTerm(name),
			scope == scopeTerm && !installation.GlobalTerm(name):
			r.Index = append(r.Index, name)
		default:
			return false
		}
	}
	return true
}
