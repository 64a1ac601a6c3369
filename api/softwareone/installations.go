package softwareone

import (
	"errors"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// visible is an installation that the caller is allowed to see. It has only the parts that the
// caller is allowed to see.
type visible struct {
	*installation.Installation
	owned  bool  // the caller is the vendor of the extension
	closed error // why it cannot be decrypted; if set, only its unencrypted part is there
}

// find returns the installation in the path. If the caller is not allowed to see the installation,
// it returns [installation.ErrNotFound].
func (h *Handler) find(c *call) (*visible, error) {
	svc := c.svc
	if c.actor.Kind == installation.Vendor { // the directory says who the owner is
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

// writer returns the service for a write of the caller, usually as the caller. But the vendor of
// the extension could not write to an installation that names another owner or cannot be
// decrypted. For such a write, the service acts as the host on behalf of the vendor.
func (h *Handler) writer(c *call, v *visible) *installation.Service {
	if v.owned && (v.closed != nil || v.Extension.Owner != c.account.ID) {
		return h.svc.As(installation.Actor{Kind: installation.Host, User: c.actor.User})
	}
	return c.svc
}

// get answers with one installation and its audit. It ignores everything in the query except
// select. If the installation can never be decrypted, get shows its unencrypted part, as lists do.
func (h *Handler) get(c *call) (*httpapi.Answer, error) {
	_, selected, err := readQuery(c.Request, true)
	if err != nil {
		return nil, err
	}
	inst, err := h.find(c)
	if err != nil {
		return nil, err
	}
	err = inst.closed
	if err != nil && httpapi.ProblemOf(err).Status == http.StatusServiceUnavailable {
		return nil, err // the failure is temporary
	}
	if ext := c.PathValue("extId"); ext != "" && ext != inst.Extension.ID {
		return nil, installation.ErrNotFound
	}
	body := selected.of(InstallationOf(inst.Installation))
	return &httpapi.Answer{Body: body, Revision: inst.Revision}, nil
}

// put replaces the configuration. Everything else in the body is ignored, so that a client can
// send back the whole document of a GET. A missing or null configuration changes nothing, since
// that is what a client sends back if the GET showed no configuration.
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
	body, err := httpapi.Read(c.Request, readConfiguration)
	if err != nil {
		return nil, err
	}
	req := installation.PatchRequest{Guard: guard, ID: c.id, Parts: body.Parts()}
	res, err := h.writer(c, inst).Patch(c.Context(), req)
	if err != nil {
		return nil, err
	}
	return answer(res.Installation), nil
}

func readConfiguration(in httpapi.Object) *Installation {
	w := &Installation{}
	if n := in.NullAsAbsent().Node("configuration"); n != nil {
		w.Configuration = installation.JSON(n.Append(nil))
	}
	return w
}

// delete uninstalls, or revokes an invitation. If the installation has ended already, delete
// changes nothing and gives the same answer. It needs no key, so an installation that cannot be
// decrypted does not block the next one.
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
		return nil, err // a valid body is ignored
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

// answer returns an answer with a whole installation.
func answer(inst *installation.Installation) *httpapi.Answer {
	return &httpapi.Answer{Body: InstallationOf(inst), Revision: inst.Revision}
}
