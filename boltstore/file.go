package boltstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// file is an open file.
type file struct {
	*os.File
	db       *bbolt.DB
	path     string
	pageSize int
}

// begin starts a transaction.
func (f *file) view(fn func(*tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer f.catch(&err)
	t, err := f.db.Begin(false)
	if err != nil {
		return unavailable(f.path, err)
	}
	defer func() { _ = t.Rollback() }() // it has nothing to write
	return fn(&tx{Tx: t, file: f})
}

func (f *file) update(fn func(*tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer f.catch(&err)
	t, err := f.db.Begin(true)
	if err != nil {
		return unavailable(f.path, err)
	}
	defer func() { _ = t.Rollback() }() // after Commit it does nothing
	if err := fn(&tx{Tx: t, file: f}); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return unavailable(f.path, err)
	}
	return nil
}

// catch turns a panic of bbolt into an error.
func (f *file) catch(err *error) {
	if p := recover(); p != nil {
		*err = damaged(f.path, "%v", p)
	}
}

func (f *file) close() error {
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("boltstore: close: %w", err)
	}
	return nil
}

func (s *Store) open() error {
	_, err := os.Stat(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return s.create()
	}
	f := &file{path: s.path}
	f.db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{
		Timeout: 1, NoSync: s.opts.NoSync, NoStatistics: true, FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			f.File, err = os.OpenFile(name, flag, mode)
			return f.File, err
		},
	})
	if err != nil {
		return unavailable(s.path, err)
	}
	f.pageSize = f.db.Info().PageSize
	s.file = f
	return f.view(func(t *tx) error {
		m, err := t.meta()
		if err == nil {
			in := m.namespace()
			s.namespace.Store(&in)
		}
		return err
	})
}
func (s *Store) create() error {
	db, err := bbolt.Open(s.path, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(bt *bbolt.Tx) error {
		t := &tx{Tx: bt, file: &file{path: s.path}}
		for _, b := range buckets {
			if _, err := t.CreateBucket([]byte(b)); err != nil {
				return err
			}
			for _, k := range [][]byte{keyFirst, keyLast} {
				if err := t.put(b, k, nil); err != nil {
					return err
				}
			}
		}
		return t.putMeta(meta{Layout: layout, ID: rand.Text()})
	})
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return s.open()
}
