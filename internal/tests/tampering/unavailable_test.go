package tampering

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A key service that is down hides content and nothing else, and comes back.
func TestInvariant14KeyServiceDown(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	was := h.Install("EXI-1", "ACC-1")
	kms := &fixture.KeyRecorder{KeyWrapper: fixture.RingWith(t, "k1", fixture.KEK), UnwrapErr: fmt.Errorf("kms: %w", installation.ErrKeyUnavailable)}
	host := h.ServiceWith(kms).In(fixture.Tenant).As(fixture.HostActor)
	list, err := host.List(ctx, installation.ListRequest{})
	if err != nil || len(list.Installations) != 1 {
		t.Fatalf("got %v, %v, want one row", list, err)
	}
	wantPlainPart(t, "List", list.Installations[0], was, installation.ErrKeyUnavailable)
	before := len(h.Store.Changes())
	if _, err := host.Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: fixture.SecretParts("ACC-1", "x")}); !errors.Is(err, installation.ErrKeyUnavailable) {
		t.Errorf("Upsert: got error %v, want ErrKeyUnavailable", err)
	}
	if len(h.Store.Changes()) != before {
		t.Error("Upsert wrote over what it could not read")
	}
	if _, err := host.Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1"}); err != nil {
		t.Errorf("Uninstall: %v", err)
	}
	kms.UnwrapErr = nil
	i, err := host.Get(ctx, "EXI-1")
	if err != nil || i.Status != installation.StatusUninstalled || i.Configuration == nil || i.Name != "one" {
		t.Errorf("after it came back: got %+v, %v, want all of it, uninstalled", i, err)
	}
}

// A context that ends while rows are opened is an error of the call, not of the rows.
func TestInvariant14CancelledIsNotBroken(t *testing.T) {
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	ctx, cancel := context.WithCancel(t.Context())
	h.Store.FailWith(func(string, any) error { cancel(); return nil })
	defer h.Store.FailWith(nil)
	kms := &fixture.KeyRecorder{KeyWrapper: fixture.RingWith(t, "k1", fixture.KEK), UnwrapErr: context.Canceled}
	host := h.ServiceWith(kms).In(fixture.Tenant).As(fixture.HostActor)
	if list, err := host.List(ctx, installation.ListRequest{}); !errors.Is(err, context.Canceled) {
		for _, i := range list.Installations {
			t.Errorf("List: got a row with error %v, want the call to fail", i.Err)
		}
		t.Errorf("List: got error %v, want context.Canceled", err)
	}
}

// A store that cannot answer never leads to ErrNotFound.
func TestInvariant5NotFoundIsNotFailed(t *testing.T) {
	causes := map[string]error{
		"unavailable":     fmt.Errorf("dial: %w", installation.ErrUnavailable),
		"unknown outcome": fmt.Errorf("reply lost: %w", installation.ErrUnknownOutcome),
		"odd":             errors.New("EOF"),
		"deadline":        context.DeadlineExceeded,
		"both":            errors.Join(errors.New("first"), installation.ErrUnavailable),
	}
	for name, cause := range causes {
		for _, method := range []string{"Get", "List", "Commit", "Outcome", "Events", "Count", "every"} {
			t.Run(name+" in "+method, func(t *testing.T) {
				h := fixture.NewAttack(t)
				h.Install("EXI-1", "ACC-1")
				code := h.Invite("EXI-2")
				before := len(h.Store.History(fixture.KeyAt("EXI-1")))
				touched := false
				h.Store.FailWith(func(m string, _ any) error {
					if m == method || method == "every" {
						touched = true
						return cause
					}
					return nil
				})
				check := func(what string, err error, known bool) {
					t.Helper()
					for _, wrong := range []error{
						installation.ErrNotFound, installation.ErrInvitation, installation.ErrForbidden, installation.ErrExists, installation.ErrStale,
						installation.ErrSealed, installation.ErrShredded,
					} {
						if touched && errors.Is(err, wrong) {
							t.Errorf("%s: got %v though the store could not answer", what, err)
						}
					}
					if touched && !known && err == nil {
						t.Errorf("%s: success though the store failed", what)
					}
					if touched && err != nil && !errors.Is(err, cause) {
						t.Errorf("%s: the cause is not reachable in %v", what, err)
					}
				}
				for _, id := range []string{"EXI-1", "EXI-none"} {
					for _, m := range append(fixture.Methods(id), fixture.WideMethods()...) {
						for _, a := range []installation.Actor{fixture.HostActor, fixture.CustomerActor} {
							touched = false
							err := fixture.Call(t, m.Name, func() error { return m.Call(t.Context(), h.As(a)) })
							check(fmt.Sprintf("%s %s by %s", m.Name, id, a.Kind), err, false)
						}
					}
				}
				touched = false
				_, err := h.As(fixture.CustomerActor).Accept(t.Context(), installation.AcceptRequest{ID: "EXI-2", Code: code, Account: installation.Account{ID: "ACC-1"}, Guard: installation.Guard{IdempotencyKey: "a"}})
				check("Accept", err, false)
				for _, id := range []string{"EXI-1", "EXI-none"} {
					touched = false
					_, err = h.Host().Uninstall(t.Context(), installation.UninstallRequest{ID: id, Guard: installation.Guard{IdempotencyKey: "b", Generation: 7}})
					check("guarded Uninstall with an idempotency key of "+id, err, false)
				}
				h.Store.FailWith(nil)
				if _, err := h.Host().Get(t.Context(), "EXI-none"); !errors.Is(err, installation.ErrNotFound) {
					t.Errorf("once it answers again: got error %v, want ErrNotFound", err)
				}
				if method == "every" && len(h.Store.History(fixture.KeyAt("EXI-1"))) != before {
					t.Error("something was committed")
				}
			})
		}
	}
}
