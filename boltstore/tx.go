package boltstore

import (
	"bytes"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// Every bucket has a value under each of these keys. All other keys are between them: a tenant has
// at most MaxTenant bytes. So if a key is missing, there is a key before its place and one after.
var (
	keyFirst = storekey.Key{0}
	keyLast  = storekey.Key(bytes.Repeat([]byte{0xff}, installation.MaxTenant+1))
)

var errNoNeighbour = errors.New("keys are missing")

// tx is a transaction. It reads in two ways. A value under a known key comes from bbolt, which is
// fast, and its checksum shows that it is the right one. Whether a key is missing, and which keys
// are in a range, comes from the pages themselves, which bbolt does not check.
type tx struct {
	*bbolt.Tx
	file *file
	// written is true after the first write. The pages of the file are then not those of the
	// transaction, so all walks come before the first write.
	written bool
}

// in returns a bucket.
func (t *tx) in(b bucket) (*bbolt.Bucket, error) {
	found := t.Bucket([]byte(b))
	if found == nil {
		return nil, t.damaged(b, errors.New("it is missing"))
	}
	return found, nil
}

// get returns the value at key, or nil. It is valid during the transaction.
func (t *tx) get(b bucket, key storekey.Key) ([]byte, error) {
	in, err := t.in(b)
	if err != nil {
		return nil, err
	}
	sealed := in.Get(key)
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
	if t.written {
		return nil
	}
	c, err := t.seek(b, key)
	if err != nil {
		return err
	}
	if bytes.Equal(c.key, key) {
		return t.damaged(b, errors.New("a key is not found although it is there"))
	}
	return c.move((*position).next)
}

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

// tree returns the tree of a bucket, as it was before the first write.
func (t *tx) tree(b bucket) (tree, error) {
	if t.written {
		panic("boltstore: a walk after a write")
	}
	size := t.file.pageSize
	root := tree{root: uint64(t.Cursor().Bucket().Root()), pages: &pages{
		r: t.file.File, size: size, end: uint64(t.Size()) / uint64(size)}}
	found, err := root.bucket(b)
	if err != nil {
		return found, t.damaged(b, err)
	}
	return found, nil
}

// walk is a position in a bucket. Its key matches its checksum, and so does every key that it has
// passed.
type walk struct {
	t          *tx
	b          bucket
	at         position
	key, value []byte
}

// seek returns a walk at key, or at the last key before it.
func (t *tx) seek(b bucket, key storekey.Key) (*walk, error) {
	in, err := t.tree(b)
	if err != nil {
		return nil, err
	}
	w := &walk{t: t, b: b}
	if w.at, err = in.seek(key); err != nil {
		return nil, t.damaged(b, err)
	}
	if n, i := w.at.leaf(); i < n.count && bytes.Equal(n.key(i), key) {
		return w, w.read()
	}
	return w, w.move((*position).prev)
}

// move moves to the next key or to the one before. There must be one.
func (w *walk) move(to func(*position) (bool, error)) error {
	ok, err := to(&w.at)
	switch {
	case err != nil:
		return w.t.damaged(w.b, err)
	case !ok:
		return w.t.damaged(w.b, errNoNeighbour)
	}
	return w.read()
}

func (w *walk) read() (err error) {
	n, i := w.at.leaf()
	if n.isBucket(i) {
		return w.t.damaged(w.b, errors.New("a value is a bucket"))
	}
	w.key = n.key(i)
	if w.value, err = unseal(w.b, w.key, n.value(i)); err != nil {
		return w.t.damaged(w.b, err)
	}
	return nil
}

// cursor walks over the keys of a range.
type cursor struct {
	*walk
	sp   storekey.Span
	step func(*position) (bool, error)
}

// walk returns a cursor before the first key of the range.
func (t *tx) walk(b bucket, sp storekey.Span) (*cursor, error) {
	start, step := sp.Low, (*position).next
	if sp.Reverse {
		start, step = sp.High, (*position).prev
	}
	w, err := t.seek(b, start)
	if err == nil && sp.Reverse && bytes.Compare(w.key, sp.High) < 0 {
		err = w.move((*position).next)
	}
	return &cursor{walk: w, sp: sp, step: step}, err
}

// next returns the next key and its value, or a nil key at the end of the range. The caller may
// keep them.
func (c *cursor) next() (key storekey.Key, value []byte, err error) {
	if err := c.move(c.step); err != nil || !c.sp.Contains(c.key) {
		return nil, nil, err
	}
	return c.key, c.value, nil
}
