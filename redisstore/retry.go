package redisstore

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"github.com/go-installation/installation"
)

// Pauses between tries, jittered: the first and the longest.
const (
	firstPause   = 8 * time.Millisecond
	longestPause = 512 * time.Millisecond
)

// errSlow is the error of a call whose first try took all the time that Options.RetryFor allows.
var errSlow = errors.New("there was no answer in time")

// retry calls try until it succeeds, is refused, or the time is up: the deadline of the context, or Options.RetryFor if it
// has none. try gets a context that ends then. It returns the last error. uncertain says that a try which did not succeed
// may have been carried out all the same; try is told of the ones before it, and must be such that this does no harm.
func (s *Store) retry(ctx context.Context, try func(_ context.Context, uncertain bool) error) (uncertain bool, err error) {
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(s.opts.RetryFor)
	}
	limited, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	var before error
	pause := firstPause
	for n := 1; ; n++ {
		if err = try(limited, uncertain); err == nil {
			return uncertain, nil
		}
		if _, ok := errors.AsType[*failure](err); ok {
			return uncertain, err // the server has answered, and this is what it means
		}
		outcome, text := explain(err)
		if outcome == fateUnknown || outcome == fateHalf {
			uncertain = true
		}
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && limited.Err() != nil && !ok {
			return uncertain, cmp.Or[error](before, errSlow) // the caller has set no deadline
		}
		before = err
		if outcome == fateRefused || outcome == fateHalf || limited.Err() != nil {
			return uncertain, err
		}
		s.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "redisstore: trying again", slog.Int("try", n), slog.String("reason", text))
		if lost(err) {
			s.client.reload(ctx)
		}
		if !sleep(limited, pause/2+rand.N(pause/2)) {
			return uncertain, err
		}
		pause = min(2*pause, longestPause)
	}
}

// lost reports whether err may mean that another server has taken over.
func lost(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || isAnswer(err)
}

// sleep waits, and reports false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// read retries a command that changes nothing, and makes of its error one that matches [installation.ErrUnavailable].
func (s *Store) read(ctx context.Context, try func(context.Context) error) error {
	_, err := s.retry(ctx, func(ctx context.Context, _ bool) error { return try(ctx) })
	if err != nil {
		return fail(ctx, installation.ErrUnavailable, err)
	}
	return nil
}
