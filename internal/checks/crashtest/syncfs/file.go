package syncfs

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
)

// file is an open file, or one with unsynced changes.
type file struct {
	disk    *os.File
	inode   uint64
	number  int // in the order of first use, so that a seed means the same each time
	handles int
	changes []change // oldest first; empty after a sync
}

// change is a write or a new length, and what undoes it.
type change struct {
	at            int64
	data          []byte // nil = a new length
	old           []byte // what was at this place, as far as the file had it
	before, after int64  // length of the file
	fate          fate
}

type fate int

const (
	unsynced fate = iota
	synced        // kept in the list because an earlier change is lost
	lost          // by a sync that failed
)

// file returns the file at a path, for one more handle.
func (f *FS) file(path string) (*file, error) {
	disk, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(disk.Fd()), &st); err != nil {
		return nil, errors.Join(err, disk.Close())
	}
	x := f.files[st.Ino]
	if x != nil {
		err = disk.Close()
	} else {
		f.numbers++
		x = &file{disk: disk, inode: st.Ino, number: f.numbers}
		f.files[st.Ino] = x
	}
	x.handles++
	return x, err
}

// release gives back a handle, and forgets a file that is not needed any more.
func (f *FS) release(x *file) {
	x.handles--
	f.forget(x)
}

func (f *FS) forget(x *file) {
	var st syscall.Stat_t
	gone := syscall.Fstat(int(x.disk.Fd()), &st) == nil && st.Nlink == 0
	if x.handles == 0 && (len(x.changes) == 0 || gone) {
		delete(f.files, x.inode)
		_ = x.disk.Close()
	}
}

// inOrder returns the files in the order of their first use.
func (f *FS) inOrder() []*file {
	byNumber := func(a, b *file) int { return cmp.Compare(a.number, b.number) }
	return slices.SortedFunc(maps.Values(f.files), byNumber)
}

func (x *file) length() (int64, error) {
	info, err := x.disk.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// write writes data, as far as there is room.
func (f *FS) write(x *file, data []byte, at int64) (int, error) {
	if !f.call() {
		return 0, syscall.EIO
	}
	data = data[:f.takeRoom(x, at, int64(len(data)))]
	if len(data) == 0 {
		f.faults++
		return 0, syscall.ENOSPC
	}
	length, err := x.length()
	if err != nil {
		return 0, err
	}
	c := change{at: at, data: slices.Clone(data), before: length}
	c.after = max(length, at+int64(len(data)))
	if c.old, err = x.read(at, min(at+int64(len(data)), length)); err != nil {
		return 0, err
	}
	if _, err := x.disk.WriteAt(data, at); err != nil {
		return 0, err
	}
	x.changes = append(x.changes, c)
	return len(data), nil
}

// takeRoom returns how many of n bytes there is room for, and takes it.
func (f *FS) takeRoom(x *file, at, n int64) (fits int64) {
	if f.room < 0 {
		return n
	}
	const block, seekData = 4096, 3
	for fits < n {
		part := min(n-fits, block-(at+fits)%block)
		start := at + fits
		data, err := syscall.Seek(int(x.disk.Fd()), start, seekData)
		if f.inPlace && err == nil && data == start {
			fits += part
			continue
		}
		taken := min(part, f.room)
		f.room -= taken
		fits += taken
		if taken < part {
			break
		}
	}
	return fits
}

// truncate sets the length.
func (f *FS) truncate(x *file, length int64) error {
	if !f.call() {
		return syscall.EIO
	}
	before, err := x.length()
	if err != nil || before == length {
		return err
	}
	c := change{at: length, before: before, after: length}
	if c.old, err = x.read(length, before); err != nil {
		return err
	}
	x.changes = append(x.changes, c)
	return x.disk.Truncate(length)
}

// read returns the bytes from one place to another.
func (x *file) read(from, to int64) ([]byte, error) {
	if from >= to {
		return nil, nil
	}
	b := make([]byte, to-from)
	_, err := x.disk.ReadAt(b, from)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b, err
}

// sync makes the changes of x durable.
func (f *FS) sync(x *file) error {
	switch {
	case !f.call():
		return syscall.EIO
	case f.ignore:
		return nil
	case f.failSync > 0 && len(x.changes) > 0:
		f.failSync--
		if f.failSync == 0 {
			f.faults++
			x.settle(lost)
			return syscall.EIO
		}
	}
	if f.opts.Journal {
		f.syncNames(func(rename) bool { return true })
	}
	x.settle(synced)
	if !slices.ContainsFunc(x.changes, func(c change) bool { return c.fate == lost }) {
		x.changes = nil
	}
	return nil
}

func (x *file) settle(as fate) {
	for i := range x.changes {
		if x.changes[i].fate == unsynced {
			x.changes[i].fate = as
		}
	}
}

// crash is what a seed decides.
type crash struct {
	rng    *rand.Rand
	kind   int
	sector int64
}

// kinds of crashes.
const (
	keepNothing = iota
	tearLast    // all writes up to one, and some sectors of that one
	keepWrites  // each write or not
	keepSectors // each sector of each write or not
	kinds
)

func newCrash(seed uint64) crash {
	rng := rand.New(rand.NewPCG(seed, 0))
	return crash{rng: rng, kind: rng.IntN(kinds), sector: []int64{512, 4096}[rng.IntN(2)]}
}

// crash undoes the changes of x, and applies again what the disk has of them. The disk has some
// state of each sector that the sector had after one of its writes, because a system writes a
// sector as it is in memory. What follows a cut that is undone is undone too.
func (x *file) crash(c crash, loss *Loss) error {
	if len(x.changes) == 0 {
		return nil
	}
	for _, ch := range slices.Backward(x.changes) {
		if err := x.disk.Truncate(ch.before); err != nil {
			return err
		}
		if _, err := x.disk.WriteAt(ch.old, min(ch.at, ch.before)); err != nil {
			return err
		}
	}
	lengths := x.lastLength(c)
	length := x.changes[0].before
	if lengths > 0 {
		length = x.changes[lengths-1].after
	}
	reach := x.reach(lengths)
	newest := x.newest(c, reach)
	for i, ch := range x.changes {
		left, all := int64(0), int64(len(ch.data))
		switch {
		case i >= reach:
		case ch.data == nil && i < lengths:
			if err := x.shrink(ch.after); err != nil {
				return err
			}
			left = all
		case ch.data != nil:
			var err error
			if left, err = x.apply(c, ch, i, newest, length); err != nil {
				return err
			}
		}
		if ch.fate != synced {
			loss.count(left, all, i < lengths)
		}
	}
	return x.disk.Truncate(length)
}

// lastLength returns how many changes of the length the disk has.
func (x *file) lastLength(c crash) int {
	durable := 0
	for i, ch := range x.changes {
		if ch.fate == synced {
			durable = i + 1
		}
	}
	if c.kind == keepNothing {
		return durable
	}
	return durable + c.rng.IntN(len(x.changes)-durable+1)
}

// reach returns the number of changes before the first cut that is undone.
func (x *file) reach(lengths int) int {
	for i, ch := range x.changes {
		if i >= lengths && ch.data == nil && ch.after < ch.before {
			return i
		}
	}
	return len(x.changes)
}

// newest returns the last change that the disk has, for each sector.
func (x *file) newest(c crash, reach int) map[int64]int {
	newest := make(map[int64]int)
	last := c.rng.IntN(len(x.changes))
	for i, ch := range x.changes[:reach] {
		whole := c.kind == keepWrites && c.rng.IntN(2) == 0 || c.kind == tearLast && i < last
		torn := c.kind == keepSectors || c.kind == tearLast && i == last
		for s := ch.at / c.sector; s*c.sector < ch.at+int64(len(ch.data)); s++ {
			kept := whole || torn && c.rng.IntN(2) == 0
			if ch.fate == synced || ch.fate == unsynced && kept {
				newest[s] = i
			}
		}
	}
	return newest
}

// apply writes the sectors of change i that the disk has, up to a length of the file. It returns
// the number of bytes.
func (x *file) apply(
	c crash, ch change, i int, newest map[int64]int, length int64,
) (left int64, err error) {
	end := min(ch.at+int64(len(ch.data)), length)
	for s := ch.at / c.sector; s*c.sector < end; s++ {
		if last, ok := newest[s]; !ok || last < i {
			continue
		}
		from, to := max(s*c.sector, ch.at), min((s+1)*c.sector, end)
		if _, err := x.disk.WriteAt(ch.data[from-ch.at:to-ch.at], from); err != nil {
			return left, err
		}
		left += to - from
	}
	return left, nil
}

// shrink cuts the file, if it is longer.
func (x *file) shrink(length int64) error {
	now, err := x.length()
	if err != nil || now <= length {
		return err
	}
	return x.disk.Truncate(length)
}

// count counts a change of which some bytes are left. A new length has no bytes.
func (l *Loss) count(left, all int64, length bool) {
	l.Writes++
	switch {
	case all == 0 && !length, all > 0 && left == 0:
		l.Lost++
	case left < all:
		l.Torn++
	}
}
