package requests

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// policyActors are actors toward an installation of EXT-1 in ACC-1, owned by ACC-vendor.
var policyActors = map[string]installation.Actor{
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

// policyCalls is one call for each action of the policy.
var policyCalls = []struct {
	name string
	do   func(ctx context.Context, s *installation.Service) error
}{
	{"get", func(ctx context.Context, s *installation.Service) error {
		_, err := s.Get(ctx, "i")
		return err
	}},
	{"configuration", func(ctx context.Context, s *installation.Service) error {
		i, err := s.Get(ctx, "i")
		if err == nil && i.Configuration == nil {
			return installation.ErrForbidden
		}
		return err
	}},
	{"reveal", func(ctx context.Context, s *installation.Service) error {
		_, err := s.Reveal(ctx, installation.RevealRequest{
			ID: "i", Reason: "r",
			Refs: []installation.Ref{installation.Ref("config/api_secret")},
		})
		return err
	}},
	{"upsert", func(ctx context.Context, s *installation.Service) error {
		_, err := s.Upsert(ctx, installation.UpsertRequest{
			ID: "i", Parts: installation.Parts{Name: installation.Value("n")},
		})
		return err
	}},
	{"configure", func(ctx context.Context, s *installation.Service) error {
		_, err := s.Patch(ctx, installation.PatchRequest{
			ID:         "i",
			Operations: []installation.Operation{patch.Set("/x", installation.JSON("1"))},
		})
		return err
	}},
	{"uninstall", func(ctx context.Context, s *installation.Service) error {
		_, err := s.Uninstall(ctx, installation.UninstallRequest{ID: "i"})
		return err
	}},
	{"delete", func(ctx context.Context, s *installation.Service) error {
		_, err := s.Delete(ctx, installation.DeleteRequest{ID: "i"})
		return err
	}},
	{"invite", func(ctx context.Context, s *installation.Service) error {
		extension, _ := fixture.Parts().Extension.Get()
		_, err := s.Invite(ctx, installation.InviteRequest{
			ID: "new", Parts: installation.Parts{Extension: installation.Value(extension)},
		})
		return err
	}},
	{"maintain", func(ctx context.Context, s *installation.Service) error {
		_, err := s.Events(ctx, "", 0)
		return err
	}},
}

// policyWant has one letter for each of policyCalls: y means allowed, f means ErrForbidden
// and n means ErrNotFound.
var policyWant = map[string]string{
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

// The default policy decides each action of each actor as policyWant says. A rejected call
// writes nothing.
func TestDefaultPolicy(t *testing.T) {
	for name, actor := range policyActors {
		for n, call := range policyCalls {
			t.Run(fmt.Sprintf("%s %s", name, call.name), func(t *testing.T) {
				w := fixture.NewWorld(t, fixture.OwnedBy("ACC-vendor"))
				w.Install(t, "i")
				commits := len(w.Store.Changes())
				err := call.do(t.Context(), w.Service.As(actor))
				got := "?"
				switch {
				case err == nil:
					got = "y"
				case errors.Is(err, installation.ErrForbidden):
					got = "f"
				case errors.Is(err, installation.ErrNotFound):
					got = "n"
				}
				if want := policyWant[name][n : n+1]; got != want {
					t.Errorf("got %v, want %s", err, want)
				}
				if err != nil && len(w.Store.Changes()) != commits {
					t.Error("a rejected call wrote something")
				}
			})
		}
	}
}

// The policy must allow a change both of the stored installation and of the result.
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
	update := installation.UpsertRequest{ID: "i", Parts: claim}
	_, err := other(installation.Vendor, "ACC-other").Upsert(t.Context(), update)
	fixture.WantErr(t, "a vendor claims another's row", err, installation.ErrNotFound)
	_, err = other(installation.Customer, "ACC-2").Upsert(t.Context(), update)
	fixture.WantErr(t, "a customer claims another's row", err, installation.ErrNotFound)
	_, err = w.Customer.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: installation.Parts{Extension: claim.Extension},
	})
	fixture.WantErr(t, "a customer names another owner", err, installation.ErrInvalid)
	_, err = w.Vendor.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: installation.Parts{Account: claim.Account},
	})
	fixture.WantErr(t, "a vendor moves it to another account", err, installation.ErrInvalid)
	_, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i",
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-2"}),
		},
	})
	fixture.WantErr(t, "another extension", err, installation.ErrInvalid)
	_, err = w.Customer.Upsert(t.Context(), installation.UpsertRequest{
		ID: "new",
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-2"}),
			Account:   claim.Account,
		},
	})
	fixture.WantErr(t, "a customer installs for another account", err, installation.ErrForbidden)
	if got := w.Get(t, "i"); got.Revision != 1 {
		t.Errorf("a rejected write changed the installation: revision %d", got.Revision)
	}
	if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: installation.Parts{Account: claim.Account}, MoveSecrets: true,
	}); err != nil {
		t.Errorf("the host moves it to another account: %v", err)
	}
}

// A tenant cannot see an installation of another tenant.
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

// Whoever may accept but not see an installation gets no more than its ID, also with a repeat.
func TestAcceptShowsNothingWithoutRightToSee(t *testing.T) {
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Policy = func(
			a installation.Actor, do installation.Action, i *installation.Installation,
		) bool {
			blind := a.Kind == installation.Customer && do == installation.ActionSee
			return !blind && installation.DefaultPolicy(a, do, i)
		}
	})
	code := w.Invite(t, "i").Code
	for range 2 {
		res, err := w.Customer.Accept(t.Context(), installation.AcceptRequest{
			ID: "i", Code: code, Account: installation.Account{ID: "ACC-1"},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := &installation.Installation{
			ID: "i", Tenant: fixture.Tenant, Generation: 1, Revision: 2,
		}
		if diff := fixture.Diff(want, res.Installation); diff != "" {
			t.Errorf("the answer (-want +got):\n%s", diff)
		}
	}
}
