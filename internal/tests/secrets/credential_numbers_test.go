package secrets

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

type connection = installation.Connection

// Each new value of a credential has a number of its own that grows, also after the connection
// was removed, the record was rekeyed or installed again. A kept value keeps its number, and
// other secrets have none.
func TestCredentialNumbersGrow(t *testing.T) {
	w := fixture.NewWorld(t)
	connect := func(change func(c *connection)) func() error {
		return func() error {
			c := installation.Connection{ID: "CON-1", Provider: "hubspot"}
			if i, err := w.Host.Get(t.Context(), "i"); err == nil && i.Connection != nil {
				c = *i.Connection
			}
			change(&c)
			_, err := w.Host.Upsert(
				t.Context(),
				installation.UpsertRequest{ID: "i", Parts: installation.Parts{
					Extension:  installation.Value(installation.Extension{ID: "EXT-1"}),
					Account:    installation.Value(installation.Account{ID: "ACC-1"}),
					Connection: installation.Value(c),
				}},
			)
			return err
		}
	}
	token := func(value string) installation.Token {
		return installation.Token{Value: crypto.NewSecret(value)}
	}
	patch := func(parts installation.Parts) func() error {
		return func() error {
			_, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: parts})
			return err
		}
	}
	for _, step := range []struct {
		name string
		do   func() error
		want map[string]int64 // by pointer
		last int64
	}{
		{"connected", connect(func(c *connection) { c.AccessToken = token("a") }),
			map[string]int64{"/access_token": 1}, 1},
		{"another credential", connect(func(c *connection) { c.APIKey = crypto.NewSecret("k") }),
			map[string]int64{"/access_token": 1, "/api_key": 2}, 2},
		{"a new value", connect(func(c *connection) { c.AccessToken = token("b") }),
			map[string]int64{"/access_token": 3, "/api_key": 2}, 3},
		{"the same value again", connect(func(c *connection) { c.AccessToken = token("b") }),
			map[string]int64{"/access_token": 4, "/api_key": 2}, 4},
		{"another secret", patch(installation.Parts{
			Configuration: installation.Value(installation.Configuration{
				Document: installation.JSON(`{"token":"t"}`),
			}),
		}), map[string]int64{"/access_token": 4, "/api_key": 2}, 4},
		{"one removed", connect(func(c *connection) { c.APIKey = crypto.Secret{} }),
			map[string]int64{"/access_token": 4}, 4},
		{"and given again", connect(func(c *connection) { c.APIKey = crypto.NewSecret("k") }),
			map[string]int64{"/access_token": 4, "/api_key": 5}, 5},
		{"disconnected", patch(installation.Parts{Connection: installation.Remove[connection]()}),
			map[string]int64{}, 5},
		{"connected again", connect(func(c *connection) { c.RefreshToken = token("r") }),
			map[string]int64{"/refresh_token": 6}, 6},
		{"ended and installed again", func() error {
			end := installation.UninstallRequest{ID: "i"}
			if _, err := w.Host.Uninstall(t.Context(), end); err != nil {
				return err
			}
			return connect(func(c *connection) {
				*c = installation.Connection{ID: "CON-1", AccessToken: token("c")}
			})()
		}, map[string]int64{"/access_token": 7}, 7},
		{"purged", func() error {
			end := installation.UninstallRequest{ID: "i", Final: true}
			_, err := w.Host.Uninstall(t.Context(), end)
			return err
		}, map[string]int64{}, 7},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		r := w.Store.Last(fixture.KeyAt("i"))
		m := fixture.ReadManifest(t, fixture.OpenManifest(t, fixture.Ring(t), r))
		got := make(map[string]int64)
		for _, e := range m.Table {
			if pointer, ok := strings.CutPrefix(e.Ref, "credential"); ok {
				got[pointer] = e.Number
			} else if e.Number != 0 {
				t.Errorf("%s: %s has number %d", step.name, e.Ref, e.Number)
			}
		}
		if !maps.Equal(got, step.want) || m.CredentialNumber != step.last {
			t.Errorf(
				"%s: numbers %v, last %d, want %v, %d",
				step.name,
				got,
				m.CredentialNumber,
				step.want,
				step.last,
			)
		}
	}
	// Rekey seals the same values under a new key.
	connected := connect(func(c *connection) {
		*c = connection{ID: "C", AccessToken: token("d")}
	})
	if err := connected(); err != nil {
		t.Fatal(err)
	}
	numbers := func() (one, last int64) {
		r := w.Store.Last(fixture.KeyAt("i"))
		m := fixture.ReadManifest(t, fixture.OpenManifest(t, fixture.Ring(t), r))
		return m.Table[0].Number, m.CredentialNumber
	}
	one, last := numbers()
	if _, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i"}); err != nil {
		t.Fatal(err)
	}
	if again, lastAgain := numbers(); again != one || lastAgain < last {
		t.Errorf(
			"rekeyed: number %d of %d became %d of %d, though the value is the same",
			one,
			last,
			again,
			lastAgain,
		)
	}
}

// After an accepted restore a credential gets a number that no lost write can have had.
func TestCredentialNumbersStartAtTheEpoch(t *testing.T) {
	w := newConnected(t)
	in, err := w.Service.As(installation.Actor{Kind: installation.Host}).AcceptRestore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Patch(
		patch.SetCredential(accessToken, tokenOf("a", time.Time{})),
		patch.SetCredential(refreshToken, tokenOf("b", time.Time{})),
	)
	if err != nil {
		t.Fatal(err)
	}
	r := w.Store.Last(fixture.KeyAt("i"))
	m := fixture.ReadManifest(t, fixture.OpenManifest(t, fixture.Ring(t), r))
	got := make(map[string]int64)
	for _, e := range m.Table {
		if strings.HasPrefix(e.Ref, "credential") {
			got[e.Ref] = e.Number
		}
	}
	want := map[string]int64{
		string(accessToken): in.Epoch, string(refreshToken): in.Epoch + 1, string(apiKey): 2,
	}
	if !maps.Equal(got, want) || m.CredentialNumber != in.Epoch+1 || in.Epoch == 0 {
		t.Errorf("numbers %v of %d, want %v", got, m.CredentialNumber, want)
	}
}
