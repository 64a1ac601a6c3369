package main

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
)

// vercelConfig is what Vercel knows of this partner.
type vercelConfig struct {
	ClientID  string                     // of the integration, oac_...: the audience of its tokens
	Issuer    string                     // of the tokens
	KeySetURL string                     // of the keys that they are signed by; "" = below the issuer
	Name      string                     // of the integration
	Plans     []installation.BillingPlan // to choose from
}

// vercelMount is what a caller needs to know.
type vercelMount struct {
	Base   string `json:"base"`
	Tokens string `json:"tokens,omitempty"` // with -dev
}

func (c *vercelConfig) site(base string, log *slog.Logger, dev *devMode) (*site, error) {
	if c.ClientID == "" || c.Issuer == "" {
		return nil, errors.New("vercel: the configuration lacks clientID, the audience of tokens, or issuer")
	}
	verifier, err := vercel.NewVerifier(c.ClientID, &vercel.VerifierOptions{Issuer: c.Issuer, KeySetURL: c.KeySetURL})
	if err != nil {
		return nil, err
	}
	plans, err := vercel.NewCatalogue(c.Plans...)
	if err != nil {
		return nil, err
	}
	mount := &vercelMount{Base: base + "/vercel"}
	if dev != nil {
		mount.Tokens = base + devTokenPath
	}
	return &site{
		path: "/vercel",
		platform: platform{
			owns:   func(tenant string) bool { return tenant == c.ClientID },
			policy: vercel.Policy, claims: vercel.NoClaims,
		},
		handler: func(svc *installation.Service) (http.Handler, error) {
			return vercel.NewHandler(svc, verifier, &vercel.Options{
				Extension: installation.Extension{Name: c.Name}, Plans: plans, Log: log,
			})
		},
		announce: func(m *mounted) { m.Vercel = mount },
	}, nil
}
