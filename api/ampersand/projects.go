package ampersand

import (
	"errors"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
)

type wireProject struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	AppName    string `json:"appName"`
	OrgID      string `json:"orgId"`
	CreateTime Time   `json:"createTime"`
	UpdateTime Time   `json:"updateTime,omitzero"`
}

// getProject returns the project of the caller. It has no entitlements.
func (h *Handler) getProject(c *call) (*httpapi.Answer, error) {
	p := c.owner
	return &httpapi.Answer{Body: wireProject{
		p.ID, p.Name, p.AppName, p.OrgID, Time{p.Created}, Time{p.Updated},
	}}, nil
}

// getIntegration returns an integration by its ID or name.
func (h *Handler) getIntegration(c *call) (*httpapi.Answer, error) {
	i, err := c.integrationNamed(c.PathValue("integration"))
	if err != nil {
		return nil, err
	}
	w, err := c.integrationOf(i)
	return &httpapi.Answer{Body: w}, err
}

// integrationNamed returns an integration by its ID, or else by its name.
func (c *call) integrationNamed(idOrName string) (*Integration, error) {
	found, err := c.integration()
	if !errors.Is(err, ErrNotFound) {
		return found, err
	}
	all, failure := c.host.Projects.Integrations(c.Context(), c.project)
	if failure != nil {
		return nil, httpapi.HostFailure(failure)
	}
	for _, i := range all {
		if i.Name == idOrName {
			return i, nil
		}
	}
	return nil, err
}

// providerApps lists the builder's applications at providers.
func (h *Handler) providerApps(c *call) (*httpapi.Answer, error) {
	answer := []*ProviderApp{}
	if h.opts.Apps == nil {
		return &httpapi.Answer{Body: answer}, nil
	}
	all, err := h.opts.Apps.ProviderApps(c.Context(), c.project)
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	for _, a := range all {
		answer = append(answer, appOf(c.project, a))
	}
	return &httpapi.Answer{Body: answer}, nil
}

// objectMetadata returns the fields of an object that the connection of a group can see. The path
// has the integration or the provider.
func (h *Handler) objectMetadata(c *call) (*httpapi.Answer, error) {
	q := httpapi.ReadQuery(c.Request)
	group, writable := q.Required("groupRef"), q.Flag("excludeReadOnly")
	if err := q.Err(); err != nil {
		return nil, err
	}
	if !c.builder() && group != c.group || h.opts.Metadata == nil {
		return nil, notFound()
	}
	r := ObjectRequest{
		Project: c.project, Object: c.PathValue("object"), ExcludeReadOnly: writable,
	}
	var err error
	provider := c.PathValue("provider")
	if provider == "" {
		if r.Integration, err = c.integration(); err != nil {
			return nil, err
		}
		provider = r.Integration.Provider
	}
	r.Connection, err = c.defaultConnection(httpapi.InQuery+"groupRef", group, provider)
	if err != nil {
		return nil, err
	}
	text, err := h.opts.Metadata.ObjectMetadata(c.Context(), r)
	if err != nil {
		return nil, hostProblem(err)
	}
	edit := func(n *jsontree.Node) *jsontree.Node {
		n = rewriteAt(n, func(name string, field *jsontree.Node) *jsontree.Node {
			return fill(field, members{"fieldName": name})
		}, "fields")
		return fill(displayed(n), members{"name": r.Object})
	}
	text, err = hostJSON(c.Context(), "objectMetadata", text, edit)
	return &httpapi.Answer{Body: text}, err
}
