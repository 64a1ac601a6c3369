package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/google/uuid"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/redisstore"
)

// config is what the platforms know of this host: the file of -config, or what -dev makes up. A
// platform that is not in it is not mounted.
type config struct {
	Vercel      *vercelConfig
	SoftwareOne *softwareOneConfig
	Ampersand   *ampersandConfig

	dev *devMode // nil without -dev
}

// site is one platform as it is mounted.
type site struct {
	platform
	path     string
	tenants  []string // whose installations are the platform's
	handler  func(*installation.Service) (http.Handler, error)
	announce func(*mounted) // writes down where it is
}

// loadConfig reads the configuration, or makes one up.
func loadConfig(set settings, base string) (*config, error) {
	if set.dev {
		return newDevConfig(base)
	}
	text, err := os.ReadFile(set.config)
	if err != nil {
		return nil, err
	}
	defer clear(text) // it has tokens in it
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

// quiet keeps of an error of encoding/json what quotes nothing of the text.
func quiet(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s has the wrong type, near byte %d", wrong.Field, wrong.Offset)
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("syntax error near byte %d", wrong.Offset)
	}
	return errors.New("it does not decode")
}

// sites makes what is to be mounted.
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
	return sites, apart(sites)
}

// apart looks that no tenant is of two platforms, or twice of one: each would take the other's
// installations for its own.
func apart(sites []*site) error {
	seen := map[string]bool{}
	for _, s := range sites {
		for _, tenant := range s.tenants {
			if seen[tenant] {
				return fmt.Errorf("two platforms or projects have the id %q: installations are "+
					"kept apart by it", tenant)
			}
			seen[tenant] = true
		}
	}
	return nil
}

// loadKeys returns the keys that protect secrets. Those that -dev makes up end with the program.
func loadKeys(set settings) (crypto.KeyWrapper, error) {
	if set.keys != "" {
		return crypto.KeyringFromFile(set.keys)
	}
	key, err := crypto.GenerateKey("dev")
	if err != nil {
		return nil, err
	}
	return crypto.NewKeyring(key)
}

// namespace is where the installations are in Redis. What was written under keys that end with
// the program is of no use to the next one, so each has a namespace of its own.
func namespace(set settings) string {
	if set.keys != "" {
		return redisstore.DefaultNamespace
	}
	return "dev-" + uuid.NewString()
}
