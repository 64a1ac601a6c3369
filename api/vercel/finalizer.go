package vercel

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// Removal is an uninstall that Vercel asks for.
type Removal struct {
	Installation     *installation.Installation // for reading; secrets are masked
	CascadeResources *bool                      // cascadeResourceDeletion; nil = not given
	Reason           string                     // in Vercel's words; "" = not given
}

// text describes the removal in the change log. It has everything that was asked for, so that
// another request with the same idempotency key differs.
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

// Finalizer decides whether an uninstall is final at once, because no more invoices will come
// and the access token is no longer needed.
type Finalizer interface {
	// MayFinalize is called before each uninstall and its repetitions, so it may be called
	// several times and concurrently for one installation. A [*Refusal] rejects the uninstall
	// with a text for the customer; any other error is a failure.
	MayFinalize(ctx context.Context, r Removal) (bool, error)
}

// FinalizerFunc is a function as a [Finalizer].
type FinalizerFunc func(ctx context.Context, r Removal) (bool, error)

// MayFinalize implements [Finalizer].
func (f FinalizerFunc) MayFinalize(ctx context.Context, r Removal) (bool, error) {
	return f(ctx, r)
}

// FinalWhenFree finalizes installations whose plan needs no payment method. It is the default.
func FinalWhenFree(_ context.Context, r Removal) (bool, error) {
	p := r.Installation.BillingPlan
	return p != nil && p.PaymentMethodRequired != nil && !*p.PaymentMethodRequired, nil
}

// mayFinalize asks the host. It does not ask about a purged installation, which is final, nor
// about one that cannot be opened or is gone, which is not. A refusal does not count for an
// installation that is already uninstalled.
func (h *Handler) mayFinalize(ctx context.Context, r Removal) (bool, error) {
	inst := r.Installation
	if inst.Purged || inst.Err != nil || inst.Revision == 0 {
		return inst.Purged, nil
	}
	final, err := h.opts.Finalizer.MayFinalize(ctx, r)
	if err == nil {
		return final, nil
	}
	if _, refused := errors.AsType[*Refusal](err); !refused {
		return false, httpapi.HostFailure(err)
	}
	if inst.Status == installation.StatusUninstalled {
		return false, nil
	}
	p := httpapi.Reject(httpapi.CodeConflict, "The installation cannot be removed at the moment.")
	p.Cause = err
	return false, p
}
