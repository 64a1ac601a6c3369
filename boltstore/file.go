package boltstore

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// file is a file that bbolt has open.
type file struct {
	*os.File
	db       *bbolt.DB
	path     string
	pageSize int
	readers  readers
	// dead is set if bbolt panicked while it held its own locks: every further call would wait for
	// them forever.
	dead atomic.Bool
}

// openFile opens an existing file. Two stores never have the same file open.
func openFile(path string, o bbolt.Options) (_ *file, err error) {
	f := &file{path: path}
	o.Timeout = 1 // try to lock the file once; 0 would wait for the other process
	o.NoStatistics = true
	o.FreelistType = bbolt.FreelistMapType
	o.OpenFile = func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
		f.File, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
		return f.File, err
	}
	defer func() {
		if err != nil && f.File != nil {
			_ = f.drop() // releases the lock, even if bbolt panicked
		}
	}()
	defer f.catch(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	f.db, err = bbolt.Open(path, 0o600, &o)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, unavailable(path, errors.New("another process or another Store has the file "+
			"open: only one can use it"))
	case err != nil:
		return nil, unavailable(path, err)
	}
	f.pageSize = f.db.Info().PageSize
	return f, nil
}

// view runs fn in a read transaction.
func (f *file) view(fn func(*tx) error) (err error) {
	defer f.catch(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if err := f.alive(); err != nil {
		return err
	}
	t, age := f.readers.take()
	if t == nil {
		begun, err := f.begin(false)
		if err != nil {
			return err
		}
		t = &tx{Tx: begun, file: f, age: age}
	}
	fine := false
	defer func() {
		t.free()
		if f.alive() == nil && !(fine && f.readers.keep(t)) {
			_ = t.Rollback() // it has nothing to write
		}
	}()
	err = fn(t)
	fine = err == nil
	return err
}

// alive returns an error if every call of bbolt would wait forever.
func (f *file) alive() error {
	if f.dead.Load() {
		return damaged(f.path, "its meta pages were overwritten")
	}
	return nil
}

// begin starts a transaction.
func (f *file) begin(writable bool) (t *bbolt.Tx, err error) {
	if err := f.alive(); err != nil {
		return nil, err
	}
	finished := false
	defer func() {
		if !finished {
			f.dead.Store(true)
		}
	}()
	t, err = f.db.Begin(writable)
	finished = true
	if err != nil {
		return nil, unavailable(f.path, err)
	}
	return t, nil
}

// update runs fn in a write transaction, and commits it if fn returns nil. If the commit fails,
// failed is the number of the transaction: bbolt may or may not have written it, and does not know
// itself. The file has to be opened again then.
func (f *file) update(fn func(*tx) error) (failed int, err error) {
	defer f.catch(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if err := f.alive(); err != nil {
		return 0, err
	}
	f.readers.stop()
	defer f.readers.resume()
	t, err := f.begin(true)
	if err != nil {
		return 0, err
	}
	defer f.rollback(t)
	write := &tx{Tx: t, file: f}
	defer write.free() // bbolt keeps values until the commit
	if err := fn(write); err != nil {
		return 0, err
	}
	failed = t.ID()
	if err := t.Commit(); err != nil {
		return failed, err
	}
	return 0, nil
}

// rollback ends a write transaction unless it was committed.
func (f *file) rollback(t *bbolt.Tx) {
	finished := false
	defer func() {
		if !finished {
			f.dead.Store(true)
		}
	}()
	_ = t.Rollback() // the error is that it was committed
	finished = true
}

// settle makes the newest state durable. After a crash or a failed sync, the meta page may be in
// the cache of the operating system only. The next commit overwrites pages of the state before, so
// it has to come after. A page that failed to reach the disk counts as written, so a sync alone
// would not write it again.
func (f *file) settle() error {
	metas := make([]byte, 2*f.pageSize)
	_, err := f.ReadAt(metas, 0)
	if err == nil {
		_, err = f.WriteAt(metas, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return unavailable(f.path, err)
	}
	return nil
}

// catch turns a panic into an error. bbolt panics if it meets a damaged page, and a page that is
// beyond the end of the file, or cannot be read from the disk, is a memory fault.
func (f *file) catch(err *error) {
	if p := recover(); p != nil {
		*err = damaged(f.path, "%v", p)
	}
}

// drop closes the file without bbolt, whose memory stays mapped.
func (f *file) drop() error {
	unlock(f.File)
	return f.File.Close()
}

// close closes the file. No call may use it.
func (f *file) close() (err error) {
	if f.dead.Load() {
		return f.drop() // bbolt would wait for its locks
	}
	defer f.catch(&err)
	f.readers.stop()
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("boltstore: close %s: %w", f.path, err)
	}
	return nil
}
