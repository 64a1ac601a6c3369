package requests

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// ownerCalls create an installation of EXT-1 whose request names an owner.
var ownerCalls = map[string]func(
	ctx context.Context, s *installation.Service, owner string,
) (*installation.Result, error){
	"upsert": func(
		ctx context.Context, s *installation.Service, owner string,
	) (*installation.Result, error) {
		return s.Upsert(ctx, installation.UpsertRequest{ID: "i", Parts: ownerParts(owner)})
	},
	"invite": func(
		ctx context.Context, s *installation.Service, owner string,
	) (*installation.Result, error) {
		return s.Invite(ctx, installation.InviteRequest{ID: "i", Parts: ownerParts(owner)})
	},
}

func ownerParts(owner string) installation.Parts {
	return installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "EXT-1", Owner: owner}),
		Account:   installation.Value(installation.Account{ID: "ACC-1"}),
	}
}

// The actors of ownerCases.
var (
	forbidden = installation.ErrForbidden
	host      = installation.Actor{Kind: installation.Host}
	platform  = installation.Actor{Kind: installation.Platform}
	vendor    = installation.Actor{Kind: installation.Vendor, ID: "ACC-vendor"}
	rival     = installation.Actor{Kind: installation.Vendor, ID: "ACC-other"}
	customer  = installation.Actor{Kind: installation.Customer, ID: "ACC-1"}
	extension = installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"}
)

// ownerCases are requests that name an owner. With asked, Options.Owner says that it is ACC-vendor.
var ownerCases = []struct {
	actor       installation.Actor
	asked       bool
	named, want string // owners in the request and in the result
	err         error
}{
	{host, false, "ACC-other", "ACC-other", nil},
	{host, false, "", "", nil},
	{platform, false, "ACC-other", "ACC-other", nil},
	{vendor, false, "ACC-vendor", "", forbidden},
	{vendor, false, "", "", forbidden},
	{rival, false, "ACC-other", "", forbidden},
	{customer, false, "ACC-other", "", forbidden},
	{customer, false, "", "", nil},
	{extension, false, "ACC-other", "", forbidden},
	{extension, false, "", "", nil},

	{host, true, "", "ACC-vendor", nil},
	{host, true, "ACC-vendor", "ACC-vendor", nil},
	{host, true, "ACC-other", "", forbidden},
	{platform, true, "", "ACC-vendor", nil},
	{platform, true, "ACC-other", "", forbidden},
	{vendor, true, "", "ACC-vendor", nil},
	{vendor, true, "ACC-vendor", "ACC-vendor", nil},
	{rival, true, "ACC-other", "", forbidden},
	{rival, true, "ACC-vendor", "", forbidden},
	{rival, true, "", "", forbidden},
	{customer, true, "", "ACC-vendor", nil},
	{customer, true, "ACC-other", "", forbidden},
	{extension, true, "", "ACC-vendor", nil},
	{extension, true, "ACC-other", "", forbidden},
}

// A request cannot say who owns an extension: Options.Owner does, or else the host and the
// platform.
func TestOwnerComesFromHost(t *testing.T) {
	for _, tt := range ownerCases {
		for name, call := range ownerCalls {
			if name == "invite" && (tt.actor == customer || tt.actor == extension) {
				continue // they may not invite at all
			}
			title := fmt.Sprintf("%s by %s %s names %q, asked %t", name, tt.actor.Kind, tt.actor.ID,
				tt.named, tt.asked)
			t.Run(title, func(t *testing.T) {
				var options []func(*installation.Options)
				if tt.asked {
					options = append(options, fixture.OwnedBy("ACC-vendor"))
				}
				w := fixture.NewWorld(t, options...)
				res, err := call(t.Context(), w.Service.As(tt.actor), tt.named)
				fixture.WantErr(t, name, err, tt.err)
				if err == nil && res.Extension.Owner != tt.want {
					t.Errorf("owner %q, want %q", res.Extension.Owner, tt.want)
				}
				if n := len(w.Store.Changes()); err != nil && n != 0 {
					t.Errorf("a rejected request made %d commits", n)
				}
			})
		}
	}
}

// The error for a vendor says what the host has to do, and nothing about who is the owner.
func TestErrorsOfOwnersSayWhatToDo(t *testing.T) {
	create := ownerCalls["upsert"]
	w := fixture.NewWorld(t)
	for _, named := range []string{"", "ACC-vendor"} {
		_, err := create(t.Context(), w.Vendor, named)
		if err == nil || !strings.Contains(err.Error(), "Options.Owner") {
			t.Errorf("without the option, naming %q: %v", named, err)
		}
	}
	w = fixture.NewWorld(t, fixture.OwnedBy("ACC-vendor"))
	_, err := create(t.Context(), w.Host, "ACC-other")
	if err == nil || !strings.Contains(err.Error(), "leave it out") {
		t.Errorf("another owner: %v", err)
	}
}

// A vendor does not learn who owns the extension of another one by naming owners, also not in a
// request that has other faults.
func TestGuessOfAnOwnerIsNotConfirmed(t *testing.T) {
	w := fixture.NewWorld(t, fixture.OwnedBy("ACC-vendor"))
	large := `{"notes":"` + strings.Repeat("x", 250<<10) + `"}`
	for what, edit := range map[string]func(p *installation.Parts){
		"no other fault": func(*installation.Parts) {},
		"no account": func(p *installation.Parts) {
			p.Account = installation.Optional[installation.Account]{}
		},
		"a mask": func(p *installation.Parts) {
			p.Extra = installation.Value(installation.JSON(`{"a":"***"}`))
		},
		"large": func(p *installation.Parts) {
			p.Extra = installation.Value(installation.JSON(large))
		},
	} {
		guess := func(owner string) error {
			parts := ownerParts(owner)
			edit(&parts)
			req := installation.UpsertRequest{ID: "i", Parts: parts}
			_, err := w.Service.As(rival).Upsert(t.Context(), req)
			return err
		}
		right, wrong := guess("ACC-vendor"), guess("ACC-third")
		if right == nil || wrong == nil || right.Error() != wrong.Error() {
			t.Errorf("%s: a right guess gets %.200v, a wrong one %.200v", what, right, wrong)
		}
	}
}

// A failure of Options.Owner is no answer about the installation. Its text could quote anything.
func TestFailingOwnerMakesWriteUnavailable(t *testing.T) {
	var owner string
	var failure error
	whileAsked := func() {}
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Owner = func(context.Context, string, string) (string, error) {
			whileAsked()
			return owner, failure
		}
	})
	for name, set := range map[string]func(){
		"error":      func() { failure = errors.New("dial c4nary-password@catalogue") },
		"a sentinel": func() { failure = fmt.Errorf("c4nary: %w", installation.ErrNotFound) },
		"bad owner":  func() { owner = "c4nary\x00" },
	} {
		owner, failure = "", nil
		set()
		for call, create := range ownerCalls {
			_, err := create(t.Context(), w.Host, "")
			fixture.WantErr(t, name+": "+call, err, installation.ErrUnavailable)
			if err != nil && strings.Contains(err.Error(), "c4nary") ||
				errors.Is(err, installation.ErrNotFound) {
				t.Errorf("%s: the error of the function shows: %v", name, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	whileAsked, owner, failure = cancel, "", errors.New("c4nary")
	_, err := ownerCalls["upsert"](ctx, w.Host, "")
	fixture.WantErr(t, "context ended", err, context.Canceled)
	if n := len(w.Store.Changes()); n != 0 {
		t.Errorf("%d commits", n)
	}
}

// ownerSteps are writes to one installation, and how often each asks for the owner.
var ownerSteps = []struct {
	name string
	asks int
	do   func(ctx context.Context, w *fixture.World, code *crypto.Secret) error
}{
	{"invite", 1, func(ctx context.Context, w *fixture.World, code *crypto.Secret) error {
		res, err := w.Host.Invite(ctx, installation.InviteRequest{
			ID: "i", Parts: installation.Parts{Extension: ownerParts("").Extension},
		})
		if err == nil {
			*code = res.Code
		}
		return err
	}},
	{"another part", 0, func(ctx context.Context, w *fixture.World, _ *crypto.Secret) error {
		_, err := w.Host.Upsert(ctx, installation.UpsertRequest{
			ID: "i", Parts: installation.Parts{Name: installation.Value("n")},
		})
		return err
	}},
	{"accept", 1, func(ctx context.Context, w *fixture.World, code *crypto.Secret) error {
		_, err := w.Customer.Accept(ctx, installation.AcceptRequest{
			ID: "i", Code: *code, Account: installation.Account{ID: "ACC-1"},
		})
		return err
	}},
	{"extension", 1, func(ctx context.Context, w *fixture.World, _ *crypto.Secret) error {
		_, err := w.Customer.Patch(ctx, installation.PatchRequest{
			ID: "i", Parts: installation.Parts{Extension: ownerParts("").Extension},
		})
		return err
	}},
	{"new install", 1, func(ctx context.Context, w *fixture.World, _ *crypto.Secret) error {
		_, err := w.Host.Upsert(ctx, installation.UpsertRequest{
			ID: "i", InstalledAt: w.Advance(time.Second),
			Parts: installation.Parts{Account: ownerParts("").Account},
		})
		return err
	}},
	{"uninstall", 0, func(ctx context.Context, w *fixture.World, _ *crypto.Secret) error {
		_, err := w.Host.Uninstall(ctx, installation.UninstallRequest{ID: "i"})
		return err
	}},
	{"install again", 1, func(ctx context.Context, w *fixture.World, _ *crypto.Secret) error {
		_, err := w.Host.Upsert(ctx, installation.UpsertRequest{
			ID: "i", Parts: installation.Parts{Account: ownerParts("").Account},
		})
		return err
	}},
}

// The service asks for the owner in each write that begins an install or gives the extension, and
// in no other.
func TestOwnerIsAskedWhenInstallBegins(t *testing.T) {
	owner, asked := "ACC-vendor", 0
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Owner = func(_ context.Context, tenant, extension string) (string, error) {
			if tenant != fixture.Tenant || extension != "EXT-1" {
				t.Errorf("asked about %q of %q", extension, tenant)
			}
			asked++
			return owner, nil
		}
	})
	var code crypto.Secret
	for _, step := range ownerSteps {
		asked = 0
		if step.asks > 0 {
			owner += "+"
		}
		if err := step.do(t.Context(), w, &code); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := w.Get(t, "i").Extension.Owner; got != owner || asked != step.asks {
			t.Errorf("%s: owner %q after %d calls, want %q after %d",
				step.name, got, asked, owner, step.asks)
		}
	}
}

// Without Options.Owner, nobody but host and platform gives an owner to an installation that has
// none.
func TestUnownedInstallationIsNotGivenAway(t *testing.T) {
	w := fixture.NewWorld(t)
	if _, err := ownerCalls["upsert"](t.Context(), w.Host, ""); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*installation.Service{
		"customer": w.Customer, "extension": w.Extension,
	} {
		_, err := s.Patch(t.Context(), installation.PatchRequest{
			ID: "i", Parts: installation.Parts{Extension: ownerParts("ACC-other").Extension},
		})
		fixture.WantErr(t, name, err, installation.ErrForbidden)
	}
	if got := w.Get(t, "i"); got.Revision != 1 || got.Extension.Owner != "" {
		t.Errorf("revision %d of owner %q", got.Revision, got.Extension.Owner)
	}
}

// talkative is a store whose error for a taken claim has a text that names the holder.
type talkative struct{ installation.Decorator }

func (s talkative) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	receipt, err := s.Decorator.Commit(ctx, c)
	if errors.Is(err, installation.ErrExists) {
		err = fmt.Errorf("row of c4nary-holder: %w", err)
	}
	return receipt, err
}

// Who has a claim that is taken is named only to actors who may see the holder.
func TestInvariant6HolderIsNamedOnlyToWhoMaySeeIt(t *testing.T) {
	ctx := t.Context()
	w := fixture.NewWorld(t)
	svc, err := installation.New(talkative{installation.Decorator{Store: w.Store}}, fixture.Ring(t),
		&installation.Options{
			Now: w.Now,
			Claims: func(i *installation.Installation) []string {
				return []string{"name=" + cmp.Or(i.Name, i.ID)}
			},
		})
	if err != nil {
		t.Fatal(err)
	}
	svc = svc.In(fixture.Tenant)
	for id, account := range map[string]string{"c4nary-holder": "ACC-1", "j": "ACC-2"} {
		parts := ownerParts("")
		parts.Account = installation.Value(installation.Account{ID: account})
		req := installation.UpsertRequest{ID: id, Parts: parts}
		if _, err := svc.As(host).Upsert(ctx, req); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		actor installation.Actor
		named bool
	}{
		{host, true},
		{platform, true},
		{extension, true},
		{installation.Actor{Kind: installation.Customer, ID: "ACC-2"}, false},
	} {
		_, err := svc.As(tt.actor).Patch(ctx, installation.PatchRequest{
			ID: "j", Parts: installation.Parts{Name: installation.Value("c4nary-holder")},
		})
		exists, ok := errors.AsType[*installation.ExistsError](err)
		if !ok || exists.Key.ID != "j" || (exists.Holder == "c4nary-holder") != tt.named ||
			strings.Contains(err.Error(), "c4nary-holder") != tt.named {
			t.Errorf("%s: %v", tt.actor.Kind, err)
		}
	}
	w.Store.FailWith(func(method string, arg any) error {
		if method == "Get" && arg == fixture.KeyAt("c4nary-holder") {
			return installation.ErrUnavailable
		}
		return nil
	})
	_, err = svc.As(host).Patch(ctx, installation.PatchRequest{
		ID: "j", Parts: installation.Parts{Name: installation.Value("c4nary-holder")},
	})
	if !errors.Is(err, installation.ErrExists) || strings.Contains(err.Error(), "c4nary") {
		t.Errorf("a holder that cannot be read: %v", err)
	}
}
