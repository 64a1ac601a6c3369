package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/boltstore"
)

// fileSizeRows returns rows for a file of many installations that a service has created: its size,
// and how long it takes to open and to verify.
func fileSizeRows(tb testing.TB, s Scale) []Row {
	path := filepath.Join(tb.TempDir(), "store.db")
	store := openFile(tb, path, true)
	w := newWorld(tb, store, newRing(tb, "k1"), s.Records)
	key := installation.Key{Tenant: tenant, ID: w.id()}
	body := float64(len(must(store.Get(tb.Context(), key))(tb).Body.Bytes()))
	check(tb, store.Close())
	use := func(f func(*boltstore.Store) error) Work {
		return func() error {
			store, err := boltstore.Open(path, nil)
			if err != nil {
				return err
			}
			return errors.Join(f(store), store.Close())
		}
	}
	verify := func(store *boltstore.Store) error {
		report, err := store.Verify(w.ctx)
		if err == nil && (!report.Clean() || report.Records != int64(s.Records)) {
			err = fmt.Errorf("verify: %d records, %v", report.Records, report.Problems)
		}
		return err
	}
	of := fmt.Sprintf(" a file of %d", s.Records)
	return []Row{
		sizeRow("sealed body", 0, body),
		sizeRow("size of"+of+", each record", 0, fileSize(tb, path)/float64(s.Records)),
		{
			Name: "Open and Close" + of, Against: "bbolt Open and Close", Per: 1,
			Lacks: "checks of the pages, sync", Base: func() error { return base.OpenFile(path) },
			Ours: use(func(*boltstore.Store) error { return nil }),
		},
		{
			Name: "Open, Verify" + of, Against: "read all, one checksum", Per: 1,
			Lacks: "checks of each page and each key", Ours: use(verify),
			Base: func() error { return base.ReadFile(path) },
		},
	}
}

// fileSize returns the length of a file in bytes.
func fileSize(tb testing.TB, path string) float64 {
	tb.Helper()
	return float64(must(os.Stat(path))(tb).Size())
}
