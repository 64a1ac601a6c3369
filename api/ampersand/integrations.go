package ampersand

import (
	"cmp"
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
	w := wireRevision{
		ID: r.ID, SpecVersion: cmp.Or(r.SpecVersion, "1.0.0"),
		CreateTime: wireTime(r.Created), Content: r.Content,
	}
	if len(w.Content) == 0 {
		w.Content = json.RawMessage("{}")
	}
	return w
}

// integrations lists the integrations of the project.
func (h *Handler) integrations(c *call) (*httpapi.Answer, error) {
	all, err := h.host.Projects.Integrations(c.Context(), c.project)
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	answer := []wireIntegration{}
	for _, i := range all {
		answer = append(answer, wireIntegration{
			ID: i.ID, ProjectID: c.project, Name: i.Name, Provider: i.Provider,
			CreateTime: wireTime(i.Created), UpdateTime: wireTime(i.Updated),
			LatestRevision: wireRevisionOf(i.Latest),
		})
	}
	return &httpapi.Answer{Body: answer}, nil
}

// hydrate returns a revision with the parts that the provider defines; see [Projects].
func (h *Handler) hydrate(c *call) (*httpapi.Answer, error) {
	id, err := httpapi.ReadQuery(c.Request, func(q *httpapi.Query) string {
		return q.Text("connectionId")
	})
	if err != nil {
		return nil, err
	}
	integration, err := c.integration()
	if err != nil {
		return nil, err
	}
	var conn *Connection
	if id != "" {
		if conn, err = c.connection(id); err != nil {
			return nil, err
		}
	}
	r, err := h.host.Projects.Hydrated(
		c.Context(), c.project, integration.ID, c.PathValue("revision"), conn)
	if err != nil {
		return nil, hostProblem(err)
	}
	return &httpapi.Answer{Body: wireRevisionOf(*r)}, nil
}

// Sizes of a page of operations.
const (
	maxPageSize     = 1000
	defaultPageSize = 200
)

type wireOperations struct {
	Results    []json.RawMessage `json:"results"`
	Pagination struct {
		Done          bool   `json:"done"`
		NextPageToken string `json:"nextPageToken,omitzero"`
	} `json:"pagination"`
}

// operations returns a page of the operations of an installation; see [Operations].
func (h *Handler) operations(c *call) (*httpapi.Answer, error) {
	var size int
	token, err := httpapi.ReadQuery(c.Request, func(q *httpapi.Query) string {
		size = q.Number("pageSize", 1, maxPageSize, defaultPageSize)
		return q.Text("pageToken")
	})
	if err != nil {
		return nil, err
	}
	inst, err := c.find(c.PathValue("installation"))
	if err != nil {
		return nil, err
	}
	var page []json.RawMessage
	var next string
	if h.opts.Operations != nil {
		page, next, err = h.opts.Operations.Operations(c.Context(), c.project, inst.ID, size, token)
	} else if token != "" {
		err = ErrNotFound
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, httpapi.Invalid(httpapi.InQuery+"pageToken", validate.RuleUnknown,
			"is no token of this list")
	case err != nil:
		return nil, httpapi.HostFailure(err)
	}
	answer := wireOperations{Results: append([]json.RawMessage{}, page...)} // never null
	answer.Pagination.Done, answer.Pagination.NextPageToken = next == "", next
	return &httpapi.Answer{Body: answer}, nil
}

// backfill returns the progress of the first read of an object.
func (h *Handler) backfill(c *call) (*httpapi.Answer, error) {
	inst, err := c.find(c.PathValue("installation"))
	if err != nil {
		return nil, err
	}
	if h.opts.Operations == nil {
		return nil, notFound()
	}
	progress, err := h.opts.Operations.Backfill(
		c.Context(), c.project, inst.ID, c.PathValue("object"))
	if err != nil {
		return nil, hostProblem(err)
	}
	return &httpapi.Answer{Body: progress}, nil
}
