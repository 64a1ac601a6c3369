package ampersand

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// list returns the installations of the integration in the path, or of all integrations. It logs
// and leaves out an installation that cannot be opened, so that the list still shows the others.
func (h *Handler) list(c *call) (*httpapi.Answer, error) {
	q := httpapi.ReadQuery(c.Request)
	group := q.Text("groupRef")
	if err := q.Err(); err != nil {
		return nil, err
	}
	integration := c.PathValue("integration")
	if integration != "" {
		if _, err := c.integration(); err != nil {
			return nil, err
		}
	}
	answer := []*Installation{}
	var shown []*installation.Installation
	for inst, err := range c.installed(integration, group) {
		switch {
		case err != nil:
			return nil, err
		case inst.Err != nil:
			h.logFailure(c.Context(), "installation left out of a list",
				slog.String("installation", inst.ID),
				// The error may come from the host's own key wrapper, so its text is hidden.
				slog.String("error", httpapi.HostError(inst.Err).Error()))
		default:
			shown = append(shown, inst)
		}
	}
	connections, err := c.connectionsOf(shown)
	if err != nil {
		return nil, err
	}
	for _, inst := range shown {
		answer = append(answer, objectOf(inst, current(inst, connections[connectionID(inst)])))
	}
	return &httpapi.Answer{Body: answer}, nil
}

// connectionsOf returns the connections of installations, by connection ID. It calls the host once,
// because one call for each installation would take too long for a large project. Call it after
// reading the installations, so that it also finds new connections.
func (c *call) connectionsOf(all []*installation.Installation) (map[string]*Connection, error) {
	if len(all) == 0 {
		return nil, nil
	}
	f := ConnectionFilter{Group: all[0].Account.ID}
	for _, inst := range all {
		if inst.Account.ID != f.Group {
			f.Group = "" // there are several groups
		}
	}
	found, err := c.host.Connections.Connections(c.Context(), c.project, f)
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	if ended := c.Context().Err(); ended != nil {
		return nil, httpapi.Unavailable(ended)
	}
	byID := make(map[string]*Connection, len(found))
	for _, conn := range found {
		byID[conn.ID] = conn
	}
	return byID, nil
}

func (h *Handler) get(c *call) (*httpapi.Answer, error) {
	return c.answer(c.find(c.PathValue("installation")))
}

// delete deletes an installation, and its connection if no other installation uses it.
func (h *Handler) delete(c *call) (*httpapi.Answer, error) {
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	id := c.PathValue("installation")
	var inst *installation.Installation
	err = h.retryOnConflict(c, id, guard, func(int) (err error) {
		var svc *installation.Service
		if inst, svc, err = c.removable(id); err != nil {
			return err
		}
		req := installation.DeleteRequest{Guard: guard, ID: id}
		req.Revision = cmp.Or(guard.Revision, inst.Revision)
		_, err = svc.Delete(c.Context(), req)
		return err
	})
	if err == nil && connectionID(inst) != "" {
		h.dropConnection(c, connectionID(inst))
	}
	return nil, err
}

// removable returns an installation that the caller may delete, and the service to delete it with.
//
// If the key of a record is lost, the service lets only the host delete the record. Until then, the
// record blocks the next installation of the group. So removable applies [Policy] to the
// unencrypted fields of the record. If Policy allows the deletion, removable returns the service
// that acts as the host. The connection of the installation is unknown in this case.
func (c *call) removable(id string) (*installation.Installation, *installation.Service, error) {
	inst, err := c.find(id)
	switch {
	case err == nil:
		return inst, c.svc, nil
	case unreadable(err) && Policy(c.actor(), installation.ActionDelete, inst):
		return inst, c.hostSvc, nil
	}
	return nil, nil, err
}

// unreadable reports whether an error means that a record can never be opened. ErrKeyUnavailable
// does not mean this, because the key may become available again.
func unreadable(err error) bool {
	return errors.Is(err, installation.ErrSealed) || errors.Is(err, installation.ErrShredded) ||
		errors.Is(err, installation.ErrUnknownKey)
}

// dropTimeout limits the time to delete a connection after its installation is gone.
const dropTimeout = 10 * time.Second

// dropConnection deletes the connection of a deleted installation, unless another installation uses
// the connection. The installation is gone already, so dropConnection only logs a failure.
func (h *Handler) dropConnection(c *call, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), dropTimeout)
	defer cancel()
	err := c.deleteUnused(ctx, id)
	if err != nil && !errors.Is(err, ErrInUse) && !errors.Is(err, ErrNotFound) {
		h.logFailure(ctx, "connection of a deleted installation is left over",
			slog.String("connection", id))
	}
}
