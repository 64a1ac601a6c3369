package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/validate"
)

// app is the whole server.
type app struct {
	*http.ServeMux
	svc     *installation.Service
	log     *slog.Logger
	mounted mounted
	close   func()
}

// mounted is the first line on standard output: addresses, and with -dev credentials.
type mounted struct {
	Addr        string            `json:"addr"`
	Vercel      *vercelMount      `json:"vercel,omitempty"`
	SoftwareOne *softwareOneMount `json:"softwareone,omitempty"`
	Ampersand   *ampersandMount   `json:"ampersand,omitempty"`
}

// ServeHTTP implements [http.Handler]. It forbids caches to store any response, even a 404.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	a.ServeMux.ServeHTTP(w, r)
}

// newApp opens the store, makes the service and mounts the configured platforms. base is the
// address of the server.
func newApp(ctx context.Context, set settings, base string, log *slog.Logger) (*app, error) {
	secrets, err := loadDevSecrets(set)
	if err != nil {
		return nil, err
	}
	cfg, err := loadConfig(set, base, secrets)
	if err != nil {
		return nil, err
	}
	keys, err := loadKeys(set, secrets)
	if err != nil {
		return nil, err
	}
	if err := secrets.save(log); err != nil {
		return nil, err
	}
	store, closeStore, err := openStore(ctx, set, log)
	if err != nil {
		return nil, err
	}
	a := &app{ServeMux: http.NewServeMux(), log: log, close: closeStore}
	if err := a.mount(cfg, store, keys, base, set.pages); err != nil {
		closeStore()
		return nil, err
	}
	return a, nil
}

// mount makes the service and mounts a handler for each platform.
func (a *app) mount(
	cfg *config, store installation.Store, keys crypto.KeyWrapper, base, pages string,
) error {
	sites, err := cfg.sites(a.log, base)
	if err != nil {
		return err
	}
	a.svc, err = installation.New(store, keys, serviceOptions(sites))
	if err != nil {
		return err
	}
	for _, s := range sites {
		h, err := s.handler(a.svc)
		if err != nil {
			return err
		}
		a.Handle(s.path+"/", http.StripPrefix(s.path, h))
		if cfg.dev != nil && s.path == ampersandPath {
			a.Handle(devAmpersandPath+"/", http.StripPrefix(devAmpersandPath, h))
		}
		s.announce(&a.mounted)
	}
	if cfg.dev != nil {
		a.HandleFunc("GET "+devTokenPath, cfg.dev.token)
		a.HandleFunc("GET "+devKeysPath, cfg.dev.keys)
		a.HandleFunc(devConsentPath, cfg.Ampersand.host.Consent)
		if pages != "" {
			a.Handle("GET "+devPagesPath,
				http.StripPrefix(devPagesPath, http.FileServer(http.Dir(pages))))
		}
	}
	a.mounted.Addr = base[len("http://"):]
	a.HandleFunc("GET /healthz", a.health)
	a.Handle("GET /{$}", a.page(sites, cfg.dev != nil))
	return nil
}

// serviceOptions returns the options of the service. The tenant of an installation decides which
// platform sets its policy, owner, claims and schema.
func serviceOptions(sites []*site) *installation.Options {
	rules := func(tenant string) installation.Options {
		for _, s := range sites {
			if slices.Contains(s.tenants, tenant) {
				return s.rules
			}
		}
		return installation.Options{Policy: nobody, Claims: installation.DefaultClaims}
	}
	return &installation.Options{
		Policy: func(
			actor installation.Actor, do installation.Action, inst *installation.Installation,
		) bool {
			if inst == nil || actor.Kind == installation.Host {
				return installation.DefaultPolicy(actor, do, inst)
			}
			return rules(inst.Tenant).Policy(actor, do, inst)
		},
		Owner: func(ctx context.Context, tenant, extension string) (string, error) {
			if owner := rules(tenant).Owner; owner != nil {
				return owner(ctx, tenant, extension)
			}
			return "", nil
		},
		Claims: func(inst *installation.Installation) []string {
			return rules(inst.Tenant).Claims(inst)
		},
		Schema: func(
			ctx context.Context, tenant string, ext installation.Extension,
		) (validate.SchemaSource, error) {
			if schema := rules(tenant).Schema; schema != nil {
				return schema(ctx, tenant, ext)
			}
			return validate.SchemaSource{}, nil
		},
	}
}

// nobody is the policy for tenants that belong to no mounted platform. It allows nothing.
func nobody(installation.Actor, installation.Action, *installation.Installation) bool {
	return false
}

// run calls Service.Run until ctx ends.
func (a *app) run(ctx context.Context) {
	host := a.svc.As(installation.Actor{Kind: installation.Host})
	var told installation.SweepReport
	_, err := host.Run(ctx, installation.RunOptions{Progress: func(r installation.RunReport) {
		if r.Err != nil && ctx.Err() == nil {
			a.log.Error("run", "error", r.Err)
		}
		if r.Sweep.Expired+r.Sweep.Purged > told.Expired+told.Purged {
			a.log.Info("run", "expired", r.Sweep.Expired, "purged", r.Sweep.Purged)
		}
		told = r.Sweep
	}})
	if ctx.Err() == nil {
		a.log.Error("run ended", "error", err)
	}
}

// health reports whether requests can be served. Anyone can call it, so it shows only the levels
// and rules of findings, and no details.
func (a *app) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	type finding struct {
		Level health.Level `json:"level"`
		Rule  string       `json:"rule"`
	}
	answer := struct {
		Status   string    `json:"status"`
		Findings []finding `json:"findings"`
	}{"ok", []finding{}}
	status := http.StatusOK
	report, err := a.svc.As(installation.Actor{Kind: installation.Host}).Check(ctx)
	if err != nil {
		a.log.Error("health", "error", err)
	} else {
		for _, f := range report.Findings {
			answer.Findings = append(answer.Findings, finding{f.Level, f.Rule})
			if f.Level == health.Error {
				a.log.Error("health", "rule", f.Rule, "detail", f.Detail)
			}
		}
	}
	if err != nil || !report.OK() {
		answer.Status, status = "failing", http.StatusServiceUnavailable
	}
	if errors.Is(err, installation.ErrRestored) {
		answer.Status = "restored"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.log.Warn("health", "error", fmt.Sprintf("%T", err))
	}
}
