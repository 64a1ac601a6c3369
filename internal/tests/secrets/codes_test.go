package secrets

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/internal/tests/races"
)

// A code is returned once, is stored as a hash, works once, and every refusal
// looks the same.
func TestInvariant15InvitationCodes(t *testing.T) {
	t.Run("the code", codeFormat)
	t.Run("64 accounts at once", oneAccountWins)
	t.Run("every refusal is the same", refusedCodesLookTheSame)
	t.Run("every refusal does the same work", refusalsDoTheSameWork)
	t.Run("every refusal is the same without keys", refusalsWithoutKeys)
	t.Run("it expires by the clock", codeExpires)
	t.Run("an account with the extension gets ErrExists", codeOfInstalledExtension)
}

func accept(
	svc *installation.Service, id string, code crypto.Secret, account string,
) (*installation.Result, error) {
	return svc.Accept(context.Background(), installation.AcceptRequest{
		ID: id, Code: code, Account: installation.Account{ID: account},
	})
}

func codeFormat(t *testing.T) {
	w := fixture.NewWorld(t)
	res := w.Invite(t, "i")
	code := res.Code.RevealString()
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	rest, ok := strings.CutPrefix(code, "inv_")
	if !ok || len(rest) != 32 || strings.Trim(rest, alphabet) != "" {
		t.Errorf("the code is not inv_ and 160 bits in base 32")
	}
	u, err := url.Parse(res.AcceptURL.RevealString())
	if err != nil || u.Host != "portal.example" || u.Query().Get("code") != code ||
		u.Query().Get("lang") != "en" {
		t.Errorf("the accept URL does not lead to the portal with the code")
	}
	if got := w.Get(t, "i"); len(got.Sealed) != 0 {
		t.Errorf("the code is stored: %v", got.Sealed)
	}
	typed := crypto.NewSecret(" " + strings.ToUpper(code) + "\n")
	if _, err := accept(w.Customer, "i", typed, "ACC-1"); err != nil {
		t.Errorf("a code typed in upper case: %v", err)
	}
}

func oneAccountWins(t *testing.T) {
	w := fixture.NewWorld(t)
	code := w.Invite(t, "i").Code
	winner := races.Accepts(t, w, "i", code)
	before := w.Get(t, "i")
	commits := len(w.Store.Changes())
	res, err := accept(w.As(winner), "i", code, winner)
	if err != nil || !res.Replayed || res.Changed {
		t.Errorf("the winner accepts again: %+v, %v", res, err)
	}
	if len(w.Store.Changes()) != commits {
		t.Error("the winner's second accept wrote something")
	}
	if diff := cmp.Diff(before, w.Get(t, "i")); diff != "" {
		t.Errorf("the winner's second accept changed something:\n%s", diff)
	}
}

func refusedCodesLookTheSame(t *testing.T) {
	w := fixture.NewWorld(t)
	used, expired := w.Invite(t, "used"), w.Invite(t, "expired")
	revoked, resent := w.Invite(t, "revoked"), w.Invite(t, "resent")
	w.Install(t, "direct")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := accept(w.As("ACC-2"), "used", used.Code, "ACC-2")
	must(err)
	_, err = w.Host.Expire(t.Context(), installation.ExpireRequest{ID: "expired"})
	must(err)
	_, err = w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "revoked"})
	must(err)
	again, err := w.Host.Resend(t.Context(), installation.ResendRequest{ID: "resent"})
	must(err)
	bound, err := w.Host.Invite(t.Context(), installation.InviteRequest{
		ID: "bound", Recipient: "a@shop.example",
		Parts: installation.Parts{Extension: fixture.Parts().Extension},
	})
	must(err)

	for name, r := range map[string]struct {
		id   string
		code crypto.Secret
	}{
		"used":                    {"used", used.Code},
		"expired":                 {"expired", expired.Code},
		"revoked":                 {"revoked", revoked.Code},
		"replaced by resend":      {"resent", resent.Code},
		"of another installation": {"resent", used.Code},
		"no code":                 {"resent", crypto.Secret{}},
		"masked":                  {"resent", crypto.Masked()},
		"installed directly":      {"direct", used.Code},
		"unknown id":              {"nobody", used.Code},
		"for another recipient":   {"bound", bound.Code},
	} {
		_, err := accept(w.Customer, r.id, r.code, "ACC-3")
		if err == nil || err.Error() != installation.ErrInvitation.Error() {
			t.Errorf("%s: got %v, want exactly %v", name, err, installation.ErrInvitation)
		}
	}
	customer := w.As("ACC-3")
	if _, err := accept(customer, "resent", again.Code, "ACC-3"); err != nil {
		t.Errorf("the new code after resend: %v", err)
	}
	_, err = accept(customer, "used", used.Code, "ACC-2")
	fixture.WantErr(t, "for the account of another actor", err, installation.ErrForbidden)
}

func codeExpires(t *testing.T) {
	w := fixture.NewWorld(t)
	code := w.Invite(t, "i").Code
	w.Advance(7*24*time.Hour - time.Microsecond)
	if got := w.Get(t, "i").Status; got != installation.StatusInvited {
		t.Errorf("a microsecond before the expiry it is %s", got)
	}
	w.Advance(time.Microsecond)
	got := w.Get(t, "i")
	if got.Status != installation.StatusExpired ||
		got.Invitation.Status != installation.StatusExpired {
		t.Errorf("at the expiry it is %s, the invitation %s", got.Status, got.Invitation.Status)
	}
	_, err := accept(w.Customer, "i", code, "ACC-1")
	fixture.WantErr(t, "accept at the expiry", err, installation.ErrInvitation)
	_, err = w.Host.Resend(t.Context(), installation.ResendRequest{ID: "i"})
	fixture.WantErr(t, "resend of an expired invitation", err, installation.ErrConflict)
	next := w.Invite(t, "i") // an expired invitation never blocks a new one
	if next.Generation != 2 {
		t.Errorf("generation %d, want 2", next.Generation)
	}
	if _, err := accept(w.Customer, "i", next.Code, "ACC-1"); err != nil {
		t.Error(err)
	}
}

func codeOfInstalledExtension(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "live")
	code := w.Invite(t, "i").Code
	_, err := accept(w.Customer, "i", code, "ACC-1")
	exists, ok := errors.AsType[*installation.ExistsError](err)
	if !ok || exists.Holder != "live" {
		t.Errorf("got %v, want ErrExists naming live", err)
	}
	if _, err := accept(w.As("ACC-2"), "i", code, "ACC-2"); err != nil {
		t.Errorf("a refusal uses up the code: %v", err)
	}
}

// Which IDs exist cannot be told from the calls of the store and of the key wrapper.
func refusalsDoTheSameWork(t *testing.T) {
	w := fixture.NewWorld(t)
	keys := &fixture.KeyRecorder{KeyWrapper: fixture.Ring(t)}
	host := w.On(t, w.Store, keys)
	w.Install(t, "direct")
	purged, live := w.Invite(t, "purged"), w.Invite(t, "live")
	gone := w.Invite(t, "gone")
	_, err := host.Uninstall(t.Context(), installation.UninstallRequest{ID: "purged", Final: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = host.Delete(t.Context(), installation.DeleteRequest{ID: "gone"})
	if err != nil {
		t.Fatal(err)
	}
	bound, err := host.Invite(t.Context(), installation.InviteRequest{
		ID: "bound", Recipient: "a@shop.example",
		Parts: installation.Parts{Extension: fixture.Parts().Extension},
	})
	if err != nil {
		t.Fatal(err)
	}
	customer := host.As(installation.Actor{Kind: installation.Customer, ID: "ACC-3"})
	refuse := func(id string, code crypto.Secret) (calls []string) {
		w.Store.FailWith(func(method string, _ any) error {
			calls = append(calls, method)
			return nil
		})
		defer w.Store.FailWith(nil)
		keys.Forget()
		_, err := accept(customer, id, code, "ACC-3")
		fixture.WantErr(t, id, err, installation.ErrInvitation)
		for _, k := range keys.Seen() {
			calls = append(calls, "key")
			if _, err := k.Reveal(); err == nil {
				t.Errorf("%s: a data key stays in memory", id)
			}
		}
		return calls
	}
	refuse("unknown", live.Code) // the first one makes the decoy
	want := []string{"Get", "key"}
	for name, r := range map[string]struct {
		id   string
		code crypto.Secret
	}{
		"unknown": {"unknown", live.Code}, "deleted": {"gone", gone.Code},
		"purged": {"purged", purged.Code}, "installed": {"direct", live.Code},
		"other recipient": {"bound", bound.Code},
		"wrong code":      {"live", gone.Code}, "masked code": {"live", crypto.Masked()},
	} {
		if diff := cmp.Diff(want, refuse(r.id, r.code)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// Nor can it be told from the error while the key service is down.
func refusalsWithoutKeys(t *testing.T) {
	w := fixture.NewWorld(t)
	keys := &fixture.KeyRecorder{KeyWrapper: fixture.Ring(t)}
	code := w.Invite(t, "live").Code
	customer := w.On(t, w.Store, keys).As(installation.Actor{Kind: installation.Customer, ID: "A"})
	for _, want := range []error{
		installation.ErrInvitation, installation.ErrKeyUnavailable, installation.ErrInvitation,
	} {
		keys.UnwrapErr = nil
		if errors.Is(want, installation.ErrKeyUnavailable) {
			keys.UnwrapErr = want
		}
		for _, id := range []string{"unknown", "live"} {
			_, err := accept(customer, id, crypto.NewSecret("x"), "A")
			fixture.WantErr(t, id, err, want)
		}
	}
	if _, err := accept(customer, "live", code, "A"); err != nil {
		t.Error(err)
	}
}
