package ampersand

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

type wireIntegration struct {
	ID             string       `json:"id"`
	ProjectID      string       `json:"projectId"`
	Name           string       `json:"name"`
	Provider       string       `json:"provider"`
	CreateTime     wireTime     `json:"createTime"`
	UpdateTime     wireTime     `json:"updateTime,omitzero"`
	LatestRevision wireRevision `json:"latestRevision"`
}

type wireRevision struct {
	ID          string          `json:"id"`
	SpecVersion string          `json:"specVersion"`
	CreateTime  wireTime        `json:"createTime"`
	Content     json.RawMessage `json:"content"`
}

func wireRevisionOf(r Revision) wireRevision {
	w := wireRevision{ID: r.ID, SpecVersion: cmp.Or(r.SpecVersion, "1.0.0"), CreateTime: wireTime(r.Created), Content: r.Content}
	if len(w.Content) == 0 {
		w.Content = json.RawMessage("{}")
	}
	return w
}

// integrations shows what there is to install.
func (h *Handler) integrations(c *call) (*httpapi.Answer, error) {
	all, err := h.host.Projects.Integrations(c.Context(), c.proj.ID)
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	answer := []wireIntegration{}
	for _, i := range all {
		answer = append(answer, wireIntegration{
			ID: i.ID, ProjectID: c.proj.ID, Name: i.Name, Provider: i.Provider, CreateTime: wireTime(i.Created), UpdateTime: wireTime(i.Updated),
			LatestRevision: wireRevisionOf(i.Latest),
		})
	}
	return &httpapi.Answer{Body: answer}, nil
}

// hydrate shows a revision as a connection sees it.
func (h *Handler) hydrate(c *call) (*httpapi.Answer, error) {
	id, err := httpapi.ReadQuery(c.Request, func(q *httpapi.Query) string { return q.Text("connectionId") })
	if err != nil {
		return nil, err
	}
	integration, err := h.integration(c)
	if err != nil {
		return nil, err
	}
	var conn *Connection
	if id != "" {
		conn, err = h.host.Connections.Connection(c.Context(), c.proj.ID, id)
		switch {
		case err != nil:
			return nil, missingOr(err)
		case !c.sees(conn):
			return nil, httpapi.NotFound()
		}
	}
	r, err := h.host.Projects.Hydrated(c.Context(), c.proj.ID, integration.ID, c.PathValue("revision"), conn)
	if err != nil {
		return nil, missingOr(err)
	}
	return &httpapi.Answer{Body: wireRevisionOf(*r)}, nil
}

// Bounds of a page of operations.
const (
	maxPageSize     = 1000
	defaultPageSize = 200
)

type wireOperations struct {
	Results    []json.RawMessage `json:"results"`
	Pagination wirePagination    `json:"pagination"`
}

type wirePagination struct {
	Done          bool   `json:"done"`
	NextPageToken string `json:"nextPageToken,omitzero"`
}

// operations shows what was done for an installation.
func (h *Handler) operations(c *call) (*httpapi.Answer, error) {
	var size int
	token, err := httpapi.ReadQuery(c.Request, func(q *httpapi.Query) string {
		size = q.Number("pageSize", 1, maxPageSize, defaultPageSize)
		return q.Text("pageToken")
	})
	if err != nil {
		return nil, err
	}
	inst, err := c.installed(c.PathValue("installation"))
	if err != nil {
		return nil, err
	}
	page, next, err := h.opts.Operations.Operations(c.Context(), c.proj.ID, inst.ID, size, token)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, httpapi.Invalid(httpapi.InQuery+"pageToken", validate.RuleUnknown, "is no token of this list")
	case err != nil:
		return nil, httpapi.HostFailure(err)
	}
	if page == nil {
		page = []json.RawMessage{}
	}
	return &httpapi.Answer{Body: wireOperations{Results: page, Pagination: wirePagination{Done: next == "", NextPageToken: next}}}, nil
}

// backfill shows how far the first read of an object is.
func (h *Handler) backfill(c *call) (*httpapi.Answer, error) {
	inst, err := c.installed(c.PathValue("installation"))
	if err != nil {
		return nil, err
	}
	progress, err := h.opts.Operations.Backfill(c.Context(), c.proj.ID, inst.ID, c.PathValue("object"))
	if err != nil {
		return nil, missingOr(err)
	}
	return &httpapi.Answer{Body: progress}, nil
}

// nothingDone is [Operations] of a host that has none to show.
type nothingDone struct{}

func (nothingDone) Operations(_ context.Context, _, _ string, _ int, token string) ([]json.RawMessage, string, error) {
	if token != "" {
		return nil, "", ErrNotFound
	}
	return nil, "", nil
}

func (nothingDone) Backfill(context.Context, string, string, string) (json.RawMessage, error) {
	return nil, ErrNotFound
}
