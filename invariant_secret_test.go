package installation_test

import (
	"context"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
	"github.com/google/go-cmp/cmp"
)

// GET, change one value, PUT all of it back changes that value alone.
func TestInvariant10MaskedRoundTrip(t *testing.T) {
	secret := installation.Ref{Kind: installation.RefConfig, Pointer: "/api_secret"}
	nested := installation.Ref{Kind: installation.RefConfig, Pointer: "/nested/token"}
	put := func(w *world, i *installation.Installation) (*installation.Result, error) {
		return w.host.Upsert(t.Context(), installation.UpsertRequest{ID: i.ID, Parts: installation.Parts{
			Name: installation.Value(i.Name), Extension: installation.Value(i.Extension), Account: installation.Value(i.Account),
			Health: installation.Value(i.Health), Consent: installation.Value(i.Consent),
			Configuration: installation.Value(*i.Configuration), Connection: installation.Value(*i.Connection),
		}})
	}
	edit := func(i *installation.Installation, change func(map[string]any)) {
		t.Helper()
		var document map[string]any
		if err := i.Configuration.Document.Decode(&document); err != nil {
			t.Fatal(err)
		}
		change(document)
		var err error
		if i.Configuration.Document, err = installation.DocumentOf(document); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("the echo changes nothing", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "i")
		before := w.get(t, "i")
		w.advance(time.Hour)
		res, err := put(w, w.get(t, "i"))
		if err != nil || res.Changed {
			t.Fatalf("echo: %+v, %v", res, err)
		}
		if diff := cmp.Diff(before, w.get(t, "i")); diff != "" {
			t.Errorf("the echo changed something:\n%s", diff)
		}
		if n := len(w.store.commits); n != 1 {
			t.Errorf("%d commits, want the first alone", n)
		}
	})

	t.Run("one value changes alone", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "i")
		i := w.get(t, "i")
		edit(i, func(d map[string]any) { d["warehouse"] = "EU-3" })
		res, err := put(w, i)
		if err != nil || !res.Changed || res.Revision != 2 {
			t.Fatalf("put: %+v, %v", res, err)
		}
		if got, want := res.Configuration.Document.String(), `{"api_secret":"***","nested":{"depth":2,"token":"***"},"warehouse":"EU-3"}`; got != want {
			t.Errorf("document %s, want %s", got, want)
		}
		if got := w.reveal(t, "i", secret); got != "s3cr3t-config" {
			t.Errorf("the secret is now %q", got)
		}
		if got := w.reveal(t, "i", nested); got != "t0ken-nested" {
			t.Errorf("the nested secret is now %q", got)
		}
		events := w.events(t)
		if diff := cmp.Diff([]string{"config/warehouse"}, events[1].Changed); diff != "" {
			t.Errorf("changed (-want +got):\n%s", diff)
		}
	})

	t.Run("one secret changes alone", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "i")
		i := w.get(t, "i")
		edit(i, func(d map[string]any) { d["api_secret"] = "n3w" })
		i.Connection.AccessToken.Value = crypto.NewSecret("n3w-token")
		if _, err := put(w, i); err != nil {
			t.Fatal(err)
		}
		want := map[installation.Ref]string{
			secret: "n3w", nested: "t0ken-nested",
			{Kind: installation.RefCredential, Pointer: installation.PointerAccessToken}:  "n3w-token",
			{Kind: installation.RefCredential, Pointer: installation.PointerRefreshToken}: "r3fresh-token",
		}
		for ref, value := range want {
			if got := w.reveal(t, "i", ref); got != value {
				t.Errorf("%s is %q, want %q", ref, got, value)
			}
		}
	})

	t.Run("a mask without a stored secret is refused", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "i")
		i := w.get(t, "i")
		edit(i, func(d map[string]any) { d["other_secret"] = "***" })
		i.Connection.APIKey = crypto.Masked()
		_, err := put(w, i)
		invalid, ok := errors.AsType[*validate.Error](err)
		if !ok {
			t.Fatalf("got %v, want a validation error", err)
		}
		var got []string
		for _, v := range invalid.Violations {
			got = append(got, v.Path+" "+string(v.Rule))
		}
		want := []string{
			"configuration/other_secret mask-without-stored-value",
			"connection/api_key mask-without-stored-value",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("violations (-want +got):\n%s", diff)
		}
	})

	t.Run("absent and null delete", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "i")
		i := w.get(t, "i")
		edit(i, func(d map[string]any) { delete(d, "api_secret"); d["nested"].(map[string]any)["token"] = nil })
		i.Connection.RefreshToken = installation.Token{}
		res, err := put(w, i)
		if err != nil {
			t.Fatal(err)
		}
		want := []installation.Ref{{Kind: installation.RefCredential, Pointer: installation.PointerAccessToken}}
		if diff := cmp.Diff(want, res.Sealed); diff != "" {
			t.Errorf("secrets left (-want +got):\n%s", diff)
		}
	})

	t.Run("a literal mask only by SetSecret", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "i")
		_, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Operations: []installation.Operation{
			installation.SetSecret("/api_secret", crypto.NewSecret("***")),
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.reveal(t, "i", secret); got != "***" {
			t.Errorf("the secret is %q", got)
		}
	})
}

// What is sensitive is decided by the name, by the value, and by what is stored already.
func TestInvariant12WhatIsSensitive(t *testing.T) {
	w := newWorld(t)
	document := `{"clientSecret":"a","DB_PASSWORD":"b","dsn":"postgres://u:p@db.example/x","plain":"c","warehouse":7,"list":[{"apiKey":"d"}],"secret":{"user":"e","n":1}}`
	res, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{
		Extension:     installation.Value(installation.Extension{ID: "EXT-1"}),
		Account:       installation.Value(installation.Account{ID: "ACC-1"}),
		Configuration: installation.Value(installation.Configuration{Document: installation.JSON(document)}),
		Extra:         installation.Value(installation.JSON(`{"webhook":{"signature":"f"},"callback":"https://u:p@host.example"}`)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := res.Configuration.Document.String(), `{"clientSecret":"***","DB_PASSWORD":"***","dsn":"***","plain":"c","warehouse":7,"list":[{"apiKey":"***"}],"secret":{"user":"***","n":1}}`; got != want {
		t.Errorf("configuration %s\nwant %s", got, want)
	}
	if got, want := res.Extra.String(), `{"webhook":{"signature":"***"},"callback":"***"}`; got != want {
		t.Errorf("extra %s\nwant %s", got, want)
	}
	// A place that is sealed stays so, whatever its name.
	if _, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Operations: []installation.Operation{
		installation.SetSecret("/plain", crypto.NewSecret("x")), installation.Set("/plain", installation.JSON(`"y"`)),
	}}); err != nil {
		t.Fatal(err)
	}
	if got := w.reveal(t, "i", installation.Ref{Kind: installation.RefConfig, Pointer: "/plain"}); got != "y" {
		t.Errorf("/plain reveals %q, want y", got)
	}
}

// Invitation codes are shown once, stored as a hash, consumed once, and every refusal is the same.
func TestInvariant15InvitationCodes(t *testing.T) {
	accept := func(svc *installation.Service, id string, code crypto.Secret, account string) (*installation.Result, error) {
		return svc.Accept(context.Background(), installation.AcceptRequest{ID: id, Code: code, Account: installation.Account{ID: account}})
	}

	t.Run("the code", func(t *testing.T) {
		w := newWorld(t)
		res := w.invite(t, "i")
		code := res.Code.RevealString()
		if rest, ok := strings.CutPrefix(code, "inv_"); !ok || len(rest) != 32 || strings.Trim(rest, "0123456789abcdefghjkmnpqrstvwxyz") != "" {
			t.Errorf("a code has another form than inv_ and 160 bits of base 32")
		}
		u, err := url.Parse(res.AcceptURL.RevealString())
		if err != nil || u.Host != "portal.example" || u.Query().Get("code") != code || u.Query().Get("lang") != "en" {
			t.Errorf("accept URL does not lead to the portal with the code")
		}
		if got := w.get(t, "i"); len(got.Sealed) != 0 {
			t.Errorf("a code is kept: %v", got.Sealed)
		}
		if _, err := accept(w.customer, "i", crypto.NewSecret(" "+strings.ToUpper(code)+"\n"), "ACC-1"); err != nil {
			t.Errorf("a code typed in upper case: %v", err)
		}
	})

	t.Run("64 accounts at once", func(t *testing.T) {
		w := newWorld(t)
		code := w.invite(t, "i").Code
		const racers = 64
		name := func(n int) string { return "ACC-" + string(rune('A'+n/26)) + string(rune('a'+n%26)) }
		won := make([]bool, racers)
		parallel(racers, func(n int) {
			res, err := accept(w.as(name(n)), "i", code, name(n))
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
		before := w.get(t, "i")
		commits := len(w.store.commits)
		res, err := accept(w.as(winner), "i", code, winner)
		if err != nil || !res.Replayed || res.Changed {
			t.Errorf("the winner again: %+v, %v", res, err)
		}
		if len(w.store.commits) != commits {
			t.Error("the winner's second try wrote something")
		}
		if diff := cmp.Diff(before, w.get(t, "i")); diff != "" {
			t.Errorf("the winner's second try changed something:\n%s", diff)
		}
	})

	t.Run("every refusal is the same", func(t *testing.T) {
		w := newWorld(t)
		used, expired, revoked, resent := w.invite(t, "used"), w.invite(t, "expired"), w.invite(t, "revoked"), w.invite(t, "resent")
		w.install(t, "direct")
		if _, err := accept(w.as("ACC-2"), "used", used.Code, "ACC-2"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.host.Expire(t.Context(), installation.ExpireRequest{ID: "expired"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "revoked"}); err != nil {
			t.Fatal(err)
		}
		again, err := w.host.Resend(t.Context(), installation.ResendRequest{ID: "resent"})
		if err != nil {
			t.Fatal(err)
		}
		bound, err := w.host.Invite(t.Context(), installation.InviteRequest{ID: "bound", Recipient: "a@shop.example", Parts: installation.Parts{Extension: sample().Extension}})
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
			_, err := accept(w.customer, r.id, r.code, "ACC-3")
			if err == nil || err.Error() != installation.ErrInvitation.Error() {
				t.Errorf("%s: got %v, want exactly %v", name, err, installation.ErrInvitation)
			}
		}
		customer := w.as("ACC-3")
		if _, err := accept(customer, "resent", again.Code, "ACC-3"); err != nil {
			t.Errorf("the code that was resent: %v", err)
		}
		_, err = accept(customer, "used", used.Code, "ACC-2")
		wantErr(t, "for an account that is not the actor's", err, installation.ErrForbidden)
	})

	t.Run("it runs out by the clock", func(t *testing.T) {
		w := newWorld(t)
		code := w.invite(t, "i").Code
		w.advance(7*24*time.Hour - time.Microsecond)
		if got := w.get(t, "i").Status; got != installation.StatusInvited {
			t.Errorf("a microsecond before its time it is %s", got)
		}
		w.advance(time.Microsecond)
		if got := w.get(t, "i"); got.Status != installation.StatusExpired || got.Invitation.Status != installation.StatusExpired {
			t.Errorf("at its time it is %s, the invitation %s", got.Status, got.Invitation.Status)
		}
		_, err := accept(w.customer, "i", code, "ACC-1")
		wantErr(t, "accept at its time", err, installation.ErrInvitation)
		_, err = w.host.Resend(t.Context(), installation.ResendRequest{ID: "i"})
		wantErr(t, "resend of an expired one", err, installation.ErrConflict)
		next := w.invite(t, "i") // a dead invitation never blocks a new one
		if next.Generation != 2 {
			t.Errorf("generation %d, want 2", next.Generation)
		}
		if _, err := accept(w.customer, "i", next.Code, "ACC-1"); err != nil {
			t.Error(err)
		}
	})

	t.Run("an account that has the extension is told so", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "live")
		code := w.invite(t, "i").Code
		_, err := accept(w.customer, "i", code, "ACC-1")
		if exists, ok := errors.AsType[*installation.ExistsError](err); !ok || exists.Holder != "live" {
			t.Errorf("got %v, want ErrExists naming live", err)
		}
		if _, err := accept(w.as("ACC-2"), "i", code, "ACC-2"); err != nil {
			t.Errorf("the code is spent by a refusal: %v", err)
		}
	})
}

// Reads never write, and nothing a caller holds aliases what a store holds.
func TestInvariant16ReadsNeverWrite(t *testing.T) {
	w := newWorld(t)
	parts := sample()
	account, _ := parts.Account.Get()
	account.Contact = &installation.Contact{Name: "Iris"}
	parts.Account = installation.Value(account)
	if _, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "live", Parts: parts}); err != nil {
		t.Fatal(err)
	}
	other := sample()
	other.Account = installation.Value(installation.Account{ID: "ACC-2"})
	if _, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "ended", Parts: other}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "ended"}); err != nil {
		t.Fatal(err)
	}
	w.invite(t, "expired")
	if _, err := w.host.Expire(t.Context(), installation.ExpireRequest{ID: "expired"}); err != nil {
		t.Fatal(err)
	}
	w.invite(t, "expiring")
	w.advance(30 * 24 * time.Hour)

	commits := len(w.store.commits)
	consent, _ := parts.Consent.Get()
	for _, id := range []string{"live", "ended", "expired", "expiring"} {
		before := w.get(t, id)
		spoil(reflect.ValueOf(w.get(t, id)))
		account.Contact.Name, consent.Scopes[0], consent.Policies["terms"] = "spoilt", "spoilt", time.Time{}
		if diff := cmp.Diff(before, w.get(t, id)); diff != "" {
			t.Errorf("%s: what a caller holds changed what is stored:\n%s", id, diff)
		}
	}
	for _, svc := range []*installation.Service{w.host, w.vendor, w.extension, w.customer, w.platform} {
		for range svc.All(t.Context(), installation.ListRequest{Status: []installation.Status{installation.StatusExpired, installation.StatusInstalled}}) {
		}
		if _, err := svc.Count(t.Context(), installation.ListRequest{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.host.Events(t.Context(), "", 0); err != nil {
		t.Error(err)
	}
	if n := len(w.store.commits); n != commits {
		t.Errorf("reading made %d commits", n-commits)
	}
}

// spoil overwrites everything that can be reached from v.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			spoil(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				spoil(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.Zero(v.Type().Elem()))
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString("spoilt")
		}
	case reflect.Int64:
		if v.CanSet() {
			v.SetInt(-1)
		}
	}
}
