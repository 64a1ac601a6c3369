package vercel

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/api/internal/jwt"
)

// DefaultIssuer is the issuer of the marketplace's tokens.
const DefaultIssuer = "https://marketplace.vercel.com"

// leeway is the tolerance for clocks that differ.
const leeway = 10 * time.Second

var (
	// ErrToken means that a token is not valid for this integration, or not any more. The text
	// gives the reason and quotes nothing of the token.
	ErrToken = errors.New("vercel: token not valid")
	// ErrKeysUnavailable means that the key set could not be read. It says nothing about the
	// token.
	ErrKeysUnavailable = errors.New("vercel: key set unavailable")
)

// VerifierOptions configure a [Verifier]. A zero field has its default.
type VerifierOptions struct {
	// Issuer is the iss claim of all tokens. Default: DefaultIssuer.
	Issuer string
	// KeySetURL is the address of the signing keys: https, or http on loopback.
	// Default: Issuer + "/.well-known/jwks".
	KeySetURL string
	// Client fetches the key set. It follows no redirects, and a fetch takes at most 10 seconds.
	// Default: a client with [http.DefaultTransport].
	Client *http.Client
	// Key replaces the key set at KeySetURL, for tests and development. It returns the key with
	// the given ID. For an unknown ID it returns nil and no error. An error means that it cannot
	// tell.
	Key func(ctx context.Context, id string) (*rsa.PublicKey, error)
	// Now is the clock for the times of tokens. Default: time.Now.
	Now func() time.Time
}

// Verifier checks the OpenID Connect tokens that Vercel sends. A valid token is signed with RS256
// by the key that it names in the key set. It is from the issuer and for the client ID of the
// integration. It has not expired, and it is valid already. Clocks may differ by 10 seconds. A
// Verifier is safe for concurrent use.
type Verifier struct {
	rules jwt.Verifier
	key   jwt.KeyFunc
}

// NewVerifier returns a verifier for the integration with a client ID, oac_... It reads the keys
// when the first token comes and caches them for an hour. It reads them again when a token
// names an unknown key, at most every 30 seconds. While they cannot be read, cached keys stay
// valid until a day after they were read.
func NewVerifier(clientID string, opts *VerifierOptions) (*Verifier, error) {
	if clientID == "" {
		return nil, errors.New("vercel: NewVerifier: no client id")
	}
	o := *cmp.Or(opts, &VerifierOptions{})
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &Verifier{rules: jwt.Verifier{
		Algorithm: jwt.RS256, Issuer: cmp.Or(o.Issuer, DefaultIssuer), Audience: clientID,
		Leeway: leeway, Now: o.Now, Invalid: ErrToken,
	}}
	if o.Key != nil {
		v.key = hostKey(o.Key)
		return v, nil
	}
	address := cmp.Or(o.KeySetURL, v.rules.Issuer+"/.well-known/jwks")
	if !trusted(address) {
		return nil, errors.New("vercel: NewVerifier: the key set must be at an https URL " +
			"without user information, or http on loopback")
	}
	v.key = jwt.NewKeySet(address, o.Client, o.Now, ErrKeysUnavailable).Key
	return v, nil
}

// hostKey returns the key function of a host. The text of its errors may quote anything.
func hostKey(find func(context.Context, string) (*rsa.PublicKey, error)) jwt.KeyFunc {
	return func(ctx context.Context, id string) (any, error) {
		key, err := find(ctx, id)
		switch {
		case errors.Is(err, ErrKeysUnavailable):
			return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, httpapi.HostError(err))
		case err != nil:
			return nil, httpapi.HostError(err)
		}
		return key, nil
	}
}

// trusted reports whether answers from an address come from its owner unchanged.
func trusted(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Hostname() == "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && loopback
}

// ClientID returns the client ID of the integration.
func (v *Verifier) ClientID() string { return v.rules.Audience }

// Verify returns the claims of a valid token. Hosts need it for the endpoints of the Partner API
// that this package does not serve.
//
// Errors: [ErrToken]. [ErrKeysUnavailable], errors of the context and those of
// VerifierOptions.Key say nothing about the token.
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	t, err := v.rules.Verify(ctx, token, v.key)
	if err != nil {
		return nil, err
	}
	c, err := httpapi.ReadNode(t.Claims, readClaims)
	if err != nil {
		return nil, v.rules.Reject("claims")
	}
	return c, nil
}
