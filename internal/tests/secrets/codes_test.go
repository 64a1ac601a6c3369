package secrets

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Invitation codes are shown once, stored as a hash, consumed once, and every refusal is the same.
func TestInvariant15InvitationCodes(t *testing.T) {
	accept := func(svc *installation.Service, id string, code crypto.Secret, account string) (*installation.Result, error) {
		return svc.Accept(context.Background(), installation.AcceptRequest{ID: id, Code: code, Account: installation.Account{ID: account}})
	}

	t.Run("the code", func(t *testing.T) {
		w := fixture.NewWorld(t)
		res := w.Invite(t, "i")
		code := res.Code.RevealString()
		if rest, ok := strings.CutPrefix(code, "inv_"); !ok || len(rest) != 32 || strings.Trim(rest, "0123456789abcdefghjkmnpqrstvwxyz") != "" {
			t.Errorf("a code has another form than inv_ and 160 bits of base 32")
		}
		u, err := url.Parse(res.AcceptURL.RevealString())
		if err != nil || u.Host != "portal.example" || u.Query().Get("code") != code || u.Query().Get("lang") != "en" {
			t.Errorf("accept URL does not lead to the portal with the code")
		}
		if got := w.Get(t, "i"); len(got.Sealed) != 0 {
			t.Errorf("a code is kept: %v", got.Sealed)
		}
		if _, err := accept(w.Customer, "i", crypto.NewSecret(" "+strings.ToUpper(code)+"\n"), "ACC-1"); err != nil {
			t.Errorf("a code typed in upper case: %v", err)
		}
	})

	t.Run("64 accounts at once", func(t *testing.T) {
		w := fixture.NewWorld(t)
		code := w.Invite(t, "i").Code
		const racers = 64
		name := func(n int) string { return "ACC-" + string(rune('A'+n/26)) + string(rune('a'+n%26)) }
		won := make([]bool, racers)
		fixture.Parallel(racers, func(n int) {
			res, err := accept(w.As(name(n)), "i", code, name(n))
			switch {
			case err == nil:
				won[n] = res.Account.ID == name(n)
			case !errors.Is(err, installation.ErrInvitation):
				t.Errorf("racer %d: %v, want ErrInvitation", n, err)
			}
		})
		if n := len(slices.DeleteFunc(slices.Clone(won), func(b bool) bool { return !b })); n != 1 {
			t.Fatalf("%d winners, want 1", n)
		}
		winner := name(slices.Index(won, true))
		before := w.Get(t, "i")
		commits := len(w.Store.Changes())
		res, err := accept(w.As(winner), "i", code, winner)
		if err != nil || !res.Replayed || res.Changed {
			t.Errorf("the winner again: %+v, %v", res, err)
		}
		if len(w.Store.Changes()) != commits {
			t.Error("the winner's second try wrote something")
		}
		if diff := cmp.Diff(before, w.Get(t, "i")); diff != "" {
			t.Errorf("the winner's second try changed something:\n%s", diff)
		}
	})

	t.Run("every refusal is the same", func(t *testing.T) {
		w := fixture.NewWorld(t)
		used, expired, revoked, resent := w.Invite(t, "used"), w.Invite(t, "expired"), w.Invite(t, "revoked"), w.Invite(t, "resent")
		w.Install(t, "direct")
		if _, err := accept(w.As("ACC-2"), "used", used.Code, "ACC-2"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Host.Expire(t.Context(), installation.ExpireRequest{ID: "expired"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "revoked"}); err != nil {
			t.Fatal(err)
		}
		again, err := w.Host.Resend(t.Context(), installation.ResendRequest{ID: "resent"})
		if err != nil {
			t.Fatal(err)
		}
		bound, err := w.Host.Invite(t.Context(), installation.InviteRequest{ID: "bound", Recipient: "a@shop.example", Parts: installation.Parts{Extension: fixture.Parts().Extension}})
		if err != nil {
			t.Fatal(err)
		}
		refused := map[string]struct {
			id   string
			code crypto.Secret
		}{
			"used": {"used", used.Code}, "expired": {"expired", expired.Code}, "revoked": {"revoked", revoked.Code},
			"dead after resend": {"resent", resent.Code}, "of another one": {"resent", used.Code}, "no code": {"resent", crypto.Secret{}},
			"masked": {"resent", crypto.Masked()}, "installed directly": {"direct", used.Code}, "unknown id": {"nobody", used.Code},
			"for another recipient": {"bound", bound.Code},
		}
		for name, r := range refused {
			_, err := accept(w.Customer, r.id, r.code, "ACC-3")
			if err == nil || err.Error() != installation.ErrInvitation.Error() {
				t.Errorf("%s: got %v, want exactly %v", name, err, installation.ErrInvitation)
			}
		}
		customer := w.As("ACC-3")
		if _, err := accept(customer, "resent", again.Code, "ACC-3"); err != nil {
			t.Errorf("the code that was resent: %v", err)
		}
		_, err = accept(customer, "used", used.Code, "ACC-2")
		fixture.WantErr(t, "for an account that is not the actor's", err, installation.ErrForbidden)
	})

	t.Run("it runs out by the clock", func(t *testing.T) {
		w := fixture.NewWorld(t)
		code := w.Invite(t, "i").Code
		w.Advance(7*24*time.Hour - time.Microsecond)
		if got := w.Get(t, "i").Status; got != installation.StatusInvited {
			t.Errorf("a microsecond before its time it is %s", got)
		}
		w.Advance(time.Microsecond)
		if got := w.Get(t, "i"); got.Status != installation.StatusExpired || got.Invitation.Status != installation.StatusExpired {
			t.Errorf("at its time it is %s, the invitation %s", got.Status, got.Invitation.Status)
		}
		_, err := accept(w.Customer, "i", code, "ACC-1")
		fixture.WantErr(t, "accept at its time", err, installation.ErrInvitation)
		_, err = w.Host.Resend(t.Context(), installation.ResendRequest{ID: "i"})
		fixture.WantErr(t, "resend of an expired one", err, installation.ErrConflict)
		next := w.Invite(t, "i") // a dead invitation never blocks a new one
		if next.Generation != 2 {
			t.Errorf("generation %d, want 2", next.Generation)
		}
		if _, err := accept(w.Customer, "i", next.Code, "ACC-1"); err != nil {
			t.Error(err)
		}
	})

	t.Run("an account that has the extension is told so", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "live")
		code := w.Invite(t, "i").Code
		_, err := accept(w.Customer, "i", code, "ACC-1")
		if exists, ok := errors.AsType[*installation.ExistsError](err); !ok || exists.Holder != "live" {
			t.Errorf("got %v, want ErrExists naming live", err)
		}
		if _, err := accept(w.As("ACC-2"), "i", code, "ACC-2"); err != nil {
			t.Errorf("the code is spent by a refusal: %v", err)
		}
	})
}
