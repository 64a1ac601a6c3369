package ampersand

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/httpapi"
)

// list shows the installations of an integration, or of all, to their builder or group. Ones that cannot be opened have no place in an array of whole
// installations: they are logged and left out, so that one damaged record does not hide the others.
func (h *Handler) list(c *call) (httpapi.Answer, error) {
	q := c.query()
	group := q.text("groupRef")
	if err := q.list.Err(); err != nil {
		return httpapi.Answer{}, err
	}
	id := c.PathValue("integration")
	if id != "" {
		if _, err := h.integration(c); err != nil {
			return httpapi.Answer{}, err
		}
	}
	answer := []wireInstallation{}
	if !c.builder() {
		if group != "" && group != c.group {
			return httpapi.Answer{Body: answer}, nil
		}
		group = c.group
	}
	known := connectionCache{h: h, c: c, known: make(map[string]*Connection)}
	// The tenant is the project, so what the builder may see and what the host sees is the same; but a host's lists take the narrowest index.
	rows := c.whole.All(c.Context(), installation.ListRequest{
		Extension: id, Account: group, Status: []installation.Status{installation.StatusInstalled}, Limit: installation.MaxPage,
	})
	for inst, err := range rows {
		if err != nil {
			return httpapi.Answer{}, err
		}
		if inst.Err != nil {
			h.log.LogAttrs(c.Context(), slog.LevelError, "installation left out of a list",
				slog.String("request", httpapi.RequestID(c.Context())), slog.String("installation", inst.ID), slog.String("error", inst.Err.Error()))
			continue
		}
		conn, err := known.of(inst)
		if err != nil {
			return httpapi.Answer{}, err
		}
		answer = append(answer, wireOf(inst, conn))
	}
	return httpapi.Answer{Body: answer}, nil
}

// connectionCache asks for each connection once in a list.
type connectionCache struct {
	h     *Handler
	c     *call
	known map[string]*Connection
}

func (cc *connectionCache) of(inst *installation.Installation) (*Connection, error) {
	if inst.Connection == nil {
		return connectionOf(inst), nil
	}
	if conn := cc.known[inst.Connection.ID]; conn != nil {
		return conn, nil
	}
	conn, err := cc.h.connectionFor(cc.c, inst)
	if err == nil {
		cc.known[inst.Connection.ID] = conn
	}
	return conn, err
}

func (h *Handler) get(c *call) (httpapi.Answer, error) {
	inst, err := c.installed(c.PathValue("installation"))
	if err != nil {
		return httpapi.Answer{}, err
	}
	return h.answer(c, inst)
}

// answer shows an installation with its connection as it stands now.
func (h *Handler) answer(c *call, inst *installation.Installation) (httpapi.Answer, error) {
	conn, err := h.connectionFor(c, inst)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: wireOf(inst, conn), Revision: inst.Revision}, nil
}

// installed returns an installation of the integration in the path, if the caller may know of it.
func (c *call) installed(id string) (*installation.Installation, error) {
	inst, err := c.svc.Get(c.Context(), id)
	switch {
	case errors.Is(err, installation.ErrInvalid):
		return nil, httpapi.NotFound() // an id that cannot be one
	case err != nil:
		return nil, err
	case inst.Status != installation.StatusInstalled || inst.Extension.ID != c.PathValue("integration"):
		return nil, httpapi.NotFound()
	}
	return inst, nil
}

// integration returns the integration in the path.
func (h *Handler) integration(c *call) (*Integration, error) {
	i, err := h.host.Projects.Integration(c.Context(), c.proj.ID, c.PathValue("integration"))
	if err != nil {
		return nil, missingOr(err)
	}
	return i, nil
}

// connectionFor returns the connection of an installation. Of one that the host has no more it is what the installation remembers.
func (h *Handler) connectionFor(c *call, inst *installation.Installation) (*Connection, error) {
	if inst.Connection == nil {
		return connectionOf(inst), nil
	}
	conn, err := h.host.Connections.Connection(c.Context(), c.proj.ID, inst.Connection.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		return connectionOf(inst), nil
	case err != nil:
		return nil, hostFailure(err)
	case conn.Group.Ref != inst.Account.ID:
		return connectionOf(inst), nil // the host gave the id to another group since
	}
	return conn, nil
}

// delete removes an installation for good, and its connection if no other installation has it.
func (h *Handler) delete(c *call) (httpapi.Answer, error) {
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return httpapi.Answer{}, err
	}
	inst, err := h.remove(c, c.PathValue("installation"), guard)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if inst.Connection != nil && inst.Connection.ID != "" {
		h.dropConnection(c, inst.Connection.ID)
	}
	return httpapi.Answer{Status: http.StatusNoContent}, nil
}

// remove deletes an installation and returns it as it was then.
func (h *Handler) remove(c *call, id string, guard installation.Guard) (*installation.Installation, error) {
	done, err := h.turns.take(c.Context(), id)
	if err != nil {
		return nil, err
	}
	defer done()
	for {
		inst, err := c.installed(id)
		if err != nil {
			return nil, err
		}
		req := installation.DeleteRequest{Guard: guard, ID: id}
		if guard.Revision == 0 {
			req.Revision = inst.Revision
		}
		_, err = c.svc.Delete(c.Context(), req)
		if err == nil {
			return inst, nil
		}
		if guard.Revision != 0 || !changedMeanwhile(err) {
			return nil, err
		}
	}
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
