package secrets

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// connectionCase is a change of a connection with two tokens and a secret in its
// metadata. It may violate the rule for destinations.
type connectionCase struct {
	change func(c *installation.Connection)
	want   []string // secret and destination
}

// all returns a violation of each secret for one destination.
func all(destination string) []string {
	return append(tokens(destination), ".metadata/token "+destination)
}

func tokens(destination string) []string {
	return []string{"/access_token " + destination, "/refresh_token " + destination}
}

var connectionCases = map[string]connectionCase{
	"nothing": {func(*installation.Connection) {}, nil},
	"status": {func(c *installation.Connection) {
		c.Status, c.ConsumerRef = "working", "x"
	}, nil},
	"credentials": {func(c *installation.Connection) {
		c.AccessToken.Value = crypto.NewSecret("x")
	}, nil},
	"provider": {func(c *installation.Connection) { c.Provider = "evil" }, all("provider")},
	"workspace": {func(c *installation.Connection) {
		c.WorkspaceRef = "evil"
	}, all("workspaceRef")},
	"provider of its app": {func(c *installation.Connection) {
		c.App.Provider = "evil"
	}, all("app.provider")},
	"no app": {func(c *installation.Connection) { c.App = nil }, all("app.provider")},
	"no workspace": {func(c *installation.Connection) {
		c.WorkspaceRef = ""
	}, all("workspaceRef")},
	// The provider and the host use these ids to identify things. They are no
	// use at another provider.
	"ids": {func(c *installation.Connection) {
		c.ID, c.Scheme, c.ConsumerRef = "other", "basic", "other"
		c.App.ID, c.App.ExternalRef, c.App.ClientID = "other", "other", "other"
	}, nil},
	"metadata": {func(c *installation.Connection) {
		c.Metadata = installation.JSON(`{"instance_url":"https://evil.example"}`)
	}, tokens("metadata/instance_url")},
	"metadata with its own secret": {func(c *installation.Connection) {
		c.Metadata = installation.JSON(`{"instance_url":"https://evil.example","token":"***"}`)
	}, append([]string{".metadata/token metadata/instance_url"},
		tokens("metadata/instance_url")...)},
	"one new secret": {func(c *installation.Connection) {
		c.Provider, c.AccessToken.Value = "evil", crypto.NewSecret("x")
	}, all("provider")[1:]},
	"all new secrets": {func(c *installation.Connection) {
		c.Provider = "other"
		newTokens(c)
		c.Metadata = installation.JSON(`{"instance_url":"https://other.example","token":"z"}`)
	}, nil},
	"all removed": {func(c *installation.Connection) {
		c.Provider, c.Metadata = "other", installation.Document{}
		c.AccessToken.Value, c.RefreshToken.Value = crypto.Secret{}, crypto.Secret{}
	}, nil},
}

func newTokens(c *installation.Connection) {
	c.AccessToken.Value, c.RefreshToken.Value = crypto.NewSecret("x"), crypto.NewSecret("y")
}

// The destinations of a connection's credentials are its provider, its workspace
// and the addresses in its metadata.
func TestInvariant11Connection(t *testing.T) {
	for name, c := range connectionCases {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			parts := fixture.Parts()
			first, _ := parts.Connection.Get()
			first.App = &installation.ProviderApp{
				ID: "app-1", Provider: "salesforce", ExternalRef: "ext", ClientID: "client",
			}
			first.WorkspaceRef = "acme"
			first.Metadata = installation.JSON(
				`{"instance_url":"https://acme.example","token":"m3ta"}`)
			parts.Connection = installation.Value(first)
			request := installation.UpsertRequest{ID: "i", Parts: parts}
			if _, err := w.Host.Upsert(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			next := *w.Get(t, "i").Connection
			c.change(&next)
			err := patchParts(t, w, installation.Parts{Connection: installation.Value(next)})
			var want []string
			for _, pair := range c.want {
				secret, destination, _ := strings.Cut(pair, " ")
				want = append(want, "connection"+secret+" destination connection."+destination)
			}
			if diff := cmp.Diff(want, violations(t, err), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const (
	goodExtra = `{"instance_url":"https://good.example","n":1}`
	evilExtra = `{"instance_url":"https://evil.example","n":1}`
)

var extraExposes = []string{
	"connection/access_token destination extra/instance_url",
	"connection/refresh_token destination extra/instance_url",
}

// extraCases change the unnamed fields and the connection. A nil change leaves
// the connection out of the write.
var extraCases = map[string]struct {
	extra  string
	change func(c *installation.Connection)
	want   []string
}{
	"another address":      {evilExtra, nil, extraExposes},
	"address removed":      {`{"n":1}`, nil, extraExposes},
	"something else":       {`{"instance_url":"https://good.example","n":2}`, nil, nil},
	"the same":             {goodExtra, nil, nil},
	"all removed":          {"", nil, extraExposes},
	"another, masks":       {evilExtra, func(*installation.Connection) {}, extraExposes},
	"another, new secrets": {evilExtra, newTokens, nil},
	"another, one new secret": {evilExtra, func(c *installation.Connection) {
		c.AccessToken.Value = crypto.NewSecret("x")
	}, extraExposes[1:]},
	"another, no secrets": {evilExtra, func(c *installation.Connection) {
		*c = installation.Connection{ID: "c"}
	}, nil},
}

// An address in the unnamed fields may be that of the provider. So it is a
// destination of the connection's credentials, even for a write without the
// connection.
func TestInvariant11ConnectionAndExtra(t *testing.T) {
	for name, c := range extraCases {
		t.Run(name, func(t *testing.T) {
			w := fixture.NewWorld(t)
			parts := fixture.Parts()
			parts.Extra = installation.Value(installation.JSON(goodExtra))
			request := installation.UpsertRequest{ID: "i", Parts: parts}
			if _, err := w.Host.Upsert(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			next := installation.Parts{Extra: installation.Value(installation.JSON(c.extra))}
			if c.extra == "" {
				next.Extra = installation.Remove[installation.Document]()
			}
			if c.change != nil {
				connection := *w.Get(t, "i").Connection
				c.change(&connection)
				next.Connection = installation.Value(connection)
			}
			got := violations(t, patchParts(t, w, next))
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The URL of the account is for people. No program sends secrets to it.
func TestAccountURLIsNoDestination(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	account := w.Get(t, "i").Account
	account.URL = "https://other.example"
	err := patchParts(t, w, installation.Parts{Account: installation.Value(account)})
	if err != nil {
		t.Error(err)
	}
}
