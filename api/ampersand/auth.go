package ampersand

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
)

// Limits of keys and tokens.
const (
	maxAPIKey   = 1024 // bytes
	maxLifetime = 10 * time.Minute
	leeway      = 10 * time.Second // for clocks that differ
)

// ErrToken means that a token is not valid, or has expired. The text gives the reason and quotes
// nothing of the token.
var ErrToken = errors.New("ampersand: token not valid")

// caller is the builder, who sends an API key, or a consumer, who sends a token.
type caller struct {
	project  string // ID
	key      string // ID of the API key; "" for a consumer
	group    string // groupRef of the consumer; "" for the builder
	consumer string // consumerRef; "" for the builder
}

// builder reports whether the caller is the builder. Builders may do everything in the project.
func (c caller) builder() bool { return c.consumer == "" }

// actor returns the caller as an actor of the service.
func (c caller) actor() installation.Actor {
	kind, id, user := installation.Customer, c.group, c.consumer
	if c.builder() {
		kind, id, user = installation.Vendor, c.project, c.key
	}
	return installation.Actor{Kind: kind, ID: id, User: installation.Reference{ID: user}}
}

// sees reports whether the caller may see a connection. A consumer only sees its own.
func (c caller) sees(conn *Connection) bool {
	return c.builder() || conn.Group.ID == c.group && conn.Consumer.ID == c.consumer
}

// creator returns the creator of a configuration that the caller writes. given is the creator in
// the request; "" means that the request names no creator. A consumer is always the creator itself.
// creator fails with 403 if a consumer gives another creator.
func (c caller) creator(given string) (string, error) {
	if c.builder() {
		return given, nil
	}
	own := byConsumer + c.consumer
	if given != "" && given != own {
		return "", httpapi.Forbidden("A consumer makes configurations in its own name.")
	}
	return own, nil
}

// authorize authenticates a request and returns the call. It fails with 404 if the path names a
// project other than the caller's.
func (h *Handler) authorize(r *http.Request) (*call, error) {
	who, err := h.authenticate(r)
	if err != nil {
		return nil, err
	}
	svc := h.svc.In(who.project)
	c := &call{
		Request: r, caller: who, host: h.host,
		svc: svc.As(who.actor()), hostSvc: svc.As(installation.Actor{Kind: installation.Host}),
	}
	if name := r.PathValue("project"); name != "" {
		return c, c.enter(name)
	}
	return c, nil
}

// enter fails with 404 if a request names a project other than the caller's.
func (c *call) enter(idOrName string) (err error) {
	c.owner, err = c.host.Projects.Project(c.Context(), idOrName)
	switch {
	case err != nil:
		return hostProblem(err)
	case c.owner.ID != c.project:
		return notFound()
	}
	return nil
}

// authenticate returns the caller of a request. It fails with 401 if the request has no valid API
// key or token. If a request has an API key and a token, the token is ignored.
func (h *Handler) authenticate(r *http.Request) (caller, error) {
	if keys := r.Header.Values("X-Api-Key"); len(keys) > 0 {
		return h.authenticateKey(r.Context(), keys)
	}
	token, ok := httpapi.Bearer(r)
	if !ok {
		return caller{}, httpapi.Unauthorized("Bearer", nil)
	}
	who, err := h.verify(r.Context(), token)
	if errors.Is(err, ErrToken) {
		return caller{}, httpapi.InvalidToken(err)
	}
	return who, err
}

func (h *Handler) authenticateKey(ctx context.Context, keys []string) (caller, error) {
	if len(keys) > 1 || keys[0] == "" || len(keys[0]) > maxAPIKey ||
		strings.ContainsRune(keys[0], 0) {
		return caller{}, httpapi.Unauthorized("ApiKey", nil)
	}
	key, err := h.host.Identities.APIKey(ctx, crypto.NewSecret(keys[0]))
	switch {
	case errors.Is(err, ErrNotFound):
		return caller{}, httpapi.Unauthorized("ApiKey", err)
	case err != nil:
		return caller{}, httpapi.HostFailure(err)
	}
	return caller{project: key.Project, key: key.ID}, nil
}

// verify returns the consumer that a token names. The project of the consumer is the project whose
// key signed the token. The error matches [ErrToken] or is a failure of the host.
func (h *Handler) verify(ctx context.Context, token string) (caller, error) {
	var project string
	t, err := h.rules.Verify(ctx, token, func(ctx context.Context, id string) (any, error) {
		key, err := h.host.Identities.PublicKey(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil, nil
		case err != nil:
			return nil, httpapi.HostFailure(err)
		}
		project = key.Project
		return key.Key, nil
	})
	if err != nil {
		return caller{}, err
	}
	who, err := httpapi.ReadNode(t.Claims, readClaims)
	if err != nil {
		return caller{}, h.rules.Reject("its claims are not valid")
	}
	who.project = project
	return who, nil
}

func readClaims(in httpapi.Object) caller {
	c := caller{group: in.String("groupRef"), consumer: in.String("consumerRef")}
	l := in.Violations()
	l.ID("groupRef", c.group)
	checkConsumer(l, "consumerRef", c.consumer)
	return c
}
