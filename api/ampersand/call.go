package ampersand

import (
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
	svc     *installation.Service // acts as the caller
	hostSvc *installation.Service // acts as the host, for checks that the caller may not make
}

// integration returns the integration in the path.
func (c *call) integration() (*Integration, error) {
	id := c.PathValue("integration")
	i, err := c.host.Projects.Integration(c.Context(), c.project, id)
	return i, hostProblem(err)
}

// find returns an installation of the integration in the path that the caller may see. If the
// service cannot open the record, find returns its plain fields with the error.
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

// installed returns the installations of an integration and a group. If one of these is "", it
// returns those of all of them.
//
// They are read as the host, whose lists use the narrowest index. The tenant is the project, so
// a builder may see all of them. For a consumer, give the group.
func (c *call) installed(integration, group string) iter.Seq2[*installation.Installation, error] {
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
	if err != nil {
		return nil, hostProblem(err)
	}
	return conn, nil
}

// connectionOf returns the connection of an installation; see current.
func (c *call) connectionOf(inst *installation.Installation) (*Connection, error) {
	id := connectionID(inst)
	if id == "" {
		return remembered(inst), nil
	}
	conn, err := c.anyConnection(id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	return current(inst, conn), nil
}

// current returns the connection that the host has for an installation. If the host has none,
// or gave the ID to another group, current returns what the installation remembers.
func current(inst *installation.Installation, conn *Connection) *Connection {
	if conn == nil || conn.Group.Ref != inst.Account.ID {
		return remembered(inst)
	}
	return conn
}

// answer returns an installation with its current connection, unless there was an error.
func (c *call) answer(inst *installation.Installation, err error) (*httpapi.Answer, error) {
	if err != nil {
		return nil, err
	}
	conn, err := c.connectionOf(inst)
	if err != nil {
		return nil, err
	}
	return &httpapi.Answer{Body: wireOf(inst, conn), Revision: inst.Revision}, nil
}
