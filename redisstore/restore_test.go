package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

const restoredNamespace = "restored"

// restorable is a server with a store on it, which remembers events at once.
type restorable struct {
	server *redistest.Server
	store  *redisstore.Store
}

func startRestorable(t *testing.T, buckets int) *restorable {
	r := &restorable{server: redistest.Start(t)}
	r.store = r.open(t, &redisstore.Options{Buckets: buckets})
	return r
}

// open opens another store on the namespace, as another process does.
func (r *restorable) open(t *testing.T, o *redisstore.Options) *redisstore.Store {
	t.Helper()
	o.Namespace = restoredNamespace
	if o.FailoverLoss == 0 {
		o.FailoverLoss = 1
	}
	return open(t, redistest.NewClient(t, &redis.Options{Addr: r.server.Addr}), o)
}

func wantRestored(tb testing.TB, what string, err error) {
	tb.Helper()
	if !errors.Is(err, installation.ErrRestored) || !errors.Is(err, installation.ErrUnavailable) {
		tb.Errorf("%s: error %v, want %v", what, err, installation.ErrRestored)
	}
}

// findingOf returns the finding of a rule.
func findingOf(t *testing.T, s *redisstore.Store, rule string) health.Finding {
	t.Helper()
	for _, f := range healthOf(t, s) {
		if f.Rule == rule {
			return f
		}
	}
	t.Fatalf("no finding of the rule %q", rule)
	return health.Finding{}
}

// TestInvariant22RestoreIsNoticed restores a backup under a running store. Whatever the store is
// asked first, it answers that the data went back, and writes nothing.
func TestInvariant22RestoreIsNoticed(t *testing.T) {
	r := startRestorable(t, 1)
	stored := must(t, r.store, create(id("a"), "first"))
	backup := r.server.Snapshot(t)
	listed := installation.Query{Tenant: "tenant", Term: "all", Limit: 10}
	logged := installation.EventQuery{Tenant: "tenant", Limit: 10}
	for what, call := range map[string]func(context.Context, *redisstore.Store) error{
		"commit": func(ctx context.Context, s *redisstore.Store) error {
			_, err := s.Commit(ctx, update(stored, "after the restore"))
			return err
		},
		"get": func(ctx context.Context, s *redisstore.Store) error {
			_, err := s.Get(ctx, id("a"))
			return err
		},
		"get of what was lost": func(ctx context.Context, s *redisstore.Store) error {
			_, err := s.Get(ctx, id("lost"))
			return err
		},
		"outcome": func(ctx context.Context, s *redisstore.Store) error {
			_, err := s.Outcome(ctx, "tenant", installation.Digest{1})
			return err
		},
		"list": func(ctx context.Context, s *redisstore.Store) error {
			_, err := s.List(ctx, listed)
			return err
		},
		"count": func(ctx context.Context, s *redisstore.Store) error {
			_, err := s.Count(ctx, listed)
			return err
		},
		"events": func(ctx context.Context, s *redisstore.Store) error {
			_, err := s.Events(ctx, logged)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := r.open(t, &redisstore.Options{})
			must(t, s, create(id("lost"), "lost"), create(id("lost too"), "lost"))
			r.server.Restore(t, backup)
			wantRestored(t, what, call(t.Context(), s))
			wantRestored(t, what+" again", call(t.Context(), s))
			if f := findingOf(t, s, "history"); f.Level != health.Error {
				t.Errorf("finding %+v, want an error", f)
			}
			// A new process knows nothing of the lost time.
			fresh := r.open(t, &redisstore.Options{})
			if got := get(t, fresh, id("a")); got.Revision != stored.Revision {
				t.Errorf("revision %d, want %d", got.Revision, stored.Revision)
			}
		})
	}
}

// TestRestoreBeforeFirstEvent restores a backup that was made before there were any events. New
// events do not hide that the old ones are gone.
func TestRestoreBeforeFirstEvent(t *testing.T) {
	r := startRestorable(t, 1)
	backup := r.server.Snapshot(t)
	must(t, r.store, create(id("a"), ""), create(id("b"), ""))
	r.server.Restore(t, backup)
	must(t, r.open(t, &redisstore.Options{}), create(id("c"), ""), create(id("d"), ""))
	_, err := r.store.Get(t.Context(), id("c"))
	wantRestored(t, "get", err)
}

// TestTrimmedEventIsNoRestore trims the log so far that nothing is left of what a store has seen.
func TestTrimmedEventIsNoRestore(t *testing.T) {
	for what, trim := range map[string]string{"some": "1", "all": "0"} {
		t.Run(what, func(t *testing.T) {
			r := startRestorable(t, 1)
			must(t, r.store, create(id("a"), ""), create(id("b"), ""))
			other := r.open(t, &redisstore.Options{})
			must(t, other, create(id("c"), ""), create(id("d"), ""))
			client := r.server.Client(t)
			client.Do(t.Context(), "xtrim", "{restored:00}:e", "maxlen", trim)
			must(t, r.store, create(id("e"), ""))
			get(t, r.store, id("c"))
			if f := findingOf(t, r.store, "history"); f.Level != health.OK {
				t.Errorf("finding %+v, want none", f)
			}
		})
	}
}

// TestFailoverLossIsFinding loses only what was written within FailoverLoss: nobody stops.
func TestFailoverLossIsFinding(t *testing.T) {
	r := startRestorable(t, 1)
	s := r.open(t, &redisstore.Options{FailoverLoss: time.Hour})
	must(t, s, create(id("a"), ""))
	backup := r.server.Snapshot(t)
	must(t, s, create(id("lost"), ""))
	healthOf(t, s) // looks for the event, which is there, and too young to be settled
	r.server.Restore(t, backup)
	get(t, s, id("a"))
	must(t, s, create(id("b"), ""))
	if f := findingOf(t, s, "history"); f.Level != health.Warning {
		t.Errorf("finding %+v, want a warning", f)
	}
}

// TestAcceptRestore accepts the same backup twice, each time by two operators at once.
func TestAcceptRestore(t *testing.T) {
	r := startRestorable(t, 4)
	must(t, r.store, create(id("a"), ""))
	backup := r.server.Snapshot(t)
	began, err := r.store.Namespace(t.Context())
	if err != nil || began.Epoch != 0 || began.Era != "" || began.ID == "" {
		t.Fatalf("namespace %+v, error %v", began, err)
	}
	before := began
	for round := range 2 {
		other := r.open(t, &redisstore.Options{})
		must(t, r.store, createIn(before, id("lost %d", round)),
			createIn(before, id("lost too %d", round)))
		get(t, other, id("lost %d", round))
		r.server.Restore(t, backup)
		_, err := r.store.Get(t.Context(), id("a"))
		wantRestored(t, "get", err)

		var accepted [2]installation.Namespace
		var wait sync.WaitGroup
		for i, s := range []*redisstore.Store{r.store, other} {
			wait.Go(func() {
				in, err := s.AcceptRestore(t.Context(), time.Unix(int64(1e9-i), 0))
				if err != nil {
					t.Error(err)
				}
				accepted[i] = in
			})
		}
		wait.Wait()
		fresh := r.open(t, &redisstore.Options{})
		now, err := fresh.Namespace(t.Context())
		if err != nil || now.ID != began.ID || now.Epoch <= before.Epoch ||
			now.Epoch < max(accepted[0].Epoch, accepted[1].Epoch) || now.Era == before.Era {
			t.Errorf("namespace %+v, error %v, after %+v and %+v", now, err, before, accepted)
		}
		for _, s := range []*redisstore.Store{r.store, other, fresh} {
			get(t, s, id("a"))
			_, err := s.Commit(t.Context(), createIn(before, id("b")))
			if !errors.Is(err, installation.ErrEpoch) {
				t.Errorf("commit of another epoch: error %v, want %v", err, installation.ErrEpoch)
			}
			if in, err := s.Namespace(t.Context()); err != nil || in != now {
				t.Errorf("namespace %+v, error %v, want %+v", in, err, now)
			}
		}
		checkIndex(t, r.store)
		before = now
	}
}

// createIn is create in an epoch.
func createIn(in installation.Namespace, key installation.Key) installation.Change {
	c := create(key, "")
	c.Epoch, c.Record.Revision = in.Epoch, max(1, in.Epoch)
	return c
}

// TestOwnCommitOfAnotherEpoch repeats a commit that was applied before a restore was accepted.
func TestOwnCommitOfAnotherEpoch(t *testing.T) {
	r := startRestorable(t, 1)
	c := create(id("a"), "")
	must(t, r.store, c)
	if _, err := r.store.AcceptRestore(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	receipt, err := r.store.Commit(t.Context(), c)
	if err != nil || !receipt.Replayed {
		t.Errorf("receipt %+v, error %v, want a replay", receipt, err)
	}
}

// TestRestoreAcceptedInPart raises the epoch of two of four buckets, as an operator whose command
// was killed. Until the restore is accepted again, every store says so if a commit meets a bucket
// of another epoch than the store knows.
func TestRestoreAcceptedInPart(t *testing.T) {
	r := startRestorable(t, 4)
	client := r.server.Client(t)
	for _, bucket := range []string{"00", "01"} {
		raiseByHand(t, client, bucket)
	}
	fresh := r.open(t, &redisstore.Options{})
	for _, s := range []*redisstore.Store{r.store, fresh} {
		failed := 0
		for w := range 20 {
			key := installation.Key{Tenant: tenant(w), ID: "a"}
			_, err := s.Commit(t.Context(), create(key, ""))
			if errors.Is(err, installation.ErrUnavailable) {
				failed++
				wantRestored(t, "commit", err)
			}
		}
		if failed == 0 {
			t.Error("no bucket was unavailable")
		}
	}
	in, err := fresh.AcceptRestore(t.Context(), time.Unix(0, 0))
	if err != nil || in.Epoch != 8 {
		t.Fatalf("namespace %+v, error %v, want the epoch 8", in, err)
	}
	for w := range 20 {
		must(t, r.store, createIn(in, installation.Key{Tenant: tenant(w), ID: "b"}))
	}
}

// TestExpect opens stores that name the namespace which must be there.
func TestExpect(t *testing.T) {
	r := startRestorable(t, 2)
	backup := r.server.Snapshot(t)
	began, _ := r.store.Namespace(t.Context())
	accepted, err := r.store.AcceptRestore(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	opened := func(o redisstore.Options) error {
		o.Namespace = restoredNamespace
		client := redistest.NewClient(t, &redis.Options{Addr: r.server.Addr})
		_, err := redisstore.Open(t.Context(), client, &o)
		return err
	}
	expect := redisstore.Options{Expect: redisstore.Expect{ID: began.ID, MinEpoch: accepted.Epoch}}
	if err := opened(expect); err != nil {
		t.Error(err)
	}
	r.server.Restore(t, backup)
	wantRestored(t, "open a backup", opened(expect))
	expect.Expect.MinEpoch = 0
	if err := opened(expect); err != nil {
		t.Error(err)
	}
	expect.Expect.ID = "another"
	wantUnavailable(t, "open another namespace", opened(expect))

	r.server.Client(t).FlushAll(t.Context())
	expect.Expect.ID = began.ID
	err = opened(expect)
	wantUnavailable(t, "open an empty server", err)
	if !strings.Contains(err.Error(), began.ID) {
		t.Errorf("error %v, want one that names %s", err, began.ID)
	}
	if n := r.server.Client(t).DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were written", n)
	}
	if err := opened(redisstore.Options{}); err != nil { // begins a new namespace
		t.Error(err)
	}
	_, err = r.store.Get(t.Context(), id("a"))
	wantUnavailable(t, "get in another namespace", err)
	if errors.Is(err, installation.ErrRestored) {
		t.Errorf("error %v, want none that asks to accept it", err)
	}
}
