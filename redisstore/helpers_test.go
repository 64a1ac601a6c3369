package redisstore_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// Tests must pass on a machine of any speed. They wait for events, not for a while: a context
// that ends at the first retry, a limit that grows until it is long enough.

func dialMini(tb testing.TB) redis.UniversalClient {
	return redistest.NewClient(tb, &redis.Options{Addr: miniredis.RunT(tb).Addr()})
}

// namespaces counts the namespaces of [open], so that stores on one server do not share one.
var namespaces atomic.Int64

// open opens a store. Without a namespace in the options it gets a new one, and without a
// RetryFor one that only ends a hang.
func open(tb testing.TB, client redis.UniversalClient, o *redisstore.Options) *redisstore.Store {
	tb.Helper()
	var options redisstore.Options
	if o != nil {
		options = *o
	}
	if options.Namespace == "" {
		options.Namespace = fmt.Sprintf("test-%d", namespaces.Add(1))
	}
	options.RetryFor = cmp.Or(options.RetryFor, redistest.Patience)
	s, err := redisstore.Open(context.WithoutCancel(tb.Context()), client, &options)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// found is the number of problems of each kind in a report.
type found = map[redisstore.ProblemKind]int64

// verified checks which problems a Verify finds, and returns its report.
func verified(
	tb testing.TB, s *redisstore.Store, o *redisstore.VerifyOptions, want found,
) redisstore.VerifyReport {
	tb.Helper()
	report, err := s.Verify(context.WithoutCancel(tb.Context()), o)
	if err != nil || !maps.Equal(report.Found, want) {
		tb.Errorf("verify %+v: got %+v, error %v, want %v", o, report, err, want)
	}
	return report
}

// checkIndex checks that Verify finds no problem.
func checkIndex(tb testing.TB, s *redisstore.Store) {
	tb.Helper()
	if report := verified(tb, s, nil, nil); !report.Clean() {
		tb.Errorf("the report %+v is not clean", report)
	}
}

func healthOf(tb testing.TB, s *redisstore.Store) []health.Finding {
	tb.Helper()
	findings, err := s.Health(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return findings
}

// retries is the log of a store that calls a function at each retry.
type retries struct{ f atomic.Pointer[func()] }

func (r *retries) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (r *retries) call(f func()) { r.f.Store(&f) }

// Write implements [io.Writer]. A store writes once for each retry.
func (r *retries) Write(p []byte) (int, error) {
	if f := r.f.Load(); f != nil {
		(*f)()
	}
	return len(p), nil
}

// firstTry returns a context that ends when the store retries.
func (r *retries) firstTry(tb testing.TB) context.Context {
	ctx, cancel := context.WithCancel(tb.Context())
	tb.Cleanup(cancel)
	r.call(cancel)
	return ctx
}

// grow calls f with longer and longer limits until one is long enough for what must happen
// before it ends.
func grow(f func(limit time.Duration) (enough bool)) {
	for limit := 50 * time.Millisecond; !f(limit) && limit < redistest.Patience/4; limit *= 2 {
	}
}

// storedRevision returns the revision in the string of a record, 0 if nothing is stored.
func storedRevision(tb testing.TB, client redis.Cmdable, key string) int64 {
	tb.Helper()
	value, err := client.GetRange(tb.Context(), key, 1, 8).Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	if len(value) == 0 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(value))
}

// contents returns what a server has under each key.
func contents(tb testing.TB, client redis.UniversalClient) map[string]string {
	tb.Helper()
	all := make(map[string]string)
	for _, key := range keysOf(tb, client, "*") {
		value, err := client.Dump(tb.Context(), key).Result()
		if err != nil {
			tb.Fatal(err)
		}
		all[key] = value
	}
	return all
}
