package memstore

import (
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// filled returns a store of n typical records: 2 KiB of body, eight terms, a claim.
func filled(b *testing.B, n int) (*Store, []installation.Key) {
	b.Helper()
	s := New()
	body := installation.BodyFromBytes(make([]byte, 2048))
	keys := make([]installation.Key, n)
	for i := range keys {
		keys[i] = installation.Key{
			Tenant: fmt.Sprintf("tenant-%d", i%16),
			ID:     fmt.Sprintf("EXI-%04d-%04d", i/10_000, i%10_000),
		}
		c := change(keys[i], 1)
		c.Record.Index = []string{
			"@all", "@kek=k1", "acc=ACC-1", "all", "ext+acc=EXT-1 ACC-1", "ext=EXT-1",
			"own=ACC-2", "phase=installed",
		}
		c.Record.Claims = []string{keys[i].ID}
		c.Record.Body = body
		commit(b, s, c)
	}
	return s, keys
}

// BenchmarkGet compares Get with its lookup in go-memdb.
func BenchmarkGet(b *testing.B) {
	s, keys := filled(b, 20_000)
	ctx := b.Context()
	var first float64 // ns
	b.Run("First", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			key := storekey.Record(keys[i*7919%len(keys)])
			row, err := s.db.Txn(false).First(tableRecords, indexID, key)
			if err != nil || row == nil {
				b.Fatal(row, err)
			}
		}
		first = float64(b.Elapsed()) / float64(b.N)
	})
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := s.Get(ctx, keys[i*7919%len(keys)]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/first, "x-First")
	})
}

// BenchmarkPage measures a page of 100 records from the middle of a list.
func BenchmarkPage(b *testing.B) {
	s, _ := filled(b, 20_000)
	q := installation.Query{AllTenants: true, Term: "@all", Limit: 100, Skip: 10_000}
	page, err := s.List(b.Context(), q)
	if err != nil {
		b.Fatal(err)
	}
	q.Skip, q.After = 0, page.Next
	b.ReportAllocs()
	for b.Loop() {
		if page, err := s.List(b.Context(), q); err != nil || len(page.Records) != 100 {
			b.Fatal(len(page.Records), err)
		}
	}
}

// BenchmarkCommit measures an update that keeps all list positions.
func BenchmarkCommit(b *testing.B) {
	s, keys := filled(b, 20_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		key := keys[i*7919%len(keys)]
		r, err := s.Get(b.Context(), key)
		if err != nil {
			b.Fatal(err)
		}
		c := change(key, r.Revision+1)
		c.Record.Index, c.Record.Claims, c.Record.Body = r.Index, r.Claims, r.Body
		c.Events = []installation.Event{{Key: key}}
		commit(b, s, c)
	}
}
