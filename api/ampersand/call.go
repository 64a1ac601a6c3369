package ampersand

import (
	"cmp"
	"errors"
	"iter"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// call is a request of an authenticated caller to its own project.
type call struct {
	*http.Request
	caller
	host    Host
	owner   *Project              // nil if the path names no project; see enter
	svc     *installation.Service // acts as the caller
	hostSvc *installation.Service // acts as the host, for lists, checks and clean-up
}

// integration returns the integration in the path.
func (c *call) integration() (*Integration, error) {
	id := c.PathValue("integration")
	i, err := c.host.Projects.Integration(c.Context(), c.project, id)
	return i, hostProblem(err)
}

// find returns an installation if it belongs to the integration in the path and the caller may see
// it. If the service cannot open the record, find returns the unencrypted fields of the record, and
// the error.
func (c *call) find(id string) (*installation.Installation, error) {
	inst, err := c.svc.Get(c.Context(), id)
	switch {
	case errors.Is(err, installation.ErrInvalid): // the ID is not well-formed
		return nil, installation.ErrNotFound
	case inst == nil:
		return nil, err
	case inst.Status != installation.StatusInstalled,
		inst.Extension.ID != c.PathValue("integration"):
		return nil, installation.ErrNotFound
	}
	return inst, err
}

// installed returns the installations of an integration for a group. If integration is "", it
// returns installations of all integrations, and if group is "", for all groups.
//
// A consumer gets those of its own group, and none for another. The call itself reads as the host,
// because lists of the host use the narrowest index.
func (c *call) installed(integration, group string) iter.Seq2[*installation.Installation, error] {
	group = cmp.Or(group, c.group)
	if !c.builder() && group != c.group {
		return func(func(*installation.Installation, error) bool) {}
	}
	return c.hostSvc.All(c.Context(), installation.ListRequest{
		Extension: integration, Account: group, Limit: installation.MaxPage,
		Status: []installation.Status{installation.StatusInstalled},
	})
}

// installationOf returns the ID of the installation of an integration for a group, or "".
func (c *call) installationOf(integration, group string) (string, error) {
	for inst, err := range c.installed(integration, group) {
		if err != nil {
			return "", err
		}
		return inst.ID, nil
	}
	return "", nil
}

// connection returns a connection that the caller may see.
func (c *call) connection(id string) (*Connection, error) {
	conn, err := c.anyConnection(id)
	if err == nil && !c.sees(conn) {
		return nil, notFound()
	}
	return conn, err
}

// anyConnection returns a connection of the project, even one that the caller may not see.
func (c *call) anyConnection(id string) (*Connection, error) {
	conn, err := c.host.Connections.Connection(c.Context(), c.project, id)
	return conn, hostProblem(err)
}

// connectionOf reads the connection of an installation from the host; see current.
func (c *call) connectionOf(inst *installation.Installation) (*Connection, error) {
	id := connectionID(inst)
	if id == "" {
		return remembered(inst), nil
	}
	conn, err := c.anyConnection(id)
	if errors.Is(err, ErrNotFound) {
		return remembered(inst), nil
	}
	return current(inst, conn), err
}

// current returns conn, which the host has under the connection ID of an installation. If conn is
// nil or belongs to another group, current returns the part that the installation stores.
func current(inst *installation.Installation, conn *Connection) *Connection {
	if conn == nil || conn.Group.ID != inst.Account.ID {
		return remembered(inst)
	}
	return conn
}

// answer returns an Answer with an installation and its current connection. If err is not nil,
// answer returns err, so that it can take the results of another function.
func (c *call) answer(inst *installation.Installation, err error) (*httpapi.Answer, error) {
	if err != nil {
		return nil, err
	}
	conn, err := c.connectionOf(inst)
	if err != nil {
		return nil, err
	}
	return &httpapi.Answer{Body: objectOf(inst, conn), Revision: inst.Revision}, nil
}
