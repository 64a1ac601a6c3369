package vercel

import (
	"context"
	"errors"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// maxReason is the longest reason that is taken over, in characters.
const maxReason = 1024

// delete uninstalls. It needs no key of the record when Vercel itself asks.
func (h *Handler) delete(c *call) (httpapi.Answer, error) {
	guard, err := c.guard()
	if err != nil {
		return httpapi.Answer{}, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return httpapi.Answer{}, err
	}
	removal, err := readRemoval(body)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if removal.Installation, err = c.removable(guard.IdempotencyKey != ""); err != nil {
		return httpapi.Answer{}, err
	}
	final, err := h.uninstall(c.Context(), c.svc, *removal, guard)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: wireRemoval{Finalized: final}}, nil
}

// readRemoval reads the body of DELETE, if there is one; null is none. Fields that it does not name do not matter.
func readRemoval(body *jsontree.Node) (*Removal, error) {
	r := &Removal{}
	if body == nil || body.Kind() == jsontree.Null {
		return r, nil
	}
	var l validate.List
	in := httpapi.ReadObject(body, "", &l).NullAsAbsent()
	r.CascadeResources = in.Bool("cascadeResourceDeletion")
	r.Reason = in.String("reason")
	l.Text("reason", r.Reason, maxReason)
	return r, l.Err()
}

// removable returns the installation as far as it is known: with its plain part alone where it cannot be opened and Vercel asks, and as a mere
// id where it is gone and the request may be one that was answered before.
func (c *call) removable(retry bool) (*installation.Installation, error) {
	inst, err := c.svc.Get(c.Context(), c.id)
	switch {
	case errors.Is(err, installation.ErrNotFound) && retry:
		return &installation.Installation{ID: c.id}, nil
	case inst == nil:
		return nil, err
	case !c.owns(inst):
		return nil, httpapi.ProblemOf(installation.ErrNotFound)
	case c.claims.Auth == System:
		return inst, nil
	}
	return inst, err
}

// uninstall ends an installation and reports whether that is final. It may be done again, and concurrently, by DELETE and webhook in any order.
func (h *Handler) uninstall(ctx context.Context, svc *installation.Service, r Removal, guard installation.Guard) (final bool, err error) {
	inst := r.Installation
	req := installation.UninstallRequest{Guard: guard, ID: inst.ID, Reason: r.text()}
	if guard.IdempotencyKey == "" {
		// With a key, a repeat must be the same request, even if the row is gone by then.
		req.Generation = inst.Generation
	}
	if req.Final, err = h.mayFinalize(ctx, r); err != nil {
		return false, err
	}
	res, err := svc.Uninstall(ctx, req)
	if errors.Is(err, installation.ErrIdempotencyMismatch) {
		// The host may have decided otherwise for the first request with the key. Give its answer.
		req.Final = !req.Final
		res, err = svc.Uninstall(ctx, req)
	}
	if err != nil {
		return false, err
	}
	return res.Purged || res.Status == "", nil // without a status, it was deleted since
}
