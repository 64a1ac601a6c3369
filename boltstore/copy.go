package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/go-installation/installation"
)

// Copy writes a copy of the file to path, while the store is in use. The copy has all commits that
// were done when Copy began. It is checked as by [Store.Verify], synced, and complete as soon
// as it has its name. Copy never replaces a file: the error then matches [fs.ErrExist]. A copy that
// fails leaves no file, unless only the last step failed, which makes the name durable.
//
// A commit that has to grow the file waits until the copy is done, even if its context ends.
//
// Copy returns the error of the context, or one that matches [installation.ErrUnavailable]: the
// file is damaged, or the copy cannot be written.
func (s *Store) Copy(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := place(path, func(temporary *os.File) error {
		err := s.view(ctx, func(t *tx) error {
			_, err := t.WriteTo(endingWriter{ctx, temporary})
			return err
		})
		if err != nil {
			return err
		}
		return checkCopy(ctx, s.path, temporary)
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("copy: %s: %w", path, err)
	case ctx.Err() != nil:
		return fmt.Errorf("copy: %w", ctx.Err())
	case errors.Is(err, installation.ErrUnavailable):
		return fmt.Errorf("copy: %w", err)
	}
	return fmt.Errorf("copy: %w", unavailable(path, err))
}

// checkCopy returns an error if the copy has a problem, which the original then has too.
func checkCopy(ctx context.Context, original string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	s, m, err := inspect(original, f, info.Size())
	if err != nil {
		return err
	}
	v := &verification{s: s, ctx: ctx}
	if err := v.run(m.freelist); err != nil {
		return err
	}
	if !v.report.Clean() {
		return damaged(original, "%v", v.report.Problems[0])
	}
	return nil
}

// endingWriter writes until its context ends.
type endingWriter struct {
	ctx context.Context
	w   io.Writer
}

// Write implements [io.Writer].
func (w endingWriter) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(b)
}
