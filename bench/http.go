package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/static"
	"github.com/go-installation/installation/internal/redistest"
)

// callers is how many connections send requests at once.
const callers = 32

// httpRows returns a row for a GET of one installation over HTTP. The caller has an API token, of
// which the directory stores a hash. The other side is a bare handler: it reads 2 KiB from Redis
// and decodes and encodes JSON.
func httpRows(tb testing.TB, _ Scale) []Row {
	client := redistest.Start(tb).Client(tb)
	const tokenID, secret = "TKN-1000-0001", "made-up-secret-of-a-vendor"
	dir := must(static.New(static.Data{
		Accounts: []softwareone.Account{
			{ID: vendor, Name: "Vendor", Type: softwareone.AccountVendor, Revision: 1},
		},
		Extensions: []softwareone.Extension{{
			ID: extension, Name: "Order export", Status: softwareone.ExtensionPublic,
			Owner: vendor, Revision: 1,
		}},
		Tokens:       []softwareone.Token{{ID: tokenID, Name: "token", Account: vendor}},
		TokenSecrets: map[string]crypto.Secret{tokenID: crypto.NewSecret(secret)},
	}))(tb)
	svc := must(installation.New(openStore(tb, client), newRing(tb, "k1"), &installation.Options{
		Policy: softwareone.Policy, Claims: installation.DefaultClaims,
		Owner: softwareone.Owners(dir), Schema: softwareone.Schemas(dir),
	}))(tb)
	signing := crypto.NewSecret("made up, and has 32 bytes or more")
	issuer := must(softwareone.NewIssuer(signing, nil))(tb)
	handler := must(softwareone.NewHandler(svc, dir, issuer, nil))(tb)
	host := svc.As(installation.Actor{Kind: installation.Host})
	created := must(host.Upsert(tb.Context(), installation.UpsertRequest{Parts: parts(1)}))(tb)

	ours := serve(tb, handler)
	bare := serve(tb, must(base.Handler(tb.Context(), client))(tb))
	path, token := "/installations/"+created.ID, "idt:"+tokenID+":"+secret
	return []Row{{
		Name: "SoftwareOne GET, 32 connections", Against: "bare handler: Redis GET, JSON", Reach: 1,
		Lacks: "authentication, decryption, checks", Goroutines: callers,
		Ours: func() error { return ours.Get(path, token) },
		Base: func() error { return bare.Get(path, token) },
	}}
}

// serve starts a server and opens connections to it.
func serve(tb testing.TB, handler http.Handler) base.Callers {
	tb.Helper()
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	calls := must(base.NewCallers(server.Listener.Addr().String(), callers))(tb)
	tb.Cleanup(calls.Close)
	return calls
}
