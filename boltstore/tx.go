package boltstore

import (
	"bytes"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/go-installation/installation/internal/storekey"
)

// tx is a transaction. It reads in two ways. A value under a known key comes from bbolt, which is
// fast, and its checksum shows that it is the right one. Whether a key is missing, and which keys
// are in a range, comes from the pages themselves, which bbolt does not check.
type tx struct {
	*bbolt.Tx
	file *file
	age  int64 // of the readers when it began
	// written is true after the first write. The pages of the file are then not those of the
	// transaction, so all walks come before the first write.
	written bool
	before  *snapshot // what snapshot returns
	buffer  *[]byte   // of buffers; before keeps pages in it

	// The bucket that was used last, since bbolt looks for it again each time, and in a read
	// transaction a cursor, since bbolt makes one for each Get.
	last   bucket
	lastIn *bbolt.Bucket
	cursor *bbolt.Cursor
}

// buffers are for the pages that a short transaction reads.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 64<<10)
	return &b
}}

// free gives the buffer back. No key or value of a walk is valid after it.
func (t *tx) free() {
	if t.buffer != nil {
		buffers.Put(t.buffer)
		t.buffer, t.before = nil, nil
	}
}

// appended are the buckets that mostly grow at the ends of their ranges. If their pages are split
// there when they are fuller than bbolt's half, the file is 5 to 15 % smaller.
var appended = []bucket{bucketLists, bucketExpiry, bucketEvents}

const appendedFill = 0.8

// in returns a bucket.
func (t *tx) in(b bucket) (*bbolt.Bucket, error) {
	if t.last == b {
		return t.lastIn, nil
	}
	found := t.Bucket([]byte(b))
	if found == nil {
		return nil, t.damaged(b, errNoBucket)
	}
	if slices.Contains(appended, b) {
		found.FillPercent = appendedFill
	}
	t.last, t.lastIn = b, found
	if !t.Writable() {
		t.cursor = found.Cursor()
	}
	return found, nil
}

// get returns the value at key, or nil. It is valid during the transaction.
func (t *tx) get(b bucket, key storekey.Key) ([]byte, error) {
	in, err := t.in(b)
	if err != nil {
		return nil, err
	}
	var sealed []byte
	if t.Writable() { // a write can move what a cursor stands on
		sealed = in.Get(key)
	} else if k, v := t.cursor.Seek(key); bytes.Equal(k, key) {
		sealed = v
	}
	if sealed == nil {
		return nil, t.absent(b, key)
	}
	value, err := unseal(b, key, sealed)
	if err != nil {
		return nil, t.damaged(b, err)
	}
	return value, nil
}

// absent returns an error unless the pages prove that nothing is stored at key.
func (t *tx) absent(b bucket, key storekey.Key) error {
	if t.written || bytes.Compare(key, keyLast) >= 0 { // a tenant that is too long
		return nil
	}
	value, err := t.snapshot().get(b, key)
	if err == nil && value != nil {
		err = t.damaged(b, errNotFound)
	}
	return err
}

// walk returns a cursor before the first key of a range. It sees no writes of the transaction.
func (t *tx) walk(b bucket, sp storekey.Span) (*cursor, error) { return t.snapshot().walk(b, sp) }

// snapshot returns the pages as they were before the first write.
func (t *tx) snapshot() snapshot {
	if t.before == nil {
		size := t.file.pageSize
		s := newSnapshot(t.file.path, t.file.File, size, uint64(t.Cursor().Bucket().Root()),
			uint64(t.Size())/uint64(size))
		t.buffer = buffers.Get().(*[]byte)
		s.root.pages.spare = *t.buffer
		t.before = &s
	}
	return *t.before
}

func (t *tx) meta() (meta, error) { return t.snapshot().meta() }

// put writes a value.
func (t *tx) put(b bucket, key storekey.Key, value []byte) error {
	in, err := t.in(b)
	if err != nil {
		return err
	}
	t.written = true
	return in.Put(key, seal(b, key, value))
}

// remove deletes the value at key.
func (t *tx) remove(b bucket, key storekey.Key) error {
	in, err := t.in(b)
	if err != nil {
		return err
	}
	t.written = true
	return in.Delete(key)
}

func (t *tx) damaged(b bucket, err error) error {
	return damaged(t.file.path, "bucket %q: %v", b, err)
}
