package boltstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/boltstore"
)

var pageSize = os.Getpagesize()

// seed makes each run damage the same bytes.
const seed = 1

// damages change a page in place.
var damages = map[string]func(r *rand.Rand, page []byte){
	"zeroed": func(_ *rand.Rand, page []byte) { clear(page) },
	"filled": func(_ *rand.Rand, page []byte) {
		for i := range page {
			page[i] = 0xff
		}
	},
	"random": func(r *rand.Rand, page []byte) {
		for i := range page {
			page[i] = byte(r.Uint32())
		}
	},
	"second half zeroed": func(_ *rand.Rand, page []byte) { clear(page[len(page)/2:]) },
	"header":             func(r *rand.Rand, page []byte) { flip(r, page[:16]) },
	"count":              func(r *rand.Rand, page []byte) { flip(r, page[10:12]) },
	"overflow":           func(r *rand.Rand, page []byte) { flip(r, page[12:16]) },
	"first elements":     func(r *rand.Rand, page []byte) { flip(r, page[16:80]) },
	"one byte":           flip,
	"another byte":       flip,
	"used byte":          flipUsed,
	"another used byte":  flipUsed,
}

// flip changes a byte.
func flip(r *rand.Rand, b []byte) { b[r.IntN(len(b))] ^= byte(1 + r.IntN(255)) }

// flipUsed changes a byte that is not zero: most of a page may be unused.
func flipUsed(r *rand.Rand, page []byte) {
	for range 100 {
		if i := r.IntN(len(page)); page[i] != 0 {
			page[i] ^= 1 << r.IntN(8)
			return
		}
	}
}

// TestDamagedPages damages each page of a file in several ways. Each call is right or fails with an
// error that names the file. In the long run, each page is damaged in all ways.
func TestDamagedPages(t *testing.T) {
	w := newWorld(t)
	whole := read(t, w.path)
	every := 3
	if os.Getenv("INSTALLATION_LONG") != "" {
		every = 1
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, uint64(len(name))))
			tried, refused, failed := 0, 0, 0
			first := len(name) % every // so all ways together damage every page
			for at := first * pageSize; at < len(whole); at += every * pageSize {
				tried++
				content := bytes.Clone(whole)
				damage(r, content[at:at+pageSize])
				write(t, w.path, content)
				s, err := boltstore.Open(w.path, &boltstore.Options{NoSync: true})
				if err != nil {
					refused++
					w.named(t, "open", err)
					verifyDamaged(t, w)
					continue
				}
				if w.check(t, s) > 0 {
					failed++
					if report, err := s.Verify(t.Context()); err == nil && report.Clean() {
						t.Errorf("page %d: calls failed, and Verify found nothing", at/pageSize)
					}
				}
				w.commits(t, s)
				closeStore(t, s)
				if t.Failed() {
					t.Fatalf("page %d was damaged", at/pageSize)
				}
			}
			t.Logf("of %d pages, Open refused %d and calls failed with %d", tried,
				refused, failed)
			if refused == 0 && failed == 0 {
				t.Error("no damage was noticed")
			}
		})
	}
}

// verifyDamaged runs VerifyFile on a file that Open refuses.
func verifyDamaged(t *testing.T, w world) {
	t.Helper()
	if report, err := boltstore.VerifyFile(t.Context(), w.path); err != nil {
		w.named(t, "verify", err)
	} else if report.Clean() {
		t.Error("Open refuses the file, and VerifyFile finds nothing")
	}
}

// commits writes to a damaged file. A create must not find a record missing that is there.
func (w world) commits(t *testing.T, s *boltstore.Store) {
	t.Helper()
	for _, i := range []int{0, 20, 40, 59} {
		again := change(w.records[i].Key, 1)
		again.Op = [16]byte{1}
		_, err := s.Commit(t.Context(), again)
		if err == nil {
			t.Errorf("commit: a record that exists was created again")
		} else if !errors.Is(err, installation.ErrConflict) {
			w.named(t, "commit", err)
		}
		fresh := change(installation.Key{Tenant: tenant, ID: fmt.Sprint("new-", i)}, 1)
		fresh.Record.Claims = w.records[i].Claims
		if _, err := s.Commit(t.Context(), fresh); err == nil {
			t.Errorf("commit: a claim was given out twice")
		} else if !errors.Is(err, installation.ErrExists) {
			w.named(t, "commit", err)
		}
		if _, err := s.Commit(t.Context(),
			change(installation.Key{Tenant: "other", ID: fmt.Sprint(i)}, 1)); err != nil {
			w.named(t, "commit", err)
		}
	}
}

// TestTruncated cuts the file at each page.
func TestTruncated(t *testing.T) {
	w := newWorld(t)
	whole := read(t, w.path)
	for size := 0; size < len(whole); size += pageSize / 2 {
		write(t, w.path, whole[:size])
		s, err := boltstore.Open(w.path, &boltstore.Options{NoSync: true})
		if err != nil {
			w.named(t, "open", err)
			continue
		}
		if failed := w.check(t, s); failed > 0 {
			t.Errorf("cut to %d bytes: it was opened, and %d calls failed", size, failed)
		}
		closeStore(t, s)
	}
}

// TestDamagedWhileOpen damages the file below an open store.
func TestDamagedWhileOpen(t *testing.T) {
	for name, damage := range map[string]func(f *os.File) error{
		"truncated":      func(f *os.File) error { return f.Truncate(int64(3 * pageSize)) },
		"truncated to 0": func(f *os.File) error { return f.Truncate(0) },
		"zeroed": func(f *os.File) error {
			info, err := f.Stat()
			if err == nil {
				_, err = f.WriteAt(make([]byte, info.Size()), 0)
			}
			return err
		},
		"data zeroed": func(f *os.File) error {
			info, err := f.Stat()
			if err == nil {
				_, err = f.WriteAt(make([]byte, int(info.Size())-2*pageSize), int64(2*pageSize))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s, err := boltstore.Open(w.path, &boltstore.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(w.path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := damage(f); err != nil {
				t.Fatal(err)
			}
			if w.check(t, s) == 0 {
				t.Error("no call failed")
			}
			w.commits(t, s)
			if report, err := s.Verify(t.Context()); err == nil && report.Clean() {
				t.Error("Verify found nothing")
			}
			_ = s.Close() // whether bbolt can close a damaged file does not matter
			if _, err := boltstore.Open(w.path, nil); err == nil {
				t.Error("the damaged file was opened")
			} else {
				w.named(t, "open", err)
			}
		})
	}
}
