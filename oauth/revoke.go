package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/refresh"
)

// RevokeOptions are the options of [Revoke]. The zero value is ready to use.
type RevokeOptions struct {
	// Client sends the requests, as in [RefreshOptions].
	Client *http.Client
	// Now is the clock for a Retry-After that is a time. nil = time.Now.
	Now func() time.Time
}

// Revoke returns a function for Options.Revoke of the service. It revokes the tokens of an
// installation at an endpoint of RFC 7009. It sends the refresh token, which ends the whole grant,
// or the access token if no refresh token is stored. Without either it does nothing and succeeds.
// config says who the client is; Endpoint.AuthStyle must be set. The function is safe for
// concurrent use.
//
// The token counts as revoked if the answer is 2xx without an error code, or if the code is
// invalid_token or invalid_grant. Any other answer is an error that wraps a [*refresh.Error]:
// Reason is a code, such as unsupported_token_type or http_503, and After is Retry-After. Answer is
// permanent for unsupported_token_type only. The other two answers mean the same here: try again,
// since revoking twice does no harm.
func Revoke(
	config *oauth2.Config, endpoint string, opts *RevokeOptions,
) (func(ctx context.Context, inst *installation.Opened) error, error) {
	o := *cmp.Or(opts, &RevokeOptions{})
	if err := check(config); err != nil {
		return nil, err
	}
	if err := checkEndpoint("the endpoint to revoke tokens at", endpoint); err != nil {
		return nil, err
	}
	r := &revoker{
		endpoint: endpoint, id: config.ClientID, secret: config.ClientSecret,
		inParams: config.Endpoint.AuthStyle == oauth2.AuthStyleInParams,
		client:   withoutRedirects(o.Client),
		now:      o.Now,
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r.revoke, nil
}

// revoker revokes tokens at one endpoint. It never changes.
type revoker struct {
	endpoint   string
	id, secret string // of the client
	inParams   bool   // else in the header
	client     *http.Client
	now        func() time.Time
}

func (r *revoker) revoke(ctx context.Context, inst *installation.Opened) error {
	c, err := inst.Credentials()
	if errors.Is(err, installation.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("oauth: revoke: %w", err)
	}
	token, hint := c.RefreshToken.Value, "refresh_token"
	if token.IsZero() {
		token, hint = c.AccessToken.Value, "access_token"
	}
	if token.IsZero() {
		return nil
	}
	params := url.Values{"token": {token.RevealString()}, "token_type_hint": {hint}}
	if failure := r.send(ctx, params); failure != nil {
		return fmt.Errorf("oauth: revoke the %s of %s: %w",
			strings.ReplaceAll(hint, "_", " "), inst.ID, failure)
	}
	return nil
}

// send makes one request. It returns nil if the token is revoked.
func (r *revoker) send(ctx context.Context, params url.Values) *refresh.Error {
	if r.inParams {
		params.Set("client_id", r.id)
		if r.secret != "" {
			params.Set("client_secret", r.secret)
		}
	}
	if ctx.Err() != nil {
		return ended(ctx, refresh.Passing)
	}
	ctx, attempt := traced(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.endpoint,
		strings.NewReader(params.Encode()))
	if err != nil {
		return failed(refresh.Passing, "invalid_request", nil)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !r.inParams {
		req.SetBasicAuth(url.QueryEscape(r.id), url.QueryEscape(r.secret))
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return attempt.explain(ctx, err, nil, r.now())
	}
	defer resp.Body.Close()
	var body struct {
		Error string `json:"error"`
	}
	// An answer that does not decode has no code.
	_ = json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(&body)
	switch {
	case resp.StatusCode/100 == 2 && body.Error == "",
		body.Error == "invalid_token", body.Error == "invalid_grant":
		return nil
	}
	return explainAnswer(resp, body.Error, []string{"unsupported_token_type"}, r.now())
}

// maxError bounds how much of an answer to a revocation is read. Only its error code is needed.
const maxError = 64 << 10
