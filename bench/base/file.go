package base

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"go.etcd.io/bbolt"
)

// File is bbolt with records and two indexes in one file. Every write is synced.
type File struct {
	db    *bbolt.DB
	ids   *ids
	value []byte
}

// Buckets of a file. The keys of the last two end with the key of a record.
var (
	records  = []byte("records")
	ofTenant = []byte("tenant")
	ofOwner  = []byte("owner")
)

const project = "project-4400\x00"

// NewFile returns a new file of n records, and of 1,024 more that the calls are about. Each record
// has size bytes.
func NewFile(path string, n, size int) (*File, error) {
	o := bbolt.Options{NoStatistics: true, FreelistType: bbolt.FreelistMapType}
	db, err := bbolt.Open(path, 0o600, &o)
	if err != nil {
		return nil, err
	}
	f := &File{db: db, ids: newIDs(stored), value: bytes.Repeat([]byte("x"), size)}
	err = db.Update(func(t *bbolt.Tx) error {
		for _, name := range [][]byte{records, ofTenant, ofOwner} {
			if _, err := t.CreateBucket(name); err != nil {
				return err
			}
		}
		for _, id := range append(newIDs(n).list, f.ids.list...) {
			if err := f.put(t, id); err != nil {
				return err
			}
		}
		return nil
	})
	return f, err
}

// Close closes the file.
func (f *File) Close() error { return f.db.Close() }

func (f *File) put(t *bbolt.Tx, id string) error {
	key := []byte(project + id)
	return errors.Join(
		t.Bucket(records).Put(key, f.value),
		t.Bucket(ofTenant).Put(append([]byte("tall\x00"), key...), nil),
		t.Bucket(ofOwner).Put(append([]byte("town=ACC-1000-2000\x00"), key...), nil),
	)
}

// Get reads a record and copies it.
func (f *File) Get() error { return f.get(f.ids.id(), len(f.value)) }

// GetNothing looks for a record that is not there.
func (f *File) GetNothing() error { return f.get("x"+f.ids.id(), 0) }

func (f *File) get(id string, want int) error {
	var value []byte
	err := f.db.View(func(t *bbolt.Tx) error {
		value = bytes.Clone(t.Bucket(records).Get([]byte(project + id)))
		return nil
	})
	if err == nil && len(value) != want {
		err = fmt.Errorf("a record of %d bytes", len(value))
	}
	return err
}

// Insert writes a new record and its two index entries.
func (f *File) Insert() error {
	return f.db.Update(func(t *bbolt.Tx) error { return f.put(t, newID()) })
}

// Replace writes a record in place of another one.
func (f *File) Replace() error {
	return f.db.Update(func(t *bbolt.Tx) error {
		return t.Bucket(records).Put([]byte(project+f.ids.id()), f.value)
	})
}

// Page walks over an index and copies a page of records.
func (f *File) Page() error {
	page := make([][]byte, 0, PageSize)
	err := f.db.View(func(t *bbolt.Tx) error {
		in := t.Bucket(records)
		c := t.Bucket(ofTenant).Cursor()
		for k, _ := c.First(); k != nil && len(page) < PageSize; k, _ = c.Next() {
			page = append(page, bytes.Clone(in.Get(k[len("tall\x00"):])))
		}
		return nil
	})
	if err == nil && (len(page) < PageSize || len(page[0]) != len(f.value)) {
		err = errors.New("no full page")
	}
	return err
}

// Count walks over as many entries of an index as there are records to call about.
func (f *File) Count() error {
	return f.db.View(func(t *bbolt.Tx) error {
		n := 0
		c := t.Bucket(ofTenant).Cursor()
		for k, _ := c.First(); k != nil && n < stored; k, _ = c.Next() {
			n++
		}
		if n < stored {
			return errors.New("too few entries")
		}
		return nil
	})
}

// OpenFile opens and closes a bbolt file.
func OpenFile(path string) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	return db.Close()
}

// ReadFile reads a file and calculates a checksum of it.
func ReadFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(crc32.New(crc32.MakeTable(crc32.Castagnoli)), f)
	return err
}
