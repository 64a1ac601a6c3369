package ampersand

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
)

// maxAPIKey is the longest API key that is looked at, in bytes.
const maxAPIKey = 1024

// caller is who a request comes from: the builder by an API key, or a consumer by a token.
type caller struct {
	project string // id
	key     string // id of the API key; "" for a consumer
	subject string // sub of the token

	group    string
	consumer string
}

// builder reports whether the caller is the builder, who may do everything in the project.
func (c caller) builder() bool { return c.consumer == "" }

// actor is the caller as the service knows it.
func (c caller) actor() installation.Actor {
	if c.builder() {
		return installation.Actor{Kind: installation.Vendor, ID: c.project, User: installation.Reference{ID: c.key}}
	}
	return installation.Actor{Kind: installation.Customer, ID: c.group, User: installation.Reference{ID: c.consumer}}
}

// sees reports whether a connection is the caller's to see: of its own group and consumer.
func (c caller) sees(conn *Connection) bool {
	return c.builder() || conn.Group.Ref == c.group && conn.Consumer.Ref == c.consumer
}

// createdBy is what a configuration of the caller says of its maker, given what the request says, "" = nothing.
func (c caller) createdBy(given string) (string, error) {
	if c.builder() {
		return given, nil
	}
	own := byConsumer + c.consumer
	if given != "" && given != own {
		return "", httpapi.Forbidden("A consumer makes configurations in its own name.")
	}
	return own, nil
}

// call is a request of a known caller to its own project.
type call struct {
	*http.Request
	caller
	proj  *Project
	svc   *installation.Service // as the caller
	whole *installation.Service // as the host: for what is asked about other installations than the caller's, and shown to nobody
}

// endpoint lets those pass to run whose key is of the project in the path. Other projects do not exist for them.
func (h *Handler) endpoint(run func(*call) (*httpapi.Answer, error)) httpapi.Endpoint {
	return func(r *http.Request) (*httpapi.Answer, error) {
		who, err := h.authenticate(r)
		if err != nil {
			return nil, err
		}
		project, err := h.host.Projects.Project(r.Context(), r.PathValue("project"))
		switch {
		case err != nil:
			return nil, missingOr(err)
		case project.ID != who.project:
			return nil, httpapi.NotFound()
		}
		svc := h.svc.In(project.ID)
		return run(&call{
			Request: r, caller: who, proj: project,
			svc: svc.As(who.actor()), whole: svc.As(installation.Actor{Kind: installation.Host}),
		})
	}
}

// authenticate returns the caller: 401 unless there is a good key or token. An API key is looked at first.
func (h *Handler) authenticate(r *http.Request) (caller, error) {
	if keys := r.Header.Values("X-Api-Key"); len(keys) > 0 {
		if len(keys) > 1 || keys[0] == "" || len(keys[0]) > maxAPIKey || strings.ContainsRune(keys[0], 0) {
			return caller{}, httpapi.Unauthorized("ApiKey", nil)
		}
		key, err := h.host.Identities.APIKey(r.Context(), crypto.NewSecret(keys[0]))
		switch {
		case errors.Is(err, ErrNotFound):
			return caller{}, httpapi.Unauthorized("ApiKey", err)
		case err != nil:
			return caller{}, httpapi.HostFailure(err)
		}
		return caller{project: key.Project, key: key.ID}, nil
	}
	token, ok := httpapi.Bearer(r)
	if !ok {
		return caller{}, httpapi.Unauthorized("Bearer", nil)
	}
	who, err := h.verify(r.Context(), token)
	if errors.Is(err, ErrToken) {
		return caller{}, httpapi.Unauthorized(`Bearer error="invalid_token"`, err)
	}
	return who, err
}
