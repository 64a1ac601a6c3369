package outcomes

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// ending is a call that ends an installation "i" of a status.
type ending struct {
	status installation.Status
	call   func(ctx context.Context, host *installation.Service, g installation.Guard) error
}

var endings = map[string]ending{
	"delete": {
		installation.StatusInstalled,
		func(ctx context.Context, host *installation.Service, g installation.Guard) error {
			_, err := host.Delete(ctx, installation.DeleteRequest{Guard: g, ID: "i"})
			return err
		},
	},
	"uninstall": {
		installation.StatusInstalled,
		func(ctx context.Context, host *installation.Service, g installation.Guard) error {
			_, err := host.Uninstall(ctx, installation.UninstallRequest{Guard: g, ID: "i"})
			return err
		},
	},
	"final uninstall": {
		installation.StatusInstalled,
		func(ctx context.Context, host *installation.Service, g installation.Guard) error {
			req := installation.UninstallRequest{Guard: g, ID: "i", Final: true}
			_, err := host.Uninstall(ctx, req)
			return err
		},
	},
	"expire": {
		installation.StatusInvited,
		func(ctx context.Context, host *installation.Service, g installation.Guard) error {
			_, err := host.Expire(ctx, installation.ExpireRequest{Guard: g, ID: "i"})
			return err
		},
	},
}

// unavailableKeys returns keys that neither wrap nor unwrap.
func unavailableKeys(t *testing.T) *fixture.KeyRecorder {
	t.Helper()
	return &fixture.KeyRecorder{
		KeyWrapper: fixture.Ring(t),
		WrapErr:    installation.ErrKeyUnavailable,
		UnwrapErr:  installation.ErrKeyUnavailable,
	}
}

// Delete, Uninstall and Expire need no key. With an idempotency key they need the outcome key,
// and change nothing without it.
func TestEndingNeedsKeysOnlyWithIdempotencyKey(t *testing.T) {
	for name, c := range endings {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			w.MakeInStatus(t, c.status)
			before := w.Store.Last(fixture.KeyAt("i"))
			host := w.On(t, w.Store, unavailableKeys(t))
			changes := len(w.Store.Changes())
			err := c.call(t.Context(), host, guard)
			fixture.WantErr(t, "with an idempotency key", err, installation.ErrKeyUnavailable)
			if len(w.Store.Changes()) != changes ||
				w.Store.Last(before.Key).Revision != before.Revision {
				t.Error("it changed something")
			}
			if err := c.call(t.Context(), host, installation.Guard{}); err != nil {
				t.Errorf("without an idempotency key: %v", err)
			}
			if len(w.Store.Changes()) != changes+1 {
				t.Errorf("%d commits, want 1", len(w.Store.Changes())-changes)
			}
		})
	}
}

// Sweep needs no key at all.
func TestSweepNeedsNoKey(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Invite(t, "i")
	w.Advance(365 * 24 * time.Hour)
	keys := unavailableKeys(t)
	report, err := w.On(t, w.Store, keys).Sweep(t.Context(), installation.SweepRequest{})
	if err != nil || report.Expired != 1 || len(keys.OutcomeKeys()) != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// A replay fails without the outcome key, and the error names the missing key.
func TestReplayNeedsOutcomeKey(t *testing.T) {
	w := fixture.NewWorld(t)
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	keys := func() crypto.KeyWrapper {
		return service.Key(t, "kms1", crypto.KMSOptions{Timeout: time.Second})
	}
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

	ring := fixture.RingWith(t, "kms1", fixture.ServiceSecret)
	_, err = w.On(t, w.Store, ring).Delete(t.Context(), del)
	fixture.WantErr(t, "another kind of key", err, installation.ErrSealed)
	if errors.Is(err, installation.ErrNotFound) {
		t.Error("an outcome that does not open is reported as not found")
	}
}
