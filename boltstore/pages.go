package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"sort"
)

// This file reads the pages of a bbolt file without bbolt. bbolt maps the file into memory and
// trusts what it finds there: on a damaged page it panics, reads beyond the file, or does not find
// a key. This reader copies each page and checks it. bbolt writes a page in one way only, so the
// lengths in a page have to add up, and its keys have to be in order and in the range that the
// parent page names.

// Parts of a page, as bbolt lays them out. Numbers are in the byte order of the machine.
const (
	pageHeader = 16 // id, flags, number of elements, overflow
	elemHeader = 16 // of a leaf: flags, position, length of the key, length of the value
	bucketSize = 16 // of the value of a bucket: page of its root, sequence; then an inline page
	metaSize   = 64

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10

	manyFree = 0xFFFF // the number of free pages comes first in the list

	leafOfBucket = 0x01 // flags of an element whose value is a bucket

	metaMagic   = 0xED0CDAED
	metaVersion = 2
)

var order = binary.NativeEndian

var errMagic = errors.New("it is no bbolt file")

// boltMeta is a meta page of bbolt. A file has two. The one with the higher tx is the newest.
type boltMeta struct {
	pageSize       int
	root, freelist uint64 // pages
	end            uint64 // number of pages in use
	tx             uint64
}

// parseMeta reads a meta page, which starts at b.
func parseMeta(b []byte) (m boltMeta, err error) {
	if len(b) < pageHeader+metaSize {
		return m, io.ErrUnexpectedEOF
	}
	b = b[pageHeader : pageHeader+metaSize]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaSize-8]) // never fails
	m = boltMeta{
		pageSize: int(order.Uint32(b[8:])), root: order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]), end: order.Uint64(b[40:]), tx: order.Uint64(b[48:]),
	}
	switch {
	case order.Uint32(b) != metaMagic:
		return m, errMagic
	case order.Uint32(b[4:]) != metaVersion:
		return m, fmt.Errorf("it has version %d of bbolt's format", order.Uint32(b[4:]))
	case order.Uint64(b[metaSize-8:]) != sum.Sum64():
		return m, errors.New("its checksum is wrong")
	case m.pageSize < 1024 || m.pageSize > 1<<24 || m.pageSize&(m.pageSize-1) != 0:
		return m, fmt.Errorf("it names a page size of %d", m.pageSize)
	case m.root < 2 || m.root >= m.end || m.freelist < 2 || m.freelist >= m.end:
		return m, errors.New("it names pages beyond the end")
	}
	return m, nil
}

// pages reads pages of one state of a file.
type pages struct {
	r    io.ReaderAt
	size int    // of a page
	end  uint64 // number of pages
	// seen are the first pages that were checked. They are those near the roots, which every walk
	// needs.
	seen  []page
	spare []byte // for pages; once it is used up, each page is allocated
}

// maxSeen caps pages.seen.
const maxSeen = 32

// page is a checked branch or leaf page.
type page struct {
	raw   []byte
	id    uint64
	leaf  bool
	count int
	over  uint64 // number of further pages that it takes
}

// read returns the page with a number, with its overflow.
func (p *pages) read(id uint64) ([]byte, error) {
	if id < 2 || id >= p.end {
		return nil, fmt.Errorf("page %d is beyond the end", id)
	}
	raw := p.take(p.size)
	if err := p.fill(raw, id); err != nil {
		return nil, err
	}
	over := uint64(order.Uint32(raw[12:]))
	switch {
	case order.Uint64(raw) != id:
		return nil, fmt.Errorf("page %d names itself %d", id, order.Uint64(raw))
	case over >= p.end-id:
		return nil, fmt.Errorf("page %d is longer than the file", id)
	case over > 0:
		whole := p.take(p.size * int(over+1))
		copy(whole, raw)
		return whole, p.fill(whole[p.size:], id+1)
	}
	return raw, nil
}

// take returns memory for pages.
func (p *pages) take(n int) []byte {
	if n > len(p.spare) {
		return make([]byte, n)
	}
	b := p.spare[:n:n]
	p.spare = p.spare[n:]
	return b
}

func (p *pages) fill(raw []byte, id uint64) error {
	if _, err := p.r.ReadAt(raw, int64(id)*int64(p.size)); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// node returns a checked branch or leaf page.
func (p *pages) node(id uint64) (page, error) {
	for i := range p.seen {
		if p.seen[i].id == id {
			return p.seen[i], nil
		}
	}
	raw, err := p.read(id)
	if err != nil {
		return page{}, err
	}
	n, err := parseNode(raw, id)
	if err != nil {
		return page{}, fmt.Errorf("page %d: %w", id, err)
	}
	if len(p.seen) < maxSeen && n.over == 0 {
		p.seen = append(p.seen, n)
	}
	return n, nil
}

// parseNode checks a page. The elements are in order, and their keys and values lie one after
// another without gaps.
func parseNode(raw []byte, id uint64) (page, error) {
	if len(raw) < pageHeader {
		return page{}, io.ErrUnexpectedEOF
	}
	n := page{raw: raw, id: id, count: int(order.Uint16(raw[10:])),
		over: uint64(order.Uint32(raw[12:]))}
	switch order.Uint16(raw[8:]) {
	case flagLeaf:
		n.leaf = true
	case flagBranch:
	default:
		return page{}, fmt.Errorf("it is of the unexpected kind %#x", order.Uint16(raw[8:]))
	}
	next := pageHeader + n.count*elemHeader
	if next > len(raw) {
		return page{}, errors.New("it has too many elements")
	}
	var before []byte
	for i := range n.count {
		pos, key, value := n.lengths(i)
		if pos != next || key == 0 || value > len(raw) || key > len(raw) ||
			pos+key+value > len(raw) {
			return page{}, fmt.Errorf("element %d is misplaced", i)
		}
		if n.leaf && order.Uint32(n.element(i)) > leafOfBucket {
			return page{}, fmt.Errorf("element %d is of an unknown kind", i)
		}
		if i > 0 && bytes.Compare(before, n.key(i)) >= 0 {
			return page{}, fmt.Errorf("element %d is out of order", i)
		}
		before, next = n.key(i), pos+key+value
	}
	return n, nil
}

// element returns the header of an element.
func (n page) element(i int) []byte { return n.raw[pageHeader+i*elemHeader:] }

// lengths returns where the key of an element starts, and the lengths of its key and value.
func (n page) lengths(i int) (pos, key, value int) {
	e, start := n.element(i), pageHeader+i*elemHeader
	if n.leaf {
		return start + int(order.Uint32(e[4:])), int(order.Uint32(e[8:])),
			int(order.Uint32(e[12:]))
	}
	return start + int(order.Uint32(e)), int(order.Uint32(e[4:])), 0
}

func (n page) key(i int) []byte {
	pos, key, _ := n.lengths(i)
	return n.raw[pos : pos+key : pos+key]
}

func (n page) value(i int) []byte {
	pos, key, value := n.lengths(i)
	return n.raw[pos+key : pos+key+value : pos+key+value]
}

// isBucket reports whether the value of an element of a leaf is a bucket.
func (n page) isBucket(i int) bool { return order.Uint32(n.element(i)) == leafOfBucket }

// child returns the page below an element of a branch.
func (n page) child(i int) uint64 { return order.Uint64(n.element(i)[8:]) }

// freelist returns the free pages that the page with a number lists.
func (p *pages) freelist(id uint64) ([]uint64, error) {
	raw, err := p.read(id)
	if err != nil {
		return nil, err
	}
	if kind := order.Uint16(raw[8:]); kind != flagFreelist {
		return nil, fmt.Errorf("page %d: it is of the unexpected kind %#x", id, kind)
	}
	list, count := raw[pageHeader:], uint64(order.Uint16(raw[10:]))
	if count == manyFree {
		count, list = order.Uint64(list), list[8:]
	}
	if count > uint64(len(list)/8) {
		return nil, fmt.Errorf("page %d: it has too many elements", id)
	}
	free := make([]uint64, count)
	for i := range free {
		free[i] = order.Uint64(list[8*i:])
		if free[i] < 2 || free[i] >= p.end || i > 0 && free[i] <= free[i-1] {
			return nil, fmt.Errorf("page %d: element %d is out of order", id, i)
		}
	}
	return free, nil
}

// search returns the first element whose key is not below key, and whether its key is the same.
func (n page) search(key []byte) (int, bool) {
	return sort.Find(n.count, func(i int) int { return bytes.Compare(key, n.key(i)) })
}
