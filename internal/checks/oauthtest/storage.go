package oauthtest

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The client that every server knows.
const (
	ClientID     = "app"
	ClientSecret = "app-secret"
)

// storage is what the server asks for grants. Methods that these flows do not call panic: the
// embedded interface is nil.
type storage struct {
	op.Storage
	*grants
	key *ecdsa.PrivateKey // of ID tokens, which come with each refresh
}

// keepRefreshToken is the key in a context of requests whose answer has no refresh token.
type keepRefreshToken struct{}

var errToken = errors.New("the token is not valid")

func (s *storage) TokenRequestByRefreshToken(
	_ context.Context, token string,
) (op.RefreshTokenRequest, error) {
	grant := s.check(token)
	if grant == nil {
		return nil, errToken // the server makes it invalid_grant
	}
	return &request{subject: grant.ID, scopes: []string{"orders", "stock"}}, nil
}

func (s *storage) CreateAccessAndRefreshTokens(
	ctx context.Context, _ op.TokenRequest, current string,
) (id, next string, expires time.Time, err error) {
	keep := ctx.Value(keepRefreshToken{}) != nil
	id, next, expires, ok := s.rotate(current, keep)
	if !ok {
		err = oidc.ErrInvalidGrant()
	}
	return id, next, expires, err
}

func (s *storage) CreateAccessToken(
	context.Context, op.TokenRequest,
) (string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, expires := s.issueAccess(nil)
	return id, expires, nil
}

func (s *storage) ClientCredentials(
	ctx context.Context, id, secret string,
) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return client{}, nil
}

func (s *storage) ClientCredentialsTokenRequest(
	_ context.Context, id string, scopes []string,
) (op.TokenRequest, error) {
	return credentials{&request{subject: id, scopes: scopes}}, nil
}

// credentials hides the methods that make a request one for a refresh.
type credentials struct{ op.TokenRequest }

func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != ClientID {
		return nil, oidc.ErrInvalidClient()
	}
	return client{}, nil
}

func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id != ClientID || secret != ClientSecret {
		return oidc.ErrInvalidClient()
	}
	return nil
}

func (s *storage) GetRefreshTokenInfo(
	_ context.Context, _, token string,
) (userID, tokenID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.refresh[token]
	if t == nil {
		return "", "", op.ErrInvalidRefreshToken
	}
	return t.grant.ID, token, nil
}

func (s *storage) RevokeToken(_ context.Context, token, _, _ string) *oidc.Error {
	s.revoke(token)
	return nil
}

func (s *storage) SetUserinfoFromToken(
	_ context.Context, info *oidc.UserInfo, id, subject, _ string,
) error {
	if !s.valid(id) {
		return oidc.ErrAccessDenied()
	}
	info.Subject = subject
	return nil
}

func (s *storage) SetUserinfoFromScopes(
	context.Context, *oidc.UserInfo, string, string, []string,
) error {
	return nil
}

func (s *storage) SigningKey(context.Context) (op.SigningKey, error) {
	return signingKey{s.key}, nil
}

type signingKey struct{ key *ecdsa.PrivateKey }

func (signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k signingKey) Key() any                                  { return k.key }
func (signingKey) ID() string                                  { return "k1" }

// client is the client. Its other methods panic, as those of storage do.
type client struct{ op.Client }

func (client) GetID() string                        { return ClientID }
func (client) AuthMethod() oidc.AuthMethod          { return oidc.AuthMethodBasic }
func (client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (client) IDTokenLifetime() time.Duration       { return time.Hour }
func (client) ClockSkew() time.Duration             { return 0 }
func (client) IDTokenUserinfoClaimsAssertion() bool { return false }
func (client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeRefreshToken, oidc.GrantTypeClientCredentials}
}
func (client) RestrictAdditionalIdTokenScopes() func([]string) []string { return slices.Clone }

// request is a request for tokens.
type request struct {
	subject string
	scopes  []string
}

func (r *request) GetAMR() []string                 { return nil }
func (r *request) GetAudience() []string            { return []string{ClientID} }
func (r *request) GetAuthTime() time.Time           { return time.Now() }
func (r *request) GetClientID() string              { return ClientID }
func (r *request) GetScopes() []string              { return r.scopes }
func (r *request) GetSubject() string               { return r.subject }
func (r *request) SetCurrentScopes(scopes []string) { r.scopes = scopes }
