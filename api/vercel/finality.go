package vercel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// Removal is an uninstall that Vercel asks for.
type Removal struct {
	Installation     *installation.Installation // as it stands, secrets masked; for reading
	CascadeResources *bool                      // cascadeResourceDeletion; nil = not said
	Reason           string                     // in Vercel's words; "" = not said
}

// text is the removal for the change log. It says all that the request did, so that another request with the same idempotency key differs.
func (r Removal) text() string {
	var parts []string
	if r.CascadeResources != nil {
		parts = append(parts, fmt.Sprintf("cascadeResourceDeletion: %t", *r.CascadeResources))
	}
	if r.Reason != "" {
		parts = append(parts, "reason: "+r.Reason)
	}
	return strings.Join(parts, "; ")
}

// Finalizer decides whether an uninstall may be final at once: no more invoices will come, and the access token is not needed any more.
type Finalizer interface {
	// MayFinalize is asked before each uninstall, also when one is repeated, so it may be asked several times and concurrently about the same
	// installation. A [*Refusal] refuses the uninstall with a text for the customer; any other error is a failure.
	MayFinalize(ctx context.Context, r Removal) (bool, error)
}

// FinalizerFunc is a function as a [Finalizer].
type FinalizerFunc func(ctx context.Context, r Removal) (bool, error)

// MayFinalize implements [Finalizer].
func (f FinalizerFunc) MayFinalize(ctx context.Context, r Removal) (bool, error) { return f(ctx, r) }

// FinalWhenFree finalizes installations on a plan that needs no payment method. As a [FinalizerFunc] it is the default.
func FinalWhenFree(_ context.Context, r Removal) (bool, error) {
	p := r.Installation.BillingPlan
	return p != nil && p.PaymentMethodRequired != nil && !*p.PaymentMethodRequired, nil
}

// mayFinalize asks the host. It is not asked about what cannot be opened, for which there is no hurry, nor about what is final already; and its
// refusal comes too late for what is uninstalled.
func (h *Handler) mayFinalize(ctx context.Context, r Removal) (bool, error) {
	inst := r.Installation
	if inst.Purged || inst.Err != nil || inst.Revision == 0 {
		return inst.Purged, nil
	}
	final, err := h.opts.Finalizer.MayFinalize(ctx, r)
	if _, refused := errors.AsType[*Refusal](err); refused {
		if inst.Status == installation.StatusUninstalled {
			return false, nil
		}
		return false, &httpapi.Problem{
			Status: http.StatusConflict, Code: httpapi.CodeConflict, Message: "The installation cannot be removed at the moment.", Cause: err,
		}
	}
	if err != nil {
		return false, httpapi.HostFailure(err)
	}
	return final, nil
}
