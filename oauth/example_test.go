package oauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/oauth"
)

// shop stands for a provider: its token endpoint, its revocation endpoint and its API.
func shop() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("provider: refresh with", r.FormValue("refresh_token"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"at-2","refresh_token":"rt-2","token_type":"Bearer",`+
			`"expires_in":3600}`)
	})
	mux.HandleFunc("POST /revoke", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("provider: revoke", r.FormValue("token"))
	})
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("provider: orders for", r.Header.Get("Authorization"))
	})
	return httptest.NewServer(mux)
}

func shopConfig(url string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: "app-7", ClientSecret: "app-secret",
		Endpoint: oauth2.Endpoint{
			TokenURL: url + "/token", AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
}

// newHost returns a service with an installation EXI-1 whose access token expires now.
func newHost() *installation.Service {
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	svc, err := installation.New(memstore.New(), keys, nil)
	if err != nil {
		log.Fatal(err)
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	_, err = host.Upsert(context.Background(), installation.UpsertRequest{
		ID: "EXI-1",
		Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-1", Owner: "ACC-1"}),
			Account:   installation.Value(installation.Account{ID: "ACC-2", Name: "Harbor Foods"}),
			Connection: installation.Value(installation.Connection{
				Provider: "shop",
				AccessToken: installation.Token{
					Value: crypto.NewSecret("at-1"), Expires: time.Now(),
				},
				RefreshToken: installation.Token{Value: crypto.NewSecret("rt-1")},
			}),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return host
}

// A client refreshes the token once. The new tokens are stored before the request is sent, so that
// every process uses them from then on.
func ExampleClient() {
	provider, host := shop(), newHost()
	defer provider.Close()
	refresh, err := oauth.Refresh(shopConfig(provider.URL), nil)
	if err != nil {
		log.Fatal(err)
	}

	client := oauth.Client(host, "EXI-1", refresh, nil)
	for range 2 {
		resp, err := client.Get(provider.URL + "/orders")
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
	}
	// Output:
	// provider: refresh with rt-1
	// provider: orders for Bearer at-2
	// provider: orders for Bearer at-2
}

// Libraries that know golang.org/x/oauth2 take a token source.
func ExampleTokenSource() {
	provider, host := shop(), newHost()
	defer provider.Close()
	refresh, err := oauth.Refresh(shopConfig(provider.URL), nil)
	if err != nil {
		log.Fatal(err)
	}

	source := oauth.TokenSource(context.Background(), host, "EXI-1", refresh)
	token, err := source.Token()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Type(), "token, valid:", token.Valid())
	// Output:
	// provider: refresh with rt-1
	// Bearer token, valid: true
}

// The service calls the function after an uninstall. This example calls it itself.
func ExampleRevoke() {
	provider := shop()
	defer provider.Close()
	revoke, err := oauth.Revoke(shopConfig(provider.URL), provider.URL+"/revoke", nil)
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	inst, err := newHost().Open(ctx, installation.OpenRequest{ID: "EXI-1", Reason: "leave"})
	if err != nil {
		log.Fatal(err)
	}
	defer inst.Close()
	fmt.Println("error:", revoke(ctx, inst))
	// Output:
	// provider: revoke rt-1
	// error: <nil>
}
