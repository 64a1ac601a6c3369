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

func wantMaskRejected(t *testing.T, path string, err error) {
	t.Helper()
	if err == nil {
		t.Error("accepted")
		return
	}
	want := []string{path + " mask-without-stored-value"}
	if diff := cmp.Diff(want, fixture.Violations(t, err)); diff != "" {
		t.Error(diff)
	}
}

// A mask is rejected where no secret is stored. A document read elsewhere, or
// before another writer removed the secret, would otherwise store the text "***"
// in place of a secret.
func TestMaskWithoutStoredValueIsRejected(t *testing.T) {
	for name, c := range map[string]struct{ at, document string }{
		"sensitive by value": {
			"/database", `{"database":"postgres://u:hunter2@db.example/x","n":1}`,
		},
		"made sensitive by a patch": {"/authorization", `{"authorization":"x","n":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			if _, err := w.Configure("i", c.document); err != nil {
				t.Fatal(err)
			}
			secret := crypto.NewSecret("postgres://u:hunter2@db.example/x")
			if _, err := w.Patch(patch.SetSecret(c.at, secret)); err != nil {
				t.Fatal(err)
			}
			read := w.Get(t, "i").Configuration
			_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
				ID: "copy",
				Parts: installation.Parts{
					Extension:     installation.Value(installation.Extension{ID: "EXT-1"}),
					Account:       installation.Value(installation.Account{ID: "ACC-2"}),
					Configuration: installation.Value(*read),
				},
			})
			wantMaskRejected(t, "configuration"+c.at, err)
			renamed := strings.Replace(read.Document.String(), c.at[1:], "renamed", 1)
			_, err = w.Configure("i", renamed)
			wantMaskRejected(t, "configuration/renamed", err)
			if _, err := w.Patch(patch.Unset(c.at)); err != nil {
				t.Fatal(err)
			}
			_, err = w.Configure("i", read.Document.String())
			wantMaskRejected(t, "configuration"+c.at, err)
			uninstall := installation.UninstallRequest{ID: "i"}
			if _, err := w.Host.Uninstall(t.Context(), uninstall); err != nil {
				t.Fatal(err)
			}
			_, err = w.Configure("i", read.Document.String())
			wantMaskRejected(t, "configuration"+c.at, err)
		})
	}
}

// The rule is the same in every document. Only SetSecret stores the text "***".
func TestOnlySetSecretStoresLiteralMask(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	patchParts := func(parts installation.Parts) (*installation.Result, error) {
		return w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: parts})
	}
	note := installation.JSON(`{"note":"***"}`)
	connection := *w.Get(t, "i").Connection
	connection.Metadata = note
	configuration := installation.Configuration{Document: note}
	for path, parts := range map[string]installation.Parts{
		"connection.metadata/note": {Connection: installation.Value(connection)},
		"extra/note":               {Extra: installation.Value(note)},
		"configuration/note":       {Configuration: installation.Value(configuration)},
	} {
		_, err := patchParts(parts)
		wantMaskRejected(t, path, err)
	}
	_, err := w.Patch(patch.Set("/note", installation.JSON(`"***"`)))
	wantMaskRejected(t, "configuration/note", err)
	if _, err := w.Patch(patch.SetSecret("/note", crypto.NewSecret("***"))); err != nil {
		t.Fatal(err)
	}
	if got := w.Reveal(t, "i", "config/note"); got != "***" {
		t.Errorf("got %q", got)
	}
	res, err := patchParts(installation.Parts{
		Configuration: installation.Value(*w.Get(t, "i").Configuration),
	})
	if err != nil || res.Changed {
		t.Errorf("the same document again: %+v, %v", res, err)
	}
}

// A write with the unchanged configuration and another change keeps the revision
// id of the configuration.
func TestUnchangedConfigurationKeepsItsRevision(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Configure("i", `{"token":"t","region":"eu"}`)
	before := w.Get(t, "i")
	w.Advance(time.Hour)
	res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i",
		Parts: installation.Parts{
			Name:          installation.Value("Another name"),
			Configuration: installation.Value(*before.Configuration),
		},
	})
	if err != nil || !res.Changed || res.Name != "Another name" {
		t.Fatalf("%+v, %v", res, err)
	}
	if diff := cmp.Diff(before.Configuration, w.Get(t, "i").Configuration); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
