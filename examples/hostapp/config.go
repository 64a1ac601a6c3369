package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
)

// config is the content of the -config file, or what -dev generates instead. Platforms that are nil
// are not mounted. The file uses the names of the fields, in any letter case.
type config struct {
	Vercel      *vercelConfig
	SoftwareOne *softwareOneConfig
	Ampersand   *ampersandConfig

	dev *devMode // nil without -dev
}

// site is a platform to mount.
type site struct {
	rules    installation.Options // Policy, Owner, Claims and Schema; nil = no owner, no schemas
	path     string
	tenants  []string // their installations belong to the platform
	handler  func(*installation.Service) (http.Handler, error)
	announce func(*mounted) // adds the addresses of the platform
}

// loadConfig reads the configuration file, or generates one for -dev.
func loadConfig(set settings, base string, secrets *devSecrets) (*config, error) {
	if set.dev {
		return newDevConfig(base, secrets)
	}
	text, err := os.ReadFile(set.config)
	if err != nil {
		return nil, err
	}
	defer clear(text) // it contains tokens
	cfg := &config{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(cfg); err != nil {
		return nil, fmt.Errorf("%s: not a configuration: %w", set.config, quiet(err))
	}
	if cfg.Vercel == nil && cfg.SoftwareOne == nil && cfg.Ampersand == nil {
		return nil, fmt.Errorf("%s: names no platform: there is nothing to serve", set.config)
	}
	return cfg, nil
}

// quiet describes an error of encoding/json without quoting the file, which has secrets.
func quiet(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s has the wrong type, near byte %d", wrong.Field, wrong.Offset)
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("syntax error near byte %d", wrong.Offset)
	}
	return errors.New("the file cannot be decoded")
}

// sites returns the platforms to mount.
func (c *config) sites(log *slog.Logger, base string) ([]*site, error) {
	var sites []*site
	var errs []error
	add := func(s *site, err error) {
		sites, errs = append(sites, s), append(errs, err)
	}
	if c.Vercel != nil {
		add(c.Vercel.site(base, log, c.dev))
	}
	if c.SoftwareOne != nil {
		add(c.SoftwareOne.site(base, log, c.dev))
	}
	if c.Ampersand != nil {
		add(c.Ampersand.site(base, log, c.dev))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return sites, checkTenants(sites)
}

// checkTenants rejects a tenant that two platforms or projects share, because each of the two would
// serve the installations of the other.
func checkTenants(sites []*site) error {
	seen := map[string]bool{}
	for _, s := range sites {
		for _, tenant := range s.tenants {
			if seen[tenant] {
				return fmt.Errorf("two platforms or projects have the id %q: give each its own, "+
					"because the id keeps their installations apart", tenant)
			}
			seen[tenant] = true
		}
	}
	return nil
}

// loadKeys returns the keys that protect secrets: those of -keys, or the one that -dev generates.
func loadKeys(set settings, secrets *devSecrets) (crypto.KeyWrapper, error) {
	if set.keys != "" {
		return crypto.KeyringFromFile(set.keys)
	}
	key, err := secrets.key()
	if err != nil {
		return nil, err
	}
	return crypto.NewKeyring(key)
}
