package ampersand

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/api/internal/jwt"
)

// Options configure a [Handler]. Each zero field has its default.
type Options struct {
	// Sampler tests the configuration of objects before it is saved. Default: no sampling.
	Sampler Sampler
	// Catalogue finds the providers of new connections. Default: any name is a provider, and a
	// connection gets the scheme of its credentials.
	Catalogue Catalogue
	// Operations returns the history of installations. Default: no history.
	Operations Operations
	// OAuth connects in a browser. Default: 404 for oauth-connect and oauth-update.
	OAuth OAuth
	// CustomAuth connects with a custom authentication. Default: 404 for custom-auth/connect.
	CustomAuth CustomAuth
	// Apps lists provider apps. Default: no apps.
	Apps ProviderApps
	// Metadata describes objects. Default: 404 for object metadata.
	Metadata ObjectMetadata
	// Origins are the origins whose pages can call the API from a browser, such as
	// "https://app.example"; see [httpapi.Config]. Default: none.
	Origins []string
	// Now is the clock for the expiry of tokens. Default: time.Now.
	Now func() time.Time
	// Log gets the failures of the server. Default: no log.
	Log *slog.Logger
	// MaxBody is the largest body of a request, in bytes. Default: 256 KiB.
	MaxBody int64
	// Timeout limits the time of a request. Sampling gets half of Timeout. Default: 30 seconds.
	Timeout time.Duration
}

// Handler is the [http.Handler] of the platform's API. It is safe for concurrent use.
type Handler struct {
	api   *httpapi.API
	svc   *installation.Service // without tenant and actor
	host  Host
	opts  Options
	rules jwt.Verifier // for the tokens of consumers
	locks *lockset
}

// NewHandler returns a handler that serves the projects of the host. svc and all fields of host are
// required. opts can be nil. See the package comment for the options of svc.
func NewHandler(svc *installation.Service, host Host, opts *Options) (*Handler, error) {
	if svc == nil || host.Identities == nil || host.Projects == nil || host.Connections == nil {
		return nil, errors.New(
			"ampersand: NewHandler: a service, identities, projects and connections are needed")
	}
	h := &Handler{svc: svc, host: host, opts: *cmp.Or(opts, &Options{}), locks: newLockset()}
	if h.opts.Now == nil {
		h.opts.Now = time.Now
	}
	h.rules = jwt.Verifier{
		Algorithm: jwt.RS256, Leeway: leeway, MaxLifetime: maxLifetime,
		Now: h.opts.Now, Invalid: ErrToken,
	}
	h.opts.Timeout = cmp.Or(h.opts.Timeout, httpapi.DefaultTimeout)
	h.opts.Log = cmp.Or(h.opts.Log, slog.New(slog.DiscardHandler))
	h.api = httpapi.New(httpapi.Config{
		Render: h.render, Names: issueNames, Log: h.opts.Log,
		MaxBody: h.opts.MaxBody, Timeout: h.opts.Timeout, Origins: h.opts.Origins,
		Loggable: []error{errHostJSON},
	})
	h.routes()
	return h, nil
}

// ServeHTTP implements [http.Handler]. To mount the handler below a prefix, use
// [http.StripPrefix].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.api.ServeHTTP(w, r) }

// methods has the functions that serve one path, by HTTP method.
type methods map[string]func(*call) (*httpapi.Answer, error)

// routes adds the endpoints. All but the public one authorize each request first.
func (h *Handler) routes() {
	const (
		project      = "/projects/{project}"
		connection   = project + "/connections/{connection}"
		integration  = project + "/integrations/{integration}"
		installation = integration + "/installations/{installation}"
		object       = "/objects/{object}"
	)
	routes := map[string]methods{
		project:                    {"GET": h.getProject},
		project + "/installations": {"GET": h.list},
		project + "/integrations":  {"GET": h.integrations},
		project + "/provider-apps": {"GET": h.providerApps},
		project + "/providers/{provider}" + object + "/metadata": {"GET": h.objectMetadata},
		project + "/connections":                                 {"GET": h.connections},
		project + "/connections:generate":                        {"POST": h.generate},
		connection: {
			"GET": h.getConnection, "PATCH": h.patchConnection, "DELETE": h.deleteConnection,
		},
		connection + ":oauth-update":                  {"PATCH": h.oauthUpdate},
		integration:                                   {"GET": h.getIntegration},
		integration + object + "/metadata":            {"GET": h.objectMetadata},
		integration + object + "/config-content":      {"PATCH": h.patchContent},
		integration + "/revisions/{revision}:hydrate": {"GET": h.hydrate},
		integration + "/installations":                {"GET": h.list, "POST": h.create},
		installation + ":pause":                       {"POST": h.pause},
		installation + ":unpause":                     {"POST": h.unpause},
		installation + "/operations":                  {"GET": h.operations},
		installation + object + "/backfill-progress":  {"GET": h.backfill},
		installation: {
			"GET": h.get, "PATCH": h.patch, "DELETE": h.delete,
		},
		"/oauth-connect":       {"POST": h.oauthConnect},
		"/custom-auth/connect": {"POST": h.customConnect},
	}
	for pattern, m := range routes {
		endpoints := make(httpapi.Methods)
		for method, run := range m {
			endpoints[method] = func(r *http.Request) (*httpapi.Answer, error) {
				c, err := h.authorize(r)
				if err != nil {
					return nil, err
				}
				return run(c)
			}
		}
		h.api.Handle(pattern, endpoints)
	}
	h.api.Handle("/providers/{provider}", httpapi.Methods{"GET": h.provider})
}

// logFailure logs a failure that the answer does not report.
func (h *Handler) logFailure(ctx context.Context, message string, attrs ...slog.Attr) {
	request := slog.String("request", httpapi.RequestID(ctx))
	h.opts.Log.With(request).LogAttrs(ctx, slog.LevelError, message, attrs...)
}
