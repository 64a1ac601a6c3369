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

// A new revision of a schema that a stored configuration cannot follow, as it would have too many secrets or become too long with them,
// stops no write of anything else. What is sensitive is masked on reading.
func TestNewSchemaRevisionBlocksNoWrite(t *testing.T) {
	list := `{"n":1,"list":[` + strings.TrimSuffix(strings.Repeat(`"a",`, validate.MaxSecrets+1), ",") + `]}`
	full := `{"s":"a","n":1,"pad":"` + strings.Repeat("x", validate.MaxDocument-len(`{"s":"a","n":1,"pad":""}`)) + `"}`
	for name, c := range map[string]struct{ document, schema string }{
		"too many": {list, `{"properties":{"list":{"items":{"writeOnly":true}}}}`},
		"too long": {full, `{"properties":{"s":{"writeOnly":true}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			w, cat := fixture.NewDescribed(t, `{}`, c.document)
			cat.Set("r2", c.schema)
			masked := func(what string) {
				t.Helper()
				i := w.Get(t, "i")
				if text := i.Configuration.Document.String(); strings.Contains(text, `"a"`) || !strings.Contains(text, `"***"`) || len(i.Sealed) > 1 {
					t.Errorf("%s: %.40s, sealed %v", what, text, i.Sealed)
				}
			}
			for _, write := range []struct {
				what string
				do   func() error
			}{
				{"rename", func() error {
					_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("n")}})
					return err
				}},
				{"new credentials", func() error {
					_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{
						Connection: installation.Value(installation.Connection{ID: "c", APIKey: crypto.NewSecret("x")}),
					}})
					return err
				}},
				{"rekey", func() error { _, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i"}); return err }},
				{"uninstall", func() error {
					_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"})
					return err
				}},
			} {
				if err := write.do(); err != nil {
					t.Errorf("%s: %v", write.what, err)
				}
				masked(write.what)
			}
			_, err := w.Patch(patch.Set("/n", installation.JSON(`2`)))
			if err == nil {
				t.Error("the configuration itself can be written though it does not fit")
			}
			w.Advance(40 * 24 * time.Hour)
			if rep, err := w.Host.Sweep(t.Context(), 0); err != nil || rep.Failed > 0 || rep.Purged != 1 {
				t.Errorf("sweep: %+v, %v", rep, err)
			}
		})
	}
	t.Run("accept", func(t *testing.T) {
		cat := &fixture.Catalogue{}
		cat.Set("r1", `{}`)
		w := fixture.NewWorld(t, func(o *installation.Options) { o.Schema = cat.Schema })
		invited, err := w.Host.Invite(t.Context(), installation.InviteRequest{ID: "i", Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-1"}), Configuration: installation.Value(installation.Configuration{Document: installation.JSON(list)}),
		}})
		if err != nil {
			t.Fatal(err)
		}
		cat.Set("r2", `{"properties":{"list":{"items":{"writeOnly":true}}}}`)
		if _, err := w.Customer.Accept(t.Context(), installation.AcceptRequest{ID: "i", Code: invited.Code, Account: installation.Account{ID: "ACC-1"}}); err != nil {
			t.Error(err)
		}
	})
	t.Run("once it fits again", func(t *testing.T) {
		w, cat := fixture.NewDescribed(t, `{}`, list)
		rename := func(name string) {
			t.Helper()
			if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value(name)}}); err != nil {
				t.Fatal(err)
			}
		}
		cat.Set("r2", `{"properties":{"list":{"items":{"writeOnly":true}}}}`)
		rename("a")
		cat.Set("r3", `{"properties":{"list":{"prefixItems":[{"writeOnly":true}]}}}`)
		rename("b")
		if got := w.Get(t, "i").Sealed; len(got) != 1 || got[0] != installation.Ref("config/list/0") {
			t.Errorf("sealed %v", got)
		}
	})
}
