package main

import (
	"cmp"
	"context"
	"crypto/fips140"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
	"github.com/go-installation/installation/examples/hostapp/static"
)

// devMode is what -dev generates in addition to the configuration: a key that signs Vercel's tokens
// and the credentials of callers.
type devMode struct {
	key         *rsa.PrivateKey
	issuer      string
	origins     []string // of the server's own page
	softwareOne *softwareOneMount
	ampersand   *ampersandMount
}

// Paths that exist only with -dev.
const (
	devIssuerPath = "/dev/vercel"
	devTokenPath  = devIssuerPath + "/token"
	devKeysPath   = devIssuerPath + "/.well-known/jwks"

	devConsentPath = "/dev/ampersand/consent"
	devPagesPath   = "/dev/pages/"

	// Ampersand's React library ignores the result of a consent page that is served at another
	// place than the address before "/v1". An address has no path there, so /ampersand/v1 fails.
	devAmpersandPath = "/v1"
)

// Values in the configuration and the tokens that -dev generates for Vercel.
const (
	devClientID = "oac_devHostapp"
	devKeyID    = "dev"
	devAccount  = "5f1dc0ffee0000000000000a"
	devUser     = "7ab0000000000000000000ff"
)

// newDevConfig generates a configuration for a server at base. The server is also the issuer of
// Vercel's tokens. The handler gets the public key directly, since a server cannot always reach
// itself. The key set is served for other programs.
func newDevConfig(base string, secrets *devSecrets) (*config, error) {
	key, err := secrets.signer()
	if err != nil {
		return nil, err
	}
	// A page at localhost is of another origin than the printed address, and so is one at 127.0.0.1
	// if the server listens elsewhere.
	port := base[strings.LastIndexByte(base, ':'):]
	dev := &devMode{key: key, issuer: base + devIssuerPath,
		origins: []string{base, "http://localhost" + port, "http://127.0.0.1" + port}}
	plan := func(id, name, description, cost string, paid bool) billing.Plan {
		return billing.Plan{
			ID: id, Type: "subscription", Scope: "installation", Name: name,
			Description: description, Cost: cost, PaymentMethodRequired: &paid,
		}
	}
	cfg := &config{dev: dev, Vercel: &vercelConfig{
		ClientID: devClientID, Issuer: dev.issuer, Name: "Hostapp", key: dev.publicKey,
		Plans: []billing.Plan{
			plan("hobby", "Hobby", "For trying it out", "Free", false),
			plan("team", "Team", "For five people", "$20.00/month", true),
		},
	}}
	if !fips140.Enforced() { // FIPS 140 mode forbids SHA-1, which a webhook needs
		cfg.Vercel.WebhookSecret = secrets.secret("vercel webhook")
	}
	cfg.SoftwareOne, dev.softwareOne = devSoftwareOne(secrets)
	apiKey := secrets.secret("ampersand API key")
	cfg.Ampersand = &ampersandConfig{host: memory.Demo(apiKey, nil)}
	dev.ampersand = &ampersandMount{
		APIKey: apiKey.RevealString(), ProjectID: memory.DemoProject,
		IntegrationID: memory.DemoIntegration,
	}
	return cfg, nil
}

// devSoftwareOne generates a vendor with a public extension, two clients and operations.
func devSoftwareOne(secrets *devSecrets) (*softwareOneConfig, *softwareOneMount) {
	const extension = "EXT-4410-7725"
	c := &softwareOneConfig{
		TokenKey: secrets.secret("softwareone token key"),
		Extensions: []softwareOneExtension{{Extension: softwareone.Extension{
			ID: extension, Name: "Stock Sync", Icon: "/static/" + extension + "/icon.png",
			Revision: 1, Status: softwareone.ExtensionPublic,
			Owner: "ACC-2205-6611", Modules: []softwareone.Module{{ID: "MOD-0478"}},
		}}},
		Data: static.Data{
			TokenSecrets: map[string]crypto.Secret{},
			ExtensionSecrets: map[string]crypto.Secret{
				extension: secrets.secret("softwareone " + extension),
			},
		},
	}
	account := func(id, name string, kind softwareone.AccountType) string {
		token := fmt.Sprintf("TKN-1000-%04d", len(c.Tokens)+1)
		secret := secrets.secret("softwareone " + token)
		c.Accounts = append(c.Accounts,
			softwareone.Account{ID: id, Name: name, Type: kind, Status: "Enabled", Revision: 1})
		c.Tokens = append(c.Tokens,
			softwareone.Token{ID: token, Name: "Dev token of " + name, Account: id})
		c.TokenSecrets[token] = secret
		return "idt:" + token + ":" + secret.RevealString()
	}
	return c, &softwareOneMount{
		ExtensionID:     extension,
		VendorToken:     account("ACC-2205-6611", "Stockfish Software", softwareone.AccountVendor),
		ClientToken:     account("ACC-8834-0012", "Harbor Foods", softwareone.AccountClient),
		Client2Token:    account("ACC-8834-0013", "Northwind Mills", softwareone.AccountClient),
		OperationsToken: account("ACC-0001-0001", "Marketplace", softwareone.AccountOperations),
		ExtensionToken:  c.ExtensionSecrets[extension].RevealString(),
	}
}

// pageOrigins returns the origins whose pages can call the APIs. Without -dev it returns nil.
func (d *devMode) pageOrigins() []string {
	if d == nil {
		return nil
	}
	return d.origins
}

// publicKey returns the public key with this ID that verifies tokens, or nil.
func (d *devMode) publicKey(_ context.Context, id string) (*rsa.PublicKey, error) {
	if id != devKeyID {
		return nil, nil
	}
	return &d.key.PublicKey, nil
}

// keys serves the key set that verifies tokens.
func (d *devMode) keys(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: d.key.Public(), KeyID: devKeyID, Algorithm: string(jose.RS256), Use: "sig"},
	}})
}

// token serves a signed token, as Vercel would issue it, for the installation in the query. The
// parameter account selects another customer, auth is "user" or "system", and role is the role of
// the user.
func (d *devMode) token(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	now := time.Now()
	account := cmp.Or(query.Get("account"), devAccount)
	claims := map[string]any{
		"iss": d.issuer, "aud": devClientID, "sub": "account:" + account, "account_id": account,
		"installation_id": nil, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	if id := query.Get("installation"); id != "" {
		claims["installation_id"] = id
	}
	switch auth := cmp.Or(query.Get("auth"), "user"); auth {
	case "system":
	case "user":
		claims["sub"] = "account:" + account + ":user:" + devUser
		claims["user_id"], claims["user_role"] = devUser, cmp.Or(query.Get("role"), "ADMIN")
		claims["user_name"], claims["user_email"] = "Iris Holm", "iris@northwind.example"
	default:
		http.Error(w, "auth is user or system", http.StatusBadRequest)
		return
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: d.key, KeyID: devKeyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	var text string
	if err == nil {
		text, err = jwt.Signed(signer).Claims(claims).Serialize()
	}
	if err != nil {
		http.Error(w, "cannot sign", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, text)
}
