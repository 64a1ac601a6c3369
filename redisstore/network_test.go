package redisstore_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestDeadlineOfStalledServer pauses a server, so that no answer comes in time.
func TestDeadlineOfStalledServer(t *testing.T) {
	server := redistest.Start(t)
	client := redistest.NewClient(t, &redis.Options{
		Addr: server.Addr, ContextTimeoutEnabled: true,
	})
	s := open(t, client, nil)
	r := must(t, s, create(id("a"), ""))
	resume := server.Pause(t)
	c := update(r, "updated")
	grow(func(limit time.Duration) bool {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err := s.Commit(ctx, c)
		wantError(t, "commit", err, context.DeadlineExceeded)
		if errors.Is(err, installation.ErrUnavailable) {
			return false // the deadline came before the commit was sent
		}
		wantError(t, "commit", err, installation.ErrUnknownOutcome)
		return true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Get(ctx, r.Key)
	wantUnavailable(t, "get", err)
	wantError(t, "get", err, context.DeadlineExceeded)
	resume()
	// The server may apply the commit now, or never have received it. The same change settles
	// it.
	receipt, err := s.Commit(t.Context(), c)
	if err != nil || receipt.Revision != c.Record.Revision {
		t.Errorf("the same commit again: receipt %+v, error %v", receipt, err)
	}
	if stored := get(t, s, r.Key); stored.Revision != c.Record.Revision {
		t.Errorf("the record has the revision %d, want %d", stored.Revision, c.Record.Revision)
	}
	if n := countEvents(t, s)["updated"]; n != 1 {
		t.Errorf("the event is in the log %d times, want once", n)
	}
}

// TestUnreachableServer calls a store whose server is gone: a commit that could not be sent was
// not applied, and the error says so.
func TestUnreachableServer(t *testing.T) {
	server := redistest.Start(t)
	client, log := server.Client(t), new(retries)
	s := open(t, client, &redisstore.Options{Logger: log.logger()})
	server.Kill()
	redistest.Await(t, "connections break", func() bool {
		return client.Ping(t.Context()).Err() != nil && client.PoolStats().TotalConns == 0
	})
	_, err := s.Commit(log.firstTry(t), create(id("a"), ""))
	wantUnavailable(t, "commit", err)
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" {
		t.Errorf("commit: error %v, want the error of the network in it", err)
	}
	_, err = s.Get(log.firstTry(t), id("a"))
	wantUnavailable(t, "get", err)
	_, err = s.Health(log.firstTry(t))
	wantUnavailable(t, "health", err)
}

// TestRetryFor calls a store whose network takes longer to report an error than RetryFor.
func TestRetryFor(t *testing.T) {
	server := redistest.Start(t)
	var silent atomic.Bool
	release := make(chan struct{})
	client := redistest.NewClient(t, &redis.Options{
		Addr: server.Addr,
		Dialer: func(_ context.Context, network, addr string) (net.Conn, error) {
			if silent.Load() {
				<-release
			}
			return net.Dial(network, addr)
		},
	})
	t.Cleanup(func() { close(release) })
	s := open(t, client, nil)
	s.SetRetryFor(100 * time.Millisecond)
	silent.Store(true)
	server.Kill()
	for name, call := range map[string]func() error{
		"get": func() error { _, err := s.Get(t.Context(), id("a")); return err },
		"commit": func() error {
			_, err := s.Commit(t.Context(), create(id("a"), ""))
			return err
		},
	} {
		ended := make(chan error, 1)
		go func() { ended <- call() }()
		redistest.Await(t, name+" ends", func() bool { return len(ended) == 1 })
		wantError(t, name, <-ended, installation.ErrUnavailable, installation.ErrUnknownOutcome)
	}
}

// TestNoFreeConnection commits while the only connection is taken: a commit that was never sent
// was not applied, and the error says so.
func TestNoFreeConnection(t *testing.T) {
	client := redistest.NewClient(t, &redis.Options{Addr: redistest.Start(t).Addr, PoolSize: 1})
	s := open(t, client, nil)
	taken := client.Conn()
	if err := taken.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Commit(ctx, create(id("a"), ""))
	wantUnavailable(t, "commit", err)
	wantError(t, "commit", err, context.DeadlineExceeded)
	_ = taken.Close()
	_, err = s.Get(t.Context(), id("a"))
	wantError(t, "get", err, installation.ErrNotFound)
}
