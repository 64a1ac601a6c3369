package ampersand

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// Options configure a [Handler]. The zero value of each field is its default.
type Options struct {
	// Sampler tries a read of each object before it is saved. Default: nothing is tried.
	Sampler Sampler
	// Catalogue says which providers there are to make connections to. Default: any, by whatever credentials are given.
	Catalogue Catalogue
	// Operations are what was done for an installation. Default: nothing.
	Operations Operations
	// Now is the clock that tokens expire by. Default: time.Now.
	Now func() time.Time
	// Log is told of failures of the server. Default: nothing is logged.
	Log *slog.Logger
	// MaxBody is the largest body of a request, in bytes. Default: 256 KiB.
	MaxBody int64
	// Timeout bounds the time of a request. Up to half of it is for sampling. Default: 30 seconds.
	Timeout time.Duration
}

// Handler is the [http.Handler] of the platform's API. It is safe for concurrent use.
type Handler struct {
	api   *httpapi.API
	svc   *installation.Service // without tenant and actor
	host  Host
	opts  Options
	log   *slog.Logger
	locks *lockset
}

// NewHandler returns a handler over a service, for the projects that the host has. All of these are required; a nil *Options is all defaults. See
// the package comment for the options that the service must be made with.
func NewHandler(svc *installation.Service, host Host, opts *Options) (*Handler, error) {
	if svc == nil || host.Identities == nil || host.Projects == nil || host.Connections == nil {
		return nil, errors.New("ampersand: NewHandler: a service, identities, projects and connections are needed")
	}
	h := &Handler{svc: svc, host: host, locks: newLockset()}
	if opts != nil {
		h.opts = *opts
	}
	if h.opts.Now == nil {
		h.opts.Now = time.Now
	}
	h.opts.Timeout = cmp.Or(h.opts.Timeout, httpapi.DefaultTimeout)
	if h.opts.Operations == nil {
		h.opts.Operations = nothingDone{}
	}
	h.log = h.opts.Log
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.api = httpapi.New(httpapi.Config{
		Render: h.render, Log: h.opts.Log, MaxBody: h.opts.MaxBody, Timeout: h.opts.Timeout,
	})
	h.routes()
	return h, nil
}

// ServeHTTP implements [http.Handler]. Mounted below a prefix, it wants [http.StripPrefix].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.api.ServeHTTP(w, r) }

// routes adds all endpoints.
func (h *Handler) routes() {
	const project, integration = "/projects/{project}", "/projects/{project}/integrations/{integration}"
	get := func(run func(*call) (*httpapi.Answer, error)) httpapi.Methods {
		return httpapi.Methods{http.MethodGet: h.endpoint(run)}
	}
	post := func(run func(*call) (*httpapi.Answer, error)) httpapi.Methods {
		return httpapi.Methods{http.MethodPost: h.endpoint(run)}
	}
	h.api.Handle(project+"/installations", get(h.list))
	h.api.Handle(integration+"/installations", httpapi.Methods{http.MethodGet: h.endpoint(h.list), http.MethodPost: h.endpoint(h.create)})
	h.api.HandleVerbs(integration+"/installations/{installation}", "installation", map[string]httpapi.Methods{
		"": {
			http.MethodGet:    h.endpoint(h.get),
			http.MethodPatch:  h.endpoint(h.patch),
			http.MethodDelete: h.endpoint(h.delete),
		},
		"pause":   post(h.pause),
		"unpause": post(h.unpause),
	})
	h.api.Handle(integration+"/installations/{installation}/operations", get(h.operations))
	h.api.Handle(integration+"/installations/{installation}/objects/{object}/backfill-progress", get(h.backfill))
	h.api.Handle(integration+"/objects/{object}/config-content", httpapi.Methods{http.MethodPatch: h.endpoint(h.patchContent)})
	h.api.Handle(project+"/integrations", get(h.integrations))
	h.api.HandleVerbs(integration+"/revisions/{revision}", "revision", map[string]httpapi.Methods{"hydrate": get(h.hydrate)})
	h.api.Handle(project+"/connections", get(h.connections))
	h.api.Handle(project+"/connections:generate", post(h.generate))
	h.api.Handle(project+"/connections/{connection}", httpapi.Methods{
		http.MethodGet:    h.endpoint(h.getConnection),
		http.MethodPatch:  h.endpoint(h.patchConnection),
		http.MethodDelete: h.endpoint(h.deleteConnection),
	})
}

// missingOr is the answer to an error of the host where what is asked for may not be there.
func missingOr(err error) *httpapi.Problem {
	if errors.Is(err, ErrNotFound) {
		return httpapi.NotFound()
	}
	return httpapi.HostFailure(err)
}
