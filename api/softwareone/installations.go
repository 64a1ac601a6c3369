package softwareone

import (
	"errors"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// find returns the installation in the path: 404 for one that does not exist for the caller. Of one whose content was destroyed with its key the
// rest is shown.
func (c *call) find() (*installation.Installation, error) {
	inst, err := c.svc.Get(c.Context(), c.id)
	switch {
	case errors.Is(err, installation.ErrInvalid), inst != nil && !c.sees(inst):
		return nil, httpapi.ProblemOf(installation.ErrNotFound)
	case errors.Is(err, installation.ErrShredded):
		return inst, nil
	}
	return inst, err
}

// get shows one installation, audit included. Of the query only select counts.
func (h *Handler) get(c *call) (httpapi.Answer, error) {
	q, err := readQuery(c.URL.RawQuery)
	if err != nil {
		return httpapi.Answer{}, err
	}
	selected, err := newSelection(q.Select, true)
	if err != nil {
		return httpapi.Answer{}, err
	}
	inst, err := c.find()
	if err != nil {
		return httpapi.Answer{}, err
	}
	if ext := c.PathValue("extId"); ext != "" && ext != inst.Extension.ID {
		return httpapi.Answer{}, httpapi.ProblemOf(installation.ErrNotFound)
	}
	return httpapi.Answer{Body: selected.of(wireOf(inst)), Revision: inst.Revision}, nil
}

// put replaces the configuration. All else in the body is what a GET showed and does not matter, so that a document can be sent back whole. A body
// without a configuration, or with null for one, changes nothing: a client that was shown none sends none.
func (h *Handler) put(c *call) (httpapi.Answer, error) {
	if _, err := c.find(); err != nil {
		return httpapi.Answer{}, err
	}
	if c.actor.Kind != installation.Vendor {
		return httpapi.Answer{}, httpapi.Forbidden("Only the vendor of the extension may do this.")
	}
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return httpapi.Answer{}, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return httpapi.Answer{}, err
	}
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	var parts installation.Parts
	if n := in.Node("configuration"); n != nil && n.Kind() != jsontree.Null {
		parts.Configuration = installation.Value(installation.Configuration{Document: installation.JSON(n.Append(nil))})
	}
	if err := l.Err(); err != nil {
		return httpapi.Answer{}, err
	}
	res, err := c.svc.Patch(c.Context(), installation.PatchRequest{Guard: guard, ID: c.id, Parts: parts})
	if err != nil {
		return httpapi.Answer{}, err
	}
	return answer(res.Installation), nil
}

// delete uninstalls, or revokes an invitation. What has ended before stays as it is, and the answer is the same.
func (h *Handler) delete(c *call) (httpapi.Answer, error) {
	if _, err := c.find(); err != nil {
		return httpapi.Answer{}, err
	}
	if c.actor.Kind != installation.Vendor && c.actor.Kind != installation.Platform {
		return httpapi.Answer{}, httpapi.Forbidden("Only the vendor of the extension and operations may do this.")
	}
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if _, err := httpapi.Document(c.Request); err != nil {
		return httpapi.Answer{}, err // what a good body says does not matter
	}
	_, err = c.svc.Uninstall(c.Context(), installation.UninstallRequest{Guard: guard, ID: c.id})
	conflict, ok := errors.AsType[*installation.ConflictError](err)
	if ok && conflict.From == installation.StatusExpired || errors.Is(err, installation.ErrShredded) {
		err = nil
	}
	return httpapi.Answer{}, err
}

// answer shows an installation whole.
func answer(inst *installation.Installation) httpapi.Answer {
	return httpapi.Answer{Body: wireOf(inst), Revision: inst.Revision}
}
