package boltstore

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// BenchmarkGet compares Get with a bare get of the same bytes from the same file.
func BenchmarkGet(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "store.db"), &Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	keys := make([]installation.Key, 10_000)
	body := installation.BodyFromBytes(make([]byte, 2048))
	for i := range keys {
		keys[i] = installation.Key{Tenant: "tenant", ID: fmt.Sprintf("EXI-%04d", i)}
		c := installation.Change{Now: time.Now(), Key: keys[i], Op: [16]byte{byte(i), byte(i >> 8)},
			Record: &installation.Record{Key: keys[i], Revision: 1, Created: time.Now(), Body: body,
				Index: []string{"@all", "@kek=k1", "acc=ACC-1", "all", "ext+acc=EXT-1 ACC-1",
					"ext=EXT-1", "own=ACC-2", "phase=installed"},
				Claims: []string{keys[i].ID}}}
		if _, err := s.Commit(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	var bare float64 // ns
	b.Run("bbolt", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			key := storekey.Record(keys[i*7919%len(keys)])
			var value []byte
			err := s.file.db.View(func(t *bbolt.Tx) error {
				value = append(value, t.Bucket([]byte(bucketRecords)).Get(key)...)
				return nil
			})
			if err != nil || len(value) == 0 {
				b.Fatal(len(value), err)
			}
		}
		bare = float64(b.Elapsed()) / float64(b.N)
	})
	for name, get := range map[string]func(i int) error{
		"Get": func(i int) error {
			_, err := s.Get(b.Context(), keys[i*7919%len(keys)])
			return err
		},
		"Get, nothing": func(i int) error {
			key := keys[i*7919%len(keys)]
			key.ID += "x"
			if _, err := s.Get(b.Context(), key); err == nil {
				return fmt.Errorf("%q was found", key.ID)
			}
			return nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := get(i); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/bare, "x-bbolt")
		})
	}
}
