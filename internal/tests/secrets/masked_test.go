// Package secrets checks that only the answer of Reveal contains secrets, and
// that writing back a masked document changes nothing.
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

// A client reads an installation, changes one value and writes all of it back.
// Only that value changes.
func TestInvariant10MaskedRoundTrip(t *testing.T) {
	t.Run("an unchanged document changes nothing", unchangedDocument)
	t.Run("one value changes alone", oneValueChanges)
	t.Run("one secret changes alone", oneSecretChanges)
	t.Run("a mask without a stored secret is rejected", maskWithoutSecret)
	t.Run("absent and null delete", absentAndNullDelete)
	t.Run("SetSecret stores a literal mask", literalMask)
}

const (
	configSecret = installation.Ref("config/api_secret")
	nestedSecret = installation.Ref("config/nested/token")
)

// putAll writes all parts of an installation.
func putAll(
	t *testing.T, w *fixture.World, i *installation.Installation,
) (*installation.Result, error) {
	return w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: i.ID,
		Parts: installation.Parts{
			Name:          installation.Value(i.Name),
			Extension:     installation.Value(i.Extension),
			Account:       installation.Value(i.Account),
			Health:        installation.Value(i.Health),
			Consent:       installation.Value(i.Consent),
			Configuration: installation.Value(*i.Configuration),
			Connection:    installation.Value(*i.Connection),
		},
	})
}

// edit changes the configuration that was read.
func edit(t *testing.T, i *installation.Installation, change func(map[string]any)) {
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

func unchangedDocument(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	before := w.Get(t, "i")
	w.Advance(time.Hour)
	res, err := putAll(t, w, w.Get(t, "i"))
	if err != nil || res.Changed {
		t.Fatalf("second write: %+v, %v", res, err)
	}
	if diff := cmp.Diff(before, w.Get(t, "i")); diff != "" {
		t.Errorf("the second write changed something:\n%s", diff)
	}
	if n := len(w.Store.Changes()); n != 1 {
		t.Errorf("%d commits, want only the first", n)
	}
}

func oneValueChanges(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	i := w.Get(t, "i")
	edit(t, i, func(d map[string]any) { d["warehouse"] = "EU-3" })
	res, err := putAll(t, w, i)
	if err != nil || !res.Changed || res.Revision != 2 {
		t.Fatalf("put: %+v, %v", res, err)
	}
	want := `{"api_secret":"***","nested":{"depth":2,"token":"***"},"warehouse":"EU-3"}`
	if got := res.Configuration.Document.String(); got != want {
		t.Errorf("document %s, want %s", got, want)
	}
	if got := w.Reveal(t, "i", configSecret); got != "s3cr3t-config" {
		t.Errorf("the secret is now %q", got)
	}
	if got := w.Reveal(t, "i", nestedSecret); got != "t0ken-nested" {
		t.Errorf("the nested secret is now %q", got)
	}
	events := w.Events(t)
	if diff := cmp.Diff([]string{"config/warehouse"}, events[1].Changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

func oneSecretChanges(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	i := w.Get(t, "i")
	edit(t, i, func(d map[string]any) { d["api_secret"] = "n3w" })
	i.Connection.AccessToken.Value = crypto.NewSecret("n3w-token")
	if _, err := putAll(t, w, i); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[installation.Ref]string{
		configSecret:               "n3w",
		nestedSecret:               "t0ken-nested",
		"credential/access_token":  "n3w-token",
		"credential/refresh_token": "r3fresh-token",
	} {
		if got := w.Reveal(t, "i", ref); got != want {
			t.Errorf("%s is %q, want %q", ref, got, want)
		}
	}
}

func maskWithoutSecret(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	i := w.Get(t, "i")
	edit(t, i, func(d map[string]any) { d["other_secret"] = "***" })
	i.Connection.APIKey = crypto.Masked()
	_, err := putAll(t, w, i)
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
}

func absentAndNullDelete(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	i := w.Get(t, "i")
	edit(t, i, func(d map[string]any) {
		delete(d, "api_secret")
		d["nested"].(map[string]any)["token"] = nil
	})
	i.Connection.RefreshToken = installation.Token{}
	res, err := putAll(t, w, i)
	if err != nil {
		t.Fatal(err)
	}
	want := []installation.Ref{"credential/access_token"}
	if diff := cmp.Diff(want, res.Sealed); diff != "" {
		t.Errorf("remaining secrets (-want +got):\n%s", diff)
	}
}

func literalMask(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	if _, err := w.Patch(patch.SetSecret("/api_secret", crypto.NewSecret("***"))); err != nil {
		t.Fatal(err)
	}
	if got := w.Reveal(t, "i", configSecret); got != "***" {
		t.Errorf("the secret is %q", got)
	}
}

// The name, the value, or an already sealed place makes a value sensitive.
func TestInvariant12WhatIsSensitive(t *testing.T) {
	w := fixture.NewWorld(t)
	document := `{"clientSecret":"a","DB_PASSWORD":"b","dsn":"postgres://u:p@db.example/x",` +
		`"plain":"c","warehouse":7,"list":[{"apiKey":"d"}],"secret":{"user":"e","n":1}}`
	extra := `{"webhook":{"signature":"f"},"callback":"https://u:p@host.example"}`
	configuration := installation.Configuration{Document: installation.JSON(document)}
	res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i",
		Parts: installation.Parts{
			Extension:     installation.Value(installation.Extension{ID: "EXT-1"}),
			Account:       installation.Value(installation.Account{ID: "ACC-1"}),
			Configuration: installation.Value(configuration),
			Extra:         installation.Value(installation.JSON(extra)),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"clientSecret":"***","DB_PASSWORD":"***","dsn":"***",` +
		`"plain":"c","warehouse":7,"list":[{"apiKey":"***"}],"secret":{"user":"***","n":1}}`
	if got := res.Configuration.Document.String(); got != want {
		t.Errorf("configuration %s\nwant %s", got, want)
	}
	want = `{"webhook":{"signature":"***"},"callback":"***"}`
	if got := res.Extra.String(); got != want {
		t.Errorf("extra %s\nwant %s", got, want)
	}
	// A sealed place stays sealed, whatever its name.
	if _, err := w.Patch(
		patch.SetSecret("/plain", crypto.NewSecret("x")),
		patch.Set("/plain", installation.JSON(`"y"`)),
	); err != nil {
		t.Fatal(err)
	}
	if got := w.Reveal(t, "i", "config/plain"); got != "y" {
		t.Errorf("/plain reveals %q, want y", got)
	}
}
