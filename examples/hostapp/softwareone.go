package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/static"
	"github.com/go-installation/installation/validate"
)

// softwareOneConfig configures a platform like SoftwareOne's.
type softwareOneConfig struct {
	static.Data
	Extensions []softwareOneExtension
	TokenKey   crypto.Secret // signs the tokens of extensions; every node needs the same key
}

// softwareOneExtension is an extension with the JSON Schema of its configuration. Without a schema,
// the names of fields decide which values are secret.
type softwareOneExtension struct {
	softwareone.Extension
	Schema json.RawMessage
}

// softwareOneMount tells callers how to reach the platform. Without -dev only Base is set.
type softwareOneMount struct {
	Base            string `json:"base"`
	ExtensionID     string `json:"extensionId,omitempty"`
	VendorToken     string `json:"vendorToken,omitempty"`
	ClientToken     string `json:"clientToken,omitempty"`
	Client2Token    string `json:"client2Token,omitempty"`
	OperationsToken string `json:"operationsToken,omitempty"`
	ExtensionToken  string `json:"extensionToken,omitempty"`
}

// softwareOnePath is the path of the platform. Clients expect the part after /softwareone.
const softwareOnePath = "/softwareone/public/v1/integration"

func (c *softwareOneConfig) site(base string, log *slog.Logger, dev *devMode) (*site, error) {
	data := c.Data
	for _, e := range c.Extensions {
		if len(e.Schema) > 0 && string(e.Schema) != "null" {
			if err := validate.CheckSchema(e.Schema); err != nil {
				return nil, fmt.Errorf("softwareone: extension %s: %w", e.ID, err)
			}
			e.Extension.Schema = validate.SchemaText(e.Schema)
		}
		data.Extensions = append(data.Extensions, e.Extension)
	}
	directory, err := static.New(data)
	if err != nil {
		return nil, err
	}
	issuer, err := softwareone.NewIssuer(c.TokenKey, nil)
	if err != nil {
		return nil, err
	}
	mount := &softwareOneMount{}
	if dev != nil {
		mount = dev.softwareOne
	}
	mount.Base = base + softwareOnePath
	return &site{
		path: softwareOnePath, tenants: []string{""},
		rules: installation.Options{
			Policy: softwareone.Policy, Claims: installation.DefaultClaims,
			Owner: softwareone.Owners(directory), Schema: softwareone.Schemas(directory),
		},
		handler: func(svc *installation.Service) (http.Handler, error) {
			return softwareone.NewHandler(svc, directory, issuer,
				&softwareone.Options{Log: log, Origins: dev.pageOrigins()})
		},
		announce: func(m *mounted) { m.SoftwareOne = mount },
	}, nil
}
