package softwareone

import (
	"errors"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// finding is an installation that exists for the caller, with what the caller may see of it.
type finding struct {
	*installation.Installation
	owned  bool  // by the caller, who is the vendor of the extension
	closed error // why it cannot be opened; the rest of it is what is known without
}

// find returns the installation in the path: 404 for one that does not exist for the caller.
func (h *Handler) find(c *call) (*finding, error) {
	svc := c.svc
	if c.actor.Kind == installation.Vendor { // who owns it is the directory's to say
		svc = h.host()
	}
	inst, err := svc.Get(c.Context(), c.id)
	switch {
	case errors.Is(err, installation.ErrInvalid):
		return nil, installation.ErrNotFound
	case inst == nil:
		return nil, err
	}
	f := &finding{Installation: inst, closed: err}
	if f.owned, err = h.owns(c, inst.Extension.ID); err != nil {
		return nil, err
	}
	if !c.sees(inst, f.owned) {
		return nil, installation.ErrNotFound
	}
	if c.actor.Kind == installation.Vendor && !f.owned {
		inst.Configuration = nil
	}
	return f, nil
}

// writer returns the service for a write of the caller. What the vendor does to a row that names another owner, or that is closed, which no vendor's
// actor could do, is done by the host on its behalf.
func (h *Handler) writer(c *call, f *finding) *installation.Service {
	if f.owned && (f.closed != nil || f.Extension.Owner != c.account.ID) {
		return h.svc.As(installation.Actor{Kind: installation.Host, User: c.actor.User})
	}
	return c.svc
}

// get shows one installation, audit included. Of the query only select counts. One that cannot be opened, and will not be at another try either, is
// shown as lists show it.
func (h *Handler) get(c *call) (*httpapi.Answer, error) {
	q, err := readQuery(c.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	selected, err := newSelection(q.Select, true)
	if err != nil {
		return nil, err
	}
	inst, err := h.find(c)
	if err != nil {
		return nil, err
	}
	if inst.closed != nil && httpapi.ProblemOf(inst.closed).Status == http.StatusServiceUnavailable {
		return nil, inst.closed
	}
	if ext := c.PathValue("extId"); ext != "" && ext != inst.Extension.ID {
		return nil, installation.ErrNotFound
	}
	return &httpapi.Answer{Body: selected.of(wireOf(inst.Installation)), Revision: inst.Revision}, nil
}

// put replaces the configuration. All else in the body is what a GET showed and does not matter, so that a document can be sent back whole. A body
// without a configuration, or with null for one, changes nothing: a client that was shown none sends none.
func (h *Handler) put(c *call) (*httpapi.Answer, error) {
	inst, err := h.find(c)
	if err != nil {
		return nil, err
	}
	if !inst.owned {
		return nil, httpapi.Forbidden("Only the vendor of the extension may do this.")
	}
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	var parts installation.Parts
	if n := in.Node("configuration"); n != nil && n.Kind() != jsontree.Null {
		parts.Configuration = installation.Value(installation.Configuration{Document: installation.JSON(n.Append(nil))})
	}
	if err := l.Err(); err != nil {
		return nil, err
	}
	res, err := h.writer(c, inst).Patch(c.Context(), installation.PatchRequest{Guard: guard, ID: c.id, Parts: parts})
	if err != nil {
		return nil, err
	}
	return answer(res.Installation), nil
}

// delete uninstalls, or revokes an invitation. What has ended before stays as it is, and the answer is the same. It needs no key: a row that cannot
// be opened is ended by what is known of it, and so is no longer in the way of the next one.
func (h *Handler) delete(c *call) (*httpapi.Answer, error) {
	inst, err := h.find(c)
	if err != nil {
		return nil, err
	}
	if !inst.owned && c.actor.Kind != installation.Platform {
		return nil, httpapi.Forbidden("Only the vendor of the extension and operations may do this.")
	}
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	if _, err := httpapi.Document(c.Request); err != nil {
		return nil, err // what a good body says does not matter
	}
	_, err = h.writer(c, inst).Uninstall(c.Context(), installation.UninstallRequest{Guard: guard, ID: c.id})
	conflict, ok := errors.AsType[*installation.ConflictError](err)
	if ok && conflict.From == installation.StatusExpired || errors.Is(err, installation.ErrShredded) {
		err = nil
	}
	return nil, err
}

// answer shows an installation whole.
func answer(inst *installation.Installation) *httpapi.Answer {
	return &httpapi.Answer{Body: wireOf(inst), Revision: inst.Revision}
}
