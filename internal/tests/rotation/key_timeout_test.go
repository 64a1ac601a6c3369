package rotation

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// slow is a world whose keys are those of a key service, behind a cache as in a program.
type slow struct {
	*fixture.World
	service *fixture.KeyService
	keys    *crypto.Cache
	host    *installation.Service
}

// inBubble runs a test where time passes as soon as all wait.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if fips140.Enforced() {
		t.Skip("the FIPS module cannot seed its random numbers where time stands still")
	}
	synctest.Test(t, test)
}

// inSlow runs a test in a bubble with the installations i-0, i-1, ... and an invitation.
func inSlow(t *testing.T, n int, opts crypto.KMSOptions, test func(t *testing.T, s *slow)) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		s := &slow{World: fixture.NewWorld(t), service: fixture.NewKeyService(t, fixture.ServiceSecret)}
		s.keys = fixture.NewCache(t, s.service.Key(t, "kms1", opts), nil)
		s.host = s.On(t, s.Store, s.keys)
		s.Fill(t, s.host, n)
		if _, err := s.host.Invite(t.Context(), installation.InviteRequest{ID: "invited", Parts: installation.Parts{Extension: fixture.Parts().Extension}}); err != nil {
			t.Fatal(err)
		}
		s.keys.Clear()
		test(t, s)
	})
}

// within makes a call under a deadline while the key service hangs, and says how long it took and how often it asked.
func (s *slow) within(t *testing.T, limit time.Duration, call func(ctx context.Context) error) (took time.Duration, asked int64, err error) {
	t.Helper()
	s.service.Hangs.Store(true)
	defer s.service.Hangs.Store(false)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	calls, start := s.service.Calls.Load(), time.Now()
	err = call(ctx)
	return time.Since(start), s.service.Calls.Load() - calls, err
}

// What ends an installation and loses nothing by it waits for the key half of the time there is, and then goes on without it.
func TestEndingDoesNotWaitForKeyService(t *testing.T) {
	inSlow(t, 3, crypto.KMSOptions{Timeout: time.Hour}, func(t *testing.T, s *slow) {
		for _, test := range []struct {
			name  string
			call  func(ctx context.Context) error
			took  time.Duration
			asked int64
		}{
			{"uninstall", func(ctx context.Context) error {
				res, err := s.host.Uninstall(ctx, installation.UninstallRequest{ID: "i-0"})
				if err == nil && (res.Status != installation.StatusUninstalled || !errors.Is(res.Err, installation.ErrKeyUnavailable)) {
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
		} {
			took, asked, err := s.within(t, 2*time.Second, test.call)
			if err != nil || took != test.took || asked != test.asked {
				t.Errorf("%s: %v after %v and %d calls, want %v and %d", test.name, err, took, asked, test.took, test.asked)
			}
		}
		for _, id := range []string{"i-0", "i-1"} {
			if i, err := s.host.Get(t.Context(), id); err != nil || i.Status != installation.StatusUninstalled || i.Configuration == nil {
				t.Errorf("%s, the key service is back: %+v, %v", id, i, err)
			}
		}
		if i, err := s.host.Get(t.Context(), "invited"); err != nil || i.Status != installation.StatusExpired || i.Invitation == nil {
			t.Errorf("the invitation, the key service is back: %+v, %v", i, err)
		}
		_, err := s.host.Get(t.Context(), "i-2")
		fixture.WantErr(t, "deleted", err, installation.ErrNotFound)

		s.keys.Clear()
		// A customer's right is in what is sealed, and who must know when it was installed has to wait as well.
		customer := s.host.As(installation.Actor{Kind: installation.Customer, ID: "ACC-i-0"})
		_, _, err = s.within(t, 2*time.Second, func(ctx context.Context) error {
			_, err := customer.Uninstall(ctx, installation.UninstallRequest{ID: "i-0"})
			return err
		})
		fixture.WantErr(t, "uninstall by a customer", err, context.DeadlineExceeded)
		took, _, err := s.within(t, 2*time.Second, func(ctx context.Context) error {
			_, err := s.host.Delete(ctx, installation.DeleteRequest{ID: "i-0", Guard: installation.Guard{InstalledBefore: s.Now().Add(time.Hour)}})
			return err
		})
		if fixture.WantErr(t, "guarded delete", err, installation.ErrKeyUnavailable); took != time.Second {
			t.Errorf("a delete that needs the key took %v", took)
		}
	})
}

// A policy of the host's own is asked to delete what is stored, and not what an index says, as long as the key can be had.
func TestDeleteShowsPolicyWhatIsStored(t *testing.T) {
	inSlow(t, 1, crypto.KMSOptions{}, func(t *testing.T, s *slow) {
		asked := 0
		svc, err := installation.New(s.Store, s.keys, &installation.Options{Now: s.Now, Policy: func(a installation.Actor, do installation.Action, i *installation.Installation) bool {
			asked++
			return do != installation.ActionDelete || i.Configuration == nil && i.Err != nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = svc.In("tenant-1").As(installation.Actor{Kind: installation.Host}).Delete(t.Context(), installation.DeleteRequest{ID: "i-0"})
		if fixture.WantErr(t, "delete", err, installation.ErrForbidden); asked == 0 {
			t.Error("the policy was not asked")
		}
	})
}

// A purge without the key takes the whole content, so it takes more than a caller in a hurry: either the key service is out of reach by its
// own limit, or the record stays. Its secrets are out of reach all the same.
func TestKeyTimeoutShredsNothing(t *testing.T) {
	inSlow(t, 3, crypto.KMSOptions{Timeout: time.Hour}, func(t *testing.T, s *slow) {
		res := &installation.Result{}
		took, _, err := s.within(t, 2*time.Second, func(ctx context.Context) (err error) {
			res, err = s.host.Uninstall(ctx, installation.UninstallRequest{ID: "i-0", Final: true})
			return err
		})
		if err != nil || took != time.Second || res.Status != installation.StatusUninstalled || res.Purged {
			t.Fatalf("final: %+v, %v after %v; want it uninstalled and not purged after half of the time", res, err, took)
		}
		if events := s.Events(t); events[len(events)-1].Type != event.Uninstalled {
			t.Errorf("the last event is %s", events[len(events)-1].Type)
		}
		_, err = s.host.Reveal(t.Context(), installation.RevealRequest{ID: "i-0", Refs: []installation.Ref{installation.Ref("config/secret")}, Reason: "test"})
		fixture.WantErr(t, "reveal what is due to go", err, installation.ErrShredded)
		s.keys.Clear()

		report := installation.SweepReport{}
		_, _, err = s.within(t, 2*time.Second, func(ctx context.Context) (err error) {
			report, err = s.host.Sweep(ctx, 0)
			return err
		})
		if fixture.WantErr(t, "sweep in a hurry", err, installation.ErrKeyUnavailable); report.Failed != 1 || report.Purged != 0 {
			t.Errorf("%+v", report)
		}
		_, _, err = s.within(t, 2*time.Second, func(ctx context.Context) error {
			_, err := s.host.Uninstall(ctx, installation.UninstallRequest{ID: "i-0", Final: true})
			return err
		})
		fixture.WantErr(t, "final again, in a hurry", err, installation.ErrKeyUnavailable)
		if i, err := s.host.Get(t.Context(), "i-0"); err != nil || i.Purged || i.Account.ID != "ACC-i-0" {
			t.Fatalf("something was lost: %+v, %v", i, err)
		}

		if report, err = s.host.Sweep(t.Context(), 0); err != nil || report.Purged != 1 || report.Shredded != 0 {
			t.Errorf("sweep, the key service is back: %+v, %v", report, err)
		}
		if i, err := s.host.Get(t.Context(), "i-0"); err != nil || !i.Purged || i.Configuration != nil || i.Account.ID != "ACC-i-0" {
			t.Errorf("purged: %+v, %v", i, err)
		}

		// What is cached opens; that it cannot be wrapped anew in time is no reason to shred it either.
		fixture.WantReadable(t, s.host, "i-1")
		if _, _, err = s.within(t, 2*time.Second, func(ctx context.Context) (err error) {
			res, err = s.host.Uninstall(ctx, installation.UninstallRequest{ID: "i-1", Final: true})
			return err
		}); err != nil || res.Status != installation.StatusUninstalled || res.Purged || res.Configuration == nil {
			t.Errorf("final, cached: %+v, %v", res, err)
		}
		s.keys.Clear()
		if i, err := s.host.Get(t.Context(), "i-1"); err != nil || i.Audit.Uninstalled == nil {
			t.Errorf("final, cached: %+v, %v", i, err)
		}
	})
}

// Callers who give up teach the service that a key service hangs, so that what comes after them need not wait.
func TestSweepContinuesWhenKeyServiceHangs(t *testing.T) {
	inSlow(t, 10, crypto.KMSOptions{Timeout: 4 * time.Second}, func(t *testing.T, s *slow) {
		for i := range 10 {
			if _, err := s.host.Uninstall(t.Context(), installation.UninstallRequest{ID: fmt.Sprintf("i-%d", i)}); err != nil {
				t.Fatal(err)
			}
		}
		s.keys.Clear()
		s.Advance(25 * time.Hour)
		report := installation.SweepReport{}
		took, asked, err := s.within(t, 6*time.Second, func(ctx context.Context) (err error) {
			report, err = s.host.Sweep(ctx, 0)
			return err
		})
		if report.Purged != 9 || report.Shredded != 9 || report.Failed != 1 || took != 3*time.Second || asked != 1 {
			t.Errorf("%+v, %v after %v and %d calls; want all but the first purged after one wait", report, err, took, asked)
		}
	})
}

// leaving are keys whose caller goes away while they are asked.
type leaving struct {
	crypto.KeyWrapper
	leave        context.CancelFunc
	wrap, unwrap bool // whether it leaves then
}

func (l *leaving) Wrap(ctx context.Context, k *crypto.DataKey, b crypto.Binding) (crypto.Wrapped, error) {
	if l.wrap {
		l.leave()
	}
	return l.KeyWrapper.Wrap(ctx, k, b)
}

func (l *leaving) Unwrap(ctx context.Context, w crypto.Wrapped, b crypto.Binding) (*crypto.DataKey, error) {
	if l.unwrap {
		l.leave()
	}
	return l.KeyWrapper.Unwrap(ctx, w, b)
}

// A caller who goes away is no reason to shred anything, whether or not the store would still take it.
func TestCancelledCallerShredsNothing(t *testing.T) {
	for _, keys := range []*leaving{{wrap: true}, {unwrap: true}} {
		r := fixture.NewWorld(t)
		r.Add(t, r.With(t, r.K1), "i-0")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		keys.KeyWrapper, keys.leave = fixture.RingOf(t, r.K1), cancel
		commits := 0
		store := &meddler{Store: r.Store.Store, commit: func(ctx context.Context, c installation.Change) (installation.Receipt, error) {
			commits++
			return r.Store.Store.Commit(context.WithoutCancel(ctx), c)
		}}
		_, err := r.On(t, store, keys).Uninstall(ctx, installation.UninstallRequest{ID: "i-0", Final: true})
		if fixture.WantErr(t, "final", err, context.Canceled); commits != 0 {
			t.Errorf("%+v: %d commits", keys, commits)
		}
		fixture.WantReadable(t, r.With(t, r.K1), "i-0")
	}
}
