package schemas

import (
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// tooManySecrets is a list that allListed makes secret, element by element. It
// has one element too many for that.
var tooManySecrets = `{"n":1,"list":[` +
	strings.TrimSuffix(strings.Repeat(`"a",`, validate.MaxSecrets+1), ",") + `]}`

const allListed = `{"properties":{"list":{"items":{"writeOnly":true}}}}`

// rename writes a name, which leaves the configuration alone.
func rename(t *testing.T, w *fixture.World, name string) error {
	t.Helper()
	_, err := w.Host.Patch(t.Context(), installation.PatchRequest{
		ID: "i", Parts: installation.Parts{Name: installation.Value(name)},
	})
	return err
}

// Under a new revision of the schema, a stored configuration may have too many
// secrets or become too long with them. That blocks no write of anything else,
// and reads mask the new secrets.
func TestNewSchemaRevisionBlocksNoWrite(t *testing.T) {
	pad := validate.MaxDocument - len(`{"s":"a","n":1,"pad":""}`)
	full := `{"s":"a","n":1,"pad":"` + strings.Repeat("x", pad) + `"}`
	for name, c := range map[string]struct{ document, schema string }{
		"too many": {tooManySecrets, allListed},
		"too long": {full, `{"properties":{"s":{"writeOnly":true}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			w, cat := fixture.NewDescribed(t, `{}`, c.document)
			cat.Set("r2", c.schema)
			for _, write := range otherWrites(t, w) {
				if err := write.do(); err != nil {
					t.Errorf("%s: %v", write.what, err)
				}
				i := w.Get(t, "i")
				text := i.Configuration.Document.String()
				if strings.Contains(text, `"a"`) || !strings.Contains(text, `"***"`) ||
					len(i.Sealed) > 1 {
					t.Errorf("%s: %.40s, sealed %v", write.what, text, i.Sealed)
				}
			}
			if _, err := w.Patch(patch.Set("/n", installation.JSON(`2`))); err == nil {
				t.Error("the configuration can be written, but violates the limits")
			}
			w.Advance(40 * 24 * time.Hour)
			rep, err := w.Host.Sweep(t.Context(), installation.SweepRequest{})
			if err != nil || rep.Failed > 0 || rep.Purged != 1 {
				t.Errorf("sweep: %+v, %v", rep, err)
			}
		})
	}
}

type otherWrite struct {
	what string
	do   func() error
}

// otherWrites are writes that do not change the configuration.
func otherWrites(t *testing.T, w *fixture.World) []otherWrite {
	connection := installation.Connection{ID: "c", APIKey: crypto.NewSecret("x")}
	return []otherWrite{
		{"rename", func() error { return rename(t, w, "n") }},
		{"new credentials", func() error {
			_, err := w.Host.Patch(t.Context(), installation.PatchRequest{
				ID: "i", Parts: installation.Parts{Connection: installation.Value(connection)},
			})
			return err
		}},
		{"rekey", func() error {
			_, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i"})
			return err
		}},
		{"uninstall", func() error {
			_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"})
			return err
		}},
	}
}

func TestNewSchemaRevisionBlocksNoAccept(t *testing.T) {
	cat := &fixture.Catalogue{}
	cat.Set("r1", `{}`)
	w := fixture.NewWorld(t, func(o *installation.Options) { o.Schema = cat.Schema })
	configuration := installation.Configuration{Document: installation.JSON(tooManySecrets)}
	invited, err := w.Host.Invite(t.Context(), installation.InviteRequest{
		ID: "i",
		Parts: installation.Parts{
			Extension:     installation.Value(installation.Extension{ID: "EXT-1"}),
			Configuration: installation.Value(configuration),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	cat.Set("r2", allListed)
	if _, err := w.Customer.Accept(t.Context(), installation.AcceptRequest{
		ID: "i", Code: invited.Code, Account: installation.Account{ID: "ACC-1"},
	}); err != nil {
		t.Error(err)
	}
}

// The first write after the configuration fits again seals its secrets.
func TestSecretsAreSealedOnceTheyFit(t *testing.T) {
	w, cat := fixture.NewDescribed(t, `{}`, tooManySecrets)
	cat.Set("r2", allListed)
	if err := rename(t, w, "a"); err != nil {
		t.Fatal(err)
	}
	cat.Set("r3", `{"properties":{"list":{"prefixItems":[{"writeOnly":true}]}}}`)
	if err := rename(t, w, "b"); err != nil {
		t.Fatal(err)
	}
	if got := w.Get(t, "i").Sealed; len(got) != 1 || got[0] != "config/list/0" {
		t.Errorf("sealed %v", got)
	}
}
