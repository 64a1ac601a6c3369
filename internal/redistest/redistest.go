// Package redistest starts real Redis servers for tests: a server, a primary with replicas,
// Sentinel, or a cluster. The servers run as child processes on free ports of the loopback
// interface, keep their files in the directory of the test, and are killed when the test ends.
//
// The package runs the redis-server on the path. Without that program, tests are skipped and say
// so. If the environment variable INSTALLATION_TEST_REDIS is "require", they fail instead. If it is
// "skip", they are skipped even with the program.
//
// Nothing here depends on the speed of the machine. Functions return when the servers report the
// wanted state. Time limits only end a hang, and no server counts as failed before a test asks for
// a failover.
//
// Importing the package turns off the log of go-redis, which reports every failed dial.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/go-installation/installation/internal/servertest"
)

// Patience is [servertest.Patience].
const Patience = servertest.Patience

// Await is [servertest.Await].
var Await = servertest.Await

func init() { redis.SetLogger(&logging.VoidLogger{}) }

// AwaitInfo waits until a field of INFO has the wanted value.
func AwaitInfo(tb testing.TB, c redis.Cmdable, field, want string) {
	tb.Helper()
	Await(tb, field+" is "+want, func() bool { return Info(tb.Context(), c, field) == want })
}

// Info returns a field of INFO, or "" if the server does not answer or has no such field.
func Info(ctx context.Context, c redis.Cmdable, field string) string {
	text, _ := c.Info(ctx, "everything").Result()
	return fields(text)[field]
}

// fields parses what INFO and CLUSTER INFO return.
func fields(text string) map[string]string {
	values := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			values[name] = value
		}
	}
	return values
}

// NewClient returns a client that is closed when the test ends. Timeouts that o leaves out are
// [Patience], so that a slow machine fails no call.
func NewClient(tb testing.TB, o *redis.Options) *redis.Client {
	options := *o
	setTimeouts(&options.DialTimeout, &options.ReadTimeout, &options.WriteTimeout,
		&options.PoolTimeout)
	c := redis.NewClient(&options)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func setTimeouts(timeouts ...*time.Duration) {
	for _, t := range timeouts {
		if *t == 0 {
			*t = Patience
		}
	}
}

// StartReplica starts a replica of primary and waits until it confirms writes.
func StartReplica(tb testing.TB, primary *Server) *Server {
	tb.Helper()
	s := Start(tb, "--replicaof", "127.0.0.1 "+strconv.Itoa(primary.port))
	awaitReplicas(tb, primary, "redistest", 1)
	return s
}

// awaitReplicas waits until n replicas confirm a write of key to primary. A replica that reports
// its link as up is not enough: WAIT does not count it before its first acknowledgement.
func awaitReplicas(tb testing.TB, primary *Server, key string, n int) {
	tb.Helper()
	c := primary.Client(tb)
	Await(tb, "replicas confirm a write", func() bool {
		pipe := c.Pipeline() // WAIT covers the writes of its own connection
		pipe.Set(tb.Context(), key, "", 0)
		pipe.Del(tb.Context(), key)
		confirmed := pipe.Do(tb.Context(), "wait", n, 1000)
		_, _ = pipe.Exec(tb.Context()) // an error counts as no confirmation
		got, _ := confirmed.Int()
		return got >= n
	})
}

// must fails the test if a command that prepares servers has failed.
func must(tb testing.TB, errs ...error) {
	tb.Helper()
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(fmt.Errorf("prepare redis: %w", err))
	}
}
