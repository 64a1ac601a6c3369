package ampersand

import (
	"github.com/google/uuid"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// patch updates an installation by a mask.
func (h *Handler) patch(c *call) (*httpapi.Answer, error) {
	skip, err := httpapi.ReadQuery(c.Request, skipSampling)
	if err != nil {
		return nil, err
	}
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	ch, err := readUpdate(body)
	if err != nil {
		return nil, err
	}
	if ch.createdBy != "" {
		if ch.createdBy, err = c.createdBy(ch.createdBy); err != nil {
			return nil, err
		}
	}
	inst, err := c.installed(c.PathValue("installation"))
	if err != nil {
		return nil, err
	}
	integration, err := h.integration(c)
	if err != nil {
		return nil, err
	}
	var swap *Connection
	if ch.connection != "" {
		if swap, err = h.choose(c, "installation.connectionId", inst.Account.ID, integration.Provider, ch.connection); err != nil {
			return nil, err
		}
	}
	if guard.Revision != 0 && guard.Revision != inst.Revision {
		return nil, installation.ErrConflict
	}
	if !skip {
		if err := h.sampleChanges(c, integration, inst, swap, ch); err != nil {
			return nil, err
		}
	}
	saved, err := h.save(c, integration, inst, swap, ch, guard)
	if err != nil {
		return nil, inUpdate(err)
	}
	if swap != nil {
		if err := h.keepSwap(c, inst, saved, swap); err != nil {
			return nil, err
		}
	}
	return h.answer(c, saved)
}

// save writes a change of an installation. Without a guard of the client it meets other writers by being applied again: what they changed and this
// one does not stays.
func (h *Handler) save(
	c *call, integration *Integration, inst *installation.Installation, swap *Connection, ch *change, guard installation.Guard,
) (*installation.Installation, error) {
	unlock, err := h.locks.lock(c.Context(), inst.ID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for {
		req := installation.PatchRequest{Guard: guard, ID: inst.ID, Operations: ch.ops}
		if swap != nil {
			req.Connection = installation.Value(swap.stored())
		}
		if err := ch.note(&req, integration, inst); err != nil {
			return nil, err
		}
		res, err := c.svc.Patch(c.Context(), req)
		switch {
		case err == nil:
			return res.Installation, nil
		case guard.Revision != 0 || !changedMeanwhile(err):
			return nil, err
		}
		if inst, err = c.installed(inst.ID); err != nil {
			return nil, err
		}
	}
}

// note adds to a request what its configuration is saved under, where that is not what is stored. The notes are written as a whole, so the
// request then holds for the state that they were read from.
func (ch *change) note(req *installation.PatchRequest, integration *Integration, inst *installation.Installation) error {
	if len(ch.ops) == 0 && ch.createdBy == "" || inst.Configuration == nil {
		return nil
	}
	was := notesOf(inst)
	n := was
	if n.CreatedBy == "" && inst.Audit.Created != nil {
		n.CreatedBy = inst.Audit.Created.By.ID
	}
	if n.Config.CreatedBy == "" {
		n.Config.CreatedBy = inst.Configuration.CreatedBy
	}
	n.Config.RevisionID = integration.Latest.ID
	renamed := ch.createdBy != "" && ch.createdBy != n.Config.CreatedBy
	if ch.createdBy != "" {
		n.Config.CreatedBy = ch.createdBy
	}
	if n == was {
		return nil
	}
	extra, err := n.part(inst.Extra)
	if err != nil {
		return err
	}
	req.Revision, req.Extra = inst.Revision, extra
	if renamed {
		// Another maker makes another configuration, even of the same content.
		req.Configuration = installation.Value(installation.Configuration{
			ID: inst.Configuration.ID, RevisionID: uuid.NewString(), CreatedBy: ch.createdBy, Document: inst.Configuration.Document,
		})
	}
	return nil
}

// keepSwap puts back the connection before, if the one that was put in place was deleted meanwhile.
func (h *Handler) keepSwap(c *call, before, saved *installation.Installation, swap *Connection) error {
	gone := h.stillThere(c, swap.ID)
	if gone == nil || before.Connection == nil || before.Connection.ID == swap.ID {
		return gone
	}
	_, err := c.whole.Patch(c.Context(), installation.PatchRequest{
		Guard: installation.Guard{Revision: saved.Revision}, ID: saved.ID,
		Parts: installation.Parts{Connection: installation.Value(*before.Connection)},
	})
	if err != nil && !changedMeanwhile(err) {
		return err
	}
	return gone
}
