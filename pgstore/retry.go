package pgstore

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/backoff"
)

// errTimeout is the error of a call whose first try used up [Options.RetryFor].
var errTimeout = errors.New("there was no answer in time")

// retry calls try until it succeeds or is rejected, or until the deadline of the context. Without a
// deadline, [Options.RetryFor] sets one for the context of try. retry returns the last error. The
// result uncertain is true if a failed try may have been executed. In a transaction of the host,
// retry calls try once: a failed try has no effect there, whatever became of it.
func (s *Store) retry(
	ctx context.Context, try func(context.Context) error,
) (uncertain bool, err error) {
	if s.inTx {
		return false, try(ctx)
	}
	end, hasDeadline := ctx.Deadline()
	if !hasDeadline {
		end = time.Now().Add(s.opts.RetryFor)
	}
	limited, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	var before error
	var pause backoff.Backoff
	for {
		if err = try(limited); err == nil {
			return uncertain, nil
		}
		verdict, _ := explain(err)
		if verdict == verdictUnknown {
			uncertain = true
		}
		if limited.Err() != nil && isContextError(err) {
			// The error of the try before says more than that the time is up.
			if before == nil && !hasDeadline && ctx.Err() == nil {
				before = errTimeout // the caller has set no deadline
			}
			return uncertain, cmp.Or(before, err)
		}
		before = err
		if verdict == verdictRejected || pause.Wait(limited) != nil {
			return uncertain, err
		}
	}
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
