package storekey

import (
	"bytes"
	"cmp"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// now is the time of all keys in these tests.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// tuple is the content of a term key.
type tuple struct {
	tenant, term, id string
	created          int64 // microseconds
}

func (a tuple) compare(b tuple) int {
	tenant, term := cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.term, b.term)
	created, id := cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id)
	if installation.GlobalTerm(a.term) {
		return cmp.Or(term, created, tenant, id)
	}
	return cmp.Or(tenant, term, created, id)
}

func (a tuple) key() Key {
	return ofTerm(installation.Key{Tenant: a.tenant, ID: a.id}, a.term,
		time.UnixMicro(a.created))
}

// FuzzTermKey proves that keys sort like their tuples, that no two tuples share a key, and that
// no key is a prefix of another.
func FuzzTermKey(f *testing.F) {
	f.Add("t", "all", "a", int64(0), "t", "all", "b", int64(0))
	f.Add("", "all", "a", int64(-1), "a", "ll", "a", int64(1))
	f.Add("a:b", "c", "d", int64(1), "a", "b:c", "d", int64(1))
	f.Add("", "@all", "a", int64(5), "@all", "", "a", int64(5))
	f.Add("t", "x", "\xff", int64(1<<62), "t", "x", "\xff\x01", int64(1<<62))
	f.Add("t", "@k", "i", int64(-1<<62), "t\x01", "@k", "i", int64(-1<<62))
	f.Fuzz(func(t *testing.T, tenantA, termA, idA string, createdA int64, tenantB, termB,
		idB string, createdB int64) {
		a := tuple{tenant: tenantA, term: termA, id: idA, created: createdA}
		b := tuple{tenant: tenantB, term: termB, id: idB, created: createdB}
		for _, s := range []string{tenantA, termA, idA, tenantB, termB, idB} {
			if strings.Contains(s, "\x00") {
				t.Skip("the contract has no NUL")
			}
		}
		if time.UnixMicro(createdA).UnixMicro() != createdA ||
			time.UnixMicro(createdB).UnixMicro() != createdB {
			t.Skip("a time that overflows: none that a record can have")
		}
		ka, kb := a.key(), b.key()
		if installation.GlobalTerm(termA) != installation.GlobalTerm(termB) {
			if bytes.Equal(ka, kb) {
				t.Errorf("%+v and %+v have the key %q", a, b, ka)
			}
			return
		}
		if got, want := bytes.Compare(ka, kb), a.compare(b); got != want {
			t.Errorf("%+v against %+v: keys compare %d, want %d", a, b, got, want)
		}
		if a != b && (bytes.HasPrefix(ka, kb) || bytes.HasPrefix(kb, ka)) {
			t.Errorf("of %+v and %+v one key begins with the other", a, b)
		}
		prefix := Key{scopeTerm}.string(tenantA).string(termA)
		if installation.GlobalTerm(termA) {
			prefix = Key{scopeGlobal}.string(termA)
		}
		sp := all(prefix)
		if !sp.Contains(ka) || sp.Contains(kb) != (termA == termB &&
			(installation.GlobalTerm(termA) || tenantA == tenantB)) {
			t.Errorf("the list of %+v: its own key is inside %t, that of %+v %t", a,
				sp.Contains(ka), b, sp.Contains(kb))
		}
	})
}

// FuzzIdentityKeys proves the same for keys that name one row.
func FuzzIdentityKeys(f *testing.F) {
	f.Add("a", "b", "a", "b")
	f.Add("", "ab", "a", "b")
	f.Add("a:b", "c", "a", "b:c")
	f.Add("\x01", "\xff", "\x01\xff", "")
	f.Fuzz(func(t *testing.T, tenantA, idA, tenantB, idB string) {
		if strings.Contains(tenantA+idA+tenantB+idB, "\x00") {
			t.Skip("the contract has no NUL")
		}
		want := cmp.Or(cmp.Compare(tenantA, tenantB), cmp.Compare(idA, idB))
		for name, of := range map[string]func(installation.Key) Key{
			"record": Record,
			"claim":  func(k installation.Key) Key { return Claim(k.Tenant, k.ID) },
			"due":    func(k installation.Key) Key { return due(now, k) },
			"anyDue": func(k installation.Key) Key { return at(scopeAnyDue, now, k) },
		} {
			a := of(installation.Key{Tenant: tenantA, ID: idA})
			b := of(installation.Key{Tenant: tenantB, ID: idB})
			if got := bytes.Compare(a, b); got != want {
				t.Errorf("%s: keys of %q %q and %q %q compare %d, want %d", name, tenantA, idA,
					tenantB, idB, got, want)
			}
		}
	})
}

// TestTimeOrder covers times on both sides of year 1 and of 1970.
func TestTimeOrder(t *testing.T) {
	times := []time.Time{
		{}, time.Unix(-1, 0), time.Unix(0, -1000), time.Unix(0, 0), time.Unix(0, 1000),
		now, now.AddDate(7000, 0, 0),
	}
	for i := range times[1:] {
		earlier, later := Key(nil).time(times[i]), Key(nil).time(times[i+1])
		if bytes.Compare(earlier, later) >= 0 {
			t.Errorf("%v does not come before %v", times[i], times[i+1])
		}
	}
}

// TestLists finds a record through each of its positions, in the span of the list alone.
func TestLists(t *testing.T) {
	r := &installation.Record{Key: installation.Key{Tenant: "t", ID: "i"}, Created: now,
		Deadline: now, Index: []string{"@all", "all"}}
	tombstone := &installation.Record{Key: r.Key, Deleted: true, Deadline: now}
	spans := []Span{
		spanOf(t, installation.Query{AllTenants: true, Term: "@all"}),
		spanOf(t, installation.Query{Tenant: "t", Term: "all"}),
		spanOf(t, installation.Query{Tenant: "t", DueBefore: now}),
		spanOf(t, installation.Query{AllTenants: true, DueBefore: now}),
		Forgettable(now),
	}
	for i, k := range append(Lists(r), Lists(tombstone)...) {
		for j, sp := range spans {
			if got := sp.Contains(k); got != (i == j) {
				t.Errorf("position %d in span %d: got %t", i, j, got)
			}
		}
		if got := spans[i].Row(k); !bytes.Equal(got, Record(r.Key)) || KeyOf(got) != r.Key {
			t.Errorf("position %d: got the row %q, want %q", i, got, Record(r.Key))
		}
	}
	if Forgettable(now.Add(-time.Microsecond)).Contains(Lists(tombstone)[0]) {
		t.Error("a tombstone is forgettable before its deadline")
	}
	if got := Lists(&installation.Record{Key: r.Key, Deleted: true}); len(got) > 0 {
		t.Errorf("a tombstone without a deadline is in the lists %q", got)
	}
	d := installation.Digest{1}
	if k := Until(now, "t", d); !Expired(now).Contains(k) ||
		!bytes.Equal(Expired(now).Row(k), Outcome("t", d)) {
		t.Errorf("the position %q does not lead to the outcome", k)
	}
}

func spanOf(t *testing.T, q installation.Query) Span {
	t.Helper()
	sp, err := SpanOf(q.Counted())
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// TestSpanOfRejects checks that a query that breaks a rule has no span.
func TestSpanOfRejects(t *testing.T) {
	for name, q := range map[string]installation.Query{
		"no list":         {Limit: 1},
		"no limit":        {Term: "all"},
		"cursor":          {Term: "all", Limit: 1, After: "!"},
		"padded cursor":   {Term: "all", Limit: 1, After: "AA=="},
		"cursor with bit": {Term: "all", Limit: 1, After: "AB"},
	} {
		if sp, err := SpanOf(q); !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("%s: got span %v, error %v, want %v", name, sp, err, installation.ErrInvalid)
		}
	}
}
