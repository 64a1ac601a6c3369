package ampersand

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-installation/installation/api/httpapi"
)

// connections shows the connections of a project, or to a consumer its own.
func (h *Handler) connections(c *call) (*httpapi.Answer, error) {
	f, err := httpapi.ReadQuery(c.Request, func(q *httpapi.Query) ConnectionFilter {
		return ConnectionFilter{
			Provider: q.Text("provider"), Group: q.Text("groupRef"), Consumer: q.Text("consumerRef"),
		}
	})
	if err != nil {
		return nil, err
	}
	answer := []wireConnection{}
	if !c.builder() {
		if f.Group != "" && f.Group != c.group || f.Consumer != "" && f.Consumer != c.consumer {
			return &httpapi.Answer{Body: answer}, nil
		}
		f.Group, f.Consumer = c.group, c.consumer
	}
	all, err := h.host.Connections.Connections(c.Context(), c.proj.ID, f)
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	for _, conn := range all {
		if c.sees(conn) {
			answer = append(answer, wireConnectionOf(c.proj.ID, conn))
		}
	}
	return &httpapi.Answer{Body: answer}, nil
}

// connection returns the connection in the path, if the caller may know of it.
func (h *Handler) connection(c *call) (*Connection, error) {
	conn, err := h.host.Connections.Connection(c.Context(), c.proj.ID, c.PathValue("connection"))
	switch {
	case err != nil:
		return nil, missingOr(err)
	case !c.sees(conn):
		return nil, httpapi.NotFound()
	}
	return conn, nil
}

// getConnection shows a connection, and its credentials to a builder who asks for them. That they were shown is recorded before they leave.
func (h *Handler) getConnection(c *call) (*httpapi.Answer, error) {
	var access, refresh bool
	renew, err := httpapi.ReadQuery(c.Request, func(q *httpapi.Query) string {
		access, refresh = q.Flag("includeCreds"), q.Flag("includeRefreshToken")
		return q.OneOf("refresh", "force", "ifExpired")
	})
	if err != nil {
		return nil, err
	}
	conn, err := h.connection(c)
	if err != nil {
		return nil, err
	}
	asks := access || refresh || renew != ""
	if asks && !c.builder() {
		return nil, httpapi.Forbidden("Credentials are for the builder alone.")
	}
	if !asks || c.Method == http.MethodHead {
		return &httpapi.Answer{Body: wireConnectionOf(c.proj.ID, conn)}, nil
	}
	if renew != "" {
		if err := h.host.Connections.Refresh(c.Context(), c.proj.ID, conn.ID, renew == "force"); err != nil {
			return nil, connectionFault(httpapi.InQuery+"refresh", err)
		}
		if conn, err = h.connection(c); err != nil {
			return nil, err
		}
	}
	w := wireConnectionOf(c.proj.ID, conn)
	if access || refresh {
		credentials, err := h.host.Connections.Reveal(c.Context(), c.proj.ID, conn.ID, Disclosure{
			By: c.key, RefreshToken: refresh, RequestID: httpapi.RequestID(c.Context()),
		})
		if err != nil {
			return nil, missingOr(err)
		}
		w.reveal(credentials, refresh)
	}
	return &httpapi.Answer{Body: w}, nil
}

// connectionFault is the answer to an error of the host about a connection; name is what of the request a refusal is about.
func connectionFault(name string, err error) error {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return refused(name, r)
	}
	return missingOr(err)
}

// unconditional refuses a request that holds for one revision of a connection: there are none, so the client means something else. That there is a
// connection may be demanded.
func unconditional(c *call) error {
	guard, err := httpapi.Condition(c.Request)
	if err != nil && httpapi.ProblemOf(err).Status != http.StatusConflict || err == nil && guard.Revision == 0 {
		return err
	}
	return withRemedy(&httpapi.Problem{
		Status: http.StatusConflict, Code: httpapi.CodeConflict, Message: "A connection has no revision that a condition could hold for.",
	}, "Send no If-Match.")
}

// deleteConnection deletes a connection that no installation has.
func (h *Handler) deleteConnection(c *call) (*httpapi.Answer, error) {
	if err := unconditional(c); err != nil {
		return nil, err
	}
	conn, err := h.connection(c)
	if err != nil {
		return nil, err
	}
	var failed error // of the service
	err = h.host.Connections.Delete(c.Context(), c.proj.ID, conn.ID, func(ctx context.Context) (bool, error) {
		used, err := c.uses(conn.ID)(ctx)
		failed = err
		return used, err
	})
	switch {
	case err == nil:
		return &httpapi.Answer{Status: http.StatusNoContent}, nil
	case failed != nil:
		return nil, failed
	case errors.Is(err, ErrInUse):
		return nil, withRemedy(
			&httpapi.Problem{Status: http.StatusConflict, Code: httpapi.CodeConflict, Message: "An installation uses the connection."},
			"Delete the installation, or give it another connection.")
	}
	return nil, missingOr(err)
}

// patchConnection updates a connection by a mask.
func (h *Handler) patchConnection(c *call) (*httpapi.Answer, error) {
	if err := unconditional(c); err != nil {
		return nil, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	conn, err := h.connection(c)
	if err != nil {
		return nil, err
	}
	update, err := readConnectionUpdate(body, conn.Scheme)
	if err != nil {
		return nil, err
	}
	if conn, err = h.host.Connections.Update(c.Context(), c.proj.ID, conn.ID, *update); err != nil {
		return nil, connectionFault("connection", err)
	}
	return &httpapi.Answer{Body: wireConnectionOf(c.proj.ID, conn)}, nil
}

// generate makes a connection.
func (h *Handler) generate(c *call) (*httpapi.Answer, error) {
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	n, err := readNewConnection(body)
	if err != nil {
		return nil, err
	}
	if !c.builder() && (n.Group.Ref != c.group || n.Consumer.Ref != c.consumer) {
		return nil, httpapi.Forbidden("The token is for another group or consumer.")
	}
	if err := h.scheme(c, n); err != nil {
		return nil, err
	}
	conn, err := h.host.Connections.Generate(c.Context(), c.proj.ID, *n)
	if err != nil {
		return nil, connectionFault("", err)
	}
	return &httpapi.Answer{Status: http.StatusCreated, Body: wireConnectionOf(c.proj.ID, conn)}, nil
}
