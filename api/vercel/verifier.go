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
	// ErrToken means that a token is not valid for this integration, or has expired. The text
	// gives the reason and quotes nothing of the token.
	ErrToken = errors.New("vercel: token not valid")
	// ErrKeysUnavailable means that the key set could not be read. The token can still be valid.
	ErrKeysUnavailable = errors.New("vercel: key set unavailable")
)

// VerifierOptions configure a [Verifier]. A zero field has its default.
type VerifierOptions struct {
	// Issuer is the iss claim that all tokens need. Default: DefaultIssuer.
	Issuer string
	// KeySetURL is the URL of the key set, which has the public keys that verify tokens. The scheme
	// is https, or http on loopback. Default: Issuer + "/.well-known/jwks".
	KeySetURL string
	// Client fetches the key set. The verifier follows no redirects and waits at most 10 seconds.
	// Default: a client with [http.DefaultTransport].
	Client *http.Client
	// Key replaces the key set at KeySetURL, for tests and development. Key returns the key with
	// the given ID. For an unknown ID, it returns nil and no error. It returns an error if it
	// could not find out whether the key exists.
	Key func(ctx context.Context, id string) (*rsa.PublicKey, error)
	// Now is the clock for the times of tokens. Default: time.Now.
	Now func() time.Time
}

// Verifier checks the OpenID Connect tokens that Vercel sends. A valid token names a key of the key
// set and is signed by the key with RS256. The iss claim is the issuer, and the aud claim has the
// client ID of the integration. The current time is before exp and not before nbf, with a tolerance
// of 10 seconds for clocks that differ. A Verifier is safe for concurrent use.
type Verifier struct {
	rules jwt.Verifier
	key   jwt.KeyFunc
}

// NewVerifier returns a verifier for the integration with a client ID such as oac_... The verifier
// reads the key set when it gets the first token, and caches the keys for an hour. If a token names
// an unknown key, the verifier reads the key set again, at most every 30 seconds. If the key set
// cannot be read, it uses the cached keys for up to a day after they were read.
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

// hostKey returns VerifierOptions.Key as a key function for the rules. It hides the text of errors,
// which may quote secrets of the host.
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

// trusted reports whether nobody on the way can forge an answer from a URL.
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

// Verify returns the claims of a valid token. The [Handler] calls it. A host also needs it for the
// endpoints of the Partner API that this package does not serve.
//
// The error matches [ErrToken] if the token is not valid. After [ErrKeysUnavailable], or an error
// of the context or of VerifierOptions.Key, it is unknown whether the token is valid.
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	t, err := v.rules.Verify(ctx, token, v.key)
	if err != nil {
		return nil, err
	}
	c, err := httpapi.ReadNode(t.Claims, readClaims)
	if err != nil {
		return nil, v.rules.Reject("its claims are not valid")
	}
	return c, nil
}
