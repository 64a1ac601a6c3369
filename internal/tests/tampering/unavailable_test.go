package tampering

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A key service that is down hides only the content, and the content is back afterwards.
func TestInvariant14KeyServiceDown(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	was := h.Install("EXI-1", "ACC-1")
	kms := &fixture.KeyRecorder{
		KeyWrapper: fixture.RingWith(t, "k1", fixture.KEK),
		UnwrapErr:  fmt.Errorf("kms: %w", installation.ErrKeyUnavailable),
	}
	host := h.HostWith(kms)
	list, err := host.List(ctx, installation.ListRequest{})
	if err != nil || len(list.Installations) != 1 {
		t.Fatalf("got %v, %v, want one row", list, err)
	}
	wantPlainPart(t, "List", list.Installations[0], was, installation.ErrKeyUnavailable)
	before := len(h.Store.Changes())
	parts := fixture.SecretParts("ACC-1", "x")
	_, err = host.Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: parts})
	if !errors.Is(err, installation.ErrKeyUnavailable) {
		t.Errorf("Upsert: got error %v, want ErrKeyUnavailable", err)
	}
	if len(h.Store.Changes()) != before {
		t.Error("Upsert overwrote a record that it could not read")
	}
	if _, err := host.Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1"}); err != nil {
		t.Errorf("Uninstall: %v", err)
	}
	kms.UnwrapErr = nil
	i, err := host.Get(ctx, "EXI-1")
	if err != nil || i.Status != installation.StatusUninstalled ||
		i.Configuration == nil || i.Name != "one" {
		t.Errorf("after it came back: got %+v, %v, want all of it, uninstalled", i, err)
	}
}

// If the context ends while rows are opened, the call fails and not the rows.
func TestInvariant14CancelledIsNotBroken(t *testing.T) {
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	ctx, cancel := context.WithCancel(t.Context())
	h.Store.FailWith(func(string, any) error { cancel(); return nil })
	defer h.Store.FailWith(nil)
	host := h.HostWith(&fixture.KeyRecorder{
		KeyWrapper: fixture.RingWith(t, "k1", fixture.KEK), UnwrapErr: context.Canceled,
	})
	if list, err := host.List(ctx, installation.ListRequest{}); !errors.Is(err, context.Canceled) {
		for _, i := range list.Installations {
			t.Errorf("List: got a row with error %v, want the call to fail", i.Err)
		}
		t.Errorf("List: got error %v, want context.Canceled", err)
	}
}

// A store that fails never leads to ErrNotFound.
func TestInvariant5NotFoundIsNotFailed(t *testing.T) {
	for name, cause := range map[string]error{
		"unavailable":     fmt.Errorf("dial: %w", installation.ErrUnavailable),
		"unknown outcome": fmt.Errorf("reply lost: %w", installation.ErrUnknownOutcome),
		"odd":             errors.New("EOF"),
		"deadline":        context.DeadlineExceeded,
		"both":            errors.Join(errors.New("first"), installation.ErrUnavailable),
	} {
		for _, method := range []string{
			"Get", "List", "Commit", "Outcome", "Events", "Count", "every",
		} {
			t.Run(name+" in "+method, func(t *testing.T) {
				failingStoreIsReported(t, method, cause)
			})
		}
	}
}

// failingStoreIsReported calls every method on a store of which one method fails with cause.
func failingStoreIsReported(t *testing.T, method string, cause error) {
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
	check := func(what string, call func() error) {
		t.Helper()
		touched = false
		if err := fixture.Call(t, what, call); touched {
			wantCause(t, what, err, cause)
		}
	}
	for _, id := range []string{"EXI-1", "EXI-none"} {
		for _, m := range append(fixture.Methods(id), fixture.WideMethods()...) {
			for _, a := range []installation.Actor{fixture.HostActor, fixture.CustomerActor} {
				check(fmt.Sprintf("%s %s by %s", m.Name, id, a.Kind), func() error {
					return m.Call(t.Context(), h.As(a))
				})
			}
		}
		check("guarded Uninstall with an idempotency key of "+id, func() error {
			guard := installation.Guard{IdempotencyKey: "b", Generation: 7}
			req := installation.UninstallRequest{ID: id, Guard: guard}
			_, err := h.Host().Uninstall(t.Context(), req)
			return err
		})
	}
	check("Accept", func() error {
		req := installation.AcceptRequest{
			ID: "EXI-2", Code: code, Account: installation.Account{ID: "ACC-1"},
			Guard: installation.Guard{IdempotencyKey: "a"},
		}
		_, err := h.As(fixture.CustomerActor).Accept(t.Context(), req)
		return err
	})
	h.Store.FailWith(nil)
	_, err := h.Host().Get(t.Context(), "EXI-none")
	if !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("after the store recovered: got error %v, want ErrNotFound", err)
	}
	if method == "every" && len(h.Store.History(fixture.KeyAt("EXI-1"))) != before {
		t.Error("a call committed though the store failed")
	}
}

// wantCause fails the test unless err reports the failure of the store and nothing else.
func wantCause(t *testing.T, what string, err, cause error) {
	t.Helper()
	for _, wrong := range []error{
		installation.ErrNotFound, installation.ErrInvitation, installation.ErrForbidden,
		installation.ErrExists, installation.ErrStale, installation.ErrSealed,
		installation.ErrShredded,
	} {
		if errors.Is(err, wrong) {
			t.Errorf("%s: got %v though the store failed", what, err)
		}
	}
	if err == nil {
		t.Errorf("%s: success though the store failed", what)
	} else if !errors.Is(err, cause) {
		t.Errorf("%s: %v does not wrap the cause", what, err)
	}
}
