package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/installationtest"
	"github.com/go-installation/installation/oauth"
	"github.com/go-installation/installation/refresh"
)

// configFor returns a configuration of a client at the provider.
func configFor(provider string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: "app", ClientSecret: "app-secret", Scopes: []string{"orders", "stock"},
		Endpoint: oauth2.Endpoint{
			TokenURL: provider + "/token", AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
}

// refresher returns a function that refreshes at the provider.
func refresher(t *testing.T, provider string, opts *oauth.RefreshOptions) installation.RefreshFunc {
	t.Helper()
	fn, err := oauth.Refresh(configFor(provider), opts)
	if err != nil {
		t.Fatal(err)
	}
	return fn
}

// provider starts a server that gives every request the same answer.
func provider(t *testing.T, status int, header http.Header, body string) *httptest.Server {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		w.Write([]byte(body))
	})
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func secret(text string) installation.Token {
	return installation.Token{Value: crypto.NewSecret(text)}
}

// stored is a connection whose access token expires at once.
func stored() installation.Connection {
	c := installation.Connection{
		Provider: "shop", TokenType: "Bearer", Scopes: []string{"orders"},
		AccessToken: secret("access-1"), RefreshToken: secret("refresh-1"),
	}
	c.AccessToken.Expires = installationtest.Start
	return c
}

// install returns a service with an installation EXI-1 that has the connection.
func install(t *testing.T, c installation.Connection) *installation.Service {
	t.Helper()
	svc, _ := installationtest.New(t, nil)
	return installOn(t, svc, c)
}

func installOn(
	t *testing.T, svc *installation.Service, c installation.Connection,
) *installation.Service {
	t.Helper()
	host := svc.As(installation.Actor{Kind: installation.Host})
	_, err := host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "EXI-1", Parts: installation.Parts{
			Extension:  installation.Value(installation.Extension{ID: "EXT-1", Owner: "ACC-1"}),
			Account:    installation.Value(installation.Account{ID: "ACC-2"}),
			Connection: installation.Value(c),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// open returns an opened installation with the connection.
func open(t *testing.T, c installation.Connection) *installation.Opened {
	t.Helper()
	inst, err := install(t, c).Open(t.Context(), installation.OpenRequest{
		ID: "EXI-1", Reason: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inst.Close() })
	return inst
}

// failure is what a test compares of a refresh.Error.
type failure struct {
	Answer refresh.Answer
	Reason string
	After  time.Duration
}

func failureOf(t *testing.T, err error) failure {
	t.Helper()
	e, ok := errors.AsType[*refresh.Error](err)
	if !ok {
		t.Fatalf("got %v, want a refresh.Error", err)
	}
	return failure{e.Answer, e.Reason, e.After}
}

// fails is a RefreshFunc that always returns err.
func fails(err error) installation.RefreshFunc {
	return func(context.Context, *installation.Opened) (installation.Tokens, error) {
		return installation.Tokens{}, err
	}
}
