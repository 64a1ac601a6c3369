package pgstore

import (
	"context"
	"errors"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// retry retries a call; see [storecall.Retry]. In a transaction of the host, it calls try once: a
// failed try has no effect there, whatever became of it.
func (s *Store) retry(
	ctx context.Context, try func(context.Context) error,
) (uncertain bool, err error) {
	if s.inTx {
		return false, try(ctx)
	}
	r := storecall.Retry{Limit: s.opts.RetryFor, Judge: func(err error) (executed, again bool) {
		verdict, _ := explain(err)
		return verdict == verdictUnknown, verdict != verdictRejected
	}}
	busy := false // in the last try
	uncertain, err = r.Do(ctx, func(ctx context.Context, _ bool) error {
		err := try(ctx)
		busy = errors.Is(err, errBusy)
		return err
	})
	if busy && errors.Is(err, storecall.ErrTimeout) {
		err = errBusy // which says more
	}
	return uncertain, err
}

// read runs and retries a statement that does no harm if it runs twice. The error matches
// [installation.ErrUnavailable].
func (s *Store) read(ctx context.Context, try func(context.Context) error) error {
	return s.ask(ctx, s.watchedRead(try))
}

// ask is read for calls that must go on after a restore.
func (s *Store) ask(ctx context.Context, try func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := s.retry(ctx, try); err != nil {
		return wrapError(ctx, installation.ErrUnavailable, err)
	}
	return nil
}

// writeError returns the error of a write whose last try ended with err. The parameter uncertain is
// true if a try may have been applied.
func writeError(ctx context.Context, uncertain bool, err error) error {
	if uncertain {
		return wrapError(ctx, installation.ErrUnknownOutcome, err)
	}
	return wrapError(ctx, installation.ErrUnavailable, err)
}
