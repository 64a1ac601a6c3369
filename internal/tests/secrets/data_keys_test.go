package secrets

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Every call destroys the data keys that it unwrapped or generated, whether it
// succeeds or fails.
func TestDataKeysAreDestroyed(t *testing.T) {
	c := newDataKeyCalls(t)
	for _, step := range slices.Concat(c.basic(), c.invitation(), c.rotation(), c.ending()) {
		switch err := step.call(); {
		case step.fails && err == nil:
			t.Fatalf("%s: no error", step.name)
		case !step.fails && err != nil:
			t.Fatalf("%s: %v", step.name, err)
		}
		seen := c.keys.Seen()
		if len(seen) < step.keys {
			t.Errorf("%s: %d data keys passed, want %d", step.name, len(seen), step.keys)
		}
		for i, k := range seen {
			if _, err := k.Reveal(); !errors.Is(err, crypto.ErrDestroyed) {
				t.Errorf("%s: data key %d of %d is not destroyed", step.name, i+1, len(seen))
			}
		}
		outcomes := len(c.keys.OutcomeKeys())
		if created := step.name == "create"; created && outcomes != 1 || !created && outcomes > 1 {
			t.Errorf("%s: %d outcome keys were generated", step.name, outcomes)
		}
		c.keys.Forget()
	}
}

// dataKeyStep is a call and the number of data keys that it uses at least.
type dataKeyStep struct {
	name  string
	call  func() error
	fails bool
	keys  int
}

// dataKeyCalls makes calls through a wrapper that records every data key.
type dataKeyCalls struct {
	t                        *testing.T
	w                        *fixture.World
	keys                     *fixture.KeyRecorder
	host, customer, stranger *installation.Service
	code                     crypto.Secret // the last invitation code
}

func newDataKeyCalls(t *testing.T) *dataKeyCalls {
	w := fixture.NewWorld(t)
	keys := &fixture.KeyRecorder{KeyWrapper: fixture.RingOf(t, w.K2, w.K1)}
	host := w.On(t, w.Store, keys)
	return &dataKeyCalls{
		t: t, w: w, keys: keys, host: host,
		customer: host.As(installation.Actor{Kind: installation.Customer, ID: "ACC-1"}),
		stranger: host.As(installation.Actor{Kind: installation.Customer, ID: "ACC-2"}),
	}
}

// withoutKey makes the call while no key can be wrapped.
func (c *dataKeyCalls) withoutKey(call func() error) func() error {
	return func() error {
		c.keys.WrapErr = installation.ErrKeyUnavailable
		defer func() { c.keys.WrapErr = nil }()
		return call()
	}
}

func (c *dataKeyCalls) upsert(
	svc *installation.Service, id string, g installation.Guard,
) func() error {
	return func() error {
		parts := fixture.Parts()
		parts.Account = installation.Value(installation.Account{ID: "ACC-" + id})
		_, err := svc.Upsert(c.t.Context(), installation.UpsertRequest{
			ID: id, Guard: g, Parts: parts,
		})
		return err
	}
}

func (c *dataKeyCalls) rename(svc *installation.Service) func() error {
	return func() error {
		_, err := svc.Patch(c.t.Context(), installation.PatchRequest{
			ID: "a", Parts: installation.Parts{Name: installation.Value("new")},
		})
		return err
	}
}

func (c *dataKeyCalls) get(svc *installation.Service) func() error {
	return func() error { _, err := svc.Get(c.t.Context(), "a"); return err }
}

func (c *dataKeyCalls) uninstall(id string, final bool) func() error {
	return func() error {
		_, err := c.host.Uninstall(c.t.Context(), installation.UninstallRequest{
			ID: id, Final: final,
		})
		return err
	}
}

func (c *dataKeyCalls) rekey() error {
	_, err := c.host.Rekey(c.t.Context(), installation.RekeyRequest{ID: "a"})
	return err
}

func (c *dataKeyCalls) check() error { _, err := c.host.Check(c.t.Context()); return err }

func (c *dataKeyCalls) basic() []dataKeyStep {
	var none installation.Guard
	once := installation.Guard{IdempotencyKey: "once"}
	list := func() error {
		_, err := c.host.List(c.t.Context(), installation.ListRequest{})
		return err
	}
	reveal := func() error {
		_, err := c.host.Reveal(c.t.Context(), installation.RevealRequest{
			ID: "a", Reason: "test", Refs: []installation.Ref{"config/api_secret"},
		})
		return err
	}
	wrongRevision := c.upsert(c.host, "a", installation.Guard{Revision: 9})
	return []dataKeyStep{
		{name: "create", call: c.upsert(c.host, "a", once), keys: 1},
		{name: "the same again", call: c.upsert(c.host, "a", once), keys: 1},
		{name: "patch", call: c.rename(c.host), keys: 1},
		{name: "patch without a change", call: c.rename(c.host), keys: 1},
		{name: "patch by a stranger", call: c.rename(c.stranger), fails: true, keys: 1},
		{name: "patch of another revision", call: wrongRevision, fails: true, keys: 1},
		{name: "create without a key", call: c.withoutKey(c.upsert(c.host, "b", none)),
			fails: true, keys: 1},
		{name: "rekey without a key", call: c.withoutKey(c.rekey), fails: true, keys: 2},
		{name: "get", call: c.get(c.host), keys: 1},
		{name: "get by a stranger", call: c.get(c.stranger), fails: true, keys: 1},
		{name: "list", call: list, keys: 1},
		{name: "reveal", call: reveal, keys: 1},
	}
}

func (c *dataKeyCalls) invitation() []dataKeyStep {
	keepCode := func(res *installation.Result, err error) error {
		if err == nil {
			c.code = res.Code
		}
		return err
	}
	invite := func() error {
		return keepCode(c.host.Invite(c.t.Context(), installation.InviteRequest{
			ID: "invited", Parts: installation.Parts{Extension: fixture.Parts().Extension},
		}))
	}
	resend := func() error {
		return keepCode(c.host.Resend(c.t.Context(), installation.ResendRequest{ID: "invited"}))
	}
	acceptWith := func(code crypto.Secret) error {
		_, err := accept(c.customer, "invited", code, "ACC-1")
		return err
	}
	wrongCode := func() error { return acceptWith(crypto.NewSecret("inv_x")) }
	rightCode := func() error { return acceptWith(c.code) }
	return []dataKeyStep{
		{name: "invite", call: invite, keys: 1},
		{name: "accept with a wrong code", call: wrongCode, fails: true, keys: 1},
		{name: "resend", call: resend, keys: 1},
		{name: "accept", call: rightCode, keys: 1},
		{name: "accept again", call: rightCode, keys: 1},
	}
}

func (c *dataKeyCalls) rotation() []dataKeyStep {
	rewrap := func() error {
		_, err := c.host.Rewrap(c.t.Context(), installation.RewrapRequest{})
		return err
	}
	createUnderK1 := func() error {
		return c.upsert(c.w.With(c.t, c.w.K1), "old", installation.Guard{})()
	}
	canRetire := func() error { return c.host.CanRetire(c.t.Context(), "k1") }
	return []dataKeyStep{
		{name: "rekey", call: c.rekey, keys: 2},
		{name: "check", call: c.check, keys: 2},
		{name: "create under the other key", call: createUnderK1},
		{name: "rewrap", call: rewrap, keys: 3},
		{name: "can k1 retire", call: canRetire, keys: 2},
	}
}

func (c *dataKeyCalls) ending() []dataKeyStep {
	endOfGrace := func() error {
		if err := c.uninstall("a", false)(); err != nil {
			return err
		}
		c.w.Advance(25 * time.Hour)
		_, err := c.host.Sweep(c.t.Context(), installation.SweepRequest{})
		return err
	}
	remove := func() error {
		_, err := c.host.Delete(c.t.Context(), installation.DeleteRequest{
			ID: "a", Guard: installation.Guard{InstalledBefore: c.w.Now()},
		})
		return err
	}
	damaged := func() error {
		if err := c.upsert(c.host, "bad", installation.Guard{})(); err != nil {
			return err
		}
		c.w.EditRecord(c.t, "bad", func(r *installation.Record) { r.Deadline = c.w.Now() })
		_, err := c.host.Get(c.t.Context(), "bad")
		fixture.WantErr(c.t, "get", err, installation.ErrSealed)
		return c.check()
	}
	return []dataKeyStep{
		{name: "uninstall", call: c.uninstall("old", false), keys: 1},
		{name: "final without a key", call: c.withoutKey(c.uninstall("old", true)), keys: 2},
		{name: "final", call: c.uninstall("a", true), keys: 2},
		{name: "install again", call: c.upsert(c.host, "a", installation.Guard{}), keys: 2},
		{name: "end of the grace period", call: endOfGrace, keys: 3},
		{name: "delete", call: remove, keys: 1},
		{name: "a damaged record", call: damaged, keys: 3},
	}
}
