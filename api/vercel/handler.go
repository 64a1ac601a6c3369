package vercel

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/billing"
)

// Options configure a [Handler]. A zero field has its default.
type Options struct {
	// Extension describes the integration. Its ID is always the client ID. If it has an Owner,
	// Options.Owner of the service has to return it.
	Extension installation.Extension
	// Plans are the billing plans that a customer can choose for an installation. Default: no
	// plans, so that Vercel bills by resource.
	Plans Plans
	// InitialPlan is the billing plan of a new installation until the customer chooses another
	// plan. Default: no plan.
	InitialPlan *billing.Plan
	// Finalizer decides which uninstalls are final. Default: FinalWhenFree.
	Finalizer Finalizer
	// Log gets the failures of the server. Default: no log.
	Log *slog.Logger
	// MaxBody is the largest body of a request, in bytes. Default: 256 KiB.
	MaxBody int64
	// Timeout limits the time of a request. Default: 30 seconds.
	Timeout time.Duration
	// Origins are the origins whose pages can call the API from a browser, such as
	// "https://app.example". Default: none.
	Origins []string
}

// Handler is the [http.Handler] of the Partner API. It is safe for concurrent use.
type Handler struct {
	api      *httpapi.API
	config   httpapi.Config
	svc      *installation.Service // for the tenant of the integration, without an actor
	verifier *Verifier
	opts     Options
}

// errOtherPlan means that Plans.Plan of the host returned a plan with another ID than requested.
var errOtherPlan = errors.New("vercel: Plans.Plan returned a plan with another id")

// NewHandler returns a handler that serves installations of svc to callers whose token verifier
// accepts. Both are required. opts can be nil. See the package comment for the options of svc.
func NewHandler(svc *installation.Service, verifier *Verifier, opts *Options) (*Handler, error) {
	if svc == nil || verifier == nil {
		return nil, errors.New("vercel: NewHandler: a service and a verifier are needed")
	}
	h := &Handler{
		svc: svc.In(verifier.ClientID()), verifier: verifier, opts: *cmp.Or(opts, &Options{}),
	}
	h.opts.Extension.ID = verifier.ClientID()
	if h.opts.Plans == nil {
		h.opts.Plans = &Catalogue{}
	}
	if h.opts.Finalizer == nil {
		h.opts.Finalizer = FinalizerFunc(FinalWhenFree)
	}
	if p := h.opts.InitialPlan; p != nil {
		if !selectable(*p) {
			return nil, fmt.Errorf("vercel: NewHandler: the initial plan %s cannot be chosen", p.ID)
		}
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("vercel: NewHandler: the initial plan %s: %w", p.ID, err)
		}
		h.opts.InitialPlan = new(*p)
	}
	h.config = httpapi.Config{
		Render: render, Names: wireNames,
		Log: h.opts.Log, Loggable: []error{ErrKeysUnavailable, errOtherPlan},
		MaxBody: h.opts.MaxBody, Timeout: h.opts.Timeout, Origins: h.opts.Origins,
	}
	h.api = httpapi.New(h.config)
	h.api.Handle("/v1/installations/{installationId}", httpapi.Methods{
		http.MethodPut:    h.endpoint(h.put, AuthUser),
		http.MethodGet:    h.endpoint(h.get, AuthSystem),
		http.MethodPatch:  h.endpoint(h.patch, AuthUser),
		http.MethodDelete: h.endpoint(h.delete, AuthUser, AuthSystem),
	})
	h.api.Handle("/v1/installations/{installationId}/plans", httpapi.Methods{
		http.MethodGet: h.endpoint(h.plans, AuthSystem),
	})
	return h, nil
}

// ServeHTTP implements [http.Handler]. To mount the handler below a prefix, use
// [http.StripPrefix].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.api.ServeHTTP(w, r) }
