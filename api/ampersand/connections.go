package ampersand

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"reflect"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

// connections lists the connections that the caller may see.
func (h *Handler) connections(c *call) (*httpapi.Answer, error) {
	q := httpapi.ReadQuery(c.Request)
	f := ConnectionFilter{q.Text("provider"), q.Text("groupRef"), q.Text("consumerRef")}
	if err := q.Err(); err != nil {
		return nil, err
	}
	answer := []ConnectionObject{}
	if !c.builder() {
		if f.Group != "" && f.Group != c.group || f.Consumer != "" && f.Consumer != c.consumer {
			return &httpapi.Answer{Body: answer}, nil
		}
		f.Group, f.Consumer = c.group, c.consumer
	}
	all, err := h.host.Connections.Connections(c.Context(), c.project, f)
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	for _, conn := range all {
		if c.sees(conn) {
			answer = append(answer, connectionObject(c.project, conn))
		}
	}
	return &httpapi.Answer{Body: answer}, nil
}

// getConnection returns a connection. If the query requests credentials, a builder gets the
// credentials too, and the host records the disclosure.
func (h *Handler) getConnection(c *call) (*httpapi.Answer, error) {
	q := httpapi.ReadQuery(c.Request)
	access, refresh := q.Flag("includeCreds"), q.Flag("includeRefreshToken")
	renew := q.OneOf("refresh", "force", "ifExpired")
	if err := q.Err(); err != nil {
		return nil, err
	}
	conn, err := c.connection(c.PathValue("connection"))
	if err != nil {
		return nil, err
	}
	if (access || refresh || renew != "") && !c.builder() {
		return nil, httpapi.Forbidden("Credentials are for the builder alone.")
	}
	if c.Method == http.MethodHead {
		access, refresh, renew = false, false, ""
	}
	if renew != "" {
		err := h.host.Connections.Refresh(c.Context(), c.project, conn.ID, renew == "force")
		if err != nil {
			return nil, rejectedOr(err, httpapi.InQuery+"refresh")
		}
		if conn, err = c.connection(conn.ID); err != nil {
			return nil, err
		}
	}
	answer := connectionObject(c.project, conn)
	if access || refresh {
		credentials, err := h.host.Connections.Reveal(c.Context(), c.project, conn.ID, Disclosure{
			By: c.key, RefreshToken: refresh, RequestID: httpapi.RequestID(c.Context()),
		})
		if err != nil {
			return nil, hostProblem(err)
		}
		return &httpapi.Answer{Body: reveal(answer, credentials, refresh)}, nil
	}
	return &httpapi.Answer{Body: answer}, nil
}

// generate creates a connection.
func (h *Handler) generate(c *call) (*httpapi.Answer, error) {
	n, err := httpapi.Read(c.Request, readGenerated)
	if err != nil {
		return nil, err
	}
	if err := c.mayConnect(n); err != nil {
		return nil, err
	}
	if n.Scheme, err = h.scheme(c, n); err != nil {
		return nil, err
	}
	conn, err := h.host.Connections.Generate(c.Context(), c.project, n)
	if err != nil {
		return nil, rejectedOr(err, "")
	}
	return &httpapi.Answer{Status: http.StatusCreated, Body: connectionObject(c.project, conn)}, nil
}

// scheme returns the scheme of a new connection. If the provider has one scheme, scheme returns it,
// and rejects credentials for another scheme. Otherwise, it returns the scheme of the credentials.
func (h *Handler) scheme(c *call, n NewConnection) (Scheme, error) {
	if h.opts.Catalogue == nil {
		return n.Scheme, nil
	}
	p, err := h.opts.Catalogue.Provider(c.Context(), n.Provider)
	given := credentialFields[n.Scheme]
	switch {
	case errors.Is(err, ErrNotFound):
		return "", httpapi.Invalid("provider", validate.RuleUnknown, "is not a known provider")
	case err != nil:
		return "", httpapi.HostFailure(err)
	case p.Scheme == "":
		return n.Scheme, nil
	case given != "" && given != credentialFields[p.Scheme]:
		return "", httpapi.Invalid(given, validate.RuleExclusive, "does not fit the provider")
	}
	return p.Scheme, nil
}

// patchConnection updates a connection with a mask.
func (h *Handler) patchConnection(c *call) (*httpapi.Answer, error) {
	if err := rejectCondition(c); err != nil {
		return nil, err
	}
	mask, err := readMask(c.Request, "connection", len(connectionMask))
	if err != nil {
		return nil, err
	}
	conn, err := c.connection(c.PathValue("connection"))
	if err != nil {
		return nil, err
	}
	update, err := mask.connectionUpdate(conn.Scheme)
	if err != nil {
		return nil, err
	}
	if err := c.rejectRedirect(conn, update); err != nil {
		return nil, err
	}
	conn, err = h.host.Connections.Update(c.Context(), c.project, conn.ID, update)
	if err != nil {
		return nil, rejectedOr(err, "connection")
	}
	return &httpapi.Answer{Body: connectionObject(c.project, conn)}, nil
}

// rejectRedirect rejects an update by a consumer that can send the stored credentials elsewhere.
// The workspace and the metadata are variables of the provider's addresses. The builder may reveal
// the credentials anyway.
func (c *call) rejectRedirect(conn *Connection, u ConnectionUpdate) error {
	if c.builder() || conn.Scheme == SchemeNone || !reflect.ValueOf(u.Credentials).IsZero() {
		return nil
	}
	var l validate.List
	reject := func(field string) {
		l.AddViolation(validate.Violation{
			Path: "connection." + credentialFields[conn.Scheme], Related: "connection." + field,
			Rule:   validate.RuleDestination,
			Detail: "can be sent elsewhere by this update: give them again",
		})
	}
	if u.WorkspaceRef != nil && *u.WorkspaceRef != conn.WorkspaceRef {
		reject("providerWorkspaceRef")
	}
	if u.Metadata != nil && !maps.EqualFunc(u.Metadata, conn.Metadata,
		func(a, b Metadata) bool { return a.Value == b.Value }) {
		reject("providerMetadata")
	}
	return l.Err()
}

// deleteConnection deletes a connection that no installation uses.
func (h *Handler) deleteConnection(c *call) (*httpapi.Answer, error) {
	if err := rejectCondition(c); err != nil {
		return nil, err
	}
	conn, err := c.connection(c.PathValue("connection"))
	if err != nil {
		return nil, err
	}
	return nil, c.deleteUnused(c.Context(), conn.ID)
}

// deleteUnused deletes a connection. It fails with 409 and [ErrInUse] if an installation in the
// project has the connection, and is either installed or invited.
func (c *call) deleteUnused(ctx context.Context, id string) error {
	var failure error // of the service; Delete of the host may return another error
	err := c.host.Connections.Delete(ctx, c.project, id, func(ctx context.Context) (bool, error) {
		for _, failure = range c.hostSvc.All(ctx, installation.ListRequest{
			Connection: id, Status: []installation.Status{
				installation.StatusInstalled, installation.StatusInvited,
			},
		}) {
			return failure == nil, failure
		}
		return false, nil
	})
	switch {
	case err != nil && failure != nil:
		return failure
	case errors.Is(err, ErrInUse):
		return conflict(err, "An installation uses the connection.",
			"Delete the installation, or give it another connection.")
	}
	return hostProblem(err)
}

// rejectCondition rejects a request whose If-Match names a revision, because a connection has no
// revision. "If-Match: *" is allowed.
func rejectCondition(c *call) error {
	guard, err := httpapi.Condition(c.Request)
	if guard.Revision != 0 || errors.Is(err, installation.ErrConflict) {
		return conflict(err, "A connection has no revision that a condition could hold for.",
			"Send no If-Match.")
	}
	return err
}
