package vercel

import (
	"context"
	"errors"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
)

// maxReason is the longest reason that DELETE accepts, in characters.
const maxReason = 1024

// delete uninstalls. With a system token, it does so even if the record cannot be decrypted.
func (h *Handler) delete(c *call) (*httpapi.Answer, error) {
	guard, err := c.guard()
	if err != nil {
		return nil, err
	}
	removal, err := readRemoval(c)
	if err != nil {
		return nil, err
	}
	if removal.Installation, err = c.removable(guard.IdempotencyKey != ""); err != nil {
		return nil, err
	}
	final, err := h.uninstall(c.Context(), c.svc, removal, guard)
	if err != nil {
		return nil, err
	}
	return &httpapi.Answer{Body: map[string]bool{"finalized": final}}, nil
}

// readRemoval reads the body of DELETE, which may be missing or null.
func readRemoval(c *call) (Removal, error) {
	body, err := httpapi.Document(c.Request)
	if err != nil || body == nil || body.Kind() == jsontree.Null {
		return Removal{}, err
	}
	return httpapi.ReadNode(body, func(in httpapi.Object) Removal {
		in = in.NullAsAbsent()
		r := Removal{
			CascadeResources: in.Bool("cascadeResourceDeletion"), Reason: in.String("reason"),
		}
		in.Violations().Text("reason", r.Reason, maxReason)
		return r
	})
}

// removable returns the installation to uninstall. If the record cannot be opened and the token is
// a system token, removable returns the unencrypted fields of the record. If there is no record and
// repeatable is true, it returns only the ID, because the request may be a repeat.
func (c *call) removable(repeatable bool) (*installation.Installation, error) {
	inst, err := c.svc.Get(c.Context(), c.id)
	switch {
	case errors.Is(err, installation.ErrNotFound) && repeatable:
		return &installation.Installation{ID: c.id}, nil
	case inst == nil:
		return nil, err
	case !c.owns(inst):
		return nil, installation.ErrNotFound
	case c.claims.Auth == AuthSystem:
		return inst, nil
	}
	return inst, err
}

// uninstall uninstalls and reports whether the uninstall is final. DELETE and the webhook can call
// it for one installation repeatedly, concurrently and in any order.
func (h *Handler) uninstall(
	ctx context.Context, svc *installation.Service, r Removal, guard installation.Guard,
) (final bool, err error) {
	req := installation.UninstallRequest{Guard: guard, ID: r.Installation.ID, Reason: r.text()}
	if guard.IdempotencyKey == "" {
		// A repeat with a key has to be an equal request, even if the record was deleted since.
		// The generation is unknown then, so only requests without a key have it.
		req.Generation = r.Installation.Generation
	}
	if req.Final, err = h.mayFinalize(ctx, r); err != nil {
		return false, err
	}
	res, err := svc.Uninstall(ctx, req)
	if errors.Is(err, installation.ErrIdempotencyMismatch) {
		// The Finalizer may have decided otherwise for the first request with this key. Return the
		// answer to that request.
		req.Final = !req.Final
		res, err = svc.Uninstall(ctx, req)
	}
	if err != nil {
		return false, err
	}
	deleted := res.Status == ""
	return res.Purged || deleted, nil
}
