package boltstore

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/go-installation/installation"
)

// errUnchanged makes update end without a commit and without an error.
var errUnchanged = errors.New("nothing to write")

// acquire returns the file, which stays open until the caller unlocks s.life for reading. It first
// opens the file again if that failed before.
func (s *Store) acquire() (*file, error) {
	s.life.RLock()
	if s.file == nil {
		s.life.RUnlock()
		s.life.Lock()
		err := s.reopen()
		s.life.Unlock()
		if err != nil {
			return nil, err
		}
		s.life.RLock()
	}
	if s.file == nil { // closed meanwhile
		s.life.RUnlock()
		return nil, errClosed(s.path)
	}
	return s.file, nil
}

// use runs f with the file.
func (s *Store) use(f func(*file) error) error {
	open, err := s.acquire()
	if err != nil {
		return err
	}
	defer s.life.RUnlock()
	return f(open)
}

// view runs f in a read transaction. Nothing that f gets from bbolt is valid after f.
func (s *Store) view(ctx context.Context, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	open, err := s.acquire() // not use: its closure is an allocation on every read
	if err != nil {
		return err
	}
	defer s.life.RUnlock()
	return open.view(f)
}

// update runs f in a write transaction, and commits it if f returns nil. Only one runs at a time.
func (s *Store) update(ctx context.Context, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil { // the wait may have been long
		return err
	}
	failed := 0
	err := s.use(func(open *file) (err error) {
		if err := open.inPlace(); err != nil {
			return err
		}
		failed, err = open.update(f)
		return err
	})
	switch {
	case errors.Is(err, errUnchanged):
		return nil
	case errors.Is(err, bolterrors.ErrKeyTooLarge), errors.Is(err, bolterrors.ErrValueTooLarge):
		return fmt.Errorf("%w: %w", installation.ErrInvalid, err)
	case failed > 0:
		return s.settle(failed, err)
	}
	return err
}

// settle finds out whether a commit that failed was written all the same.
func (s *Store) settle(failed int, cause error) error {
	newest, err := s.reload()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w: %v", installation.ErrUnknownOutcome, cause, err)
	case newest >= failed:
		return nil
	case errors.Is(cause, syscall.ENOSPC):
		return unavailable(s.path, fmt.Errorf("the disk is full, nothing was written: %w", cause))
	case errors.Is(cause, installation.ErrUnavailable):
		return cause
	}
	return unavailable(s.path, fmt.Errorf("nothing was written: %w", cause))
}
