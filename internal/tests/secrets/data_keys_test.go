package secrets

import (
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// No call leaves a data key behind: each one that it unwrapped or made is destroyed at its end, however that came.
func TestDataKeysAreDestroyed(t *testing.T) {
	r := fixture.NewWorld(t)
	keys := &fixture.KeyRecorder{KeyWrapper: fixture.RingOf(t, r.K2, r.K1)}
	host := r.On(t, r.Store, keys)
	customer := host.As(installation.Actor{Kind: installation.Customer, ID: "ACC-1"})
	stranger := host.As(installation.Actor{Kind: installation.Customer, ID: "ACC-2"})
	guard := installation.Guard{IdempotencyKey: "once"}
	var code crypto.Secret
	changed := func(err error) error { return err }
	refused := func(err error) error {
		if err == nil {
			return errors.New("not refused")
		}
		return nil
	}
	failing := func(call func() error) func() error {
		return func() error {
			keys.WrapErr = installation.ErrKeyUnavailable
			defer func() { keys.WrapErr = nil }()
			return call()
		}
	}
	upsert := func(svc *installation.Service, id string, g installation.Guard) error {
		parts := fixture.Parts()
		parts.Account = installation.Value(installation.Account{ID: "ACC-" + id})
		_, err := svc.Upsert(t.Context(), installation.UpsertRequest{ID: id, Guard: g, Parts: parts})
		return err
	}
	name := func(svc *installation.Service, id, to string) error {
		_, err := svc.Patch(t.Context(), installation.PatchRequest{ID: id, Parts: installation.Parts{Name: installation.Value(to)}})
		return err
	}
	uninstall := func(id string, final bool) error {
		_, err := host.Uninstall(t.Context(), installation.UninstallRequest{ID: id, Final: final})
		return err
	}
	accept := func(svc *installation.Service, code crypto.Secret, account string) error {
		_, err := svc.Accept(t.Context(), installation.AcceptRequest{ID: "invited", Code: code, Account: installation.Account{ID: account}})
		return err
	}
	for _, step := range []struct {
		name string
		call func() error
		want func(error) error
		keys int // at least
	}{
		{"create", func() error { return upsert(host, "a", guard) }, changed, 1},
		{"the same again", func() error { return upsert(host, "a", guard) }, changed, 1},
		{"patch", func() error { return name(host, "a", "new") }, changed, 1},
		{"nothing new", func() error { return name(host, "a", "new") }, changed, 2},
		{"patch by a stranger", func() error { return name(stranger, "a", "new") }, refused, 1},
		{"patch of another revision", func() error { return upsert(host, "a", installation.Guard{Revision: 9}) }, refused, 1},
		{"no key to create", failing(func() error { return upsert(host, "b", installation.Guard{}) }), refused, 1},
		{"no key to rekey", failing(func() error {
			_, err := host.Rekey(t.Context(), installation.RekeyRequest{ID: "a"})
			return err
		}), refused, 2},
		{"get", func() error { _, err := host.Get(t.Context(), "a"); return err }, changed, 1},
		{"get by a stranger", func() error { _, err := stranger.Get(t.Context(), "a"); return err }, refused, 1},
		{"list", func() error { _, err := host.List(t.Context(), installation.ListRequest{}); return err }, changed, 1},
		{"reveal", func() error {
			_, err := host.Reveal(t.Context(), installation.RevealRequest{ID: "a", Reason: "test", Refs: []installation.Ref{{Kind: installation.RefConfig, Pointer: "/api_secret"}}})
			return err
		}, changed, 1},
		{"invite", func() error {
			res, err := host.Invite(t.Context(), installation.InviteRequest{ID: "invited", Parts: installation.Parts{Extension: fixture.Parts().Extension}})
			if err == nil {
				code = res.Code
			}
			return err
		}, changed, 1},
		{"accept with a wrong code", func() error { return accept(customer, crypto.NewSecret("inv_x"), "ACC-1") }, refused, 1},
		{"resend", func() error {
			res, err := host.Resend(t.Context(), installation.ResendRequest{ID: "invited"})
			if err == nil {
				code = res.Code
			}
			return err
		}, changed, 1},
		{"accept", func() error { return accept(customer, code, "ACC-1") }, changed, 1},
		{"accept again", func() error { return accept(customer, code, "ACC-1") }, changed, 1},
		{"rekey", func() error {
			_, err := host.Rekey(t.Context(), installation.RekeyRequest{ID: "a"})
			return err
		}, changed, 2},
		{"check", func() error { _, err := host.Check(t.Context()); return err }, changed, 2},
		{"made under the other key", func() error { return upsert(r.With(t, r.K1), "old", installation.Guard{}) }, changed, 0},
		{"rewrap", func() error { _, err := host.Rewrap(t.Context(), installation.RewrapRequest{}); return err }, changed, 3},
		{"may k1 go", func() error { return host.CanRetire(t.Context(), "k1") }, changed, 2},
		{"uninstall", func() error { return uninstall("old", false) }, changed, 1},
		{"final without a key", failing(func() error { return uninstall("old", true) }), changed, 2},
		{"final", func() error { return uninstall("a", true) }, changed, 2},
		{"installed again", func() error { return upsert(host, "a", installation.Guard{}) }, changed, 2},
		{"end of a grace", func() error {
			if err := uninstall("a", false); err != nil {
				return err
			}
			r.Advance(25 * time.Hour)
			_, err := host.Sweep(t.Context(), installation.SweepRequest{})
			return err
		}, changed, 3},
		{"delete", func() error {
			_, err := host.Delete(t.Context(), installation.DeleteRequest{ID: "a", Guard: installation.Guard{InstalledBefore: r.Now()}})
			return err
		}, changed, 1},
		{"a damaged record", func() error {
			if err := upsert(host, "bad", installation.Guard{}); err != nil {
				return err
			}
			r.EditRecord(t, "bad", func(record *installation.Record) { record.Deadline = r.Now() })
			_, err := host.Get(t.Context(), "bad")
			fixture.WantErr(t, "get", err, installation.ErrSealed)
			_, err = host.Check(t.Context())
			return err
		}, changed, 3},
	} {
		if err := step.want(step.call()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if len(keys.Seen()) < step.keys {
			t.Errorf("%s: %d data keys passed, want %d", step.name, len(keys.Seen()), step.keys)
		}
		for i, k := range keys.Seen() {
			if _, err := k.Reveal(); !errors.Is(err, crypto.ErrDestroyed) {
				t.Errorf("%s: data key %d of %d is not destroyed", step.name, i+1, len(keys.Seen()))
			}
		}
		if name := step.name; name == "create" && len(keys.OutcomeKeys()) != 1 || name != "create" && len(keys.OutcomeKeys()) > 1 {
			t.Errorf("%s: %d outcome keys were made", name, len(keys.OutcomeKeys()))
		}
		keys.Forget()
	}
}
