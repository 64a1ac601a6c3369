package ampersand

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

type wireIntegration struct {
	ID             string       `json:"id"`
	ProjectID      string       `json:"projectId"`
	Name           string       `json:"name"`
	Provider       string       `json:"provider"`
	CreateTime     Time         `json:"createTime"`
	UpdateTime     Time         `json:"updateTime,omitzero"`
	LatestRevision wireRevision `json:"latestRevision"`
}

type wireRevision struct {
	ID          string          `json:"id"`
	SpecVersion string          `json:"specVersion"`
	CreateTime  Time            `json:"createTime"`
	Content     json.RawMessage `json:"content"`
}

func revisionOf(r *Revision, content json.RawMessage) wireRevision {
	return wireRevision{r.ID, cmp.Or(r.SpecVersion, "1.0.0"), Time{r.Created}, content}
}

func (c *call) integrationOf(i *Integration) (wireIntegration, error) {
	content, err := c.revisionContent(i, i.Latest.Content, unchanged)
	return wireIntegration{
		ID: i.ID, ProjectID: c.project, Name: i.Name, Provider: i.Provider,
		CreateTime: Time{i.Created}, UpdateTime: Time{i.Updated},
		LatestRevision: revisionOf(&i.Latest, content),
	}, err
}

// integrations lists the integrations of the project. It logs and leaves out one whose content is
// not valid, so that the list still shows the others.
func (h *Handler) integrations(c *call) (*httpapi.Answer, error) {
	all, err := h.host.Projects.Integrations(c.Context(), c.project)
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	answer := []wireIntegration{}
	for _, i := range all {
		w, err := c.integrationOf(i)
		if err == nil {
			answer = append(answer, w)
		} else if err = h.leaveOut(c, "integration", i.ID, err); err != nil {
			return nil, err
		}
	}
	return &httpapi.Answer{Body: answer}, nil
}

// leaveOut logs that JSON of the host is not valid, and returns nil. It returns any other error.
// kind and id name what the JSON belongs to.
func (h *Handler) leaveOut(c *call, kind, id string, err error) error {
	if !errors.Is(err, errHostJSON) {
		return err
	}
	h.logFailure(c.Context(), "JSON of the host left out of a list",
		slog.String(kind, id), slog.Any("error", err))
	return nil
}

// hydrate returns a revision with the parts that the provider defines; see [Projects].
func (h *Handler) hydrate(c *call) (*httpapi.Answer, error) {
	q := httpapi.ReadQuery(c.Request)
	id := q.Required("connectionId")
	if err := q.Err(); err != nil {
		return nil, err
	}
	integration, err := c.integration()
	if err != nil {
		return nil, err
	}
	conn, err := c.connection(id)
	if err != nil {
		return nil, err
	}
	r, err := h.host.Projects.Hydrated(
		c.Context(), c.project, integration.ID, c.PathValue("revision"), conn)
	if err != nil {
		return nil, hostProblem(err)
	}
	content, err := c.revisionContent(integration, r.Content, displayed)
	return &httpapi.Answer{Body: revisionOf(r, content)}, err
}

type wireOperations struct {
	Results    []json.RawMessage `json:"results"`
	Pagination struct {
		Done          bool   `json:"done"`
		NextPageToken string `json:"nextPageToken,omitzero"`
	} `json:"pagination"`
}

// operations returns a page of the operations of an installation; see [Operations]. It logs and
// leaves out an operation that is not valid.
func (h *Handler) operations(c *call) (*httpapi.Answer, error) {
	q := httpapi.ReadQuery(c.Request)
	size := q.Number("pageSize", 1, 1000, 200)
	token := q.Text("pageToken")
	if err := q.Err(); err != nil {
		return nil, err
	}
	inst, err := c.find(c.PathValue("installation"))
	if err != nil {
		return nil, err
	}
	var page []json.RawMessage
	answer := wireOperations{Results: []json.RawMessage{}} // never null
	next := &answer.Pagination.NextPageToken
	if h.opts.Operations != nil {
		page, *next, err = h.opts.Operations.Operations(
			c.Context(), c.project, inst.ID, size, token)
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
	complete := func(n *jsontree.Node) *jsontree.Node {
		return fill(n, members{
			"projectId": c.project, "integrationId": inst.Extension.ID, "installationId": inst.ID,
		})
	}
	for _, one := range page {
		one, err := hostJSON(c.Context(), "operation", one, complete)
		if err == nil {
			answer.Results = append(answer.Results, one)
		} else if err = h.leaveOut(c, "installation", inst.ID, err); err != nil {
			return nil, err
		}
	}
	answer.Pagination.Done = *next == ""
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
	object := c.PathValue("object")
	progress, err := h.opts.Operations.Backfill(c.Context(), c.project, inst.ID, object)
	if err != nil {
		return nil, hostProblem(err)
	}
	progress, err = hostJSON(c.Context(), "backfill", progress,
		func(n *jsontree.Node) *jsontree.Node {
			return fill(n, members{"installationId": inst.ID, "objectName": object})
		})
	return &httpapi.Answer{Body: progress}, err
}
