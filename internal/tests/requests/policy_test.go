package requests

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// The default policy, actor by action, on the actor's own row and on another's.
func TestDefaultPolicy(t *testing.T) {
	actors := map[string]installation.Actor{
		"host":              {Kind: installation.Host},
		"extension":         {Kind: installation.ExtensionActor, ID: "EXT-1"},
		"other extension":   {Kind: installation.ExtensionActor, ID: "EXT-2"},
		"vendor":            {Kind: installation.Vendor, ID: "ACC-vendor"},
		"other vendor":      {Kind: installation.Vendor, ID: "ACC-other"},
		"customer":          {Kind: installation.Customer, ID: "ACC-1"},
		"other customer":    {Kind: installation.Customer, ID: "ACC-2"},
		"reading customer":  {Kind: installation.Customer, ID: "ACC-1", ReadOnly: true},
		"reading vendor":    {Kind: installation.Vendor, ID: "ACC-vendor", ReadOnly: true},
		"platform":          {Kind: installation.Platform},
		"vendor without id": {Kind: installation.Vendor},
		"none":              {},
		"unknown":           {Kind: "robot", ID: "ACC-1"},
	}
	calls := []struct {
		name string
		do   func(*fixture.World, *installation.Service) error
	}{
		{"get", func(w *fixture.World, s *installation.Service) error {
			_, err := s.Get(t.Context(), "i")
			return err
		}},
		{"configuration", func(w *fixture.World, s *installation.Service) error {
			i, err := s.Get(t.Context(), "i")
			if err == nil && i.Configuration == nil {
				return installation.ErrForbidden
			}
			return err
		}},
		{"reveal", func(w *fixture.World, s *installation.Service) error {
			_, err := s.Reveal(t.Context(), installation.RevealRequest{ID: "i", Reason: "r", Refs: []installation.Ref{installation.Ref("config/api_secret")}})
			return err
		}},
		{"upsert", func(w *fixture.World, s *installation.Service) error {
			_, err := s.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("n")}})
			return err
		}},
		{"configure", func(w *fixture.World, s *installation.Service) error {
			_, err := s.Patch(t.Context(), installation.PatchRequest{ID: "i", Operations: []installation.Operation{patch.Set("/x", installation.JSON("1"))}})
			return err
		}},
		{"uninstall", func(w *fixture.World, s *installation.Service) error {
			_, err := s.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"})
			return err
		}},
		{"delete", func(w *fixture.World, s *installation.Service) error {
			_, err := s.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
			return err
		}},
		{"invite", func(w *fixture.World, s *installation.Service) error {
			extension, _ := fixture.Parts().Extension.Get()
			_, err := s.Invite(t.Context(), installation.InviteRequest{ID: "new", Parts: installation.Parts{Extension: installation.Value(extension)}})
			return err
		}},
		{"maintain", func(w *fixture.World, s *installation.Service) error {
			_, err := s.Events(t.Context(), "", 0)
			return err
		}},
	}
	// y = allowed, f = ErrForbidden, n = ErrNotFound
	want := map[string]string{
		"host":              "yyyyyyyyy",
		"extension":         "yyyyyyfff",
		"other extension":   "nnnnnnnff",
		"vendor":            "yyyyyyyyf",
		"other vendor":      "nnnnnnnff",
		"customer":          "yffyfyfff",
		"other customer":    "nnnnnnnff",
		"reading customer":  "yffffffff",
		"reading vendor":    "yyfffffff",
		"platform":          "yffyfyyyf",
		"vendor without id": "nnnnnnnff",
		"none":              "fffffffff",
		"unknown":           "nnnnnnnff",
	}
	for name, actor := range actors {
		for n, call := range calls {
			t.Run(fmt.Sprintf("%s %s", name, call.name), func(t *testing.T) {
				w := fixture.NewWorld(t)
				w.Install(t, "i")
				commits := len(w.Store.Changes())
				err := call.do(w, w.Service.As(actor))
				got := "?"
				switch {
				case err == nil:
					got = "y"
				case errors.Is(err, installation.ErrForbidden):
					got = "f"
				case errors.Is(err, installation.ErrNotFound):
					got = "n"
				}
				if got != want[name][n:n+1] {
					t.Errorf("got %v, want %s", err, want[name][n:n+1])
				}
				if err != nil && len(w.Store.Changes()) != commits {
					t.Error("a refused call wrote something")
				}
			})
		}
	}
}

// Changing an existing installation is authorised against what is stored, and against what would become of it.
func TestNoActorTakesOverAnotherInstallation(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	other := func(kind installation.ActorKind, id string) *installation.Service {
		return w.Service.As(installation.Actor{Kind: kind, ID: id})
	}
	claim := installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "EXT-1", Owner: "ACC-other"}),
		Account:   installation.Value(installation.Account{ID: "ACC-2"}),
	}
	_, err := other(installation.Vendor, "ACC-other").Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: claim})
	fixture.WantErr(t, "a vendor claims another's row", err, installation.ErrNotFound)
	_, err = other(installation.Customer, "ACC-2").Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: claim})
	fixture.WantErr(t, "a customer claims another's row", err, installation.ErrNotFound)
	_, err = w.Customer.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{Extension: claim.Extension}})
	fixture.WantErr(t, "a customer names another owner", err, installation.ErrInvalid)
	_, err = w.Vendor.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{Account: claim.Account}})
	fixture.WantErr(t, "a vendor moves it to another account", err, installation.ErrInvalid)
	_, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{Extension: installation.Value(installation.Extension{ID: "EXT-2"})}})
	fixture.WantErr(t, "another extension", err, installation.ErrInvalid)
	_, err = w.Customer.Upsert(t.Context(), installation.UpsertRequest{ID: "new", Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "EXT-2"}), Account: claim.Account,
	}})
	fixture.WantErr(t, "a customer installs for another account", err, installation.ErrForbidden)
	if got := w.Get(t, "i"); got.Revision != 1 {
		t.Errorf("a refused write changed it: revision %d", got.Revision)
	}
	if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{Account: claim.Account}}); err != nil {
		t.Errorf("the host transfers it: %v", err)
	}
}

// A tenant sees nothing of another one.
func TestTenantsAreSeparate(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	for _, tenant := range []string{"", "tenant-2", "TENANT-1", "tenant-1 "} {
		host := w.Service.In(tenant).As(installation.Actor{Kind: installation.Host})
		_, err := host.Get(t.Context(), "i")
		fixture.WantErr(t, "get in "+tenant, err, installation.ErrNotFound)
		list, err := host.List(t.Context(), installation.ListRequest{})
		if err != nil || len(list.Installations) != 0 {
			t.Errorf("tenant %q lists %v, %v", tenant, list, err)
		}
	}
}
