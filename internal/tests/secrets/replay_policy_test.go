package secrets

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// An idempotency key does not show a former owner the record of the new owner.
func TestReplayIsSubjectToPolicy(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	customer := h.As(fixture.CustomerActor)
	parts := fixture.SecretParts("ACC-1", "s3cr3t")
	parts.Extension = installation.Value(installation.Extension{ID: "EXT-1"})
	parts.Configuration = installation.Optional[installation.Configuration]{}
	mine := installation.Guard{IdempotencyKey: "mine"}
	first := installation.UpsertRequest{ID: "EXI-1", Parts: parts, Guard: mine}
	if _, err := customer.Upsert(ctx, first); err != nil {
		t.Fatal(err)
	}
	final := installation.UninstallRequest{ID: "EXI-1", Final: true}
	if _, err := h.Host().Uninstall(ctx, final); err != nil {
		t.Fatal(err)
	}
	next := fixture.SecretParts("ACC-2", "s3cr3t")
	next.Account = installation.Value(installation.Account{
		ID: "ACC-2", Name: "Someone Else",
		Contact: &installation.Contact{Email: "else@example.com"},
	})
	second := installation.UpsertRequest{ID: "EXI-1", Parts: next}
	if _, err := h.Host().Upsert(ctx, second); err != nil {
		t.Fatal(err)
	}
	if _, err := customer.Get(ctx, "EXI-1"); !errors.Is(err, installation.ErrNotFound) {
		t.Fatalf("got error %v, want ErrNotFound", err)
	}
	for name, call := range map[string]func() (*installation.Result, error){
		"the same request": func() (*installation.Result, error) {
			return customer.Upsert(ctx, first)
		},
		"another request": func() (*installation.Result, error) {
			return customer.Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1", Guard: mine})
		},
	} {
		res, err := call()
		if err == nil && (res.Account.ID == "ACC-2" || res.Connection != nil || res.Name != "") {
			t.Errorf("%s: ACC-1 sees the record of ACC-2: %+v", name, res.Account)
		}
	}
}

// Two users of one account do not share idempotency keys. Otherwise a guess that
// comes back as a replay would confirm a secret.
func TestIdempotencyKeysBelongToAUser(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	write := func(user, key string) (*installation.Result, error) {
		customer := w.Service.As(installation.Actor{
			Kind: installation.Customer, ID: "ACC-1", User: installation.Reference{ID: user},
		})
		return customer.Patch(t.Context(), installation.PatchRequest{
			ID: "i", Guard: installation.Guard{IdempotencyKey: "key-1"},
			Parts: installation.Parts{Connection: installation.Value(installation.Connection{
				ID: "c", APIKey: crypto.NewSecret(key),
			})},
		})
	}
	first, err := write("alice", "4711")
	if err != nil {
		t.Fatal(err)
	}
	again, err := write("alice", "4711")
	if err != nil || !again.Replayed || again.Revision != first.Revision {
		t.Errorf("the same user: %+v, %v", again, err)
	}
	for _, user := range []string{"mallory", ""} {
		if res, err := write(user, "4711"); err != nil || res.Replayed {
			t.Errorf("%q with the right guess: %+v, %v", user, res, err)
		}
		_, err := write(user, "0000") // differs from the same user's first request
		fixture.WantErr(t, user+" with another guess", err, installation.ErrIdempotencyMismatch)
	}
}

// Who may see a replay, and the code in it, is judged by the present state and not by the state in
// the first answer.
func TestReplayGivesFormerOwnerNoCode(t *testing.T) {
	for name, owner := range map[string]string{"former": "ACC-other", "still": "ACC-vendor"} {
		t.Run(name, func(t *testing.T) {
			now := "ACC-vendor" // who owns the extension
			w := fixture.NewWorld(t, func(o *installation.Options) {
				o.Owner = func(context.Context, string, string) (string, error) { return now, nil }
			})
			req := installation.InviteRequest{
				ID: "i", Guard: installation.Guard{IdempotencyKey: "once"}, Message: "Join",
				Parts: installation.Parts{Extension: fixture.Parts().Extension},
			}
			first, err := w.Vendor.Invite(t.Context(), req)
			if err != nil || first.Code.IsZero() {
				t.Fatalf("%+v, %v", first, err)
			}
			now = owner
			ext := installation.Extension{ID: "EXT-1", Owner: owner}
			_, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{
				ID: "i", Parts: installation.Parts{Extension: installation.Value(ext)},
			})
			if err != nil {
				t.Fatal(err)
			}
			again, err := w.Vendor.Invite(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if name == "still" {
				if !again.Code.Equal(first.Code) || again.FirstRevision != first.Revision {
					t.Errorf("the owner gets %+v", again)
				}
			} else if !again.Code.IsZero() || again.Extension.ID != "" || again.Invitation != nil {
				t.Errorf("who is not the owner any more gets %+v", again)
			}
		})
	}
}

// A replay hides the configuration if the actor may not see the present one.
func TestReplayHidesConfigurationAsOfNow(t *testing.T) {
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Policy = func(
			a installation.Actor, do installation.Action, i *installation.Installation,
		) bool {
			hidden := do == installation.ActionSeeConfiguration && i.Name == "locked"
			return !hidden && installation.DefaultPolicy(a, do, i)
		}
	})
	req := installation.UpsertRequest{
		ID: "i", Guard: installation.Guard{IdempotencyKey: "once"}, Parts: fixture.Parts(),
	}
	first, err := w.Host.Upsert(t.Context(), req)
	if err != nil || first.Configuration == nil {
		t.Fatalf("%+v, %v", first, err)
	}
	parts := installation.Parts{Name: installation.Value("locked")}
	_, err = w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Host.Upsert(t.Context(), req)
	if err != nil || !again.Replayed || again.Name != first.Name || again.Configuration != nil ||
		strings.Contains(fmt.Sprint(again.Sealed), "config/") {
		t.Errorf("%+v, %v", again, err)
	}
}
