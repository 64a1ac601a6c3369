package ampersand

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// defaultCreator is the creator of a configuration if a builder gives no creator.
const defaultCreator = "api:create-installation"

// creation is the body of a POST that creates an installation.
type creation struct {
	group      string
	connection string // ID; "" = the default connection of the group
	createdBy  string // "" = not given
	content    *jsontree.Node
}

// readCreation reads a creation. It ignores other fields of the body, such as config.revisionId.
func readCreation(in httpapi.Object) creation {
	l := in.Violations()
	cr := creation{group: in.String("groupRef"), connection: in.String("connectionId")}
	l.ID("groupRef", cr.group)
	in.Require("config")
	l.OptionalID("connectionId", cr.connection)
	config := in.Object("config")
	config.Require("content")
	config.Object("content").Require("provider")
	cr.createdBy, cr.content = readCreator(config), config.Node("content")
	return cr
}

// readCreator reads createdBy of a config. It rejects a value that does not name a consumer, a
// builder or an API caller. Without createdBy, it returns "".
func readCreator(config httpapi.Object) string {
	creator := config.String("createdBy")
	if !config.Has("createdBy") || config.Node("createdBy").Kind() != jsontree.String {
		return "" // absent, or already reported
	}
	l, path := config.Violations(), config.Path("createdBy")
	kind, id, _ := strings.Cut(creator, ":")
	if !slices.Contains([]string{"consumer", "builder", "api"}, kind) || id == "" {
		l.Add(path, validate.RuleFormat, "must be consumer:, builder: or api: with an id behind")
	}
	l.OptionalID(path, creator)
	return creator
}

// create installs an integration for a group.
func (h *Handler) create(c *call) (*httpapi.Answer, error) {
	q := httpapi.ReadQuery(c.Request)
	sampled := !q.Flag("skipSampling") && h.opts.Sampler != nil
	if err := q.Err(); err != nil {
		return nil, err
	}
	cr, err := httpapi.Read(c.Request, readCreation)
	if err != nil {
		return nil, err
	}
	if !c.builder() && cr.group != c.group {
		return nil, httpapi.Forbidden("The token is for another group.")
	}
	if cr.createdBy, err = c.creator(cr.createdBy); err != nil {
		return nil, err
	}
	integration, err := c.integration()
	if err != nil {
		return nil, err
	}
	if !cr.content.Child("provider").IsString(integration.Provider) {
		return nil, httpapi.Invalid("config.content.provider", validate.RuleUnknown,
			"must be the provider of the integration")
	}
	conn, err := c.choose("connectionId", cr.group, integration.Provider, cr.connection)
	if err != nil {
		return nil, err
	}
	if sampled {
		if err := h.sampleNew(c, integration, conn, cr); err != nil {
			return nil, err
		}
	}
	inst, err := h.install(c, integration, conn, cr)
	if err != nil {
		return nil, err
	}
	return &httpapi.Answer{
		Status: http.StatusCreated, Body: objectOf(inst, conn), Revision: inst.Revision,
	}, nil
}

// install saves a new installation. If the connection was deleted meanwhile, install deletes the
// installation again and fails.
func (h *Handler) install(
	c *call, integration *Integration, conn *Connection, cr creation,
) (*installation.Installation, error) {
	creator := cmp.Or(cr.createdBy, defaultCreator)
	n := notes{CreatedBy: creator, Config: configNotes{integration.Latest.ID, creator}}
	extra, err := httpapi.WithMembers(installation.Document{}, n.members())
	if err != nil {
		return nil, err
	}
	text := cr.content.Append(nil)
	defer clear(text)
	res, err := c.svc.Upsert(c.Context(), installation.UpsertRequest{Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{
			ID: integration.ID, Name: integration.Name, Owner: c.project,
		}),
		Account:    installation.Value(conn.Group),
		Health:     installation.Value(installation.Healthy),
		Connection: installation.Value(conn.stored()),
		Configuration: installation.Value(installation.Configuration{
			RevisionID: uuid.NewString(), CreatedBy: creator, Document: installation.JSON(text),
		}),
		Extra: extra,
	}})
	if e, ok := errors.AsType[*installation.ExistsError](err); ok {
		if inst, _ := c.find(e.Holder); inst != nil { // the caller may see it
			return nil, existing(err, e.Holder)
		}
	}
	if err != nil {
		return nil, err
	}
	if gone := h.checkConnection(c, conn.ID); gone != nil {
		if err := c.undo(res.Installation); err != nil {
			return nil, err
		}
		return nil, gone
	}
	return res.Installation, nil
}

// existing returns the 409 for an installation that the group has already. The remedy has its ID,
// because a list leaves out a record that cannot be opened.
func existing(err error, id string) error {
	return withRemedy(httpapi.ProblemOf(err), "Delete the installation "+id+" first, or change it.")
}

// undo deletes a new installation, unless somebody has changed or deleted it since.
func (c *call) undo(inst *installation.Installation) error {
	_, err := c.hostSvc.Delete(context.WithoutCancel(c.Context()), installation.DeleteRequest{
		Guard: installation.Guard{Revision: inst.Revision}, ID: inst.ID,
	})
	if errors.Is(err, installation.ErrNotFound) || errors.Is(err, installation.ErrConflict) {
		return nil
	}
	return err
}

// choose returns the connection with an ID if it belongs to the group and the provider. If id is
// "", choose returns the default connection. path is the path of the ID in the body of the request.
func (c *call) choose(path, group, provider, id string) (*Connection, error) {
	if id == "" {
		return c.defaultConnection(path, group, provider)
	}
	conn, err := c.connection(id)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return nil, err
	case err != nil || conn.Group.ID != group || conn.Provider != provider:
		return nil, httpapi.Invalid(path, validate.RuleUnknown,
			"must be a connection of the group to the provider of the integration")
	}
	return conn, nil
}

// defaultConnection returns the group's newest connection to the provider whose credentials are not
// bad, or else the newest of all.
func (c *call) defaultConnection(path, group, provider string) (*Connection, error) {
	all, err := c.host.Connections.Connections(c.Context(), c.project,
		ConnectionFilter{Provider: provider, Group: group})
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	var best *Connection
	for _, conn := range all { // oldest first
		if best == nil || conn.Status != ConnectionBadCredentials ||
			best.Status == ConnectionBadCredentials {
			best = conn
		}
	}
	if best == nil {
		return nil, withRemedy(
			httpapi.Invalid(path, validate.RuleRequired,
				"is required: the group has no connection to the provider"),
			"Let the customer connect first, or name a connection.")
	}
	return best, nil
}

// checkConnection returns an error if a connection no longer exists. Call it after the connection
// was saved in an installation; see [Connections.Delete].
func (h *Handler) checkConnection(c *call, id string) error {
	_, err := c.anyConnection(id)
	switch {
	case errors.Is(err, ErrNotFound):
		return conflict(nil, "The connection was deleted meanwhile.", "Use another connection.")
	case err != nil:
		h.logFailure(c.Context(), "connection not seen again", slog.String("connection", id))
	}
	return nil
}
