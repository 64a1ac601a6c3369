// Package secrets checks that secrets show in nothing but the answer to Reveal, and that a masked document
// that is written back changes nothing.
package secrets

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// GET, change one value, PUT all of it back changes that value alone.
func TestInvariant10MaskedRoundTrip(t *testing.T) {
	secret := installation.Ref("config/api_secret")
	nested := installation.Ref("config/nested/token")
	put := func(w *fixture.World, i *installation.Installation) (*installation.Result, error) {
		return w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: i.ID, Parts: installation.Parts{
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
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		before := w.Get(t, "i")
		w.Advance(time.Hour)
		res, err := put(w, w.Get(t, "i"))
		if err != nil || res.Changed {
			t.Fatalf("echo: %+v, %v", res, err)
		}
		if diff := cmp.Diff(before, w.Get(t, "i")); diff != "" {
			t.Errorf("the echo changed something:\n%s", diff)
		}
		if n := len(w.Store.Changes()); n != 1 {
			t.Errorf("%d commits, want the first alone", n)
		}
	})

	t.Run("one value changes alone", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		i := w.Get(t, "i")
		edit(i, func(d map[string]any) { d["warehouse"] = "EU-3" })
		res, err := put(w, i)
		if err != nil || !res.Changed || res.Revision != 2 {
			t.Fatalf("put: %+v, %v", res, err)
		}
		if got, want := res.Configuration.Document.String(), `{"api_secret":"***","nested":{"depth":2,"token":"***"},"warehouse":"EU-3"}`; got != want {
			t.Errorf("document %s, want %s", got, want)
		}
		if got := w.Reveal(t, "i", secret); got != "s3cr3t-config" {
			t.Errorf("the secret is now %q", got)
		}
		if got := w.Reveal(t, "i", nested); got != "t0ken-nested" {
			t.Errorf("the nested secret is now %q", got)
		}
		events := w.Events(t)
		if diff := cmp.Diff([]string{"config/warehouse"}, events[1].Changed); diff != "" {
			t.Errorf("changed (-want +got):\n%s", diff)
		}
	})

	t.Run("one secret changes alone", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		i := w.Get(t, "i")
		edit(i, func(d map[string]any) { d["api_secret"] = "n3w" })
		i.Connection.AccessToken.Value = crypto.NewSecret("n3w-token")
		if _, err := put(w, i); err != nil {
			t.Fatal(err)
		}
		want := map[installation.Ref]string{
			secret: "n3w", nested: "t0ken-nested",
			installation.Ref("credential/access_token"):  "n3w-token",
			installation.Ref("credential/refresh_token"): "r3fresh-token",
		}
		for ref, value := range want {
			if got := w.Reveal(t, "i", ref); got != value {
				t.Errorf("%s is %q, want %q", ref, got, value)
			}
		}
	})

	t.Run("a mask without a stored secret is refused", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		i := w.Get(t, "i")
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
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		i := w.Get(t, "i")
		edit(i, func(d map[string]any) { delete(d, "api_secret"); d["nested"].(map[string]any)["token"] = nil })
		i.Connection.RefreshToken = installation.Token{}
		res, err := put(w, i)
		if err != nil {
			t.Fatal(err)
		}
		want := []installation.Ref{installation.Ref("credential/access_token")}
		if diff := cmp.Diff(want, res.Sealed); diff != "" {
			t.Errorf("secrets left (-want +got):\n%s", diff)
		}
	})

	t.Run("a literal mask only by SetSecret", func(t *testing.T) {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Operations: []installation.Operation{
			patch.SetSecret("/api_secret", crypto.NewSecret("***")),
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Reveal(t, "i", secret); got != "***" {
			t.Errorf("the secret is %q", got)
		}
	})
}

// What is sensitive is decided by the name, by the value, and by what is stored already.
func TestInvariant12WhatIsSensitive(t *testing.T) {
	w := fixture.NewWorld(t)
	document := `{"clientSecret":"a","DB_PASSWORD":"b","dsn":"postgres://u:p@db.example/x","plain":"c","warehouse":7,"list":[{"apiKey":"d"}],"secret":{"user":"e","n":1}}`
	res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{
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
	if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Operations: []installation.Operation{
		patch.SetSecret("/plain", crypto.NewSecret("x")), patch.Set("/plain", installation.JSON(`"y"`)),
	}}); err != nil {
		t.Fatal(err)
	}
	if got := w.Reveal(t, "i", installation.Ref("config/plain")); got != "y" {
		t.Errorf("/plain reveals %q, want y", got)
	}
}
