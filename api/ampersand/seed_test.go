package ampersand_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
)

// seed has the parts of testdata/seeds/ampersand.json that the test stores.
type seed struct {
	ID, ProjectID, IntegrationID, CreatedBy string
	CreateTime, UpdateTime                  time.Time
	Group                                   struct {
		GroupRef, GroupName    string
		CreateTime, UpdateTime time.Time
	}
	Connection struct {
		ID, Provider, ProviderWorkspaceRef, ProviderConsumerRef string
		AuthScheme                                              ampersand.Scheme
		Status                                                  ampersand.ConnectionStatus
		CreateTime, UpdateTime                                  time.Time
		ProviderApp                                             struct {
			ID, ExternalRef, Provider, ClientID string
			Scopes                              []string
			CreateTime                          time.Time
		}
		Consumer struct {
			ConsumerRef, ConsumerName string
			CreateTime, UpdateTime    time.Time
		}
		APIKey                  crypto.Secret
		OAuth2AuthorizationCode struct{ AccessToken, RefreshToken seedToken }
	}
	Config struct {
		ID, RevisionID, CreatedBy string
		CreateTime                time.Time
		Content                   json.RawMessage
	}
}

type seedToken struct {
	Token               crypto.Secret
	IssuedAt, ExpiresAt time.Time
}

func (t seedToken) token() installation.Token {
	return installation.Token{Value: t.Token, Issued: t.IssuedAt, Expires: t.ExpiresAt}
}

// seedConnections is a host with the connection of the seed.
type seedConnections struct {
	hostConnections
	seed *seed
}

// hostConnections is an alias because a struct cannot embed a field Connections and also have a
// method of that name.
type hostConnections = ampersand.Connections

func (s seedConnections) Connection(context.Context, string, string) (*ampersand.Connection,
	error) {
	c := s.seed.Connection
	g := s.seed.Group
	return &ampersand.Connection{
		ID: c.ID, Provider: c.Provider, Scheme: c.AuthScheme, Status: c.Status,
		App: &installation.ProviderApp{
			ID: c.ProviderApp.ID, ExternalRef: c.ProviderApp.ExternalRef,
			Provider: c.ProviderApp.Provider, ClientID: c.ProviderApp.ClientID,
			Scopes: c.ProviderApp.Scopes, Created: c.ProviderApp.CreateTime,
		},
		Group: installation.Account{ID: g.GroupRef, Name: g.GroupName, Created: g.CreateTime,
			Updated: g.UpdateTime},
		Consumer: installation.Consumer{
			ID: c.Consumer.ConsumerRef, Name: c.Consumer.ConsumerName,
			Created: c.Consumer.CreateTime, Updated: c.Consumer.UpdateTime,
		},
		WorkspaceRef: c.ProviderWorkspaceRef, ConsumerRef: c.ProviderConsumerRef,
		Created: c.CreateTime, Updated: c.UpdateTime,
	}, nil
}

func (s seedConnections) Reveal(context.Context, string, string, ampersand.Disclosure) (
	*ampersand.Credentials, error) {
	c := s.seed.Connection
	return &ampersand.Credentials{APIKey: c.APIKey,
		AuthorizationCode: &ampersand.AuthorizationCode{
			AccessToken:  c.OAuth2AuthorizationCode.AccessToken.token(),
			RefreshToken: c.OAuth2AuthorizationCode.RefreshToken.token(),
		}}, nil
}

func readSeed(t *testing.T) (*seed, map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "seeds", "ampersand.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, want := new(seed), make(map[string]any)
	mustUnmarshal(t, text, s)
	mustUnmarshal(t, text, &want)
	return s, want
}

// TestSeedDocument expects the installation of testdata/seeds field by field. Only the
// connection shows its credentials, on request.
func TestSeedDocument(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		s, want := readSeed(t)
		w := newWorld(t, open, func(o *choices) {
			o.wrap = func(h ampersand.Host) ampersand.Host {
				h.Connections = seedConnections{h.Connections, s}
				return h
			}
		})
		put := func(at time.Time, parts installation.Parts) {
			t.Helper()
			w.Advance(at.Sub(w.Now()))
			if _, err := w.svc.Upsert(t.Context(), installation.UpsertRequest{ID: s.ID,
				Parts: parts}); err != nil {
				t.Fatal(err)
			}
		}
		extra, err := installation.DocumentOf(map[string]any{
			"createdBy": s.CreatedBy, "config": map[string]string{
				"revisionId": s.Config.RevisionID, "createdBy": s.Config.CreatedBy},
		})
		if err != nil {
			t.Fatal(err)
		}
		put(s.CreateTime, installation.Parts{
			Extension: installation.Value(installation.Extension{ID: s.IntegrationID,
				Owner: s.ProjectID}),
			Account:    installation.Value(installation.Account{ID: s.Group.GroupRef}),
			Connection: installation.Value(installation.Connection{ID: s.Connection.ID}),
		})
		put(s.Config.CreateTime, installation.Parts{
			Configuration: installation.Value(installation.Configuration{
				RevisionID: s.Config.ID, CreatedBy: s.Config.CreatedBy,
				Document: installation.JSON(s.Config.Content),
			}),
			Extra: installation.Value(extra),
		})

		one := "/projects/" + s.ProjectID + "/integrations/" + s.IntegrationID +
			"/installations/" + s.ID
		got := decode[map[string]any](t, w.do(t, "GET", one, "").want(t, 200))
		conn := want["connection"].(map[string]any)
		withCredentials := decode[map[string]any](t,
			w.do(t, "GET", conns+"/"+s.Connection.ID+"?includeRefreshToken=true", "").
				want(t, 200))
		if times(withCredentials); !reflect.DeepEqual(withCredentials, times(conn)) {
			t.Errorf("the connection is\n%s\nwant\n%s", marshal(withCredentials), marshal(conn))
		}
		delete(conn, "oauth2AuthorizationCode")
		delete(conn, "apiKey")
		if times(got); !reflect.DeepEqual(got, times(want)) {
			t.Errorf("it is\n%s\nwant\n%s", marshal(got), marshal(want))
		}
	})
}

// times converts all times to one format.
func times(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if text, ok := member.(string); ok {
				if at, err := time.Parse(time.RFC3339, text); err == nil {
					v[name] = at.UTC().Format(time.RFC3339Nano)
				}
				continue
			}
			times(member)
		}
	case []any:
		for _, member := range v {
			times(member)
		}
	}
	return v
}

// TestInstallationMadeByHost proves that an installation of the host shows its own IDs until it
// changes.
func TestInstallationMadeByHost(t *testing.T) {
	w := newWorld(t, anyStore)
	res, err := w.svc.Upsert(t.Context(), installation.UpsertRequest{Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{ID: "integration-789"}),
		Account:   installation.Value(installation.Account{ID: "org-71", Name: "Tidewater"}),
		Configuration: installation.Value(installation.Configuration{
			ID: "config-1", RevisionID: "revision-1", CreatedBy: "builder:b",
			Document: installation.JSON(`{"provider":"salesforce"}`),
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	one := path + "/" + res.ID
	if got := w.get(t, one); got.Config.ID != "config-1" ||
		got.Config.RevisionID != "revision-1" || got.Config.CreatedBy != "builder:b" ||
		got.Group.GroupName != "Tidewater" || got.Connection.ID != "" {
		t.Errorf("it is %+v", got)
	}
	w.Advance(time.Minute)
	got := decode[wire](t, w.do(t, "PATCH", one, replaceObject("lead", object("lead", 5))).
		want(t, 200))
	if got.Config.ID == "config-1" || got.Config.ID == "revision-1" ||
		got.Config.RevisionID != "revision-123" || got.Config.CreatedBy != "builder:b" {
		t.Errorf("it is %+v", got)
	}
	w.do(t, "PATCH", one, swapTo("connection-org-71")).want(t, 200, `"id":"connection-org-71"`)
	w.do(t, "DELETE", one, "").want(t, 204)
}
