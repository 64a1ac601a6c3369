package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// churn commits all kinds of changes until ctx ends, and counts those that were applied. Outcomes
// and tombstones expire at once.
func churn(
	ctx context.Context, t *testing.T, s installation.Store, writers int, applied *atomic.Int64,
) (wait func()) {
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				key := installation.Key{Tenant: tenant(w % 3), ID: fmt.Sprintf("%d-%d", w, n%5)}
				c := create(key, "")
				c.Record.Deadline = time.Now()
				c.Idempotency = &installation.Outcome{
					Digest: installation.Digest{byte(w), byte(n)},
					Until:  time.Now().Add(10 * time.Millisecond),
				}
				changes := []installation.Change{c, update(c.Record, "")}
				changes[1].Record.Index = []string{fmt.Sprint("other ", n), "all"}
				changes[1].Record.Deadline = time.Now().Add(time.Hour)
				touch := update(changes[1].Record, "")
				touch.Record = nil
				gone := bury(changes[1].Record, time.Now().Add(5*time.Millisecond))
				for _, c := range append(changes, touch, gone) {
					_, err := s.Commit(ctx, c)
					if err == nil {
						applied.Add(1)
					} else if ctx.Err() == nil && !errors.Is(err, installation.ErrConflict) {
						t.Errorf("commit %v: %v", c.Key, err)
						return
					}
				}
			}
		})
	}
	return all.Wait
}

// TestVerifyBesideCommits verifies and repairs while others commit: nothing is wrong.
func TestVerifyBesideCommits(t *testing.T) {
	for name, dial := range map[string]func(testing.TB) redis.UniversalClient{
		"standalone": dialServer,
		"cluster":    dialCluster,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, dial(t), &redisstore.Options{Buckets: 2, MaxEvents: 300})
			for w := range 300 { // so that a walk takes more than one round trip
				key := installation.Key{Tenant: tenant(w % 7), ID: fmt.Sprint(w)}
				must(t, s, keyed(key, byte(w)))
			}
			ctx, cancel := context.WithCancel(t.Context())
			var applied atomic.Int64
			wait := churn(ctx, t, s, 8, &applied)
			var events int64
			for round := 0; round < 10 || applied.Load() < 3000 && !t.Failed(); round++ {
				for _, o := range []*redisstore.VerifyOptions{nil, repair} {
					events = max(events, verified(t, s, o, nil).Events)
				}
			}
			cancel()
			wait()
			checkIndex(t, s)
			if events < 300 {
				t.Errorf("%d events were checked, want as many as the log keeps", events)
			}
		})
	}
}

// TestVerifyCluster damages buckets on several servers: each problem is named with its bucket.
func TestVerifyCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	client := cluster.Client(t, nil)
	s := open(t, client, &redisstore.Options{Namespace: "verify", Buckets: 16})
	var want []redisstore.Problem
	for w := range 40 {
		key := installation.Key{Tenant: tenant(w), ID: "a"}
		must(t, s, keyed(key, 1))
		bucket := redisstore.BucketOf(key.Tenant, 16)
		index := "{verify:" + bucket + "}:x"
		p := redisstore.Problem{Kind: redisstore.ProblemMissingMember, Key: key, Name: "claims"}
		if _, err := fmt.Sscan(strings.TrimLeft(bucket, "0")+" ", &p.Bucket); err != nil {
			p.Bucket = 0
		}
		if n := client.ZRem(t.Context(), index, "c"+key.Tenant+"\x00live=a\x00a").Val(); n != 1 {
			t.Fatalf("%d members removed, want 1", n)
		}
		want = append(want, p)
	}
	for _, m := range cluster.Masters {
		for b := range 16 {
			key := fmt.Sprintf("{verify:%02d}:z", b)
			if m == cluster.Owner(redistest.Slot(fmt.Sprintf("verify:%02d", b))) {
				m.Client(t).Set(t.Context(), key, "x", 0)
				p := in(redisstore.ProblemUnknown, key)
				p.Bucket = b
				want = append(want, p)
			}
		}
	}
	wantProblems(t, s, nil, want)
	var left []redisstore.Problem
	for i, p := range want {
		if want[i].Repaired = repaired[p.Kind]; !want[i].Repaired {
			left = append(left, p)
		}
	}
	wantProblems(t, s, repair, want)
	wantProblems(t, s, nil, left)
}

// TestVerifyWhileSlotMoves verifies while the fixed keys of the bucket are on two servers: the
// error names the slot.
func TestVerifyWhileSlotMoves(t *testing.T) {
	m := startMoving(t)
	must(t, m.store, create(id("a"), ""))
	var log retries
	s := open(t, m.client(t), &redisstore.Options{
		Namespace: movingNamespace, Logger: log.logger(),
	})
	m.open(t, fixedKeys[1])
	report, err := s.Verify(log.firstTry(t), repair)
	wantUnavailable(t, "verify", err)
	if slot := fmt.Sprint("slot ", m.slot); err == nil || !strings.Contains(err.Error(), slot) {
		t.Errorf("error %v, want one that names %s", err, slot)
	}
	if !report.Clean() {
		t.Errorf("report %+v, want no problem", report)
	}
	m.close()
	checkIndex(t, m.store)
}

// TestVerifyEnds ends the context before and during a Verify.
func TestVerifyEnds(t *testing.T) {
	s, client := startVerify(t)
	for i := range 250 {
		must(t, s, create(id("%d", i), ""))
	}
	ctx, cancel := context.WithCancel(t.Context())
	client.AddHook(beforePipeline(cancel))
	for _, want := range []int64{501, 0} { // a small part of the 751 members, then nothing
		report, err := s.Verify(ctx, nil)
		if !errors.Is(err, context.Canceled) || report.Members > want || !report.Clean() {
			t.Errorf("report %+v, error %v, want at most %d members", report, err, want)
		}
	}
}

// beforeCommand is a hook that calls a function before each command with a name.
type beforeCommand struct {
	name string
	f    func()
}

func (beforeCommand) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h beforeCommand) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == h.name {
			h.f()
		}
		return next(ctx, cmd)
	}
}

func (beforeCommand) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestVerifyTrimmedMeanwhile trims the log while Verify walks it: what is gone was not lost.
func TestVerifyTrimmedMeanwhile(t *testing.T) {
	server := redistest.Start(t)
	client, other := server.Client(t), server.Client(t)
	s := open(t, client, &redisstore.Options{Namespace: "verify"})
	r := must(t, s, create(id("a"), ""))
	for range 700 {
		r = must(t, s, update(r, ""))
	}
	must(t, s, create(installation.Key{Tenant: "other", ID: "a"}, ""))
	kept := int64(800)
	client.AddHook(beforeCommand{"xrange", func() {
		other.XTrimMaxLen(t.Context(), verifyEvents, kept)
		kept /= 10
	}})
	if report := verified(t, s, nil, nil); report.Events != 580 {
		t.Errorf("%d events were checked, want a page of 500 and what is left", report.Events)
	}
}
