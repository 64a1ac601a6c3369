package main

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/api/ampersand/memory"
	"github.com/go-installation/installation/crypto"
)

// ampersandConfig is what a platform in Ampersand's manner is made of. Connections and their credentials live in the memory of this program:
// a real host has a place for them, and gives the handler that.
type ampersandConfig struct {
	Projects []ampersandProject

	host *memory.Host // made by -dev
}

// ampersandProject is a builder with what it offers.
type ampersandProject struct {
	ampersand.Project
	APIKeys      map[string]crypto.Secret // by id of the key
	Integrations []ampersand.Integration
}

// ampersandMount is what a caller needs to know; all but the base only with -dev.
type ampersandMount struct {
	Base          string `json:"base"`
	APIKey        string `json:"apiKey,omitempty"`
	ProjectID     string `json:"projectId,omitempty"`
	IntegrationID string `json:"integrationId,omitempty"`
}

// ampersandPath is where the platform's clients find it.
const ampersandPath = "/ampersand/v1"

func (c *ampersandConfig) site(base string, log *slog.Logger, dev *devMode) (*site, error) {
	host, projects := c.host, map[string]bool{}
	if host == nil {
		host = memory.New(nil)
	}
	for _, p := range c.Projects {
		if p.ID == "" || projects[p.ID] {
			return nil, fmt.Errorf("ampersand: project %q: no id of its own", p.ID)
		}
		projects[p.ID] = true
		host.AddProject(p.Project)
		for id, key := range p.APIKeys {
			host.AddAPIKey(key, ampersand.APIKey{Project: p.ID, ID: id})
		}
		for _, i := range p.Integrations {
			host.SetIntegration(p.ID, i)
		}
	}
	mount := &ampersandMount{}
	if dev != nil {
		mount, projects[dev.ampersand.ProjectID] = dev.ampersand, true
	}
	mount.Base = base + ampersandPath
	return &site{
		path: ampersandPath,
		platform: platform{
			owns:   func(tenant string) bool { return projects[tenant] },
			policy: ampersand.Policy, claims: ampersand.Claims, schema: ampersand.Schema,
		},
		handler: func(svc *installation.Service) (http.Handler, error) {
			return ampersand.NewHandler(svc, host.Host(), &ampersand.Options{Sampler: host, Catalogue: host, Log: log})
		},
		announce: func(m *mounted) { m.Ampersand = mount },
	}, nil
}
