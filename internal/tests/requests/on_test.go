package requests_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// TestOnRefuses calls every method in a transaction of the host. The methods that the comment of
// On names are refused, and the error names the method. No other method is refused.
func TestOnRefuses(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "a")
	refused := map[string]string{
		"Open": "open", "Reveal": "reveal", "Sweep": "sweep", "Events": "events",
		"Rewrap":        "rewrap",
		"AcceptRestore": "accept restore", "Check": "check", "CanRetire": "retire",
		"VoidInvitations": "void invitations", "All of all tenants": "list",
	}
	on := w.Host.On(w.Store)
	for _, m := range append(append(fixture.Methods("a"), fixture.WideMethods()...), wider()...) {
		err := m.Call(t.Context(), on)
		if name, ok := refused[m.Name]; ok {
			delete(refused, m.Name)
			if !errors.Is(err, installation.ErrUnsupported) ||
				!strings.Contains(err.Error(), name) {
				t.Errorf("%s: error %v, want %v and the method", m.Name, err,
					installation.ErrUnsupported)
			}
		} else if errors.Is(err, installation.ErrUnsupported) {
			t.Errorf("%s: error %v, want the method to work", m.Name, err)
		}
	}
	if len(refused) > 0 {
		t.Errorf("not called: %v", refused)
	}
}

// wider returns the methods across tenants that fixture.WideMethods lacks.
func wider() []fixture.Method {
	return []fixture.Method{
		{Name: "Rewrap", Call: func(ctx context.Context, s *installation.Service) error {
			_, err := s.Rewrap(ctx, installation.RewrapRequest{})
			return err
		}},
		{Name: "AcceptRestore", Call: func(ctx context.Context, s *installation.Service) error {
			_, err := s.AcceptRestore(ctx)
			return err
		}},
		{Name: "Check", Call: func(ctx context.Context, s *installation.Service) error {
			_, err := s.Check(ctx)
			return err
		}},
		{Name: "CanRetire", Call: func(ctx context.Context, s *installation.Service) error {
			return s.CanRetire(ctx, "k1")
		}},
		{Name: "VoidInvitations", Call: func(ctx context.Context, s *installation.Service) error {
			_, err := s.VoidInvitations(ctx, "")
			return err
		}},
		{Name: "All of all tenants", Call: func(
			ctx context.Context, s *installation.Service,
		) error {
			for _, err := range s.All(ctx, installation.ListRequest{AllTenants: true}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

// TestOnUsesTheOtherStore writes through On. The store of the service gets nothing.
func TestOnUsesTheOtherStore(t *testing.T) {
	w := fixture.NewWorld(t)
	other := fixture.NewStore(memstore.New())
	on := w.Host.On(other)
	if _, err := on.Upsert(t.Context(), installation.UpsertRequest{
		ID: "a", Parts: fixture.SecretParts("ACC-1", "other"),
		Guard: installation.Guard{IdempotencyKey: "key"},
	}); err != nil {
		t.Fatal(err)
	}
	if n := len(w.Store.Changes()); n != 0 || len(other.Changes()) != 1 {
		t.Errorf("%d changes reached the first store and %d the other, want 0 and 1",
			n, len(other.Changes()))
	}
	if _, err := on.Get(t.Context(), "a"); err != nil {
		t.Errorf("get from the other store: %v", err)
	}
	if _, err := w.Host.Get(t.Context(), "a"); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("get from the first store: error %v, want %v", err, installation.ErrNotFound)
	}
}

// TestOnFillsNoCache reads and writes in a transaction. A data key that is cached before the host
// commits could belong to a record that never exists, so the cache stays empty.
func TestOnFillsNoCache(t *testing.T) {
	w := fixture.NewWorld(t)
	service := fixture.NewKeyService(t, fixture.ServiceSecret)
	cache, err := crypto.NewCache(service.Key(t, "kms", crypto.KMSOptions{}), nil)
	if err != nil {
		t.Fatal(err)
	}
	host := w.On(t, w.Store, cache)
	on := host.On(w.Store)
	if _, err := on.Upsert(t.Context(), installation.UpsertRequest{
		ID: "a", Parts: fixture.SecretParts("ACC-1", "other"),
	}); err != nil {
		t.Fatal(err)
	}
	for _, get := range []struct {
		name  string
		s     *installation.Service
		calls int64
	}{
		{"in the transaction", on, 1},
		{"in the transaction again", on, 1},
		{"after it", host, 1},
		{"after it again", host, 0},
	} {
		before := service.Calls.Load()
		if _, err := get.s.Get(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if n := service.Calls.Load() - before; n != get.calls {
			t.Errorf("get %s: %d calls of the key service, want %d", get.name, n, get.calls)
		}
	}
}
