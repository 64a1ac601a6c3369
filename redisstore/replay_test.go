package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestLostReplies writes through a connection that loses one reply in eleven, while others write to the same record before
// the try is repeated. Each write is to count once, and none is to be told that it lost a race that it won.
func TestLostReplies(t *testing.T) {
	const writes, every = 300, 11 // with their repetitions 330 scripts, of which 30 get no reply
	server := redistest.Start(t)
	proxy := newSwallower(t, server.Addr)
	flaky := redis.NewClient(&redis.Options{Addr: proxy.addr()}) // default options: go-redis would repeat on its own
	t.Cleanup(func() { _ = flaky.Close() })
	options := &redisstore.Options{Namespace: "replies"}
	others := open(t, server.Client(t), options)
	s := open(t, flaky, options)
	shared := id("shared")
	must(t, others, create(shared, "first"))

	var scripts, lost, slipped atomic.Int64
	proxy.tell(
		func() bool {
			if scripts.Add(1)%every != 1 {
				return false
			}
			lost.Add(1)
			return true
		},
		func() {
			for range lost.Load() % installation.RememberedOps { // as many as a record can remember beside the lost one
				r, err := others.Get(t.Context(), shared)
				if err == nil {
					_, err = others.Commit(t.Context(), update(r, fmt.Sprintf("other %d", slipped.Add(1))))
				}
				if err != nil {
					t.Errorf("another writer: %v", err)
				}
			}
		},
	)
	var replayed, conflicts, unknown int
	for i := range writes {
		var c installation.Change
		if i%2 == 0 {
			c = update(get(t, others, shared), fmt.Sprintf("write %d", i))
		} else {
			c = create(id("%d", i), fmt.Sprintf("write %d", i))
		}
		receipt, err := s.Commit(t.Context(), c)
		switch {
		case errors.Is(err, installation.ErrConflict):
			conflicts++
		case errors.Is(err, installation.ErrUnknownOutcome):
			unknown++
		case err != nil:
			t.Fatal(err)
		case receipt.Replayed:
			replayed++
		case receipt.Revision != c.If+1:
			t.Errorf("write %d: receipt %+v", i, receipt)
		}
	}
	proxy.tell(nil, nil)

	doubles := 0
	seen := countEvents(t, others)
	for name, n := range seen {
		if n != 1 {
			doubles++
			t.Errorf("event %q is in the log %d times", name, n)
		}
	}
	if want := writes + 1 + int(slipped.Load()); len(seen) != want {
		t.Errorf("%d events, want %d", len(seen), want)
	}
	records, err := others.Count(t.Context(), installation.Query{Tenant: "tenant", Term: "all"})
	if err != nil || records != writes/2+1 {
		t.Errorf("%d records, error %v, want %d", records, err, writes/2+1)
	}
	if conflicts != 0 || unknown != 0 || replayed != int(lost.Load()) {
		t.Errorf("%d conflicts, %d unknown, %d replays; want none, none, one for each lost reply", conflicts, unknown, replayed)
	}
	agree(t, others)
	t.Logf("%d writes, %d replies lost, %d writes of others in between: %d false conflicts, %d double events, %d double records, %d unknown",
		writes, lost.Load(), slipped.Load(), conflicts, doubles, records-writes/2-1, unknown)
}

// TestUnknownOutcome checks that a commit says so when it cannot learn its fate, and never calls that a conflict.
func TestUnknownOutcome(t *testing.T) {
	server := redistest.Start(t)
	proxy := newSwallower(t, server.Addr)
	flaky := redis.NewClient(&redis.Options{Addr: proxy.addr()})
	t.Cleanup(func() { _ = flaky.Close() })
	options := &redisstore.Options{Namespace: "unknown", RetryFor: 200 * time.Millisecond}
	others := open(t, server.Client(t), options)
	s := open(t, flaky, options)

	t.Run("pushed out", func(t *testing.T) {
		key := id("pushed out")
		r := must(t, others, create(key, ""))
		var once atomic.Bool
		proxy.tell(
			func() bool { return once.CompareAndSwap(false, true) },
			func() {
				for range installation.RememberedOps {
					if r, err := others.Get(t.Context(), key); err == nil {
						_, _ = others.Commit(t.Context(), update(r, ""))
					}
				}
			},
		)
		_, err := s.Commit(t.Context(), update(r, ""))
		onlyUnknown(t, err)
	})
	t.Run("touched", func(t *testing.T) {
		// A change that writes no record leaves no revision behind by which the next try could tell.
		r := must(t, others, create(id("touched"), ""))
		touch := func(event string) installation.Change {
			c := update(r, event)
			c.Record = nil
			return c
		}
		var once atomic.Bool
		proxy.tell(
			func() bool { return once.CompareAndSwap(false, true) },
			func() {
				for range installation.RememberedOps {
					_, _ = others.Commit(t.Context(), touch(""))
				}
			},
		)
		_, err := s.Commit(t.Context(), touch("touched once"))
		onlyUnknown(t, err)
		if n := countEvents(t, others)["touched once"]; n != 1 {
			t.Errorf("its event is in the log %d times, want once", n)
		}
	})
	t.Run("claimed meanwhile", func(t *testing.T) {
		var once atomic.Bool
		proxy.tell(func() bool { return once.CompareAndSwap(false, true) }, func() {
			r, err := others.Get(t.Context(), id("claimant"))
			if err == nil { // gone again, and its claim taken by another one
				c := update(r, "")
				c.Record = &installation.Record{Key: r.Key, Revision: r.Revision + 1, Deleted: true, Deadline: c.Now.Add(time.Nanosecond)}
				_, _ = others.Commit(t.Context(), c)
			}
			c := create(id("other"), "")
			c.Record.Claims = []string{"live=claimant"}
			_, _ = others.Commit(t.Context(), c)
			redistest.Await(t, "the tombstone is forgotten", func() bool {
				_, err := others.Get(t.Context(), id("claimant"))
				return errors.Is(err, installation.ErrNotFound)
			})
		})
		_, err := s.Commit(t.Context(), create(id("claimant"), ""))
		onlyUnknown(t, err)
	})
	t.Run("never a reply", func(t *testing.T) {
		proxy.tell(func() bool { return true }, nil)
		_, err := s.Commit(t.Context(), create(id("silence"), ""))
		onlyUnknown(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = s.Commit(ctx, create(id("silence too"), ""))
		onlyUnknown(t, err)
		get(t, others, id("silence"))
	})
}

func onlyUnknown(tb testing.TB, err error) {
	tb.Helper()
	if !errors.Is(err, installation.ErrUnknownOutcome) {
		tb.Errorf("error %v, want %v", err, installation.ErrUnknownOutcome)
	}
	for _, other := range []error{installation.ErrConflict, installation.ErrExists, installation.ErrNotFound, installation.ErrUnavailable} {
		if errors.Is(err, other) {
			tb.Errorf("error %v matches %v", err, other)
		}
	}
}

// TestUncertainTouch loses changes that write no record on their way to the server, so that it never sees them: what the record
// remembers tells that, unless as many others can have come since as it remembers.
func TestUncertainTouch(t *testing.T) {
	server := redistest.Start(t)
	options := &redisstore.Options{Namespace: "touched"}
	others := open(t, server.Client(t), options)
	var trap trap
	s := open(t, trap.client(t, server.Addr, nil), options)
	r := must(t, others, create(id("a"), ""))
	touch := func() installation.Change {
		c := update(r, "")
		c.Record = nil
		return c
	}
	for n := range installation.RememberedOps + 2 {
		trap.set("evalsha")
		if receipt, err := s.Commit(t.Context(), touch()); n < installation.RememberedOps-1 && err != nil {
			t.Errorf("touched %d times before: receipt %+v, error %v", n, receipt, err)
		} else if n >= installation.RememberedOps-1 {
			onlyUnknown(t, err)
			must(t, others, touch())
		}
	}
	r = must(t, others, update(r, ""))
	trap.set("evalsha")
	if _, err := s.Commit(t.Context(), touch()); err != nil {
		t.Errorf("after an update: %v", err)
	}
}

// TestNotSent breaks connections while they are set up: the change was not applied, and the error says so.
func TestNotSent(t *testing.T) {
	server := redistest.Start(t)
	for name, options := range map[string]redisstore.Options{"primary alone": {}, "with replicas": {RequireReplicas: 1}} {
		t.Run(name, func(t *testing.T) {
			var trap trap
			options.RetryFor = 200 * time.Millisecond
			s := open(t, trap.client(t, server.Addr, &redis.Options{MaxRetries: -1, ConnMaxIdleTime: time.Nanosecond}), &options)
			trap.setForGood("hello")
			_, err := s.Commit(t.Context(), create(id("a"), ""))
			if !errors.Is(err, installation.ErrUnavailable) || errors.Is(err, installation.ErrUnknownOutcome) {
				t.Errorf("error %v, want %v", err, installation.ErrUnavailable)
			}
		})
	}
}

// A trap breaks a connection instead of sending what has a word in it.
type trap struct {
	mu   sync.Mutex
	word string // "" if it is not set
	good bool   // it stays set
}

func (t *trap) set(word string)        { t.lay(word, false) }
func (t *trap) setForGood(word string) { t.lay(word, true) }

func (t *trap) lay(word string, forGood bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.word, t.good = word, forGood
}

func (t *trap) springs(p []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.word == "" || !bytes.Contains(p, []byte(t.word)) {
		return false
	}
	if !t.good {
		t.word = ""
	}
	return true
}

// client returns a client whose connections are trapped.
func (t *trap) client(tb testing.TB, addr string, o *redis.Options) *redis.Client {
	if o == nil {
		o = new(redis.Options)
	}
	o.Addr = addr
	o.Dialer = func(_ context.Context, network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		return trapped{c, t}, err
	}
	c := redis.NewClient(o)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

type trapped struct {
	net.Conn
	trap *trap
}

func (c trapped) Write(p []byte) (int, error) {
	if c.trap.springs(p) {
		_ = c.Conn.Close()
		return len(p), nil
	}
	return c.Conn.Write(p)
}
