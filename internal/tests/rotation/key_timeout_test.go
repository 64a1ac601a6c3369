package rotation

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// slowWorld is a world with the keys of a key service behind a cache.
type slowWorld struct {
	*fixture.World
	service *fixture.KeyService
	keys    *crypto.Cache
	host    *installation.Service
}

// inSlowWorld runs a test in a bubble, with the installations i-0 to i-(n-1) and an
// invitation.
func inSlowWorld(
	t *testing.T, n int, opts crypto.KMSOptions, test func(t *testing.T, s *slowWorld),
) {
	t.Helper()
	fixture.InBubble(t, func(t *testing.T) {
		s := &slowWorld{
			World: fixture.NewWorld(t), service: fixture.NewKeyService(t, fixture.ServiceSecret),
		}
		s.keys = fixture.NewCache(t, s.service.Key(t, "kms1", opts), nil)
		s.host = s.On(t, s.Store, s.keys)
		s.Fill(t, s.host, n)
		if _, err := s.host.Invite(t.Context(), installation.InviteRequest{
			ID: "invited", Parts: installation.Parts{Extension: fixture.Parts().Extension},
		}); err != nil {
			t.Fatal(err)
		}
		s.keys.Clear()
		test(t, s)
	})
}

// within makes a call with a deadline while the key service hangs. It returns how long the
// call took and how often it called the key service.
func (s *slowWorld) within(
	t *testing.T, limit time.Duration, call func(ctx context.Context) error,
) (took time.Duration, asked int64, err error) {
	t.Helper()
	s.service.Hangs.Store(true)
	defer s.service.Hangs.Store(false)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	calls, start := s.service.Calls.Load(), time.Now()
	err = call(ctx)
	return time.Since(start), s.service.Calls.Load() - calls, err
}

// endingCalls returns calls that end an installation, each with the time it takes and the
// number of calls of a hanging key service, within two seconds.
func endingCalls(t *testing.T, s *slowWorld) []endingCall {
	t.Helper()
	return []endingCall{
		{"uninstall", func(ctx context.Context) error {
			res, err := s.host.Uninstall(ctx, installation.UninstallRequest{ID: "i-0"})
			if err == nil && (res.Status != installation.StatusUninstalled ||
				!errors.Is(res.Err, installation.ErrKeyUnavailable)) {
				t.Errorf("uninstalled: %+v", res.Installation)
			}
			return err
		}, time.Second, 1},
		{"uninstall by a platform", func(ctx context.Context) error {
			platform := s.host.As(installation.Actor{Kind: installation.Platform})
			_, err := platform.Uninstall(ctx, installation.UninstallRequest{ID: "i-1"})
			return err
		}, time.Second, 1},
		{"expire", func(ctx context.Context) error {
			_, err := s.host.Expire(ctx, installation.ExpireRequest{ID: "invited"})
			return err
		}, time.Second, 1},
		{"delete", func(ctx context.Context) error {
			_, err := s.host.Delete(ctx, installation.DeleteRequest{ID: "i-2"})
			return err
		}, 0, 0},
	}
}

type endingCall struct {
	name  string
	call  func(ctx context.Context) error
	took  time.Duration
	asked int64
}

// A call that ends an installation and loses nothing waits for the key during half of the
// caller's remaining time. Then it goes on without the key.
func TestEndingDoesNotWaitForKeyService(t *testing.T) {
	inSlowWorld(t, 3, crypto.KMSOptions{Timeout: time.Hour}, func(t *testing.T, s *slowWorld) {
		for _, test := range endingCalls(t, s) {
			took, asked, err := s.within(t, 2*time.Second, test.call)
			if err != nil || took != test.took || asked != test.asked {
				t.Errorf("%s: %v after %v and %d calls, want %v and %d",
					test.name, err, took, asked, test.took, test.asked)
			}
		}
		for _, id := range []string{"i-0", "i-1"} {
			i, err := s.host.Get(t.Context(), id)
			if err != nil || i.Status != installation.StatusUninstalled || i.Configuration == nil {
				t.Errorf("%s, the key service is back: %+v, %v", id, i, err)
			}
		}
		i, err := s.host.Get(t.Context(), "invited")
		if err != nil || i.Status != installation.StatusExpired || i.Invitation == nil {
			t.Errorf("the invitation, the key service is back: %+v, %v", i, err)
		}
		_, err = s.host.Get(t.Context(), "i-2")
		fixture.WantErr(t, "deleted", err, installation.ErrNotFound)
		s.keys.Clear()
		wantWaitForKey(t, s)
	})
}

// wantWaitForKey fails the test unless an uninstall by a customer and a guarded delete of i-0
// wait for the key. The account and the time of the installation are sealed.
func wantWaitForKey(t *testing.T, s *slowWorld) {
	t.Helper()
	customer := s.host.As(installation.Actor{Kind: installation.Customer, ID: "ACC-i-0"})
	_, _, err := s.within(t, 2*time.Second, func(ctx context.Context) error {
		_, err := customer.Uninstall(ctx, installation.UninstallRequest{ID: "i-0"})
		return err
	})
	fixture.WantErr(t, "uninstall by a customer", err, context.DeadlineExceeded)
	took, _, err := s.within(t, 2*time.Second, func(ctx context.Context) error {
		_, err := s.host.Delete(ctx, installation.DeleteRequest{
			ID: "i-0", Guard: installation.Guard{InstalledBefore: s.Now().Add(time.Hour)},
		})
		return err
	})
	fixture.WantErr(t, "guarded delete", err, installation.ErrKeyUnavailable)
	if took != time.Second {
		t.Errorf("a delete that needs the key took %v", took)
	}
}

// A delete shows a policy the whole record, not only its index, while its key is available.
func TestDeleteShowsPolicyTheRecord(t *testing.T) {
	inSlowWorld(t, 1, crypto.KMSOptions{}, func(t *testing.T, s *slowWorld) {
		asked := 0
		policy := func(
			_ installation.Actor, do installation.Action, i *installation.Installation,
		) bool {
			asked++
			return do != installation.ActionDelete || i.Configuration == nil && i.Err != nil
		}
		svc, err := installation.New(s.Store, s.keys, &installation.Options{
			Now: s.Now, Policy: policy,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = svc.In("tenant-1").As(installation.Actor{Kind: installation.Host}).Delete(
			t.Context(), installation.DeleteRequest{ID: "i-0"},
		)
		fixture.WantErr(t, "delete", err, installation.ErrForbidden)
		if asked == 0 {
			t.Error("the policy was not called")
		}
	})
}

// uninstallFinally uninstalls with Final while the key service hangs.
func (s *slowWorld) uninstallFinally(
	t *testing.T, id string,
) (res *installation.Result, took time.Duration, err error) {
	t.Helper()
	took, _, err = s.within(t, 2*time.Second, func(ctx context.Context) (err error) {
		res, err = s.host.Uninstall(ctx, installation.UninstallRequest{ID: id, Final: true})
		return err
	})
	return res, took, err
}

// A final uninstall whose caller has too little time to wait for the key purges nothing, since
// it would lose the whole content. The record is uninstalled, a later sweep vouches for that, and
// the sweep after the grace purges it.
func TestKeyTimeoutShredsNothing(t *testing.T) {
	inSlowWorld(t, 3, crypto.KMSOptions{Timeout: time.Hour}, func(t *testing.T, s *slowWorld) {
		res, took, err := s.uninstallFinally(t, "i-0")
		if err != nil || took != time.Second || res.Status != installation.StatusUninstalled ||
			res.Purged {
			t.Fatalf("final: %+v, %v after %v; want an uninstall without a purge after a second",
				res, err, took)
		}
		if events := s.Events(t); events[len(events)-1].Type != event.Uninstalled {
			t.Errorf("the last event is %s", events[len(events)-1].Type)
		}
		s.keys.Clear()

		report := installation.SweepReport{}
		_, _, err = s.within(t, 2*time.Second, func(ctx context.Context) (err error) {
			report, err = s.host.Sweep(ctx, installation.SweepRequest{})
			return err
		})
		if err != nil || report != (installation.SweepReport{Waiting: 1}) {
			t.Errorf("sweep with a short deadline: %+v, %v", report, err)
		}
		_, _, err = s.uninstallFinally(t, "i-0")
		fixture.WantErr(t, "final again", err, installation.ErrKeyUnavailable)
		i, err := s.host.Get(t.Context(), "i-0")
		if err != nil || i.Purged || i.Account.ID != "ACC-i-0" {
			t.Fatalf("something was lost: %+v, %v", i, err)
		}

		for _, want := range []installation.SweepReport{{Vouched: 1}, {Purged: 1}} {
			report, err = s.host.Sweep(t.Context(), installation.SweepRequest{})
			if err != nil || report != want {
				t.Errorf("sweep, the key service is back: %+v, %v, want %+v", report, err, want)
			}
			s.Advance(24 * time.Hour)
		}
		i, err = s.host.Get(t.Context(), "i-0")
		if err != nil || !i.Purged || i.Configuration != nil || i.Account.ID != "ACC-i-0" {
			t.Errorf("purged: %+v, %v", i, err)
		}
	})
}

// A final uninstall with a cached key opens the record. It shreds nothing either when the new
// key cannot be wrapped in time.
func TestKeyTimeoutShredsNothingWithCachedKey(t *testing.T) {
	inSlowWorld(t, 3, crypto.KMSOptions{Timeout: time.Hour}, func(t *testing.T, s *slowWorld) {
		fixture.WantReadable(t, s.host, "i-1")
		res, _, err := s.uninstallFinally(t, "i-1")
		if err != nil || res.Status != installation.StatusUninstalled ||
			res.Purged || res.Configuration == nil {
			t.Errorf("final, cached: %+v, %v", res, err)
		}
		s.keys.Clear()
		i, err := s.host.Get(t.Context(), "i-1")
		if err != nil || i.Audit.Uninstalled == nil {
			t.Errorf("final, cached: %+v, %v", i, err)
		}
	})
}

// A sweep waits once for a hanging key service, and leaves all records.
func TestSweepWaitsOnceForHangingKeyService(t *testing.T) {
	opts := crypto.KMSOptions{Timeout: 4 * time.Second}
	inSlowWorld(t, 10, opts, func(t *testing.T, s *slowWorld) {
		for i := range 10 {
			if _, err := s.host.Uninstall(t.Context(), installation.UninstallRequest{
				ID: fmt.Sprintf("i-%d", i),
			}); err != nil {
				t.Fatal(err)
			}
		}
		s.keys.Clear()
		s.Advance(25 * time.Hour)
		report := installation.SweepReport{}
		took, asked, err := s.within(t, 6*time.Second, func(ctx context.Context) (err error) {
			report, err = s.host.Sweep(ctx, installation.SweepRequest{})
			return err
		})
		if err != nil || report != (installation.SweepReport{Waiting: 10}) ||
			took != 3*time.Second || asked != 1 {
			t.Errorf("%+v, %v after %v and %d calls; want all to wait after one call",
				report, err, took, asked)
		}
	})
}

// cancellingKeys cancels its caller during a call.
type cancellingKeys struct {
	crypto.KeyWrapper
	cancel       context.CancelFunc
	wrap, unwrap bool // the calls that cancel
}

func (k *cancellingKeys) Wrap(
	ctx context.Context, key *crypto.DataKey, b crypto.Binding,
) (crypto.Wrapped, error) {
	if k.wrap {
		k.cancel()
	}
	return k.KeyWrapper.Wrap(ctx, key, b)
}

func (k *cancellingKeys) Unwrap(
	ctx context.Context, w crypto.Wrapped, b crypto.Binding,
) (*crypto.DataKey, error) {
	if k.unwrap {
		k.cancel()
	}
	return k.KeyWrapper.Unwrap(ctx, w, b)
}

// A cancelled caller shreds nothing, even on a store that would still accept the write.
func TestCancelledCallerShredsNothing(t *testing.T) {
	for _, keys := range []*cancellingKeys{{wrap: true}, {unwrap: true}} {
		r := fixture.NewWorld(t)
		r.Add(t, r.With(t, r.K1), "i-0")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		keys.KeyWrapper, keys.cancel = fixture.RingOf(t, r.K1), cancel
		commits := 0
		store := &hookedStore{Store: r.Store.Store}
		store.commit = func(
			ctx context.Context, c installation.Change,
		) (installation.Receipt, error) {
			commits++
			return r.Store.Store.Commit(context.WithoutCancel(ctx), c)
		}
		_, err := r.On(t, store, keys).Uninstall(ctx, installation.UninstallRequest{
			ID: "i-0", Final: true,
		})
		fixture.WantErr(t, "final", err, context.Canceled)
		if commits != 0 {
			t.Errorf("%+v: %d commits", keys, commits)
		}
		fixture.WantReadable(t, r.With(t, r.K1), "i-0")
	}
}
