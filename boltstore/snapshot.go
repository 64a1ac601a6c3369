package boltstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// Every bucket has a value under each of these keys. All other keys are between them: a tenant has
// at most MaxTenant bytes. So if a key is missing, there is a key before its place and one after.
var (
	keyFirst = storekey.Key{0}
	keyLast  = storekey.Key(bytes.Repeat([]byte{0xff}, installation.MaxTenant+1))
)

// Errors of pages that are each in order.
var (
	errNoNeighbour = errors.New("keys are missing")
	errNotFound    = errors.New("a key is there, and bbolt does not find it")
	errBucket      = errors.New("a value is a bucket")
)

// snapshot is the checked pages of one state of a file.
type snapshot struct {
	path string
	root tree // of the buckets
}

func newSnapshot(path string, r io.ReaderAt, pageSize int, root, end uint64) snapshot {
	return snapshot{path, tree{root: root, pages: &pages{
		r: r, size: pageSize, end: end, seen: make([]page, 0, 8),
	}}}
}

func (s snapshot) damaged(b bucket, err error) error {
	return damaged(s.path, "bucket %q: %v", b, err)
}

// walk is a position in a bucket. Its key matches its checksum, and so does every key that it has
// passed. Keys and values are valid as long as the transaction, if the walk is one of a tx.
type walk struct {
	s     snapshot
	b     bucket
	at    position
	key   storekey.Key
	value []byte
}

// seek returns a walk at key, or at the last key before it.
func (s snapshot) seek(b bucket, key storekey.Key) (*walk, error) {
	in, err := s.root.bucket(b)
	if err != nil {
		return nil, s.damaged(b, err)
	}
	w := &walk{s: s, b: b}
	if w.at, err = in.seek(key); err != nil {
		return nil, s.damaged(b, err)
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
		return w.s.damaged(w.b, err)
	case !ok:
		return w.s.damaged(w.b, errNoNeighbour)
	}
	return w.read()
}

func (w *walk) read() (err error) {
	n, i := w.at.leaf()
	if n.isBucket(i) {
		return w.s.damaged(w.b, errBucket)
	}
	w.key = n.key(i)
	if w.value, err = unseal(w.b, w.key, n.value(i)); err != nil {
		return w.s.damaged(w.b, err)
	}
	return nil
}

// get returns the value at key, or nil if the pages prove that nothing is stored there.
func (s snapshot) get(b bucket, key storekey.Key) ([]byte, error) {
	w, err := s.seek(b, key)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(w.key, key) {
		return w.value, nil
	}
	return nil, w.move((*position).next)
}

// cursor walks over the keys of a range.
type cursor struct {
	*walk
	sp   storekey.Span
	step func(*position) (bool, error)
}

// walk returns a cursor before the first key of the range.
func (s snapshot) walk(b bucket, sp storekey.Span) (*cursor, error) {
	start, step := sp.Low, (*position).next
	if sp.Reverse {
		start, step = sp.High, (*position).prev
	}
	w, err := s.seek(b, start)
	if err == nil && sp.Reverse && bytes.Compare(w.key, sp.High) < 0 {
		err = w.move((*position).next)
	}
	return &cursor{walk: w, sp: sp, step: step}, err
}

// next returns the next key and its value, or a nil key at the end of the range.
func (c *cursor) next() (key storekey.Key, value []byte, err error) {
	if err := c.move(c.step); err != nil || !c.sp.Contains(c.key) {
		return nil, nil, err
	}
	return c.key, c.value, nil
}

// meta returns the meta of the file.
func (s snapshot) meta() (m meta, err error) {
	value, err := s.get(bucketMeta, keyMeta)
	switch {
	case err != nil:
		return m, err
	case value == nil:
		return m, s.damaged(bucketMeta, errors.New("the meta is missing"))
	}
	if err := json.Unmarshal(value, &m); err != nil {
		return m, s.damaged(bucketMeta, err)
	}
	if m.Layout != layout {
		return m, unavailable(s.path, fmt.Errorf("the file has layout %d, and this release "+
			"knows layout %d: use the release that wrote the file", m.Layout, layout))
	}
	return m, nil
}

// inspect checks what bbolt trusts when it opens a file: both meta pages, the length of the file,
// the list of free pages and the roots of all buckets. It returns the newest state.
func inspect(path string, r io.ReaderAt, length int64) (snapshot, boltMeta, error) {
	var none snapshot
	if length == 0 {
		return none, boltMeta{}, unavailable(path, errors.New("the file is empty, so it was not "+
			"written by this package: restore a copy, or remove the file to begin a new namespace"))
	}
	m, err := newestMeta(r, length)
	if err != nil {
		return none, m, damaged(path, "%v", err)
	}
	if need := int64(m.end) * int64(m.pageSize); length < need {
		return none, m, damaged(path, "it was cut: it has %d bytes, and %d are in use",
			length, need)
	}
	s := newSnapshot(path, r, m.pageSize, m.root, m.end)
	if _, err := s.root.pages.freelist(m.freelist); err != nil {
		return none, m, damaged(path, "the list of free pages: %v", err)
	}
	if _, err := s.root.bucket(bucketMeta); errors.Is(err, errNoBucket) {
		return none, m, unavailable(path, errors.New("it is a bbolt file of another program"))
	}
	if _, err := s.meta(); err != nil {
		return none, m, err
	}
	for _, b := range buckets {
		for _, key := range []storekey.Key{keyFirst, keyLast} {
			value, err := s.get(b, key)
			if err == nil && value == nil {
				err = s.damaged(b, errNoNeighbour)
			}
			if err != nil {
				return none, m, err
			}
		}
	}
	return s, m, nil
}

// newestMeta returns the newer meta page. Both have to be in order: if one is damaged, nobody knows
// whether it was the newer one, and with it the newest commit would be lost.
func newestMeta(r io.ReaderAt, length int64) (boltMeta, error) {
	first, err0 := readMeta(r, 0)
	second, err1 := boltMeta{}, err0
	if err0 == nil {
		second, err1 = readMeta(r, int64(first.pageSize))
	} else {
		for at := int64(1024); at < length; at *= 2 {
			if second, err1 = readMeta(r, at); err1 == nil && int64(second.pageSize) == at {
				break
			}
		}
	}
	switch {
	case err0 != nil && err1 != nil && (errors.Is(err0, errMagic) || errors.Is(err0, io.EOF)):
		return first, errMagic
	case err0 != nil:
		return first, fmt.Errorf("the first of its meta pages: %w", err0)
	case err1 != nil:
		return first, fmt.Errorf("the second of its meta pages: %w", err1)
	case second.pageSize != first.pageSize:
		return first, errors.New("its meta pages name different page sizes")
	case second.tx > first.tx:
		return second, nil
	}
	return first, nil
}

func readMeta(r io.ReaderAt, at int64) (boltMeta, error) {
	b := make([]byte, pageHeader+metaSize)
	if _, err := r.ReadAt(b, at); err != nil {
		return boltMeta{}, err
	}
	return parseMeta(b)
}
