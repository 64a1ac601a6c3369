package oauth

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/go-installation/installation"
)

// TokenSource returns the source of the access token of an installation, for libraries that take an
// [oauth2.TokenSource]. ctx bounds each call of Token, as in x/oauth2, so it must live as long as
// the source. svc needs an actor that may reveal secrets.
//
// Each call of Token calls [installation.Service.Refresh] with fn. If the stored token is valid for
// another minute, Token reads it from the store. Otherwise it refreshes the token. So it sees at
// once what another process stored, or that the customer reconnected. If it cannot store a new
// token, it returns the error and no token. It never returns the refresh token. It is safe for
// concurrent use.
//
// Errors of Token: those of Refresh, [installation.ErrNotFound] if no access token is stored.
// [oauth2.ReuseTokenSource] around the source saves the reads, and keeps a token until it expires.
func TokenSource(
	ctx context.Context, svc *installation.Service, id string, fn installation.RefreshFunc,
) oauth2.TokenSource {
	return &source{ctx: ctx, account: account{svc: svc, id: id, fn: fn}}
}

// source keeps a context, because Token has no parameter for one.
type source struct {
	ctx context.Context
	account
}

func (s *source) Token() (*oauth2.Token, error) { return s.token(s.ctx) }

// account is where tokens come from.
type account struct {
	svc *installation.Service
	id  string
	fn  installation.RefreshFunc
}

func (a *account) token(ctx context.Context) (*oauth2.Token, error) {
	inst, err := a.svc.Refresh(ctx, installation.RefreshRequest{ID: a.id}, a.fn)
	if inst != nil {
		defer inst.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("token of %s: %w", a.id, err)
	}
	c, err := inst.Credentials()
	if err != nil {
		return nil, fmt.Errorf("token of %s: %w", a.id, err)
	}
	if c.AccessToken.Value.IsZero() {
		return nil, fmt.Errorf("token of %s: %w: no access token", a.id, installation.ErrNotFound)
	}
	return &oauth2.Token{
		AccessToken: c.AccessToken.Value.RevealString(),
		TokenType:   c.TokenType,
		Expiry:      c.AccessToken.Expires,
	}, nil
}

// Client returns a client that sends the access token of an installation with each request, and
// refreshes it before it expires; see [TokenSource]. The context of a request bounds how long it
// waits for its token. A refresh that was sent goes on for a while if that context ends; see
// [installation.Service.Refresh]. base sends the requests; nil = http.DefaultTransport. The client
// is safe for concurrent use.
//
// The client sends the token to whatever URL it is called with. If that server redirects to another
// scheme, host or port, the client follows without the token.
//
// If there is no token, a request fails with the error of Token in a [*url.Error], and nothing is
// sent.
func Client(
	svc *installation.Service, id string, fn installation.RefreshFunc, base http.RoundTripper,
) *http.Client {
	base = cmp.Or(base, http.DefaultTransport)
	return &http.Client{Transport: &transport{
		base: base, account: account{svc: svc, id: id, fn: fn},
	}}
}

type transport struct {
	base http.RoundTripper
	account
}

// RoundTrip adds the token to a copy of the request, because the contract of http.RoundTripper
// forbids changing the request. The contract also says to close the body, even after an error.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !sameOrigin(req.URL, firstURL(req)) {
		return t.base.RoundTrip(req)
	}
	token, err := t.token(req.Context())
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	req = req.Clone(req.Context())
	token.SetAuthHeader(req)
	return t.base.RoundTrip(req)
}

// firstURL returns the URL that the caller asked for, before any redirects.
func firstURL(req *http.Request) *url.URL {
	for req.Response != nil && req.Response.Request != nil {
		req = req.Response.Request
	}
	return req.URL
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && a.Hostname() == b.Hostname() && port(a) == port(b)
}

func port(u *url.URL) string {
	ports := map[string]string{"http": "80", "https": "443"}
	return cmp.Or(u.Port(), ports[u.Scheme])
}
