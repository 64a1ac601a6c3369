package main

import (
	"context"
	"crypto/rsa"
	"errors"
	"log/slog"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
)

// vercelConfig configures the integration with Vercel.
type vercelConfig struct {
	ClientID  string         // of the integration, oac_...; the audience of tokens
	Issuer    string         // of the tokens
	KeySetURL string         // of the signing keys; "" = below the issuer
	Name      string         // of the integration
	Plans     []billing.Plan // to choose from

	// WebhookSecret is the client secret of the integration. Vercel signs the events of the webhook
	// with it. Without the secret there is no webhook.
	WebhookSecret crypto.Secret

	// key returns the public key with an ID. With -dev, key is set and used instead of KeySetURL.
	key func(ctx context.Context, id string) (*rsa.PublicKey, error)
}

// vercelMount tells callers how to reach the platform.
type vercelMount struct {
	Base   string `json:"base"`
	Tokens string `json:"tokens,omitempty"` // with -dev

	Webhook       string `json:"webhook,omitempty"`
	WebhookSecret string `json:"webhookSecret,omitempty"` // with -dev
}

// Paths of the API, and of the webhook below it.
const (
	vercelPath  = "/vercel"
	webhookPath = "/webhook"
)

func (c *vercelConfig) site(base string, log *slog.Logger, dev *devMode) (*site, error) {
	if c.ClientID == "" || c.Issuer == "" {
		return nil, errors.New("vercel: the configuration needs clientID, which is the audience " +
			"of tokens, and issuer")
	}
	verifier, err := vercel.NewVerifier(c.ClientID,
		&vercel.VerifierOptions{Issuer: c.Issuer, KeySetURL: c.KeySetURL, Key: c.key})
	if err != nil {
		return nil, err
	}
	plans, err := vercel.NewCatalogue(c.Plans...)
	if err != nil {
		return nil, err
	}
	mount := &vercelMount{Base: base + vercelPath}
	hooked := c.WebhookSecret.RevealString() != ""
	if hooked {
		mount.Webhook = mount.Base + webhookPath
	}
	if dev != nil {
		mount.Tokens, mount.WebhookSecret = base+devTokenPath, c.WebhookSecret.RevealString()
	}
	return &site{
		path: vercelPath, tenants: []string{c.ClientID},
		rules: installation.Options{Policy: vercel.Policy, Claims: vercel.NoClaims},
		handler: func(svc *installation.Service) (http.Handler, error) {
			api, err := vercel.NewHandler(svc, verifier, &vercel.Options{
				Extension: installation.Extension{Name: c.Name}, Plans: plans, Log: log,
				Origins: dev.pageOrigins(),
			})
			if err != nil || !hooked {
				return api, err
			}
			webhook, err := api.Webhook(c.WebhookSecret)
			mux := http.NewServeMux()
			mux.Handle("/", api)
			mux.Handle(webhookPath, webhook)
			return mux, err
		},
		announce: func(m *mounted) { m.Vercel = mount },
	}, nil
}
