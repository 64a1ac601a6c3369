package softwareone

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// Options configure a [Handler]. A zero field means its default.
type Options struct {
	// Tenant is the tenant of the platform's installations. Default: the default tenant.
	Tenant string
	// Log receives the errors that are the server's fault. Default: no log.
	Log *slog.Logger
	// MaxBody is the largest body of a request, in bytes. Default: 256 KiB.
	MaxBody int64
	// Timeout limits the time of a request. Default: 30 seconds.
	Timeout time.Duration
	// Origins are the origins whose pages can call the API from a browser, such as
	// "https://app.example". Default: none.
	Origins []string
}

// Handler is the [http.Handler] of the API. It is safe for concurrent use.
type Handler struct {
	api       *httpapi.API
	svc       *installation.Service // in the tenant, without an actor
	directory Directory             // its results go through guard
	issuer    *Issuer
	maxScan   int // rows that a list can read
	maxWork   int // units of work that a list can cost
	newID     func() string
}

// NewHandler returns a handler for a service, a directory and an issuer. All three are required.
// If opts is nil, all options have their defaults. The package comment shows the options that the
// service needs.
func NewHandler(
	svc *installation.Service, directory Directory, issuer *Issuer, opts *Options,
) (*Handler, error) {
	if svc == nil || directory == nil || issuer == nil {
		return nil, errors.New(
			"softwareone: NewHandler: a service, a directory and an issuer are needed")
	}
	o := *cmp.Or(opts, &Options{})
	h := &Handler{
		svc: svc.In(o.Tenant), directory: directory, issuer: issuer,
		maxScan: maxScan, maxWork: maxWork, newID: newID,
	}
	h.api = httpapi.New(httpapi.Config{
		Render: render, Names: wireNames,
		Log: o.Log, Loggable: []error{ErrUnknown, ErrToken, errNoFreeID},
		MaxBody: o.MaxBody, Timeout: o.Timeout, Origins: o.Origins,
	})
	accounts := []AccountType{AccountClient, AccountVendor, AccountOperations}
	for pattern, methods := range map[string]httpapi.Methods{
		"/installations": {"GET": h.endpoint(h.list), "POST": h.endpoint(h.post, accounts...)},
		"/installations/{id}": {
			"GET": h.endpoint(h.get), "PUT": h.endpoint(h.put), "DELETE": h.endpoint(h.delete),
		},
		"/installations/{id}/redeem":             {"POST": h.endpoint(h.redeem, accounts...)},
		"/installations/-/token":                 {"POST": h.endpoint(h.mint)},
		"/extensions/{extId}/installations":      {"GET": h.endpoint(h.list)},
		"/extensions/{extId}/installations/{id}": {"GET": h.endpoint(h.get)},
	} {
		h.api.Handle(pattern, methods)
	}
	return h, nil
}

// ServeHTTP implements [http.Handler]. To serve the API below a prefix, use [http.StripPrefix].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.api.ServeHTTP(w, r) }
