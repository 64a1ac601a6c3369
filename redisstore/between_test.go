package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/internal/servertest"
	"github.com/go-installation/installation/redisstore"
)

// between is a hook of a client. It sends the commands of a pipeline one by one, and calls a
// function before and after each command.
type between struct {
	before, after atomic.Pointer[func(redis.Cmder)]
}

func (h *between) call(f *atomic.Pointer[func(redis.Cmder)], cmd redis.Cmder) {
	if call := f.Load(); call != nil {
		(*call)(cmd)
	}
}

// DialHook implements [redis.Hook].
func (*between) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements [redis.Hook].
func (h *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.call(&h.before, cmd)
		err := next(ctx, cmd)
		h.call(&h.after, cmd)
		return err
	}
}

// ProcessPipelineHook implements [redis.Hook].
func (h *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		var errs []error
		for _, cmd := range commands {
			h.call(&h.before, cmd)
			errs = append(errs, next(ctx, []redis.Cmder{cmd}))
			h.call(&h.after, cmd)
		}
		return errors.Join(errs...)
	}
}

// first makes a hook call f once, at the next command with this name. The field at of the hook says
// whether it does so before or after the command.
func first(at *atomic.Pointer[func(redis.Cmder)], name string, f func()) {
	once := sync.OnceFunc(f)
	call := func(cmd redis.Cmder) {
		if cmd.Name() == name {
			once()
		}
	}
	at.Store(&call)
}

// openBetween opens another store of the same data, with a client that has the hook h.
func (r *restorable) openBetween(t *testing.T, h *between) *redisstore.Store {
	t.Helper()
	o := &redisstore.Options{Namespace: restoredNamespace, FailoverLoss: 1}
	return open(t, r.betweenClient(t, h), o)
}

func (r *restorable) betweenClient(t *testing.T, h *between) *redis.Client {
	client := redistest.NewClient(t, &redis.Options{Addr: r.server.Addr})
	client.AddHook(h)
	return client
}

// TestTrimmedWhileCompared trims the log between the commands of one comparison.
func TestTrimmedWhileCompared(t *testing.T) {
	r := startRestorable(t, 1)
	var h between
	s := r.openBetween(t, &h)
	must(t, s, create(id("a"), ""), create(id("b"), ""))
	client := r.server.Client(t)
	first(&h.after, "xrange", func() { client.XTrimMaxLen(t.Context(), "{restored:00}:e", 0) })
	if f := findingOf(t, s, "history"); f.Level != health.OK {
		t.Errorf("finding %+v, want none", f)
	}
	if n := client.XLen(t.Context(), "{restored:00}:e").Val(); n != 0 {
		t.Errorf("%d events, want none", n)
	}
	must(t, s, create(id("c"), ""))
}

// TestAnswerAndFailover loses an event in a failover, after the server has answered the commit and
// before the store has read the answer. The event does not become settled.
func TestAnswerAndFailover(t *testing.T) {
	r := startRestorable(t, 1)
	var h between
	s := r.openBetween(t, &h)
	must(t, s, create(id("a"), ""))
	client := r.server.Client(t)
	kept := client.HGetAll(t.Context(), "{restored:00}:h").Val()
	first(&h.after, "evalsha", func() {
		lost := client.XRevRangeN(t.Context(), "{restored:00}:e", "+", "-", 1).Val()[0].ID
		client.XDel(t.Context(), "{restored:00}:e", lost)
		client.HSet(t.Context(), "{restored:00}:h", kept)
	})
	must(t, s, create(id("b"), ""))
	get(t, s, id("a"))
	if f := findingOf(t, s, "history"); f.Level != health.Warning {
		t.Errorf("finding %+v, want a warning", f)
	}
}

// TestAcceptedBeforeNoticed accepts a restore before a running process has noticed it. That process
// goes on at once, in the new epoch.
func TestAcceptedBeforeNoticed(t *testing.T) {
	r := startRestorable(t, 4)
	must(t, r.store, create(id("a"), ""))
	backup := r.server.Snapshot(t)
	must(t, r.store, create(id("lost"), ""))
	r.server.Restore(t, backup)
	in, err := r.open(t, &redisstore.Options{}).AcceptRestore(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	get(t, r.store, id("a"))
	if got, err := r.store.Namespace(t.Context()); err != nil || got != in {
		t.Errorf("namespace %+v, error %v, want %+v", got, err, in)
	}
	if f := findingOf(t, r.store, "history"); f.Level != health.OK {
		t.Errorf("finding %+v, want none", f)
	}
}

// TestReaderNoticesOlderEpoch restores a backup that has all events, but lacks the last epoch.
func TestReaderNoticesOlderEpoch(t *testing.T) {
	r := startRestorable(t, 1)
	must(t, r.store, create(id("a"), ""))
	backup := r.server.Snapshot(t)
	if _, err := r.store.AcceptRestore(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	r.server.Restore(t, backup)
	for range 2 {
		_, err := r.store.Get(t.Context(), id("a"))
		wantRestored(t, "get", err)
	}
	if _, err := r.store.AcceptRestore(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	get(t, r.store, id("a"))
}

// TestOneBucketRestored restores one bucket of four. Calls for another bucket notice it.
func TestOneBucketRestored(t *testing.T) {
	r := startRestorable(t, 4)
	client := r.server.Client(t)
	first, other := tenant(0), tenant(1)
	for w := 2; redisstore.BucketOf(other, 4) == redisstore.BucketOf(first, 4); w++ {
		other = tenant(w)
	}
	keys := []installation.Key{{Tenant: first, ID: "a"}, {Tenant: other, ID: "a"}}
	must(t, r.store, create(keys[0], ""), create(keys[1], ""))
	before := make(map[string]string)
	for _, k := range keysOf(t, client, "{restored:"+redisstore.BucketOf(first, 4)+"}:*") {
		before[k] = client.Dump(t.Context(), k).Val()
	}
	must(t, r.store, create(installation.Key{Tenant: first, ID: "lost"}, ""))
	for k, dump := range before {
		client.RestoreReplace(t.Context(), k, 0, dump)
	}
	_, err := r.store.Get(t.Context(), keys[1])
	wantRestored(t, "get in another bucket", err)
	_, err = r.store.Commit(t.Context(), create(installation.Key{Tenant: other, ID: "b"}, ""))
	wantRestored(t, "commit in another bucket", err)
}

// TestAcceptanceIsLost loses the raised epoch of a bucket, like a failover in the middle of an
// acceptance. AcceptRestore raises the epoch again.
func TestAcceptanceIsLost(t *testing.T) {
	r := startRestorable(t, 1)
	var h between
	s := r.openBetween(t, &h)
	client := r.server.Client(t)
	was := metaMember(t, client, "{restored:00}")
	first(&h.after, "evalsha", func() {
		client.ZRem(t.Context(), "{restored:00}:x", metaMember(t, client, "{restored:00}"))
		client.ZAdd(t.Context(), "{restored:00}:x", redis.Z{Member: was})
	})
	now := time.Now()
	in, err := s.AcceptRestore(t.Context(), now)
	if err != nil || in.Epoch != now.UnixMicro() {
		t.Errorf("namespace %+v, error %v, want the epoch %d", in, err, now.UnixMicro())
	}
	got, err := r.open(t, &redisstore.Options{}).Namespace(t.Context())
	if err != nil || got != in {
		t.Errorf("namespace %+v, error %v, want %+v", got, err, in)
	}
}

// TestAcceptedWhileTried accepts a restore just before a script of Open, of Health and of Verify.
// All three succeed.
func TestAcceptedWhileTried(t *testing.T) {
	r := startRestorable(t, 4)
	var h between
	accept := func() {
		if _, err := r.store.AcceptRestore(t.Context(), time.Now()); err != nil {
			t.Error(err)
		}
	}
	first(&h.before, "evalsha", accept)
	s := r.openBetween(t, &h)
	first(&h.before, "evalsha", accept)
	level(t, healthOf(t, s), "scripts", health.OK)
	first(&h.before, "evalsha", accept)
	checkIndex(t, s)
}

// TestBucketRaisedMeanwhile opens a store while one of two buckets still has the old epoch. That
// bucket gets the new epoch just after the script of a commit has not found it there. The commit
// succeeds.
func TestBucketRaisedMeanwhile(t *testing.T) {
	r := startRestorable(t, 2)
	client := r.server.Client(t)
	low, high := raiseByHand(t, client, "00")
	s := r.open(t, &redisstore.Options{FailoverLoss: time.Hour})
	key := installation.Key{Tenant: tenant(0), ID: "a"}
	for w := 1; redisstore.BucketOf(key.Tenant, 2) != "01"; w++ {
		key.Tenant = tenant(w)
	}
	var h between
	s.SetClient(r.betweenClient(t, &h))
	first(&h.after, "evalsha", func() {
		client.ZAdd(t.Context(), "{restored:01}:x", redis.Z{Member: high})
		client.ZRem(t.Context(), "{restored:01}:x", low)
	})
	must(t, s, createIn(installation.Namespace{Epoch: 7}, key))
}

// raiseByHand raises the epoch of a bucket from 0 to 7, and returns both metas.
func raiseByHand(t *testing.T, client *redis.Client, bucket string) (low, high string) {
	t.Helper()
	index := "{restored:" + bucket + "}:x"
	low = metaMember(t, client, "{restored:"+bucket+"}")
	high = strings.Replace(low, " 0 -", " 7 0123", 1)
	client.ZAdd(t.Context(), index, redis.Z{Member: high})
	client.ZRem(t.Context(), index, low)
	return low, high
}

// TestAcceptanceEnds ends the context of AcceptRestore after one bucket, after two, and so on. A
// repeat completes the work: then this process and another one can write.
func TestAcceptanceEnds(t *testing.T) {
	r := startRestorable(t, 4)
	var h between
	s := r.openBetween(t, &h)
	for buckets := 1; buckets <= 4; buckets++ {
		ctx, cancel := context.WithCancel(t.Context())
		left := buckets
		end := func(cmd redis.Cmder) {
			if cmd.Name() == "evalsha" {
				if left--; left == 0 {
					cancel()
				}
			}
		}
		h.after.Store(&end)
		if in, err := s.AcceptRestore(ctx, time.Now()); !errors.Is(err, context.Canceled) {
			t.Errorf("after %d buckets: namespace %+v, error %v, want %v",
				buckets, in, err, context.Canceled)
		}
		h.after.Store(nil)
		in, err := s.AcceptRestore(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range []*redisstore.Store{r.store, s} {
			must(t, s, createIn(in, id("%d by %d", buckets, i)))
			if got, err := s.Namespace(t.Context()); err != nil || got != in {
				t.Errorf("namespace %+v, error %v, want %+v", got, err, in)
			}
		}
	}
}

// TestAcceptanceUnderLosses loses the first try of each script of AcceptRestore, or the answer to
// it.
func TestAcceptanceUnderLosses(t *testing.T) {
	r := startRestorable(t, 4)
	proxy := redistest.StartProxy(t, r.server.Addr)
	s := open(t, redistest.NewClient(t, &redis.Options{Addr: proxy.Addr(), MaxRetries: -1}),
		&redisstore.Options{Namespace: restoredNamespace})
	for _, loss := range []servertest.Loss{servertest.LoseAnswer, servertest.LoseRequest} {
		var scripts atomic.Int64
		proxy.Lose(func() servertest.Loss {
			if scripts.Add(1)%2 == 1 {
				return loss
			}
			return servertest.LoseNothing
		}, nil)
		in, err := s.AcceptRestore(t.Context(), time.Now())
		if err != nil || scripts.Load() != 8 {
			t.Errorf("namespace %+v, error %v after %d scripts", in, err, scripts.Load())
		}
		proxy.Lose(nil, nil)
		must(t, r.store, createIn(in, id("%d", in.Epoch)))
	}
}

// TestContextEndsAtAnswer ends the context of a write when its answer has arrived. The comparison
// that is due then may not hide that the change was applied.
func TestContextEndsAtAnswer(t *testing.T) {
	r := startRestorable(t, 1)
	var h between
	s := r.openBetween(t, &h)
	put := func(row installation.Row) func(context.Context) error {
		return func(ctx context.Context) error {
			written, err := s.Put(ctx, time.Now(), row)
			if !written {
				t.Errorf("the row %+v is not written", row)
			}
			return err
		}
	}
	outcome := &installation.Outcome{
		Digest: installation.Digest{1}, Until: time.Now().Add(time.Hour), Data: []byte("x"),
	}
	for name, write := range map[string]func(context.Context) error{
		"commit": func(ctx context.Context) error {
			_, err := s.Commit(ctx, create(id("a"), ""))
			return err
		},
		"put of a record":   put(installation.Row{}.Apply(create(id("b"), ""))),
		"put of an outcome": put(installation.Row{Tenant: id("a").Tenant, Outcome: outcome}),
	} {
		ctx, cancel := context.WithCancel(t.Context())
		after := func(cmd redis.Cmder) {
			if strings.HasPrefix(cmd.Name(), "eval") && cmd.Err() == nil {
				cancel()
			}
		}
		h.after.Store(&after)
		if err := write(ctx); err != nil || ctx.Err() == nil {
			t.Errorf("%s: got error %v, context error %v, want none, and a context that ended",
				name, err, ctx.Err())
		}
	}
}
