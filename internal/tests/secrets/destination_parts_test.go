package secrets

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// redirection is a change of one part that can send secrets elsewhere.
type redirection struct {
	// before and after change the parts and the connection of the stored installation and of the
	// write. nil leaves them alone.
	before, after func(p *installation.Parts, c *installation.Connection)
	reaches       []string // paths of the secrets that it can redirect
	at            string   // the changed place
}

// The paths of the secrets in keptParts.
var (
	configSecrets     = []string{"configuration/api_key"}
	extraSecrets      = []string{"extra/hook_secret"}
	metadataSecrets   = []string{"connection.metadata/session_token"}
	credentialSecrets = []string{
		"connection/access_token", "connection/api_key", "connection/refresh_token",
	}
	connectionSecrets = slices.Concat(metadataSecrets, credentialSecrets)
)

// keptParts returns parts with a secret in each place where one can be.
func keptParts() (installation.Parts, installation.Connection) {
	p := fixture.Parts()
	p.Configuration = configured(`{"api_key":"k1"}`)
	p.Extra = installation.Value(installation.JSON(`{"hook_secret":"k2"}`))
	return p, installation.Connection{
		ID: "c", Provider: "good", WorkspaceRef: "good",
		App:          &installation.ProviderApp{Provider: "good"},
		AccessToken:  installation.Token{Value: crypto.NewSecret("k3")},
		RefreshToken: installation.Token{Value: crypto.NewSecret("k4")},
		APIKey:       crypto.NewSecret("k5"),
		Metadata:     installation.JSON(`{"session_token":"k6"}`),
	}
}

func configured(document string) installation.Optional[installation.Configuration] {
	return installation.Value(installation.Configuration{Document: installation.JSON(document)})
}

// extra and metadata return changes that add members to the document.
func extra(members string) func(*installation.Parts, *installation.Connection) {
	return func(p *installation.Parts, _ *installation.Connection) {
		old, _ := p.Extra.Get()
		p.Extra = installation.Value(installation.JSON(with(old, members)))
	}
}

func metadata(members string) func(*installation.Parts, *installation.Connection) {
	return func(_ *installation.Parts, c *installation.Connection) {
		c.Metadata = installation.JSON(with(c.Metadata, members))
	}
}

func metadataOf(document string) func(*installation.Parts, *installation.Connection) {
	return func(_ *installation.Parts, c *installation.Connection) {
		c.Metadata = installation.JSON(document)
	}
}

func with(d installation.Document, members string) string {
	text := d.String()
	if d.IsZero() {
		text = "{}"
	}
	text = strings.TrimSuffix(text, "}")
	if text != "{" {
		text += ","
	}
	return text + members + "}"
}

const evil = `"region":"evil.example/#"`

var redirections = map[string]redirection{
	"configuration": {
		after: func(p *installation.Parts, _ *installation.Connection) {
			p.Configuration = configured(`{"api_key":"***",` + evil + `}`)
		},
		reaches: configSecrets, at: "configuration/region",
	},
	"metadata": {
		after:   metadata(evil),
		reaches: connectionSecrets, at: "connection.metadata/region",
	},
	"metadata, changed": {
		before:  metadataOf(`{"session_token":"k6","region":"eu"}`),
		after:   metadataOf(`{"session_token":"***",` + evil + `}`),
		reaches: connectionSecrets, at: "connection.metadata/region",
	},
	"metadata, removed": {
		before: metadataOf(`{"session_token":"k6","base_url":"https://good.example"}`),
		after: func(_ *installation.Parts, c *installation.Connection) {
			c.Metadata = installation.Document{}
		},
		reaches: credentialSecrets, at: "connection.metadata/base_url",
	},
	"first metadata": {
		before: func(_ *installation.Parts, c *installation.Connection) {
			c.Metadata = installation.Document{}
		},
		after:   metadata(evil),
		reaches: credentialSecrets, at: "connection.metadata/region",
	},
	"extra": {
		after:   extra(`"subdomain":"evil"`),
		reaches: slices.Concat(connectionSecrets, extraSecrets), at: "extra/subdomain",
	},
	"first extra": {
		before: func(p *installation.Parts, _ *installation.Connection) {
			p.Extra = installation.Remove[installation.Document]()
		},
		after: func(p *installation.Parts, _ *installation.Connection) {
			p.Extra = installation.Value(installation.JSON(evilExtra))
		},
		reaches: connectionSecrets, at: "extra/instance_url",
	},
	"extra, removed": {
		before: func(p *installation.Parts, _ *installation.Connection) {
			p.Extra = installation.Value(installation.JSON(
				`{"hook_secret":"k2","instance_url":"https://good.example"}`))
		},
		after: func(p *installation.Parts, _ *installation.Connection) {
			p.Extra = installation.Remove[installation.Document]()
		},
		reaches: connectionSecrets, at: "extra/instance_url",
	},
	"provider": {
		after:   func(_ *installation.Parts, c *installation.Connection) { c.Provider = "evil" },
		reaches: connectionSecrets, at: "connection.provider",
	},
	"provider of the app": {
		after: func(_ *installation.Parts, c *installation.Connection) {
			c.App = &installation.ProviderApp{Provider: "evil"}
		},
		reaches: connectionSecrets, at: "connection.app.provider",
	},
	"first workspace": {
		before: func(_ *installation.Parts, c *installation.Connection) { c.WorkspaceRef = "" },
		after: func(_ *installation.Parts, c *installation.Connection) {
			c.WorkspaceRef = "evil"
		},
		reaches: connectionSecrets, at: "connection.workspaceRef",
	},
	"names, account and consent": {
		after: func(p *installation.Parts, c *installation.Connection) {
			p.Name, c.ConsumerRef = installation.Value("evil.example"), "evil.example"
			p.Account = installation.Value(installation.Account{
				ID: "ACC-1", Name: "evil.example", URL: "https://evil.example",
			})
			p.Consent = installation.Value(installation.Consent{Scopes: []string{"evil.example"}})
		},
	},
}

// changed returns the parts of the write: what is stored, with masks, and the change.
func (r redirection) changed(
	t *testing.T, w *fixture.World,
) (installation.Parts, installation.Connection) {
	t.Helper()
	stored := w.Get(t, "i")
	c := *stored.Connection
	p := installation.Parts{Extra: installation.Value(stored.Extra)}
	if stored.Extra.IsZero() {
		p.Extra = installation.Optional[installation.Document]{}
	}
	r.after(&p, &c)
	p.Connection = installation.Value(c)
	return p, c
}

func (r redirection) store(t *testing.T) *fixture.World {
	t.Helper()
	w := fixture.NewWorld(t)
	p, c := keptParts()
	if r.before != nil {
		r.before(&p, &c)
	}
	p.Connection = installation.Value(c)
	_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: p})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Each part that decides where secrets go is compared with each secret that it can redirect, also
// if the part is new.
func TestInvariant11EveryPartAndSecret(t *testing.T) {
	for name, r := range redirections {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, secret := range r.reaches {
				want = append(want, secret+" destination "+r.at)
			}
			slices.Sort(want)
			w := r.store(t)
			p, _ := r.changed(t, w)
			check := func(how string, err error) {
				t.Helper()
				got := violations(t, err)
				slices.Sort(got)
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
			}
			_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: p})
			check("Upsert", err)
			if want != nil {
				_, err = w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: p})
				check("Patch", err)
			}
		})
	}
}

// AllowDestination lets such a write pass for an actor who may reveal, and leaves an event with its
// reason. It needs the right even if nothing is redirected.
func TestAllowDestination(t *testing.T) {
	for name, r := range redirections {
		t.Run(name, func(t *testing.T) {
			w := r.store(t)
			p, _ := r.changed(t, w)
			req := installation.UpsertRequest{ID: "i", Parts: p, AllowDestination: "ticket 42"}
			_, err := w.As("ACC-1").Upsert(t.Context(), req)
			fixture.WantErr(t, "a customer", err, installation.ErrForbidden)
			if _, err := w.Host.Upsert(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, c := range w.Store.Changes() {
				for _, e := range c.Events {
					if e.Type == event.Redirected {
						found = append(found, e.Reason)
					}
				}
			}
			want := []string{"ticket 42"}
			if r.reaches == nil {
				want = nil
			}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
