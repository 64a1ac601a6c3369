package secrets

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// A mask where no secret is stored is refused in every document, so that one which was read elsewhere, or before another writer removed the
// secret, does not leave the text "***" where a secret was. SetSecret alone stores it.
func TestMaskWithoutStoredValue(t *testing.T) {
	const byValue, byHand = `{"database":"postgres://u:hunter2@db.example/x","n":1}`, `{"authorization":"x","n":1}`
	refused := func(t *testing.T, path string, err error) {
		t.Helper()
		if err == nil {
			t.Error("accepted")
			return
		}
		if diff := cmp.Diff([]string{path + " mask-without-stored-value"}, fixture.Violations(t, err)); diff != "" {
			t.Error(diff)
		}
	}
	for name, at := range map[string]string{"found by its value": "/database", "set by hand": "/authorization"} {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			document := byValue
			if at == "/authorization" {
				document = byHand
			}
			if _, err := w.Configure("i", document); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Patch(patch.SetSecret(at, crypto.NewSecret("postgres://u:hunter2@db.example/x"))); err != nil {
				t.Fatal(err)
			}
			read := w.Get(t, "i").Configuration
			parts := installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-1"}), Account: installation.Value(installation.Account{ID: "ACC-2"}),
				Configuration: installation.Value(*read),
			}
			_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "copy", Parts: parts})
			refused(t, "configuration"+at, err)
			_, err = w.Configure("i", strings.Replace(read.Document.String(), at[1:], "renamed", 1))
			refused(t, "configuration/renamed", err)
			if _, err := w.Patch(patch.Unset(at)); err != nil {
				t.Fatal(err)
			}
			_, err = w.Configure("i", read.Document.String())
			refused(t, "configuration"+at, err)
			if _, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"}); err != nil {
				t.Fatal(err)
			}
			_, err = w.Configure("i", read.Document.String())
			refused(t, "configuration"+at, err)
		})
	}
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	connection := *w.Get(t, "i").Connection
	connection.Metadata = installation.JSON(`{"note":"***"}`)
	for path, parts := range map[string]installation.Parts{
		"connection.metadata/note": {Connection: installation.Value(connection)},
		"extra/note":               {Extra: installation.Value(installation.JSON(`{"note":"***"}`))},
		"configuration/note":       {Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{"note":"***"}`)})},
	} {
		_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: parts})
		refused(t, path, err)
	}
	_, err := w.Patch(patch.Set("/note", installation.JSON(`"***"`)))
	refused(t, "configuration/note", err)
	if _, err := w.Patch(patch.SetSecret("/note", crypto.NewSecret("***"))); err != nil {
		t.Fatal(err)
	}
	if got := w.Reveal(t, "i", installation.Ref("config/note")); got != "***" {
		t.Errorf("got %q", got)
	}
	echo := installation.Parts{Configuration: installation.Value(*w.Get(t, "i").Configuration)}
	if res, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: echo}); err != nil || res.Changed {
		t.Errorf("an echo of it: %+v, %v", res, err)
	}
}

// A configuration that is sent back as it was read beside a change elsewhere stays the revision that it was.
func TestUnchangedConfigurationKeepsItsRevision(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Configure("i", `{"token":"t","region":"eu"}`)
	before := w.Get(t, "i")
	w.Advance(time.Hour)
	res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{
		Name: installation.Value("Another name"), Configuration: installation.Value(*before.Configuration),
	}})
	if err != nil || !res.Changed || res.Name != "Another name" {
		t.Fatalf("%+v, %v", res, err)
	}
	if diff := cmp.Diff(before.Configuration, w.Get(t, "i").Configuration); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
