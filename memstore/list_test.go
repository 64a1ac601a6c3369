package memstore

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

func TestInvalidQueries(t *testing.T) {
	s := New()
	for name, q := range map[string]installation.Query{
		"nothing to list":    {Limit: 1},
		"term and time":      {Limit: 1, Term: "all", DueBefore: now},
		"no limit":           {Term: "all"},
		"limit too large":    {Term: "all", Limit: installation.MaxPage + 1},
		"negative skip":      {Term: "all", Limit: 1, Skip: -1},
		"skip too large":     {Term: "all", Limit: 1, Skip: installation.MaxSkip + 1},
		"term of one tenant": {Term: "all", Limit: 1, AllTenants: true},
		"cursor of no page":  {Term: "all", Limit: 1, After: "\x00"},
	} {
		if _, err := s.List(t.Context(), q); !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("list, %s: error %v, want %v", name, err, installation.ErrInvalid)
		}
	}
	if _, err := s.Count(t.Context(), installation.Query{}); !errors.Is(err,
		installation.ErrInvalid) {
		t.Errorf("count: error %v, want %v", err, installation.ErrInvalid)
	}
	for name, q := range map[string]installation.EventQuery{
		"no limit":          {},
		"limit too large":   {Limit: installation.MaxPage + 1},
		"cursor of no page": {Limit: 1, After: "x"},
	} {
		if _, err := s.Events(t.Context(), q); !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("events, %s: error %v, want %v", name, err, installation.ErrInvalid)
		}
	}
	// A change without a record requires a stored one.
	nothing := change(installation.Key{ID: "none"}, 1)
	nothing.Record = nil
	if _, err := s.Commit(t.Context(), nothing); !errors.Is(err, installation.ErrConflict) {
		t.Errorf("commit: error %v, want %v", err, installation.ErrConflict)
	}
}

// TestListAgainstModel compares lists with sorted slices while random records are created,
// moved and deleted.
func TestListAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := New()
	model := make(map[installation.Key]*installation.Record)
	tenants, ids := []string{"", "a", "aa", "b"},
		[]string{"1", "2", "3", "11", "12", "\xff", "x"}
	terms := []string{"@all", "@k", "a", "all", "b"}
	for range 600 {
		c := change(installation.Key{Tenant: tenants[r.IntN(len(tenants))],
			ID: ids[r.IntN(len(ids))]}, 1)
		c.Op = [16]byte(randomBytes(r))
		if old := model[c.Key]; old != nil {
			c.If, c.Record.Revision = old.Revision, old.Revision+1
		}
		c.Record.Created = now.Add(time.Duration(r.IntN(4)) * time.Microsecond)
		c.Record.Index = slices.DeleteFunc(slices.Clone(terms),
			func(string) bool { return r.IntN(2) == 0 })
		if r.IntN(2) == 0 {
			c.Record.Deadline = now.Add(time.Duration(r.IntN(4)) * time.Microsecond)
		}
		if c.If > 0 && r.IntN(4) == 0 {
			c.Record = &installation.Record{Key: c.Key, Revision: c.If + 1, Deleted: true}
		}
		commit(t, s, c)
		model[c.Key] = c.Record

		q := installation.Query{Tenant: tenants[r.IntN(len(tenants))], Limit: 1 + r.IntN(4),
			Skip: r.IntN(3), Reverse: r.IntN(2) == 0}
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

// expected returns the keys of q in the order that the package documents.
func expected(model map[installation.Key]*installation.Record,
	q installation.Query) []installation.Key {
	var records []*installation.Record
	for _, r := range model {
		if r.Deleted || (!q.AllTenants && r.Key.Tenant != q.Tenant) {
			continue
		}
		if slices.Contains(r.Index, q.Term) ||
			(!q.DueBefore.IsZero() && !r.Deadline.IsZero() && !r.Deadline.After(q.DueBefore)) {
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b *installation.Record) int {
		at, bt := a.Created, b.Created
		if q.Term == "" {
			at, bt = a.Deadline, b.Deadline
		}
		return cmp.Or(at.Compare(bt), cmp.Compare(a.Key.Tenant, b.Key.Tenant),
			cmp.Compare(a.Key.ID, b.Key.ID))
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
