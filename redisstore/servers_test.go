package redisstore_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestScriptsAreLoadedAgain makes servers forget the scripts, as a restart does.
func TestScriptsAreLoadedAgain(t *testing.T) {
	forget := func(t *testing.T, client *redis.Client) {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	client := redistest.Start(t).Client(t)
	for name, o := range map[string]redisstore.Options{
		"primary alone": {},
		"with replicas": {RequireReplicas: 1, ReplicaTimeout: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, client, &o)
			for i := range 3 {
				forget(t, client)
				applied(t, s, create(id("%d", i), ""))
			}
			checkIndex(t, s)
		})
	}
	t.Run("cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t, 3, 0)
		s := open(t, cluster.Client(t, nil), nil)
		for _, m := range cluster.Masters {
			forget(t, m.Client(t))
		}
		for w := range 16 {
			must(t, s, create(installation.Key{Tenant: tenant(w), ID: "a"}, ""))
		}
	})
}

// TestOpenNeedsClusterClient opens a store on a cluster with a client for one server.
func TestOpenNeedsClusterClient(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	for _, m := range cluster.Masters {
		var log retries
		o := &redisstore.Options{Buckets: 16, Logger: log.logger()}
		_, err := redisstore.Open(log.firstTry(t), m.Client(t), o)
		wantUnavailable(t, "open", err)
		if !strings.Contains(err.Error(), "cluster client") {
			t.Errorf("error %v, want one about the client", err)
		}
	}
}

// TestServerErrors has a server answer with every error that it has. A rejection ends the call,
// a passing error is retried, and no error says that something is absent or quotes what was
// sent.
func TestServerErrors(t *testing.T) {
	server := miniredis.RunT(t)
	client := redistest.NewClient(t, &redis.Options{Addr: server.Addr(), MaxRetries: -1})
	var log retries
	s := open(t, client, &redisstore.Options{Logger: log.logger()})
	for i, tc := range []struct {
		answer string
		passes bool
	}{
		{"LOADING Redis is loading the dataset in memory", true},
		{"READONLY You can't write against a read only replica.", true},
		{"CLUSTERDOWN Hash slot not served", true},
		{"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", true},
		{"TRYAGAIN Multiple keys request during rehashing of slot", true},
		{"NOREPLICAS Not enough good replicas to write.", true},
		{"BUSY Redis is busy running a script.", true},
		{"MOVED 1 127.0.0.1:1", true},
		{"ERR max number of clients reached", true},
		{"ERR Error running script (call to f_0): @user_script:1: @user_script: 1: " +
			"-READONLY You can't write.", true},
		{"ERR Error running script (call to f_0): @user_script:1: -OOM command not allowed", false},
		{"OOM command not allowed when used memory > 'maxmemory'.", false},
		{"MISCONF Redis is configured to save RDB snapshots", false},
		{"NOAUTH Authentication required.", false},
		{"NOPERM this user has no permissions", false},
		{"WRONGTYPE Operation against a key", false},
		{"ERR unknown command `EVALSHA`, with args beginning with: `sealed` ", false},
		{"ERR wrong number of arguments for 'evalsha' command", false},
	} {
		t.Run(tc.answer, func(t *testing.T) {
			defer server.SetError("")
			for name, call := range map[string]func(context.Context) error{
				"get": func(ctx context.Context) error {
					_, err := s.Get(ctx, id("none"))
					return err
				},
				"commit": func(ctx context.Context) error {
					_, err := s.Commit(ctx, create(id("%d", i), ""))
					return err
				},
			} {
				server.SetError(tc.answer)
				err := call(log.firstTry(t))
				wantUnavailable(t, name, err)
				if strings.Contains(err.Error(), "sealed") {
					t.Errorf("%s: error %v quotes the server", name, err)
				}
				if !tc.passes {
					continue
				}
				log.call(func() { server.SetError("") })
				err = call(t.Context())
				wantError(t, name+" after the error", err, nil, installation.ErrNotFound)
			}
		})
	}
}

// garbler is a connection that drops the length of replies that have this one, so that they cannot
// be read.
type garbler struct {
	net.Conn
	length *atomic.Int64 // 0 to drop nothing
}

func (g garbler) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if length := g.length.Load(); length > 0 {
		n = copy(p, bytes.ReplaceAll(p[:n], fmt.Appendf(nil, "$%d\r\n", length), nil))
	}
	return n, err
}

// TestNoReplyInErrorsOrLogs makes the client fail to read a reply.
func TestNoReplyInErrorsOrLogs(t *testing.T) {
	var length atomic.Int64
	client := redistest.NewClient(t, &redis.Options{
		Addr: redistest.Start(t).Addr,
		Dialer: func(_ context.Context, network, addr string) (net.Conn, error) {
			c, err := net.Dial(network, addr)
			return garbler{c, &length}, err
		},
	})
	var log bytes.Buffer
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	s := open(t, client, &redisstore.Options{Logger: slog.New(slog.NewTextHandler(&log, debug))})
	must(t, s, create(id("a"), "sealed body"))
	s.SetRetryFor(500 * time.Millisecond)
	length.Store(client.StrLen(t.Context(), keysOf(t, client, "*:r:*")[0]).Val())
	_, err := s.Get(t.Context(), id("a"))
	wantUnavailable(t, "get", err)
	if strings.Contains(err.Error()+log.String(), "sealed") {
		t.Errorf("error %v, log %s, want neither to quote the reply", err, &log)
	}
}
