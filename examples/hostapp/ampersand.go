package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

// ampersandConfig configures a platform like Ampersand. Connections and their credentials are in
// the memory of this program. A real host stores them and implements ampersand.Connections.
type ampersandConfig struct {
	Projects  []ampersandProject
	Providers []ampersand.Provider // for connections; empty = any, with any credentials

	host *memory.Host // set by -dev
}

// ampersandProject is a project with its keys and integrations.
type ampersandProject struct {
	ampersand.Project
	APIKeys      map[string]crypto.Secret // by key ID
	PublicKeys   map[string]string        // PEM of the keys that verify its tokens, by key ID
	Integrations []ampersand.Integration
}

// ampersandMount tells callers how to reach the platform. Without -dev only Base is set.
type ampersandMount struct {
	Base          string `json:"base"`
	APIKey        string `json:"apiKey,omitempty"`
	ProjectID     string `json:"projectId,omitempty"`
	IntegrationID string `json:"integrationId,omitempty"`
}

// ampersandPath is the path of the platform.
const ampersandPath = "/ampersand/v1"

func (c *ampersandConfig) site(base string, log *slog.Logger, dev *devMode) (*site, error) {
	options := &ampersand.Options{Log: log, Origins: dev.pageOrigins()}
	host, mount, projects := c.host, &ampersandMount{}, []string(nil)
	if dev != nil {
		mount, projects = dev.ampersand, []string{dev.ampersand.ProjectID}
		options.Sampler, options.Catalogue, options.Apps = host, host, host
		options.OAuth, options.CustomAuth, options.Metadata = host, host, host
		host.SetConsent(base + devConsentPath)
	}
	if host == nil {
		host = memory.New(nil)
	}
	for _, p := range c.Providers {
		host.AddProvider(p)
		options.Catalogue = host
	}
	signers := map[string]bool{}
	for _, p := range c.Projects {
		if p.ID == "" {
			return nil, errors.New("ampersand: a project has no id")
		}
		projects = append(projects, p.ID)
		host.AddProject(p.Project)
		for id, key := range p.APIKeys {
			host.AddAPIKey(key, ampersand.APIKey{Project: p.ID, ID: id})
		}
		for id, text := range p.PublicKeys {
			key, err := publicKey(text)
			if err != nil {
				return nil, fmt.Errorf("ampersand: project %s: public key %q: %w", p.ID, id, err)
			}
			if signers[id] {
				return nil, fmt.Errorf("ampersand: project %s: another project has a "+
					"public key %q", p.ID, id)
			}
			signers[id] = true
			host.AddPublicKey(id, p.ID, key)
		}
		for _, i := range p.Integrations {
			host.SetIntegration(p.ID, i)
		}
	}
	mount.Base = base + ampersandPath
	return &site{
		path: ampersandPath, tenants: projects,
		rules: installation.Options{
			Policy: ampersand.Policy, Claims: installation.DefaultClaims,
			Owner: ampersand.Owner, Schema: ampersand.Schema,
		},
		handler: func(svc *installation.Service) (http.Handler, error) {
			return ampersand.NewHandler(svc, host.Host(), options)
		},
		announce: func(m *mounted) { m.Ampersand = mount },
	}, nil
}

// publicKey parses an RSA key in the format of openssl rsa -pubout.
func publicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the text is no PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < 2048 {
		return nil, errors.New("the key is not an RSA key of at least 2048 bits")
	}
	return key, nil
}
