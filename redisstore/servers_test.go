package redisstore_test

import (
	"bytes"
	"context"
	"errors"
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

// TestForgottenScripts has servers forget the scripts, as one does that is restarted or has just joined.
func TestForgottenScripts(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	for name, o := range map[string]redisstore.Options{"one answer": {}, "with replicas": {RequireReplicas: 1, ReplicaTimeout: time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			s := open(t, client, &o)
			for i := range 3 {
				if err := client.ScriptFlush(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Commit(t.Context(), create(id("%d", i), "")); err != nil && !errors.Is(err, installation.ErrNotReplicated) {
					t.Error(err)
				}
			}
			agree(t, s)
		})
	}
	t.Run("cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t, 3, 0)
		s := open(t, cluster.Client(t, nil), nil)
		for _, m := range cluster.Masters {
			if err := m.Client(t).ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		for w := range 16 {
			must(t, s, create(installation.Key{Tenant: tenant(w), ID: "a"}, ""))
		}
	})
}

// TestPlainClientOfCluster gives a cluster a client that does not know of clusters.
func TestPlainClientOfCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	for _, m := range cluster.Masters {
		_, err := redisstore.Open(t.Context(), m.Client(t), &redisstore.Options{Buckets: 16, RetryFor: 500 * time.Millisecond})
		if !errors.Is(err, installation.ErrUnavailable) || !strings.Contains(err.Error(), "cluster client") {
			t.Errorf("error %v, want %v about the client", err, installation.ErrUnavailable)
		}
	}
}

// TestAnswers has a server answer with every error that it has, and checks what becomes of it: a refusal ends the call, a
// passing trouble is waited out, and no error says "not there" or quotes what was sent.
func TestAnswers(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	// The trouble ends as soon as the store has met it and says that it tries again.
	met := slog.New(slog.NewTextHandler(writer(func() { server.SetError("") }), &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := open(t, client, &redisstore.Options{RetryFor: time.Minute, Logger: met})
	short := open(t, client, &redisstore.Options{RetryFor: 100 * time.Millisecond})
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
		{"ERR Error running script (call to f_0): @user_script:1: @user_script: 1: -READONLY You can't write.", true},
		{"ERR Error running script (call to f_0): @user_script:1: -OOM command not allowed", false},
		{"OOM command not allowed when used memory > 'maxmemory'.", false},
		{"MISCONF Redis is configured to save RDB snapshots", false},
		{"NOAUTH Authentication required.", false},
		{"NOPERM this user has no permissions", false},
		{"WRONGTYPE Operation against a key", false},
		{"ERR unknown command `EVALSHA`, with args beginning with: `sealed` ", false},
		{"ERR something `sealed` else", false},
	} {
		t.Run(tc.answer, func(t *testing.T) {
			defer server.SetError("")
			for name, call := range map[string]func(*redisstore.Store) error{
				"get":    func(s *redisstore.Store) error { _, err := s.Get(t.Context(), id("none")); return err },
				"commit": func(s *redisstore.Store) error { _, err := s.Commit(t.Context(), create(id("%d", i), "")); return err },
			} {
				server.SetError(tc.answer)
				err := call(short)
				if !errors.Is(err, installation.ErrUnavailable) || errors.Is(err, installation.ErrNotFound) ||
					errors.Is(err, installation.ErrUnknownOutcome) || strings.Contains(err.Error(), "sealed") {
					t.Errorf("%s: error %v, want %v", name, err, installation.ErrUnavailable)
				}
				if !tc.passes {
					continue
				}
				if err := call(s); err != nil && !errors.Is(err, installation.ErrNotFound) {
					t.Errorf("%s, after the trouble: %v", name, err)
				}
			}
		})
	}
}

// writer calls a function for whatever is written to it.
type writer func()

func (w writer) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}

// TestDeadline holds a server up, so that answers do not come in time.
func TestDeadline(t *testing.T) {
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	s := open(t, client, nil)
	r := must(t, s, create(id("a"), ""))
	resume := server.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c := update(r, "updated")
	_, err := s.Commit(ctx, c)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, installation.ErrUnknownOutcome) {
		t.Errorf("commit: error %v, want %v and %v", err, installation.ErrUnknownOutcome, context.DeadlineExceeded)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Get(ctx, r.Key)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("get: error %v, want %v and %v", err, installation.ErrUnavailable, context.DeadlineExceeded)
	}
	resume()
	// The server may carry the commit out now, or never have got it. The same change once more settles it.
	if receipt, err := s.Commit(t.Context(), c); err != nil || receipt.Revision != c.Record.Revision {
		t.Errorf("the same commit again: receipt %+v, error %v", receipt, err)
	}
	if stored := get(t, s, r.Key); stored.Revision != c.Record.Revision {
		t.Errorf("the record has the revision %d, want %d", stored.Revision, c.Record.Revision)
	}
	if n := countEvents(t, s)["updated"]; n != 1 {
		t.Errorf("the event is in the log %d times, want once", n)
	}
}

// TestNobodyThere calls a store whose server is gone: what could not be sent was not applied, and the error says so.
func TestNobodyThere(t *testing.T) {
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, DialerRetries: 1, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	s := open(t, client, &redisstore.Options{RetryFor: 500 * time.Millisecond})
	server.Kill()
	redistest.Await(t, "connections break", func() bool { return client.Ping(t.Context()).Err() != nil && client.PoolStats().TotalConns == 0 })
	_, err := s.Commit(t.Context(), create(id("a"), ""))
	if op, ok := errors.AsType[*net.OpError](err); !errors.Is(err, installation.ErrUnavailable) || !ok || op.Op != "dial" {
		t.Errorf("commit: error %v, want %v with the network's error within", err, installation.ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Get(ctx, id("a")); !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("get: error %v, want %v", err, installation.ErrUnavailable)
	}
	if _, err := s.Health(t.Context()); !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("health: error %v, want %v", err, installation.ErrUnavailable)
	}
}

// TestRetryFor calls a store whose server cannot even be reached, in a way that takes the network longer to notice than the
// call is to go on.
func TestRetryFor(t *testing.T) {
	server := redistest.Start(t)
	var silent atomic.Bool
	release := make(chan struct{})
	client := redis.NewClient(&redis.Options{Addr: server.Addr, DialTimeout: time.Hour, Dialer: func(_ context.Context, network, addr string) (net.Conn, error) {
		if silent.Load() {
			<-release
		}
		return net.Dial(network, addr)
	}})
	t.Cleanup(func() { _ = client.Close() })
	t.Cleanup(func() { close(release) })
	s := open(t, client, &redisstore.Options{RetryFor: 500 * time.Millisecond})
	silent.Store(true)
	server.Kill()
	for name, call := range map[string]func() error{
		"get":    func() error { _, err := s.Get(t.Context(), id("a")); return err },
		"commit": func() error { _, err := s.Commit(t.Context(), create(id("a"), "")); return err },
	} {
		ended := make(chan error, 1)
		go func() { ended <- call() }()
		redistest.Await(t, name+" ends", func() bool { return len(ended) == 1 })
		if err := <-ended; !errors.Is(err, installation.ErrUnavailable) && !errors.Is(err, installation.ErrUnknownOutcome) {
			t.Errorf("%s: error %v, want %v or %v", name, err, installation.ErrUnavailable, installation.ErrUnknownOutcome)
		}
	}
}

// TestNoConnection commits while the only connection is taken: what was never sent was not applied, and the error says so.
func TestNoConnection(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(t).Addr, PoolSize: 1})
	t.Cleanup(func() { _ = client.Close() })
	s := open(t, client, nil)
	taken := client.Conn()
	if err := taken.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Commit(ctx, create(id("a"), ""))
	if !errors.Is(err, installation.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, installation.ErrUnknownOutcome) {
		t.Errorf("error %v, want %v and %v", err, installation.ErrUnavailable, context.DeadlineExceeded)
	}
	_ = taken.Close()
	if _, err := s.Get(t.Context(), id("a")); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("get: error %v, want %v", err, installation.ErrNotFound)
	}
}

// garbler is a connection that leaves the length of some replies out, so that what follows cannot be read.
type garbler struct {
	net.Conn
	on *atomic.Bool
}

func (g garbler) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.on.Load() {
		n = copy(p, bytes.ReplaceAll(p[:n], []byte("$11\r\n"), nil))
	}
	return n, err
}

// TestRepliesAreNotQuoted has the client fail to read a reply: neither the error nor the log tells what was in it.
func TestRepliesAreNotQuoted(t *testing.T) {
	var on atomic.Bool
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(t).Addr, Dialer: func(_ context.Context, network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		return garbler{c, &on}, err
	}})
	t.Cleanup(func() { _ = client.Close() })
	var log bytes.Buffer
	s := open(t, client, &redisstore.Options{
		RetryFor: 500 * time.Millisecond,
		Logger:   slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	must(t, s, create(id("a"), "sealed body"))
	on.Store(true)
	_, err := s.Get(t.Context(), id("a"))
	if !errors.Is(err, installation.ErrUnavailable) || strings.Contains(err.Error()+log.String(), "sealed") {
		t.Errorf("error %v, log %s, want %v that quotes nothing", err, &log, installation.ErrUnavailable)
	}
}
