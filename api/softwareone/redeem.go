package softwareone

import (
	"errors"
	"math"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// redeem accepts an invitation, and so installs the extension for the account of the caller. The
// account can have any type. If something is wrong with the code or with the installation, the
// answer is always the same.
func (h *Handler) redeem(c *call) (*httpapi.Answer, error) {
	in, err := httpapi.Read(c.Request, readRedemption)
	if err != nil {
		return nil, err
	}
	svc := h.svc.As(c.customer())
	req := installation.AcceptRequest{ID: c.id, Code: in.code, Account: c.account.domain()}
	// Only a caller with the right code learns anything, also by how long the answer takes. This
	// guard never matches, and the service checks the guard after the code. So ErrConflict means
	// that the code is right.
	probe := req
	probe.Guard.Revision = math.MaxInt64
	switch _, err := svc.Accept(c.Context(), probe); {
	case errors.Is(err, installation.ErrInvalid): // no installation has this ID
		return nil, installation.ErrInvitation
	case !errors.Is(err, installation.ErrConflict):
		return nil, err
	}
	inst, err := h.asHost().Get(c.Context(), c.id)
	if err != nil {
		return nil, err
	}
	ext, err := h.reachable(c, inst.Extension.ID)
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, installation.ErrInvitation
	case err != nil:
		return nil, err
	}
	consent, err := ext.consent(in.modules)
	if err != nil {
		return nil, err
	}
	if req.Guard, err = httpapi.Condition(c.Request); err != nil {
		return nil, err
	}
	req.Consent = installation.Value(consent)
	res, err := svc.Accept(c.Context(), req)
	if err != nil {
		return nil, err
	}
	if v, err := h.find(c); err == nil && v.closed == nil {
		return answer(v.Installation), nil // if the caller is the vendor, with the configuration
	}
	return answer(res.Installation), nil
}
