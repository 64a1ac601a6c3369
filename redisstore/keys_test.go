package redisstore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
)

// oddStrings are hostile or unusual ids and tenants.
var oddStrings = []string{
	"", "a", "A", ":", "a:b", "::", "*", "?", "[a]", "{", "}", "{a}", "{b:00}", "}{", " ", "a b",
	"é", "日本語", "\xff", "\n", "\x01", "1:a",
	strings.Repeat("a", 256), strings.Repeat("}", 256), strings.Repeat("é", 128),
}

// FuzzKeys checks that no two records or outcomes share a key, that a record key parses to its
// record, and that no tenant or id leads out of the slot of its bucket.
func FuzzKeys(f *testing.F) {
	for i, s := range oddStrings {
		f.Add(s, oddStrings[(i+1)%len(oddStrings)], oddStrings[(i+7)%len(oddStrings)], s)
	}
	f.Add("a:b", "c", "a", "b:c")
	f.Add("1:a", "b", "1", "a:b")
	f.Fuzz(func(t *testing.T, tenant1, id1, tenant2, id2 string) {
		s := keyspace{"test", 16}
		one := installation.Key{Tenant: tenant1, ID: id1}
		two := installation.Key{Tenant: tenant2, ID: id2}
		b1, b2 := s.of(tenant1), s.of(tenant2)
		if (b1.record(one) == b2.record(two)) != (one == two) {
			t.Errorf("records %q and %q: keys %q and %q", one, two, b1.record(one), b2.record(two))
		}
		var d1, d2 installation.Digest
		copy(d1[:], id1)
		copy(d2[:], id2)
		o1, o2 := outcomeField(tenant1, d1), outcomeField(tenant2, d2)
		if (o1 == o2) != (tenant1 == tenant2 && d1 == d2) {
			t.Errorf("outcomes of %q and %q: fields %q and %q", one, two, o1, o2)
		}
		keys := append(b1.fixed(), b1.accessLog(), b1.record(one))
		for i, k := range keys {
			if slices.Contains(keys[:i], k) {
				t.Errorf("two keys of a bucket are %q", k)
			}
			tag := hashTag(k)
			if redistest.Slot(tag) != redistest.Slot(b1.tag[1:len(b1.tag)-1]) {
				t.Errorf("key %q has the tag %q, want that of the bucket %q", k, tag, b1.tag)
			}
		}
		if b, k, ok := s.recordKey(b1.record(one)); !ok || k != one || b != b1 {
			t.Errorf("key %q was parsed as %+v %+v %t, want %+v %+v",
				b1.record(one), b, k, ok, b1, one)
		}
	})
}

// hashTag returns the part of a key that a cluster hashes.
func hashTag(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// FuzzRecordKey checks that only keys which bucket.record has built are parsed.
func FuzzRecordKey(f *testing.F) {
	for _, s := range oddStrings {
		f.Add("{test:00}:r:" + s)
		f.Add("{test:05}:r:1:a:" + s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		s := keyspace{"test", 16}
		if b, k, ok := s.recordKey(key); ok && b.record(k) != key {
			t.Errorf("%q was parsed as %+v of %+v, whose key is %q", key, k, b, b.record(k))
		}
	})
}

// FuzzMembers checks that no two places in an index share a member, that a member parses to its
// record, and that unpack returns what pack has joined. The store contract excludes NUL.
func FuzzMembers(f *testing.F) {
	for i, s := range oddStrings {
		next, third := oddStrings[(i+1)%len(oddStrings)], oddStrings[(i+3)%len(oddStrings)]
		f.Add(s, next, third, int64(i), s, s, "@"+s, int64(-i))
	}
	f.Fuzz(func(
		t *testing.T, tenant1, id1, term1 string, at1 int64, tenant2, id2, term2 string, at2 int64,
	) {
		for _, s := range []string{tenant1, id1, term1, tenant2, id2, term2} {
			if strings.Contains(s, nul) || len(s) > 1000 {
				t.Skip("the store contract excludes NUL and texts of this length")
			}
		}
		one, two := fuzzed(tenant1, id1, term1, at1), fuzzed(tenant2, id2, term2, at2)
		ours, theirs := members(one), members(two)
		for i, m := range ours {
			e, ok := parseMember(m)
			if !ok || e.key != one.Key || (e.name != "" && e.name != term1) {
				t.Errorf("member %q was parsed as %+v %t, want %+v %q", m, e, ok, one.Key, term1)
			}
			if slices.Contains(ours[:i], m) {
				t.Errorf("two members of a record are %q", m)
			}
			if one.Key != two.Key && slices.Contains(theirs, m) {
				t.Errorf("%+v and %+v share the member %q", one, two, m)
			}
		}
		for _, m := range ours {
			if !hasMember(one, m) || one.Key != two.Key && hasMember(two, m) {
				t.Errorf("member %q is not that of %+v alone", m, one)
			}
		}
	})
}

func fuzzed(tenant, id, term string, at int64) *installation.Record {
	when := time.UnixMicro(at)
	return &installation.Record{
		Key: installation.Key{Tenant: tenant, ID: id}, Created: when, Deadline: when,
		Index: []string{term}, Claims: []string{term},
	}
}

// FuzzRecord checks that decodeRecord accepts only what encodeRecord writes.
func FuzzRecord(f *testing.F) {
	f.Add("")
	for i, s := range oddStrings {
		next := oddStrings[(i+1)%len(oddStrings)]
		r := fuzzed(s, next, "@"+s, int64(i))
		r.Revision, r.Index = int64(i+1), append(r.Index, next)
		entry := strings.Repeat("t", opBytes) + number(r.Revision)
		f.Add(encodeRecord(r, entry+kindRecord))
		r.Deleted = true
		f.Add(encodeRecord(r, entry+kindNone+entry+kindRecord))
	}
	f.Fuzz(func(t *testing.T, value string) {
		r, entries, err := decodeRecord(installation.Key{}, value)
		if err != nil || r == nil {
			return
		}
		var packed strings.Builder
		for _, e := range entries {
			packed.WriteString(string(e.Token[:]) + number(e.Revision) + map[bool]string{
				true: kindRecord, false: kindNone,
			}[e.WithRecord])
		}
		if again := encodeRecord(r, packed.String()); again != value {
			t.Errorf("%q was decoded into %+v, whose value is %q", value, r, again)
		}
	})
}

// encodeRecord is what commit.lua stores for r.
func encodeRecord(r *installation.Record, entries string) string {
	return kindOf(r) + number(r.Revision) + number(r.Generation) +
		string(byte(len(entries)/entryBytes)) + entries + encodeRest(r)
}

// TestTimesSort checks both encodings of times that are compared as text.
func TestTimesSort(t *testing.T) {
	times := []time.Time{
		{}, time.UnixMicro(-1), time.UnixMicro(0), time.UnixMicro(1),
		time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for i, later := range times[1:] {
		earlier := times[i]
		if sortableTime(earlier) >= sortableTime(later) ||
			timeDigits(earlier) >= timeDigits(later) || len(timeDigits(later)) != digits {
			t.Errorf("%v does not come before %v", earlier, later)
		}
	}
}

// TestHeadTellsRecordsApart has two records with the same revision: the second was created after
// the tombstone of the first had expired.
func TestHeadTellsRecordsApart(t *testing.T) {
	record := func(token string) string {
		entry := token + number(2) + kindRecord
		return kindRecord + number(2) + number(1) + "\x01" + entry + "rest"
	}
	first, second := record("aaaaaaaaaaaaaaaa"), record("bbbbbbbbbbbbbbbb")
	if headOf(first) == headOf(second) {
		t.Errorf("got the head %q for both, want different ones", headOf(first))
	}
	if want := first[:len(first)-len("rest")]; headOf(first) != want {
		t.Errorf("got the head %q, want %q", headOf(first), want)
	}
	for _, damaged := range []string{"", "r", first[:headBytes], first[:headBytes+1]} {
		if headOf(damaged) != damaged {
			t.Errorf("got the head %q of %q, want all of it", headOf(damaged), damaged)
		}
	}
}
