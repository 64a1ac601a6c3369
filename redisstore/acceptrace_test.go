package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/redisstore"
)

// TestAcceptWhileUsed accepts a restore several times in two processes while both are in use. A
// call may fail because it found buckets of different epochs, and for no other reason. At the end,
// all calls work.
func TestAcceptWhileUsed(t *testing.T) {
	for _, buckets := range []int{1, 4, 64} {
		t.Run(fmt.Sprint(buckets), func(t *testing.T) {
			r := startRestorable(t, buckets)
			stores := []*redisstore.Store{r.store, r.open(t, &redisstore.Options{})}
			must(t, r.store, create(id("a"), ""))
			acceptWhileUsed(t, r, stores)
			in, err := r.store.AcceptRestore(t.Context(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range append(stores, r.open(t, &redisstore.Options{})) {
				get(t, s, id("a"))
				must(t, s, createIn(in, id("after %d", i)))
				if f := findingOf(t, s, "history"); f.Level != health.OK {
					t.Errorf("finding %+v, want none", f)
				}
				if got, err := s.Namespace(t.Context()); err != nil || got != in {
					t.Errorf("namespace %+v, error %v, want %+v", got, err, in)
				}
			}
			checkIndex(t, r.store)
		})
	}
}

// acceptWhileUsed calls AcceptRestore on all stores at once, and meanwhile all that usesOf returns.
func acceptWhileUsed(t *testing.T, r *restorable, stores []*redisstore.Store) {
	ctx, done := context.WithCancel(t.Context())
	var accepting, using sync.WaitGroup
	for w, s := range stores {
		accepting.Go(func() {
			for range 5 {
				if _, err := s.AcceptRestore(t.Context(), time.Now()); err != nil {
					t.Errorf("accept restore: %v", err)
				}
			}
		})
		for what, call := range usesOf(t, r, s, w) {
			using.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					err := call(n)
					split := errors.Is(err, installation.ErrRestored) ||
						errors.Is(err, installation.ErrEpoch)
					if err != nil && !split {
						t.Errorf("%s: %v", what, err)
					}
				}
			})
		}
	}
	accepting.Wait()
	done()
	using.Wait()
}

// usesOf returns calls of s, by name. Each can be repeated; n is the number of the repetition, and
// w that of the process.
func usesOf(
	t *testing.T, r *restorable, s *redisstore.Store, w int,
) map[string]func(n int) error {
	return map[string]func(n int) error{
		"commit": func(n int) error {
			in, err := s.Namespace(t.Context())
			if err == nil {
				key := installation.Key{Tenant: tenant(n), ID: fmt.Sprint(w, " ", n)}
				_, err = s.Commit(t.Context(), createIn(in, key))
			}
			return err
		},
		"get": func(int) error { _, err := s.Get(t.Context(), id("a")); return err },
		"get nothing": func(int) error {
			_, err := s.Get(t.Context(), id("none"))
			if errors.Is(err, installation.ErrNotFound) {
				return nil
			}
			return err
		},
		"verify": func(int) error {
			report, err := s.Verify(t.Context(), &redisstore.VerifyOptions{Repair: true})
			if err == nil && !report.Clean() {
				err = fmt.Errorf("report %+v", report)
			}
			return err
		},
		"health": func(int) error {
			for _, f := range healthOf(t, s) {
				if f.Level == health.Error && f.Rule != "history" {
					return errors.New(f.Detail)
				}
			}
			return nil
		},
		"open": func(int) error {
			client := redistest.NewClient(t, &redis.Options{Addr: r.server.Addr})
			_, err := redisstore.Open(t.Context(), client,
				&redisstore.Options{Namespace: restoredNamespace})
			return err
		},
	}
}

// TestHigherEpochStays raises the epoch of a bucket above the target of AcceptRestore, after
// AcceptRestore has read the bucket. The higher epoch wins.
func TestHigherEpochStays(t *testing.T) {
	r := startRestorable(t, 2)
	client := r.server.Client(t)
	var h between
	s := r.openBetween(t, &h)
	first(&h.before, "evalsha", func() { raiseByHand(t, client, "00") })
	in, err := s.AcceptRestore(t.Context(), time.UnixMicro(5))
	if err != nil || in.Epoch != 7 {
		t.Errorf("namespace %+v, error %v, want the epoch 7", in, err)
	}
}

// TestAcceptedAfterNoticed accepts a restore in a new process, after another one has noticed it.
// The next call of that one succeeds.
func TestAcceptedAfterNoticed(t *testing.T) {
	r := startRestorable(t, 2)
	must(t, r.store, create(id("a"), ""))
	backup := r.server.Snapshot(t)
	must(t, r.store, create(id("lost"), ""))
	r.server.Restore(t, backup)
	_, err := r.store.Get(t.Context(), id("a"))
	wantRestored(t, "get", err)
	fresh := r.open(t, &redisstore.Options{})
	if _, err := fresh.AcceptRestore(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	get(t, r.store, id("a"))
}
