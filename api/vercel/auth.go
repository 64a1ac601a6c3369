package vercel

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// call is an authorized request.
type call struct {
	*http.Request
	id     string // of the installation in the path
	claims *Claims
	svc    *installation.Service // acts as the sender
}

// endpoint returns an endpoint that authorizes a request and then calls run. kinds are the kinds of
// tokens that it accepts; see authorize.
func (h *Handler) endpoint(
	run func(*call) (*httpapi.Answer, error), kinds ...Auth,
) httpapi.Endpoint {
	return func(r *http.Request) (*httpapi.Answer, error) {
		claims, err := h.authenticate(r)
		if err != nil {
			return nil, err
		}
		c := &call{
			Request: r, id: r.PathValue("installationId"),
			claims: claims, svc: h.svc.As(claims.Actor()),
		}
		if err := c.authorize(kinds); err != nil {
			return nil, err
		}
		return run(c)
	}
}

// authenticate returns the claims of the token. Without a valid token, it fails with 401.
func (h *Handler) authenticate(r *http.Request) (*Claims, error) {
	token, ok := httpapi.Bearer(r)
	if !ok {
		return nil, httpapi.Unauthorized("Bearer", nil)
	}
	claims, err := h.verifier.Verify(r.Context(), token)
	switch {
	case errors.Is(err, ErrToken):
		return nil, httpapi.InvalidToken(err)
	case err != nil:
		return nil, httpapi.Unavailable(err)
	}
	return claims, nil
}

// authorize rejects a request unless its token is of one of the kinds and fits the request. It does
// not read the installation. The policy of the service decides what the sender may do with it.
func (c *call) authorize(kinds []Auth) error {
	for _, auth := range c.Header.Values("X-Vercel-Auth") {
		auth = strings.TrimSpace(auth)
		if auth != "" && !strings.EqualFold(auth, string(c.claims.Auth)) {
			return httpapi.Forbidden("X-Vercel-Auth contradicts the token.")
		}
	}
	// A system token that names no installation reaches all of its account; see owns.
	anywhere := c.claims.Auth == AuthSystem && c.claims.InstallationID == ""
	reads := c.Method == http.MethodGet || c.Method == http.MethodHead
	switch {
	case !slices.Contains(kinds, c.claims.Auth):
		return httpapi.Forbidden("This kind of authentication is not for this endpoint.")
	case c.claims.AccountID == "":
		return httpapi.Forbidden("The token names no account.")
	case !anywhere && c.claims.InstallationID != c.id:
		return httpapi.Forbidden("The token is for another installation.")
	case c.claims.Auth == AuthUser && c.claims.UserRole != RoleAdmin && !reads:
		return httpapi.Forbidden("Only an ADMIN of the team may do this.")
	}
	return nil
}

// owns reports whether an installation belongs to the account of the token. A service with [Policy]
// checks this too. Other policies may show all accounts to a Platform actor.
func (c *call) owns(inst *installation.Installation) bool {
	return inst.Account.ID == c.claims.AccountID
}

// guard reads the conditions of a write from If-Match and Idempotency-Key.
func (c *call) guard() (installation.Guard, error) {
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return installation.Guard{}, err
	}
	guard.IdempotencyKey, err = httpapi.IdempotencyKey(c.Request, c.Method, c.id)
	return guard, err
}
