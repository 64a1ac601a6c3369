package vercel

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// call is a request whose sender is known and may call the endpoint.
type call struct {
	*http.Request
	id     string // of the installation, from the path
	claims *Claims
	svc    *installation.Service // as the sender
}

// endpoint lets those pass to run whose token is of one of these kinds and speaks for the installation in the path. A user has to be an ADMIN for
// anything but looking.
func (h *Handler) endpoint(run func(*call) (*httpapi.Answer, error), kinds ...Auth) httpapi.Endpoint {
	return func(r *http.Request) (*httpapi.Answer, error) {
		claims, err := h.authenticate(r)
		if err != nil {
			return nil, err
		}
		c := &call{Request: r, id: r.PathValue("installationId"), claims: claims, svc: h.svc.As(claims.Actor())}
		if err := c.authorize(kinds); err != nil {
			return nil, err
		}
		return run(c)
	}
}

// authenticate returns the claims of the sender: 401 unless there is a good token.
func (h *Handler) authenticate(r *http.Request) (*Claims, error) {
	token, ok := httpapi.Bearer(r)
	if !ok {
		return nil, httpapi.Unauthorized("Bearer", nil)
	}
	claims, err := h.verifier.Verify(r.Context(), token)
	switch {
	case errors.Is(err, ErrToken):
		return nil, httpapi.Unauthorized(`Bearer error="invalid_token"`, err)
	case err != nil:
		return nil, httpapi.Unavailable(err)
	}
	return claims, nil
}

// authorize refuses with 403 what this token is not for. What it may do to the installation is up to the service.
func (c *call) authorize(kinds []Auth) error {
	for _, auth := range c.Header.Values("X-Vercel-Auth") {
		if !strings.EqualFold(strings.TrimSpace(auth), string(c.claims.Auth)) {
			return httpapi.Forbidden("X-Vercel-Auth contradicts the token.")
		}
	}
	switch {
	case !slices.Contains(kinds, c.claims.Auth):
		return httpapi.Forbidden("This kind of authentication is not for this endpoint.")
	case c.claims.AccountID == "":
		return httpapi.Forbidden("The token names no account.")
	case c.claims.Auth == AuthSystem && c.claims.InstallationID == "":
		// It reaches the installations of its account; see owns.
	case c.claims.InstallationID != c.id:
		return httpapi.Forbidden("The token is for another installation.")
	}
	if c.claims.Auth == AuthUser && c.claims.UserRole != RoleAdmin && c.Method != http.MethodGet && c.Method != http.MethodHead {
		return httpapi.Forbidden("Only an ADMIN of the team may do this.")
	}
	return nil
}

// owns reports whether an installation is of the account that the token speaks for. A service whose policy lets the platform see every account
// does not ask.
func (c *call) owns(inst *installation.Installation) bool {
	return inst.Account.ID == c.claims.AccountID
}

// guard reads what the headers demand of a write.
func (c *call) guard() (installation.Guard, error) {
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return installation.Guard{}, err
	}
	guard.IdempotencyKey, err = httpapi.IdempotencyKey(c.Request, c.Method, c.id)
	return guard, err
}
