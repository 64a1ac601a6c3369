package ampersand

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// list shows the installations of an integration, or of all, to their builder or group. Ones that cannot be opened have no place in an array of whole
// installations: they are logged and left out, so that one damaged record does not hide the others.
func (h *Handler) list(c *call) (*httpapi.Answer, error) {
	group, err := httpapi.ReadQuery(c.Request, func(q *httpapi.Query) string { return q.Text("groupRef") })
	if err != nil {
		return nil, err
	}
	id := c.PathValue("integration")
	if id != "" {
		if _, err := h.integration(c); err != nil {
			return nil, err
		}
	}
	answer := []wireInstallation{}
	if !c.builder() {
		if group != "" && group != c.group {
			return &httpapi.Answer{Body: answer}, nil
		}
		group = c.group
	}
	// The tenant is the project, so what the builder may see and what the host sees is the same; but a host's lists take the narrowest index.
	rows := c.whole.All(c.Context(), installation.ListRequest{
		Extension: id, Account: group, Status: []installation.Status{installation.StatusInstalled}, Limit: installation.MaxPage,
	})
	var shown []*installation.Installation
	for inst, err := range rows {
		if err != nil {
			return nil, err
		}
		if inst.Err != nil {
			h.log.LogAttrs(c.Context(), slog.LevelError, "installation left out of a list",
				slog.String("request", httpapi.RequestID(c.Context())), slog.String("installation", inst.ID), slog.String("error", inst.Err.Error()))
			continue
		}
		shown = append(shown, inst)
	}
	known, err := h.connectionsFor(c, shown)
	if err != nil {
		return nil, err
	}
	for _, inst := range shown {
		answer = append(answer, wireOf(inst, standing(inst, known[connectionID(inst)])))
	}
	return &httpapi.Answer{Body: answer}, nil
}

// connectionsFor returns the connections of installations, by their ids. It asks the host once, however many there are: of a project with one
// call for each a list would take its whole time. They are asked for after the installations were read, so that none of these has one that came
// since.
func (h *Handler) connectionsFor(c *call, all []*installation.Installation) (map[string]*Connection, error) {
	if len(all) == 0 {
		return nil, nil
	}
	f := ConnectionFilter{Group: all[0].Account.ID}
	if slices.ContainsFunc(all, func(inst *installation.Installation) bool { return inst.Account.ID != f.Group }) {
		f.Group = ""
	}
	found, err := h.host.Connections.Connections(c.Context(), c.proj.ID, f)
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	if ended := c.Context().Err(); ended != nil {
		return nil, httpapi.Unavailable(ended)
	}
	known := make(map[string]*Connection, len(found))
	for _, conn := range found {
		known[conn.ID] = conn
	}
	return known, nil
}

// standing is the connection of an installation as it stands now, given what the host has under its id. Of one that it has no more, nil, or that
// it gave to another group since, it is what the installation remembers.
func standing(inst *installation.Installation, conn *Connection) *Connection {
	if conn == nil || conn.Group.Ref != inst.Account.ID {
		return connectionOf(inst)
	}
	return conn
}

func (h *Handler) get(c *call) (*httpapi.Answer, error) {
	inst, err := c.installed(c.PathValue("installation"))
	if err != nil {
		return nil, err
	}
	return h.answer(c, inst)
}

// answer shows an installation with its connection as it stands now.
func (h *Handler) answer(c *call, inst *installation.Installation) (*httpapi.Answer, error) {
	conn, err := h.connectionFor(c, inst)
	if err != nil {
		return nil, err
	}
	return &httpapi.Answer{Body: wireOf(inst, conn), Revision: inst.Revision}, nil
}

// installed returns an installation of the integration in the path, if the caller may know of it.
func (c *call) installed(id string) (*installation.Installation, error) {
	inst, err := c.known(id)
	if err != nil {
		return nil, err
	}
	return inst, nil
}

// known is installed that returns, of a record that does not open, what is plain of it beside the error.
func (c *call) known(id string) (*installation.Installation, error) {
	inst, err := c.svc.Get(c.Context(), id)
	switch {
	case errors.Is(err, installation.ErrInvalid):
		return nil, httpapi.NotFound() // an id that cannot be one
	case inst == nil:
		return nil, err
	case inst.Status != installation.StatusInstalled || inst.Extension.ID != c.PathValue("integration"):
		return nil, httpapi.NotFound()
	}
	return inst, err
}

// integration returns the integration in the path.
func (h *Handler) integration(c *call) (*Integration, error) {
	i, err := h.host.Projects.Integration(c.Context(), c.proj.ID, c.PathValue("integration"))
	if err != nil {
		return nil, missingOr(err)
	}
	return i, nil
}

// connectionID is the id of an installation's connection; "" = it has none.
func connectionID(inst *installation.Installation) string {
	if inst.Connection == nil {
		return ""
	}
	return inst.Connection.ID
}

// connectionFor returns the connection of an installation; see standing.
func (h *Handler) connectionFor(c *call, inst *installation.Installation) (*Connection, error) {
	id := connectionID(inst)
	if id == "" {
		return connectionOf(inst), nil
	}
	conn, err := h.host.Connections.Connection(c.Context(), c.proj.ID, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return connectionOf(inst), nil
	case err != nil:
		return nil, httpapi.HostFailure(err)
	}
	return standing(inst, conn), nil
}

// delete removes an installation for good, and its connection if no other installation has it.
func (h *Handler) delete(c *call) (*httpapi.Answer, error) {
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	inst, err := h.remove(c, c.PathValue("installation"), guard)
	if err != nil {
		return nil, err
	}
	if conn := connectionID(inst); conn != "" {
		h.dropConnection(c, conn)
	}
	return &httpapi.Answer{Status: http.StatusNoContent}, nil
}

// remove deletes an installation and returns it as it was then.
func (h *Handler) remove(c *call, id string, guard installation.Guard) (*installation.Installation, error) {
	unlock, err := h.locks.lock(c.Context(), id)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for {
		inst, svc, err := c.removable(id)
		if err != nil {
			return nil, err
		}
		req := installation.DeleteRequest{Guard: guard, ID: id}
		if guard.Revision == 0 {
			req.Revision = inst.Revision
		}
		_, err = svc.Delete(c.Context(), req)
		if err == nil {
			return inst, nil
		}
		if guard.Revision != 0 || !changedMeanwhile(err) {
			return nil, err
		}
	}
}

// removable returns an installation that the caller may delete, and the service to delete it by. One that will never open again would otherwise be
// in the way of another one for good: its ids and its group are plain, so that the caller may know of it, but only the host reaches it. What
// connection it has is not known.
func (c *call) removable(id string) (*installation.Installation, *installation.Service, error) {
	inst, err := c.known(id)
	switch {
	case err == nil:
		return inst, c.svc, nil
	case lost(err) && Policy(c.actor(), installation.ActionDelete, inst):
		return inst, c.whole, nil
	}
	return nil, nil, err
}

// lost reports whether a record does not open, now or later. One whose key cannot be had for now is not lost.
func lost(err error) bool {
	return errors.Is(err, installation.ErrSealed) || errors.Is(err, installation.ErrUnknownKey) || errors.Is(err, installation.ErrShredded)
}

// cleanTime bounds what is done after an installation is gone, whether or not the client still waits.
const cleanTime = 10 * time.Second

// dropConnection deletes the connection of an installation that is gone, unless another one has it. What was asked for is done by then: a
// connection too many is for the host to find.
func (h *Handler) dropConnection(c *call, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), cleanTime)
	defer cancel()
	err := h.host.Connections.Delete(ctx, c.proj.ID, id, c.uses(id))
	if err != nil && !errors.Is(err, ErrInUse) && !errors.Is(err, ErrNotFound) {
		h.log.LogAttrs(ctx, slog.LevelError, "connection of a deleted installation is left over",
			slog.String("request", httpapi.RequestID(ctx)), slog.String("connection", id))
	}
}

// changedMeanwhile reports whether a write met another one, and may be tried again on what that left.
func changedMeanwhile(err error) bool {
	conflict, ok := errors.AsType[*installation.ConflictError](err)
	return ok && conflict.To == ""
}
