package memstore

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// tuple is what a key stands for.
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

func (a tuple) key() key {
	return termKey(installation.Key{Tenant: a.tenant, ID: a.id}, a.term, time.UnixMicro(a.created))
}

// FuzzTermKey proves that the order of keys is the order of what they stand for, that two keys never meet, and that none
// is the beginning of another.
func FuzzTermKey(f *testing.F) {
	f.Add("t", "all", "a", int64(0), "t", "all", "b", int64(0))
	f.Add("", "all", "a", int64(-1), "a", "ll", "a", int64(1))
	f.Add("a:b", "c", "d", int64(1), "a", "b:c", "d", int64(1))
	f.Add("", "@all", "a", int64(5), "@all", "", "a", int64(5))
	f.Add("t", "x", "\xff", int64(1<<62), "t", "x", "\xff\x01", int64(1<<62))
	f.Add("t", "@k", "i", int64(-1<<62), "t\x01", "@k", "i", int64(-1<<62))
	f.Fuzz(func(t *testing.T, tenantA, termA, idA string, createdA int64, tenantB, termB, idB string, createdB int64) {
		a := tuple{tenant: tenantA, term: termA, id: idA, created: createdA}
		b := tuple{tenant: tenantB, term: termB, id: idB, created: createdB}
		for _, s := range []string{tenantA, termA, idA, tenantB, termB, idB} {
			if strings.Contains(s, "\x00") {
				t.Skip("the contract has no NUL")
			}
		}
		if time.UnixMicro(createdA).UnixMicro() != createdA || time.UnixMicro(createdB).UnixMicro() != createdB {
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
		prefix := key{scopeTerm}.string(tenantA).string(termA)
		if installation.GlobalTerm(termA) {
			prefix = key{scopeGlobal}.string(termA)
		}
		sp := all(prefix)
		if !inside(sp, ka) || inside(sp, kb) != (termA == termB && (installation.GlobalTerm(termA) || tenantA == tenantB)) {
			t.Errorf("the list of %+v: its own key is inside %t, that of %+v %t", a, inside(sp, ka), b, inside(sp, kb))
		}
	})
}

func inside(sp span, k key) bool {
	return bytes.Compare(k, sp.lo) > 0 && bytes.Compare(k, sp.hi) < 0
}

// FuzzIdentityKeys proves the same of the keys that name one row.
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
		for name, of := range map[string]func(tenant, id string) key{
			"record": func(tenant, id string) key { return recordKey(installation.Key{Tenant: tenant, ID: id}) },
			"claim":  claimKey,
			"due":    func(tenant, id string) key { return dueKey(now, installation.Key{Tenant: tenant, ID: id}) },
			"anyDue": func(tenant, id string) key {
				return timeKey(scopeAnyDue, now, installation.Key{Tenant: tenant, ID: id})
			},
		} {
			if got := bytes.Compare(of(tenantA, idA), of(tenantB, idB)); got != want {
				t.Errorf("%s: keys of %q %q and %q %q compare %d, want %d", name, tenantA, idA, tenantB, idB, got, want)
			}
		}
	})
}

// TestTimeOrder goes through times on both sides of zero and of the epoch.
func TestTimeOrder(t *testing.T) {
	times := []time.Time{{}, time.Unix(-1, 0), time.Unix(0, -1000), time.Unix(0, 0), time.Unix(0, 1000), now, now.AddDate(7000, 0, 0)}
	for i := range times[1:] {
		if earlier, later := key(nil).time(times[i]), key(nil).time(times[i+1]); bytes.Compare(earlier, later) >= 0 {
			t.Errorf("%v does not come before %v", times[i], times[i+1])
		}
	}
}

// TestListAgainstModel compares lists with sorted slices, over random records that come, move and go.
func TestListAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := New()
	model := make(map[installation.Key]*installation.Record)
	tenants, ids := []string{"", "a", "aa", "b"}, []string{"1", "2", "3", "11", "12", "\xff", "x"}
	terms := []string{"@all", "@k", "a", "all", "b"}
	for range 600 {
		c := change(installation.Key{Tenant: tenants[r.IntN(len(tenants))], ID: ids[r.IntN(len(ids))]}, 1)
		c.Op = [16]byte(randomBytes(r))
		if old := model[c.Key]; old != nil {
			c.If, c.Record.Revision = old.Revision, old.Revision+1
		}
		c.Record.Created = now.Add(time.Duration(r.IntN(4)) * time.Microsecond)
		c.Record.Index = slices.DeleteFunc(slices.Clone(terms), func(string) bool { return r.IntN(2) == 0 })
		if r.IntN(2) == 0 {
			c.Record.Deadline = now.Add(time.Duration(r.IntN(4)) * time.Microsecond)
		}
		if c.If > 0 && r.IntN(4) == 0 {
			c.Record = &installation.Record{Key: c.Key, Revision: c.If + 1, Deleted: true}
		}
		commit(t, s, c)
		model[c.Key] = c.Record

		q := installation.Query{Tenant: tenants[r.IntN(len(tenants))], Limit: 1 + r.IntN(4), Skip: r.IntN(3), Reverse: r.IntN(2) == 0}
		switch r.IntN(4) {
		case 0:
			q.AllTenants, q.Term = true, terms[r.IntN(2)]
		case 1:
			q.AllTenants, q.DueBefore = true, now.Add(time.Duration(r.IntN(4))*time.Microsecond)
		case 2:
			q.DueBefore = now.Add(time.Duration(r.IntN(4)) * time.Microsecond)
		default:
			q.Term = terms[2+r.IntN(3)]
		}
		want := expected(model, q)
		if n, err := s.Count(t.Context(), q); err != nil || n != int64(len(want)) {
			t.Fatalf("count %+v: %d, error %v, want %d", q, n, err, len(want))
		}
		if got := listAll(t, s, q); !slices.Equal(got, want[min(q.Skip, len(want)):]) {
			t.Fatalf("list %+v: got %q, want %q", q, got, want)
		}
	}
}

func randomBytes(r *rand.Rand) []byte {
	b := make([]byte, 16)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// expected returns the keys that q names, in the order that the package promises.
func expected(model map[installation.Key]*installation.Record, q installation.Query) []installation.Key {
	var records []*installation.Record
	for _, r := range model {
		if r.Deleted || (!q.AllTenants && r.Key.Tenant != q.Tenant) {
			continue
		}
		if slices.Contains(r.Index, q.Term) || (!q.DueBefore.IsZero() && !r.Deadline.IsZero() && !r.Deadline.After(q.DueBefore)) {
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b *installation.Record) int {
		at, bt := a.Created, b.Created
		if q.Term == "" {
			at, bt = a.Deadline, b.Deadline
		}
		return cmp.Or(at.Compare(bt), cmp.Compare(a.Key.Tenant, b.Key.Tenant), cmp.Compare(a.Key.ID, b.Key.ID))
	})
	if q.Reverse && q.Term != "" {
		slices.Reverse(records)
	}
	var keys []installation.Key
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	return keys
}

func listAll(t *testing.T, s *Store, q installation.Query) []installation.Key {
	t.Helper()
	var keys []installation.Key
	for {
		page, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatalf("list %+v: %v", q, err)
		}
		for _, r := range page.Records {
			keys = append(keys, r.Key)
		}
		if page.Next == "" {
			return keys
		}
		q.After, q.Skip = page.Next, 0
	}
}
