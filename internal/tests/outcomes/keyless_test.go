package outcomes

import (
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Delete, Uninstall, Expire and Sweep need no key. With an idempotency key they need the
// outcome key, and change nothing without it.
func TestEndingNeedsKeysOnlyWithIdempotencyKey(t *testing.T) {
	for name, c := range map[string]struct {
		status installation.Status
		end    func(t *testing.T, host *installation.Service, g installation.Guard) error
	}{
		"delete": {installation.StatusInstalled, func(t *testing.T, host *installation.Service, g installation.Guard) error {
			_, err := host.Delete(t.Context(), installation.DeleteRequest{Guard: g, ID: "i"})
			return err
		}},
		"uninstall": {installation.StatusInstalled, func(t *testing.T, host *installation.Service, g installation.Guard) error {
			_, err := host.Uninstall(t.Context(), installation.UninstallRequest{Guard: g, ID: "i"})
			return err
		}},
		"final uninstall": {installation.StatusInstalled, func(t *testing.T, host *installation.Service, g installation.Guard) error {
			_, err := host.Uninstall(t.Context(), installation.UninstallRequest{Guard: g, ID: "i", Final: true})
			return err
		}},
		"expire": {installation.StatusInvited, func(t *testing.T, host *installation.Service, g installation.Guard) error {
			_, err := host.Expire(t.Context(), installation.ExpireRequest{Guard: g, ID: "i"})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			w.MakeInStatus(t, c.status)
			before := w.Store.Last(fixture.KeyAt("i"))
			down := &fixture.KeyRecorder{
				KeyWrapper: fixture.Ring(t),
				WrapErr:    installation.ErrKeyUnavailable,
				UnwrapErr:  installation.ErrKeyUnavailable,
			}
			host := w.On(t, w.Store, down)
			changes := len(w.Store.Changes())
			err := c.end(t, host, guard)
			fixture.WantErr(t, "with an idempotency key", err, installation.ErrKeyUnavailable)
			if len(w.Store.Changes()) != changes ||
				w.Store.Last(before.Key).Revision != before.Revision {
				t.Error("it changed something")
			}
			if err := c.end(t, host, installation.Guard{}); err != nil {
				t.Errorf("without an idempotency key: %v", err)
			}
			if len(w.Store.Changes()) != changes+1 {
				t.Errorf("%d commits, want 1", len(w.Store.Changes())-changes)
			}
		})
	}
	t.Run("sweep", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Invite(t, "i")
		w.Advance(365 * 24 * time.Hour)
		down := &fixture.KeyRecorder{
			KeyWrapper: fixture.Ring(t),
			WrapErr:    installation.ErrKeyUnavailable, UnwrapErr: installation.ErrKeyUnavailable,
		}
		report, err := w.On(t, w.Store, down).Sweep(t.Context(), installation.SweepRequest{})
		if err != nil || report.Expired != 1 || len(down.OutcomeKeys()) != 0 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// An outcome cannot be taken for success without its key: the service says which key is
// missing.
func TestReplayNeedsOutcomeKey(t *testing.T) {
	w := fixture.NewWorld(t)
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	keys := func() crypto.KeyWrapper { return service.Key(t, "kms1", crypto.KMSOptions{Timeout: time.Second}) }
	first := w.On(t, w.Store, keys())
	del := installation.DeleteRequest{Guard: guard, ID: "i"}
	w.Add(t, first, "i")
	if _, err := first.Delete(t.Context(), del); err != nil {
		t.Fatal(err)
	}
	another := w.On(t, w.Store, keys())
	if res, err := another.Delete(t.Context(), del); err != nil || !res.Replayed {
		t.Errorf("another process: %+v, %v", res, err)
	}
	_, err := w.With(t, w.K1).Delete(t.Context(), del)
	fixture.WantErr(t, "without the key", err, installation.ErrUnknownKey)

	service.Down.Store(true)
	if res, err := first.Delete(t.Context(), del); err != nil || !res.Replayed {
		t.Errorf("the process that has the key in memory: %+v, %v", res, err)
	}
	_, err = w.On(t, w.Store, keys()).Delete(t.Context(), del)
	fixture.WantErr(t, "while the key service is down", err, installation.ErrKeyUnavailable)

	service.Down.Store(false)
	service.ChangeSecret(t, "another-secret-of-thirty-two-byt")
	_, err = w.On(t, w.Store, keys()).Delete(t.Context(), del)
	fixture.WantErr(t, "after the key was exchanged", err, installation.ErrSealed)

	_, err = w.On(
		t,
		w.Store,
		fixture.RingWith(t, "kms1", fixture.ServiceSecret),
	).Delete(
		t.Context(),
		del,
	)
	if fixture.WantErr(
		t,
		"another kind of key",
		err,
		installation.ErrSealed,
	); errors.Is(
		err,
		installation.ErrNotFound,
	) {
		t.Error("an outcome that does not open is said not to be there")
	}
}
