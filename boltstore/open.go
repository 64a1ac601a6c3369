package boltstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// openOrCreate opens the file of s. It creates a file that does not exist, unless the options
// expect one.
func (s *Store) openOrCreate() error {
	_, err := os.Stat(s.path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s.open()
	}
	if s.opts.Expect.ID != "" {
		return unavailable(s.path, fmt.Errorf("the file does not exist, and Expect names the "+
			"namespace %s: restore a copy, or correct the path", s.opts.Expect.ID))
	}
	err = place(s.path, func(temporary *os.File) error { return create(temporary.Name()) })
	if err != nil && !errors.Is(err, fs.ErrExist) { // another process may just have created it
		return unavailable(s.path, err)
	}
	return s.open()
}

// open opens the existing file of s.
func (s *Store) open() error {
	if err := check(s.path); err != nil {
		return err
	}
	f, err := openFile(s.path, bbolt.Options{NoSync: s.opts.NoSync, NoGrowSync: s.opts.NoSync})
	if err != nil {
		return err
	}
	err = s.recognize(f)
	if err == nil && !s.opts.NoSync {
		err = f.settle()
	}
	if err == nil {
		err = f.view(func(t *tx) error {
			m, err := t.meta()
			if err == nil {
				err = s.adopt(m)
			}
			return err
		})
	}
	if err != nil {
		return errors.Join(err, f.close())
	}
	s.file = f
	return nil
}

// recognize returns an error if f is another file than the one that Open opened. A commit that
// failed says nothing about another file.
func (s *Store) recognize(f *file) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return unavailable(s.path, err)
	case s.first == nil:
		s.first = info
	case !os.SameFile(info, s.first):
		return unavailable(s.path, errReplaced)
	}
	return nil
}

// inPlace returns an error if the file that is open does not have its name any more. A commit would
// end with the process.
func (f *file) inPlace() error {
	named, err := os.Stat(f.path)
	if err != nil {
		return unavailable(f.path, fmt.Errorf("the file was moved or removed while the store was "+
			"open: put it back, or save the data with Copy: %w", err))
	}
	open, err := f.Stat()
	if err != nil {
		return unavailable(f.path, err)
	}
	if !os.SameFile(named, open) {
		return unavailable(f.path, errReplaced)
	}
	return nil
}

// adopt makes m the namespace of s, unless the options expect another one.
func (s *Store) adopt(m meta) error {
	switch expect := s.opts.Expect; {
	case expect.ID != "" && m.ID != expect.ID:
		return unavailable(s.path, fmt.Errorf("the file has the namespace %s, and Expect names %s",
			m.ID, expect.ID))
	case m.Epoch < expect.MinEpoch:
		return unavailable(s.path, fmt.Errorf("the file has epoch %d, and Expect wants %d or "+
			"later: it is a copy from before the last accepted restore: %w", m.Epoch,
			expect.MinEpoch, installation.ErrRestored))
	}
	in := m.namespace()
	s.namespace.Store(&in)
	return nil
}

// check inspects an existing file before bbolt opens it for writing. On some damaged files bbolt
// would allocate more memory than there is, which ends the process.
func check(path string) error {
	info, err := regular(path)
	if err != nil {
		return err
	}
	// bbolt does not lock an empty file before it writes to it.
	if info.Size() > 0 {
		locked, err := openFile(path, bbolt.Options{ReadOnly: true})
		if err == nil {
			defer func() { _ = locked.close() }() // it was only read
		} else if inspected := inspectFile(path); inspected != nil {
			return inspected
		} else {
			return err
		}
	}
	return inspectFile(path)
}

// regular returns an error unless path names a file. Opening a pipe would wait for a writer.
func regular(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	_, link := os.Readlink(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && link == nil:
		return nil, unavailable(path, errors.New("it is a symbolic link to a file that does not "+
			"exist: remove the link, or put the file back"))
	case err != nil:
		return nil, unavailable(path, err)
	case !info.Mode().IsRegular():
		return nil, unavailable(path, errors.New("it is no regular file"))
	}
	return info, nil
}

func inspectFile(path string) error {
	return withFile(path, func(f *os.File, size int64) error {
		_, _, err := inspect(path, f, size)
		return err
	})
}

// withFile runs read with a file that is open for reading.
func withFile(path string, read func(f *os.File, size int64) error) error {
	if _, err := regular(path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return unavailable(path, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return unavailable(path, err)
	}
	return read(f, info.Size())
}

// create writes a new namespace into an empty file.
func create(path string) error {
	f, err := openFile(path, bbolt.Options{NoSync: true, NoGrowSync: true}) // place syncs
	if err != nil {
		return err
	}
	_, err = f.update(func(t *tx) error {
		for _, b := range buckets {
			if _, err := t.CreateBucket([]byte(b)); err != nil {
				return err
			}
			for _, k := range []storekey.Key{keyFirst, keyLast} {
				if err := t.put(b, k, nil); err != nil {
					return err
				}
			}
		}
		return t.putMeta(meta{Layout: layout, ID: rand.Text()})
	})
	return errors.Join(err, f.close())
}

// place makes a file at path that is complete as soon as it has this name. The function write fills
// a file with another name in the same folder. If something has the name already, the error
// matches [fs.ErrExist].
func place(path string, write func(temporary *os.File) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	defer func() {
		_ = temporary.Close() // it was synced
		if gone := os.Remove(temporary.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	if err := write(temporary); err != nil {
		return err
	}
	if err := temporary.Sync(); err != nil {
		return err
	}
	err = os.Link(temporary.Name(), path) // never replaces a file
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without links: two processes that create the file at the same time would
		// both succeed, and one would lose what it writes.
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	err = folder.Sync()
	return errors.Join(err, folder.Close())
}

// reload opens the file again after a commit failed, and returns the number of the newest
// transaction in it.
func (s *Store) reload() (newest int, err error) {
	s.life.Lock()
	defer s.life.Unlock()
	if s.file != nil {
		_ = s.file.close() // the commit that failed had the reason
		s.file = nil
	}
	if err := s.reopen(); err != nil {
		return 0, err
	}
	err = s.file.view(func(t *tx) error { newest = t.ID(); return nil })
	return newest, err
}

// reopen opens the file unless it is open or the store was closed.
func (s *Store) reopen() error {
	if s.file != nil || s.closed {
		return s.reason
	}
	s.reason = nil
	if err := s.open(); err != nil {
		s.reason = fmt.Errorf("open again: %w", err)
	}
	return s.reason
}

// errClosed is the error of a store that was closed.
func errClosed(path string) error {
	return fmt.Errorf("%w: %s: the store is closed", installation.ErrUnavailable, path)
}
