package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/refresh"
	"github.com/go-installation/installation/validate"
)

// RefreshOptions are the options of [Refresh]. The zero value is ready to use.
type RefreshOptions struct {
	// Client sends the requests. Refresh copies it, and the copy follows no redirect. nil = a
	// client on http.DefaultTransport. Use a [SafeClient] if a customer can influence the endpoint.
	Client *http.Client

	// ClientCredentials is for installations without a refresh token. The function then asks for a
	// token with the credentials of the client and Config.Scopes.
	ClientCredentials bool

	// Params are added to each request, such as "resource" or "scope". They cannot replace what
	// this package sends.
	Params url.Values

	// Permanent are error codes of the provider that mean the same as invalid_grant, such as
	// "bad_refresh_token". Each has at most 64 letters, digits, "_", "-" and ".".
	Permanent []string

	// Now is the clock that dates new tokens. nil = time.Now.
	Now func() time.Time
}

// Refresh returns a function for [installation.Service.Refresh]. It sends the refresh token of an
// installation to Endpoint.TokenURL of the configuration and returns the new tokens. Its errors are
// [*refresh.Error]; the package documentation has a table of them. If the provider answered, the
// error wraps an [*oauth2.RetrieveError] that has only the status and the error code, if the code
// is a known one. The function is safe for concurrent use.
//
// Endpoint.AuthStyle must be set. With AuthStyleAutoDetect, x/oauth2 tries one style and then the
// other, so it sends a refresh token twice. A provider that rotates refresh tokens can take the
// second request for theft and end the grant.
//
// Refresh copies the configuration and the options. It returns an error if they are incomplete.
func Refresh(config *oauth2.Config, opts *RefreshOptions) (installation.RefreshFunc, error) {
	o := *cmp.Or(opts, &RefreshOptions{})
	if err := check(config); err != nil {
		return nil, err
	}
	if err := checkEndpoint("Endpoint.TokenURL", config.Endpoint.TokenURL); err != nil {
		return nil, err
	}
	for _, name := range []string{"grant_type", "refresh_token", "client_id", "client_secret"} {
		if o.Params.Has(name) {
			return nil, fmt.Errorf("oauth: RefreshOptions.Params must not contain %s", name)
		}
	}
	if !validCodes(o.Permanent) {
		return nil, errors.New("oauth: each code of RefreshOptions.Permanent must have 1 to 64 " +
			"characters: letters, digits, dots, hyphens and underscores")
	}
	r := &refresher{
		config: clientcredentials.Config{
			ClientID: config.ClientID, ClientSecret: config.ClientSecret,
			TokenURL: config.Endpoint.TokenURL, AuthStyle: config.Endpoint.AuthStyle,
		},
		scopes:            strings.Join(config.Scopes, " "),
		client:            withoutRedirects(o.Client),
		clientCredentials: o.ClientCredentials,
		params:            url.Values{},
		permanent:         append([]string{"invalid_grant"}, o.Permanent...),
		now:               o.Now,
	}
	for name, values := range o.Params {
		r.params[name] = slices.Clone(values)
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r.refresh, nil
}

// check returns an error if the configuration does not say how the client authenticates.
func check(config *oauth2.Config) error {
	switch {
	case config == nil:
		return errors.New("oauth: no configuration")
	case config.Endpoint.AuthStyle != oauth2.AuthStyleInParams &&
		config.Endpoint.AuthStyle != oauth2.AuthStyleInHeader:
		return errors.New("oauth: set Endpoint.AuthStyle to AuthStyleInHeader or " +
			"AuthStyleInParams: to detect the style, x/oauth2 sends a token twice")
	}
	return nil
}

func checkEndpoint(name, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("oauth: %s must be an absolute https or http URL without a user", name)
	}
	return nil
}

// withoutRedirects returns a copy of c that returns a redirect as the answer.
func withoutRedirects(c *http.Client) *http.Client {
	client := *cmp.Or(c, &http.Client{})
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	return &client
}

// refresher sends refresh tokens to one provider. It never changes.
type refresher struct {
	config            clientcredentials.Config // without what differs between requests
	scopes            string                   // for client credentials
	client            *http.Client
	clientCredentials bool
	params            url.Values
	permanent         []string
	now               func() time.Time
}

func (r *refresher) refresh(
	ctx context.Context, inst *installation.Opened,
) (installation.Tokens, error) {
	var none installation.Tokens
	stored, err := inst.Credentials()
	if err != nil && !errors.Is(err, installation.ErrNotFound) {
		return none, failed(refresh.Passing, "not_opened", err)
	}
	var refreshToken string
	if stored != nil {
		refreshToken = stored.RefreshToken.Value.RevealString()
	}
	params := maps.Clone(r.params)
	switch {
	case refreshToken != "":
		params.Set("grant_type", "refresh_token")
		params.Set("refresh_token", refreshToken)
	case r.clientCredentials:
		if r.scopes != "" && !params.Has("scope") {
			params.Set("scope", r.scopes)
		}
	default:
		return none, failed(refresh.Permanent, "no_refresh_token", nil)
	}
	start := r.now()
	token, failure := r.send(ctx, params)
	if failure != nil {
		return none, failure
	}
	return tokensOf(token, refreshToken, start), nil
}

// send makes one request, for client credentials or a refresh token. x/oauth2 cannot add parameters
// to a refresh. To a request for client credentials it can, and grant_type is such a parameter.
func (r *refresher) send(
	ctx context.Context, params url.Values,
) (*oauth2.Token, *refresh.Error) {
	if ctx.Err() != nil {
		return nil, ended(ctx, refresh.Passing)
	}
	ctx, attempt := traced(ctx)
	c := r.config // vet accepts the copy: its cache of styles is empty and stays so
	c.EndpointParams = params
	token, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, r.client))
	if err != nil {
		return nil, attempt.explain(ctx, err, r.permanent, r.now())
	}
	return token, nil
}

// tokensOf returns what to store. sent is the refresh token of the request. The lifetime counts
// from the start of the request. tokensOf leaves out a type or scopes that the service would
// reject: without them the connection still works, but a rejection would lose the tokens.
func tokensOf(t *oauth2.Token, sent string, start time.Time) installation.Tokens {
	tokens := installation.Tokens{Access: installation.Token{
		Value: crypto.NewSecret(t.AccessToken), Issued: start,
	}}
	if !t.Expiry.IsZero() {
		tokens.Access.Expires = start.Add(time.Until(t.Expiry).Round(time.Second))
	}
	lifetime := max(seconds(t.Extra("refresh_token_expires_in")),
		seconds(t.Extra("refresh_expires_in")))
	if t.RefreshToken != "" && (t.RefreshToken != sent || lifetime > 0) {
		tokens.Refresh = installation.Token{Value: crypto.NewSecret(t.RefreshToken), Issued: start}
		if lifetime > 0 {
			tokens.Refresh.Expires = start.Add(lifetime)
		}
	}
	var l validate.List
	if l.Name("type", t.TokenType); l.Err() == nil {
		tokens.Type = t.TokenType
	}
	scope, _ := t.Extra("scope").(string)
	tokens.Scopes = scopesOf(scope)
	return tokens
}

// maxScopes is how many scopes a connection can have.
const maxScopes = 1000

// scopesOf splits a list of scopes. It returns nil for an empty list and for one that cannot be
// stored.
func scopesOf(text string) []string {
	scopes := strings.Fields(text)
	if len(scopes) == 0 || len(scopes) > maxScopes {
		return nil
	}
	var l validate.List
	for _, scope := range scopes {
		l.ID("scope", scope)
	}
	if l.Err() != nil {
		return nil
	}
	return scopes
}

// maxLifetime caps the lifetime of a refresh token, so that a time.Duration can hold it.
const maxLifetime = 100 * 365 * 24 * time.Hour

// seconds reads a number of seconds of an answer. It returns 0 for anything else.
func seconds(v any) time.Duration {
	n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	if err != nil || !(n > 0) {
		return 0
	}
	return time.Duration(min(n, maxLifetime.Seconds()) * float64(time.Second))
}
