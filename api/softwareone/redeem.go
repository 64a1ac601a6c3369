package softwareone

import (
	"errors"
	"math"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// redeem installs for the account of the caller, whatever its type. Whatever is wrong with the code, or with the installation that it is for, the
// answer is one and the same.
func (h *Handler) redeem(c *call) (*httpapi.Answer, error) {
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	in, err := readRedemption(body)
	if err != nil {
		return nil, err
	}
	ext, err := h.invited(c)
	if err != nil {
		return nil, err
	}
	svc := h.svc.As(c.customer())
	req := installation.AcceptRequest{ID: c.id, Code: in.code, Account: c.account.domain()}
	consent, unasked := ext.consent(in.modules)
	if unasked != nil {
		// Only who has the code learns what is wrong with the modules: the guard, which never holds, is looked at behind the code.
		req.Guard.Revision = math.MaxInt64
		if _, err := svc.Accept(c.Context(), req); !errors.Is(err, installation.ErrConflict) {
			return nil, err
		}
		return nil, unasked
	}
	if req.Guard, err = httpapi.Condition(c.Request); err != nil {
		return nil, err
	}
	req.Consent = installation.Value(consent)
	res, err := svc.Accept(c.Context(), req)
	if err != nil {
		return nil, err
	}
	if f, err := h.find(c); err == nil && f.closed == nil {
		return answer(f.Installation), nil // to the vendor itself with the configuration
	}
	return answer(res.Installation), nil
}

// invited returns the extension of the installation in the path, which the caller need not see yet.
func (h *Handler) invited(c *call) (*Extension, error) {
	inst, err := h.host().Get(c.Context(), c.id)
	switch {
	case errors.Is(err, installation.ErrNotFound), errors.Is(err, installation.ErrInvalid), errors.Is(err, installation.ErrShredded):
		return nil, installation.ErrInvitation
	case err != nil:
		return nil, err
	case !c.reaches(inst.Extension.ID):
		return nil, installation.ErrInvitation
	}
	ext, err := h.extension(c.Context(), inst.Extension.ID)
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, installation.ErrInvitation
	case err != nil:
		return nil, httpapi.Failure(err)
	}
	return ext, nil
}
