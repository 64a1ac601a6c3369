package softwareone

import (
	"errors"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// visible is an installation that exists for the caller, with what the caller may see of it.
type visible struct {
	*installation.Installation
	owned  bool  // the caller is the vendor of the extension
	closed error // why it cannot be opened; then only its plain part is known
}

// find returns the installation in the path. It is 404 if it does not exist for the caller.
func (h *Handler) find(c *call) (*visible, error) {
	svc := c.svc
	if c.actor.Kind == installation.Vendor { // the directory says who owns it
		svc = h.asHost()
	}
	inst, err := svc.Get(c.Context(), c.id)
	switch {
	case errors.Is(err, installation.ErrInvalid):
		return nil, installation.ErrNotFound
	case inst == nil:
		return nil, err
	}
	v := &visible{Installation: inst, closed: err}
	if v.owned, err = h.owns(c, inst.Extension.ID); err != nil {
		return nil, err
	}
	if !c.sees(inst, v.owned) {
		return nil, installation.ErrNotFound
	}
	if c.actor.Kind == installation.Vendor && !v.owned {
		inst.Configuration = nil
	}
	return v, nil
}

// writer returns the service for a write of the caller. The host writes on behalf of a vendor to
// a row that names another owner or cannot be opened, since no vendor's actor could.
func (h *Handler) writer(c *call, v *visible) *installation.Service {
	if v.owned && (v.closed != nil || v.Extension.Owner != c.account.ID) {
		return h.svc.As(installation.Actor{Kind: installation.Host, User: c.actor.User})
	}
	return c.svc
}

// get shows one installation with its audit. Of the query, only select counts. A row that can
// never be opened is shown as in lists.
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
	err = inst.closed
	if err != nil && httpapi.ProblemOf(err).Status == http.StatusServiceUnavailable {
		return nil, err // it may pass
	}
	if ext := c.PathValue("extId"); ext != "" && ext != inst.Extension.ID {
		return nil, installation.ErrNotFound
	}
	body := selected.of(wireOf(inst.Installation))
	return &httpapi.Answer{Body: body, Revision: inst.Revision}, nil
}

// put replaces the configuration. Everything else in the body is ignored, so that a client can
// send back the whole document of a GET. A missing or null configuration changes nothing, since a
// client that was shown none sends none.
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
	parts, err := httpapi.Read(c.Request, readConfiguration)
	if err != nil {
		return nil, err
	}
	req := installation.PatchRequest{Guard: guard, ID: c.id, Parts: parts}
	res, err := h.writer(c, inst).Patch(c.Context(), req)
	if err != nil {
		return nil, err
	}
	return answer(res.Installation), nil
}

func readConfiguration(in httpapi.Object) (parts installation.Parts) {
	if n := in.NullAsAbsent().Node("configuration"); n != nil {
		parts.Configuration = installation.Value(installation.Configuration{
			Document: installation.JSON(n.Append(nil)),
		})
	}
	return parts
}

// delete uninstalls, or revokes an invitation. A row that has ended stays as it is, with the same
// answer. No key is needed, so a row that cannot be opened does not block the next installation.
func (h *Handler) delete(c *call) (*httpapi.Answer, error) {
	inst, err := h.find(c)
	if err != nil {
		return nil, err
	}
	if !inst.owned && c.actor.Kind != installation.Platform {
		return nil, httpapi.Forbidden(
			"Only the vendor of the extension and operations may do this.")
	}
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	if _, err := httpapi.Document(c.Request); err != nil {
		return nil, err // a good body is ignored
	}
	req := installation.UninstallRequest{Guard: guard, ID: c.id}
	_, err = h.writer(c, inst).Uninstall(c.Context(), req)
	conflict, ok := errors.AsType[*installation.ConflictError](err)
	ended := ok && conflict.From == installation.StatusExpired
	if ended || errors.Is(err, installation.ErrShredded) {
		return nil, nil
	}
	return nil, err
}

// answer shows a whole installation.
func answer(inst *installation.Installation) *httpapi.Answer {
	return &httpapi.Answer{Body: wireOf(inst), Revision: inst.Revision}
}
