package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/internal/servertest"
	"github.com/go-installation/installation/redisstore"
)

// TestLostReplies writes through a connection that loses one reply in eleven, while others
// write to the same record before the retry. Each write must be applied once, and none may be
// told of a conflict with itself.
func TestLostReplies(t *testing.T) {
	const writes, every = 300, 11 // with the retries 330 scripts, of which 30 get no reply
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	// The client retries by default.
	flaky := redistest.NewClient(t, &redis.Options{Addr: proxy.Addr()})
	options := &redisstore.Options{Namespace: "replies"}
	others := open(t, server.Client(t), options)
	s := open(t, flaky, options)
	shared := id("shared")
	must(t, others, create(shared, "first"))

	var scripts, lost, slipped atomic.Int64
	proxy.LoseAnswers(
		func() bool {
			if scripts.Add(1)%every != 1 {
				return false
			}
			lost.Add(1)
			return true
		},
		func() {
			// A record can remember so many changes besides the lost one.
			for range lost.Load() % installation.RememberedOps {
				r, err := others.Get(t.Context(), shared)
				if err == nil {
					event := fmt.Sprintf("other %d", slipped.Add(1))
					_, err = others.Commit(t.Context(), update(r, event))
				}
				if err != nil {
					t.Errorf("another writer: %v", err)
				}
			}
		},
	)
	replayed, conflicts, unknown := writeAlternately(t, s, others, shared, writes)
	proxy.LoseAnswers(nil, nil)

	seen := countEvents(t, others)
	doubles := countDoubles(t, seen)
	if want := writes + 1 + int(slipped.Load()); len(seen) != want {
		t.Errorf("%d events, want %d", len(seen), want)
	}
	records, err := others.Count(t.Context(), installation.Query{Tenant: "tenant", Term: "all"})
	if err != nil || records != writes/2+1 {
		t.Errorf("%d records, error %v, want %d", records, err, writes/2+1)
	}
	if conflicts != 0 || unknown != 0 || replayed != int(lost.Load()) {
		t.Errorf("%d conflicts, %d unknown, %d replays; want 0, 0, %d",
			conflicts, unknown, replayed, lost.Load())
	}
	checkIndex(t, others)
	t.Logf("%d writes, %d replies lost, %d writes of others in between: %d false conflicts, "+
		"%d double events, %d double records, %d unknown",
		writes, lost.Load(), slipped.Load(), conflicts, doubles, records-writes/2-1, unknown)
}

// countDoubles fails for each event that is not in the log exactly once, and
// returns their number.
func countDoubles(t *testing.T, seen map[string]int) (doubles int) {
	t.Helper()
	for name, n := range seen {
		if n != 1 {
			doubles++
			t.Errorf("event %q is in the log %d times", name, n)
		}
	}
	return doubles
}

// writeAlternately updates a shared record and creates others, by turns, and counts the
// results.
func writeAlternately(
	t *testing.T, s, others *redisstore.Store, shared installation.Key, writes int,
) (replayed, conflicts, unknown int) {
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
	return replayed, conflicts, unknown
}

// TestUnknownOutcome checks that a commit whose outcome cannot be learned says so, and does not
// report a conflict. s writes through the proxy, others do not.
func TestUnknownOutcome(t *testing.T) {
	for name, test := range map[string]func(
		t *testing.T, proxy *servertest.Proxy, s, others *redisstore.Store,
	){
		"updated too often":       testUpdatedTooOften,
		"restore accepted":        testRestoreAccepted,
		"events without a record": testEventsWithoutRecord,
		"claimed by another":      testClaimedByAnother,
		"no reply to any try":     testNoReply,
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			proxy := redistest.StartProxy(t, server.Addr)
			client := redistest.NewClient(t, &redis.Options{Addr: proxy.Addr()})
			options := &redisstore.Options{Namespace: "unknown"}
			others := open(t, server.Client(t), options)
			test(t, proxy, open(t, client, options), others)
		})
	}
}

// testUpdatedTooOften has others push the op token of a commit out of the record.
func testUpdatedTooOften(t *testing.T, proxy *servertest.Proxy, s, others *redisstore.Store) {
	key := id("pushed out")
	r := must(t, others, create(key, ""))
	var once atomic.Bool
	proxy.LoseAnswers(
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
}

// testRestoreAccepted has others push the op token of a commit out of the record, and accept a
// restore. The refusal of the retry then does not prove that the commit was not applied.
func testRestoreAccepted(t *testing.T, proxy *servertest.Proxy, s, others *redisstore.Store) {
	key := id("pushed out and accepted")
	r := must(t, others, create(key, ""))
	var once atomic.Bool
	proxy.LoseAnswers(
		func() bool { return once.CompareAndSwap(false, true) },
		func() {
			for range installation.RememberedOps {
				if r, err := others.Get(t.Context(), key); err == nil {
					_, _ = others.Commit(t.Context(), update(r, ""))
				}
			}
			_, _ = others.AcceptRestore(t.Context(), time.Now())
		},
	)
	_, err := s.Commit(t.Context(), update(r, ""))
	onlyUnknown(t, err)
}

// testEventsWithoutRecord has others push out the token of a change without a record, which
// leaves no revision.
func testEventsWithoutRecord(t *testing.T, proxy *servertest.Proxy, s, others *redisstore.Store) {
	r := must(t, others, create(id("touched"), ""))
	touch := func(event string) installation.Change {
		c := update(r, event)
		c.Record = nil
		return c
	}
	var once atomic.Bool
	proxy.LoseAnswers(
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
}

// testClaimedByAnother has another record take the claim of a created one that is gone again.
func testClaimedByAnother(t *testing.T, proxy *servertest.Proxy, s, others *redisstore.Store) {
	var once atomic.Bool
	proxy.LoseAnswers(func() bool { return once.CompareAndSwap(false, true) }, func() {
		r, err := others.Get(t.Context(), id("claimant"))
		if err == nil { // delete it and give its claim to another record
			_, _ = others.Commit(t.Context(), bury(r, time.Now().Add(-time.Hour)))
		}
		c := create(id("other"), "")
		c.Record.Claims = []string{"live=claimant"}
		_, _ = others.Commit(t.Context(), c)
		redistest.Await(t, "the tombstone expires", func() bool {
			_, err := others.Get(t.Context(), id("claimant"))
			return errors.Is(err, installation.ErrNotFound)
		})
	})
	_, err := s.Commit(t.Context(), create(id("claimant"), ""))
	onlyUnknown(t, err)
}

// testNoReply loses the reply to every try.
func testNoReply(t *testing.T, proxy *servertest.Proxy, s, others *redisstore.Store) {
	var tries atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	proxy.LoseAnswers(func() bool {
		if tries.Add(1) == 3 {
			cancel()
		}
		return true
	}, nil)
	_, err := s.Commit(ctx, create(id("cancelled"), ""))
	onlyUnknown(t, err)
	grow(func(limit time.Duration) bool {
		tries.Store(3)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err = s.Commit(ctx, create(id("late"), ""))
		return tries.Load() > 3
	})
	onlyUnknown(t, err)
	grow(func(limit time.Duration) bool {
		tries.Store(3)
		s.SetRetryFor(limit)
		_, err = s.Commit(t.Context(), create(id("silence"), ""))
		return tries.Load() > 3
	})
	onlyUnknown(t, err)
	get(t, others, id("silence"))
}

func onlyUnknown(tb testing.TB, err error) {
	tb.Helper()
	wantError(tb, "commit", err, installation.ErrUnknownOutcome)
	if errors.Is(err, installation.ErrUnavailable) {
		tb.Errorf("error %v matches %v", err, installation.ErrUnavailable)
	}
	noClaim(tb, "commit", err)
}

// TestUnsentEvents loses changes without a record on their way to the server. The op tokens of
// the record tell that such a change was not applied, unless all of them may be younger: those of
// changes without a record to the same revision.
func TestUnsentEvents(t *testing.T) {
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
		receipt, err := s.Commit(t.Context(), touch())
		if n < installation.RememberedOps && err != nil {
			t.Errorf("touched %d times before: receipt %+v, error %v", n, receipt, err)
		} else if n >= installation.RememberedOps {
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

// TestNotSent breaks connections while they are set up: the change was not applied, and the
// error says so.
func TestNotSent(t *testing.T) {
	server := redistest.Start(t)
	for name, options := range map[string]redisstore.Options{
		"primary alone": {}, "with replicas": {RequireReplicas: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var trap trap
			var log retries
			options.Logger = log.logger()
			client := trap.client(t, server.Addr, &redis.Options{
				MaxRetries: -1, ConnMaxIdleTime: time.Nanosecond,
			})
			s := open(t, client, &options)
			trap.setForGood("hello")
			_, err := s.Commit(log.firstTry(t), create(id("a"), ""))
			wantUnavailable(t, "commit", err)
		})
	}
}
