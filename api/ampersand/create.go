package ampersand

import (
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

// defaultCreator is config.createdBy of a request of the builder that does not say.
const defaultCreator = "api:create-installation"

// creation is the body of POST.
type creation struct {
	group      string
	connection string // "" = the group's default
	createdBy  string // "" = not given
	content    *jsontree.Node
}

// readCreation reads the body of POST. Fields that it does not name, config.revisionId among them, do not matter.
func readCreation(body *jsontree.Node) (*creation, error) {
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	in.Require("groupRef", "config")
	cr := &creation{group: in.String("groupRef"), connection: in.String("connectionId")}
	if in.Has("groupRef") {
		l.ID("groupRef", cr.group)
	}
	l.OptionalID("connectionId", cr.connection)
	config := in.Object("config")
	if in.Has("config") {
		config.Require("content")
	}
	cr.createdBy = config.String("createdBy")
	checkCreator(&l, config.Path("createdBy"), config)
	if content := config.Object("content"); config.Has("content") {
		content.Require("provider")
		cr.content = config.Node("content")
	}
	return cr, l.Err()
}

// checkCreator demands that createdBy, if it is there, names a consumer, a builder or a caller of the API.
func checkCreator(l *validate.List, path string, in httpapi.Object) {
	if !in.Has("createdBy") || in.Node("createdBy").Kind() != jsontree.String {
		return // of another kind it was reported when it was read
	}
	kind, id, _ := strings.Cut(in.String("createdBy"), ":")
	if !slices.Contains([]string{"consumer", "builder", "api"}, kind) || id == "" {
		l.Add(path, validate.RuleFormat, "must be consumer:, builder: or api: with an id behind")
		return
	}
	l.OptionalID(path, in.String("createdBy"))
}

// create installs an integration for a group.
func (h *Handler) create(c *call) (*httpapi.Answer, error) {
	skip, err := httpapi.ReadQuery(c.Request, skipSampling)
	if err != nil {
		return nil, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	cr, err := readCreation(body)
	if err != nil {
		return nil, err
	}
	if !c.builder() && cr.group != c.group {
		return nil, httpapi.Forbidden("The token is for another group.")
	}
	if cr.createdBy, err = c.createdBy(cr.createdBy); err != nil {
		return nil, err
	}
	integration, err := h.integration(c)
	if err != nil {
		return nil, err
	}
	if p := cr.content.Child("provider"); !p.IsString(integration.Provider) {
		return nil, httpapi.Invalid("config.content.provider", validate.RuleUnknown, "must be the provider of the integration")
	}
	conn, err := h.choose(c, "connectionId", cr.group, integration.Provider, cr.connection)
	if err != nil {
		return nil, err
	}
	if !skip {
		if err := h.sampleNew(c, integration, conn, cr); err != nil {
			return nil, err
		}
	}
	inst, err := h.install(c, integration, conn, cr)
	if err != nil {
		return nil, err
	}
	return &httpapi.Answer{Status: http.StatusCreated, Body: wireOf(inst, conn), Revision: inst.Revision}, nil
}

// install saves the installation. If its connection was deleted meanwhile, it takes it back.
func (h *Handler) install(c *call, integration *Integration, conn *Connection, cr *creation) (*installation.Installation, error) {
	if cr.createdBy == "" {
		cr.createdBy = defaultCreator
	}
	extra, err := notes{CreatedBy: cr.createdBy, Config: configNotes{integration.Latest.ID, cr.createdBy}}.part(installation.Document{})
	if err != nil {
		return nil, err
	}
	text := cr.content.Append(nil)
	defer clear(text)
	res, err := c.svc.Upsert(c.Context(), installation.UpsertRequest{Parts: installation.Parts{
		Extension:  installation.Value(installation.Extension{ID: integration.ID, Name: integration.Name, Owner: c.proj.ID}),
		Account:    installation.Value(conn.Group.account()),
		Health:     installation.Value(installation.Healthy),
		Connection: installation.Value(conn.stored()),
		Configuration: installation.Value(installation.Configuration{
			RevisionID: uuid.NewString(), CreatedBy: cr.createdBy, Document: installation.JSON(text),
		}),
		Extra: extra,
	}})
	if err != nil {
		return nil, c.occupied(err)
	}
	if err := h.stillThere(c, conn.ID); err != nil {
		if undo := h.takeBack(c, res.Installation); undo != nil {
			return nil, undo
		}
		return nil, err
	}
	return res.Installation, nil
}

// occupied tells a caller of the installation that is in the way of another, where it may know of it: one that does not open is in no list.
func (c *call) occupied(err error) error {
	e, ok := errors.AsType[*installation.ExistsError](err)
	if !ok {
		return err
	}
	if inst, _ := c.known(e.Holder); inst == nil {
		return err
	}
	return withRemedy(httpapi.ProblemOf(err), "Delete the installation "+e.Holder+" first, or change it.")
}

// takeBack removes an installation that should not have come to be, unless it was changed since.
func (h *Handler) takeBack(c *call, inst *installation.Installation) error {
	_, err := c.whole.Delete(context.WithoutCancel(c.Context()), installation.DeleteRequest{
		Guard: installation.Guard{Revision: inst.Revision}, ID: inst.ID,
	})
	if errors.Is(err, installation.ErrNotFound) || errors.Is(err, installation.ErrConflict) {
		return nil
	}
	return err
}

// choose returns the connection to install by: the one asked for, or the newest of the group at the provider that does not fail.
// Path is where the request names it.
func (h *Handler) choose(c *call, path, group, provider, id string) (*Connection, error) {
	if id != "" {
		conn, err := h.host.Connections.Connection(c.Context(), c.proj.ID, id)
		switch {
		case err != nil && !errors.Is(err, ErrNotFound):
			return nil, httpapi.HostFailure(err)
		case err != nil || conn.Group.Ref != group || !c.sees(conn):
			return nil, httpapi.Invalid(path, validate.RuleUnknown, "must be a connection of the group")
		case conn.Provider != provider:
			return nil, httpapi.Invalid(path, validate.RuleUnknown, "must be a connection to the provider of the integration")
		}
		return conn, nil
	}
	all, err := h.host.Connections.Connections(c.Context(), c.proj.ID, ConnectionFilter{Provider: provider, Group: group})
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	var found *Connection
	for _, conn := range all {
		if found == nil || conn.Status != ConnectionBadCredentials || found.Status == ConnectionBadCredentials {
			found = conn
		}
	}
	if found == nil {
		return nil, withRemedy(httpapi.Invalid(path, validate.RuleRequired, "is required: the group has no connection to the provider"),
			"Let the customer connect first, or name a connection.")
	}
	return found, nil
}

// stillThere looks, after a connection was put into an installation, whether it was deleted meanwhile. See [Connections.Delete].
func (h *Handler) stillThere(c *call, id string) error {
	_, err := h.host.Connections.Connection(c.Context(), c.proj.ID, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return withRemedy(&httpapi.Problem{Status: http.StatusConflict, Code: httpapi.CodeConflict, Message: "The connection was deleted meanwhile."},
			"Use another connection.")
	case err != nil:
		h.log.LogAttrs(c.Context(), slog.LevelError, "connection not seen again", slog.String("request", httpapi.RequestID(c.Context())))
	}
	return nil
}

// uses returns a function that reports whether an installation of the project has a connection, or may have it.
func (c *call) uses(connection string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		for inst, err := range c.whole.All(ctx, installation.ListRequest{Connection: connection}) {
			if err != nil {
				return false, err
			}
			if inst.Status == installation.StatusInstalled || inst.Status == installation.StatusInvited {
				return true, nil
			}
		}
		return false, nil
	}
}
