package vercel

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// Removal is a request of Vercel to uninstall, by DELETE or by an event for the [Webhook].
type Removal struct {
	Installation     *installation.Installation // do not change it; secrets are masked
	CascadeResources *bool                      // cascadeResourceDeletion; nil = not given
	Reason           string                     // of DELETE, or type of the event; "" = not given

	done bool // Vercel has removed it, so it can no longer be refused
}

// text returns the reason of the uninstall for the change log. It includes every field of the
// request, so that requests with different fields differ for the idempotency key.
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

// Finalizer decides whether an uninstall is final. A final uninstall purges the installation at
// once. The access token is then gone, so the host can send no more invoices.
type Finalizer interface {
	// MayFinalize returns true if the uninstall is final. The handler calls it before each
	// uninstall and before each repeat, so calls for one installation can be many and concurrent.
	// A [*Refusal] rejects a DELETE with a text for the customer, for example because of open
	// invoices. If Vercel reports a removal to the [Webhook], it only means that the uninstall is
	// not final. Any other error is a failure of the server.
	MayFinalize(ctx context.Context, r Removal) (bool, error)
}

// FinalizerFunc makes a function a [Finalizer].
type FinalizerFunc func(ctx context.Context, r Removal) (bool, error)

// MayFinalize implements [Finalizer].
func (f FinalizerFunc) MayFinalize(ctx context.Context, r Removal) (bool, error) {
	return f(ctx, r)
}

// FinalWhenFree is the default of Options.Finalizer, as a [FinalizerFunc]. It returns true if the
// billing plan of the installation says that no payment method is required.
func FinalWhenFree(_ context.Context, r Removal) (bool, error) {
	p := r.Installation.BillingPlan
	return p != nil && p.PaymentMethodRequired != nil && !*p.PaymentMethodRequired, nil
}

// mayFinalize reports whether an uninstall is final. It returns true for a purged installation, and
// false for an installation that cannot be opened or was deleted. Otherwise the Finalizer decides.
// If the installation is already removed, a Refusal only means that the uninstall is not final.
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
	if r.done || inst.Status == installation.StatusUninstalled {
		return false, nil
	}
	p := httpapi.Reject(httpapi.CodeConflict, "The installation cannot be removed at the moment.")
	p.Cause = err
	return false, p
}
