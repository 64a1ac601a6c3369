package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/bench/base"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/redistest"
)

// callers is how many connections send requests at once.
const callers = 32

// httpRows measure a GET of one installation over HTTP, with an API token that is compared by its
// digest. The other side is a bare handler: it reads 2 KiB from Redis and decodes and encodes JSON.
func httpRows(tb testing.TB, _ Scale) []Row {
	client := redistest.Start(tb).Client(tb)
	dir := directory{}
	svc := must(installation.New(openStore(tb, client), newRing(tb, "k1"), &installation.Options{
		Policy: softwareone.Policy, Claims: installation.DefaultClaims,
		Schema: softwareone.Schemas(dir),
	}))(tb)
	signing := crypto.NewSecret("made up, and has 32 bytes or more")
	issuer := must(softwareone.NewIssuer(signing, nil))(tb)
	handler := must(softwareone.NewHandler(svc, dir, issuer, nil))(tb)
	host := svc.As(installation.Actor{Kind: installation.Host})
	created := must(host.Upsert(tb.Context(), installation.UpsertRequest{Parts: parts(1)}))(tb)

	ours := serve(tb, handler)
	bare := serve(tb, must(base.Handler(tb.Context(), client))(tb))
	path, token := "/installations/"+created.ID, "idt:TKN-1000-0001:"+apiSecret
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

const apiSecret = "made-up-secret-of-a-vendor"

var apiDigest = sha256.Sum256([]byte(apiSecret))

// directory knows one vendor with one extension and one token.
type directory struct{ softwareone.Directory }

// Token implements [softwareone.Directory].
func (directory) Token(
	_ context.Context, id string, secret crypto.Secret,
) (*softwareone.Token, error) {
	digest := sha256.Sum256(secret.Reveal())
	if subtle.ConstantTimeCompare(digest[:], apiDigest[:]) != 1 {
		return nil, softwareone.ErrUnknown
	}
	return &softwareone.Token{ID: id, Name: "token", Account: vendor}, nil
}

// Account implements [softwareone.Directory].
func (directory) Account(_ context.Context, id string) (*softwareone.Account, error) {
	return &softwareone.Account{
		ID: id, Name: "Vendor", Type: softwareone.AccountVendor, Revision: 1,
	}, nil
}

// Extension implements [softwareone.Directory].
func (directory) Extension(_ context.Context, id string) (*softwareone.Extension, error) {
	return &softwareone.Extension{
		ID: id, Name: "Order export", Status: softwareone.ExtensionPublic,
		Owner: vendor, Revision: 1,
	}, nil
}

// Owned implements [softwareone.Directory].
func (directory) Owned(context.Context, string) ([]string, error) {
	return []string{extension}, nil
}
