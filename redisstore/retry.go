package redisstore

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/backoff"
	"github.com/go-installation/installation/internal/storecall"
)

// First and longest pause between tries, before jitter.
const (
	firstPause   = 8 * time.Millisecond
	longestPause = 512 * time.Millisecond
)

// retry retries a call for [Options.RetryFor]; see [storecall.Retry].
func (s *Store) retry(
	ctx context.Context, try func(_ context.Context, uncertain bool) error,
) (uncertain bool, err error) {
	r := storecall.Retry{
		Limit: s.opts.RetryFor, Pause: backoff.Backoff{First: firstPause, Longest: longestPause},
		Judge: func(err error) (executed, again bool) {
			v, _ := explain(err)
			return v == verdictUnknown || v == verdictPartial,
				v == verdictUnknown || v == verdictRetry
		},
		BeforePause: func(n int, err error) {
			_, text := explain(err)
			s.opts.Logger.LogAttrs(ctx, s.retryLevel(), "redisstore: retry",
				slog.Int("try", n), slog.String("reason", text))
			if primaryMayHaveMoved(err) {
				s.client.reload(ctx)
			}
		},
	}
	return r.Do(ctx, func(ctx context.Context, uncertain bool) error {
		err := try(ctx, uncertain)
		if err == nil || isServerError(err) {
			s.answered.Store(true)
		}
		if _, final := errors.AsType[*storecall.Error](err); err == nil || final {
			return err
		}
		if !isServerError(err) {
			s.watch.failures.Add(1)
		}
		return s.hint(err)
	})
}

// hint returns err with a guess at its cause, if no server has ever answered this store and err
// does not name a cause.
func (s *Store) hint(err error) error {
	op, _ := errors.AsType[*net.OpError](err)
	known := tlsText(err) != "" || op != nil && op.Op == "dial" || errors.Is(err, redis.ErrClosed)
	if s.answered.Load() || known {
		return err
	}
	_, text := explain(err)
	if s.client.usesTLS() {
		return explained{err, text + "; maybe the server does not speak TLS"}
	}
	return explained{err, text + "; maybe the server expects TLS"}
}

// warnEvery is the shortest time between two warnings about a retry.
const warnEvery = 10 * time.Second

// retryLevel returns the level at which a retry is logged: once per warnEvery as a warning,
// otherwise as a debug line. So an outage is visible in a log without debug lines and does not fill
// the log.
func (s *Store) retryLevel() slog.Level {
	last, now := s.warned.Load(), time.Now().UnixNano()
	if now-last >= int64(warnEvery) && s.warned.CompareAndSwap(last, now) {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// primaryMayHaveMoved reports whether err may mean that another server is the primary now.
func primaryMayHaveMoved(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok || isServerError(err)
}

// read runs and retries a command that does no harm if it runs twice. The error matches
// [installation.ErrUnavailable]. If the answer of the server is [redis.Nil], the error matches that
// too.
func (s *Store) read(ctx context.Context, try func(context.Context) error) error {
	_, err := s.retry(ctx, func(ctx context.Context, _ bool) error { return try(ctx) })
	if err != nil {
		return wrapError(ctx, installation.ErrUnavailable, err)
	}
	return nil
}

// readValue is read for a command that returns a value.
func readValue[T any](
	ctx context.Context, s *Store, try func(context.Context) (T, error),
) (value T, err error) {
	err = s.read(ctx, func(ctx context.Context) (err error) {
		value, err = try(ctx)
		return err
	})
	return value, err
}

// readText is readValue for a text. It returns "" if nothing is stored.
func (s *Store) readText(
	ctx context.Context, send func(context.Context) *redis.StringCmd,
) (string, error) {
	value, err := readValue(ctx, s, func(ctx context.Context) (string, error) {
		return send(ctx).Result()
	})
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return value, err
}

// runScript runs and retries a script that does no harm if it runs twice.
func (s *Store) runScript(ctx context.Context, sc script, keys, args []string) ([]string, error) {
	return readValue(ctx, s, func(ctx context.Context) ([]string, error) {
		return sc.run(ctx, s.client, keys, args)
	})
}

// scanBatch is the number of keys, members or fields in one round trip of a scan.
const scanBatch = 100

// scan reads a collection with next, a command such as SCAN, and calls check for each batch of
// elements. Each element has size texts: a key, or a member or field and its value. A server
// returns a small collection all at once, so scan splits it into batches.
func (s *Store) scan(
	ctx context.Context, size int,
	next func(_ context.Context, cursor uint64) ([]string, uint64, error),
	check func(context.Context, []string) error,
) error {
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		var found []string
		at := cursor
		err := s.read(ctx, func(ctx context.Context) (err error) {
			found, cursor, err = next(ctx, at)
			return err
		})
		if err != nil {
			return err
		}
		for batch := range slices.Chunk(found, size*scanBatch) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := check(ctx, batch); err != nil {
				return err
			}
		}
	}
	return nil
}
