package vercel

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
)

// DefaultIssuer is who signs the tokens of the marketplace.
const DefaultIssuer = "https://marketplace.vercel.com"

// Bounds of tokens.
const (
	algorithm = "RS256"
	leeway    = 10 * time.Second // by which clocks may differ
)

var (
	// ErrToken says that a token is none of Vercel's for this integration, or not any more. The text says in what respect and quotes nothing.
	ErrToken = errors.New("vercel: token not valid")
	// ErrKeysUnavailable says that the key set could not be read, so that the token could not be told from another.
	ErrKeysUnavailable = errors.New("vercel: key set unavailable")
)

// VerifierOptions configure a [Verifier]. The zero value of each field is its default.
type VerifierOptions struct {
	// Issuer is the iss claim of all tokens. Default: DefaultIssuer.
	Issuer string
	// KeySetURL is where the signing keys are: https, or http for loopback. Default: Issuer + "/.well-known/jwks".
	KeySetURL string
	// KeySet replaces the keys at KeySetURL, for tests and development. An error of it is a bad signature unless it matches ErrKeysUnavailable or
	// is one of the context.
	KeySet oidc.KeySet
	// Client fetches the key set. Default: one with a timeout of 10 seconds. Its redirects are not followed.
	Client *http.Client
	// Now is the clock that tokens expire by. Default: time.Now.
	Now func() time.Time
}

// Verifier checks the OpenID Connect tokens that Vercel sends: signed with RS256 by a key that the key set has under the id in the token, issued
// by the issuer, for the client id of the integration, and neither expired nor of the future, by more than 10 seconds. It is safe for concurrent use.
type Verifier struct {
	clientID string
	issuer   string
	keys     oidc.KeySet
	now      func() time.Time
}

// NewVerifier returns a verifier for the integration with a client id, oac_... It reads no keys before the first token; from then on it keeps
// them for an hour and reads them anew when a token names another, at most every 30 seconds. While they cannot be read anew, those it has are good
// until a day after they were read.
func NewVerifier(clientID string, opts *VerifierOptions) (*Verifier, error) {
	if clientID == "" {
		return nil, errors.New("vercel: NewVerifier: no client id")
	}
	var o VerifierOptions
	if opts != nil {
		o = *opts
	}
	v := &Verifier{clientID: clientID, issuer: cmp.Or(o.Issuer, DefaultIssuer), keys: o.KeySet, now: o.Now}
	if v.now == nil {
		v.now = time.Now
	}
	if v.keys == nil {
		address := cmp.Or(o.KeySetURL, v.issuer+"/.well-known/jwks")
		if !trusted(address) {
			return nil, errors.New("vercel: NewVerifier: the key set must be at an https URL without user information, or http on loopback")
		}
		v.keys = newRemoteKeys(address, o.Client, v.now)
	}
	return v, nil
}

// trusted reports whether what comes from an address is what its owner sent.
func trusted(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Hostname() == "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && loopback
}

// ClientID returns the client id of the integration.
func (v *Verifier) ClientID() string { return v.clientID }

// Verify returns the claims of a good token. Hosts need it for the endpoints of the Partner API that this package does not serve.
//
// Errors: [ErrToken]; [ErrKeysUnavailable] and those of the context, which say nothing about the token.
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	if !namesKey(token) {
		return nil, refused("it is no compact JWT with a key id")
	}
	keys := &witness{KeySet: v.keys}
	config := &oidc.Config{ClientID: v.clientID, SupportedSigningAlgs: []string{algorithm}, SkipExpiryCheck: true} // times are compared below
	id, err := oidc.NewVerifier(v.issuer, keys, config).Verify(ctx, token)
	if err != nil {
		if keys.trouble != nil {
			return nil, keys.trouble
		}
		return nil, refused("signature, issuer or audience") // the library's text quotes the token's claims
	}
	var payload json.RawMessage
	if err := id.Claims(&payload); err != nil {
		return nil, refused("claims")
	}
	claims, err := jsontree.Parse(payload, jsontree.Limits{})
	if err != nil {
		return nil, refused("claims")
	}
	if err := v.checkTimes(id.Expiry, claims); err != nil {
		return nil, err
	}
	c, ok := readClaims(claims)
	if !ok {
		return nil, refused("claims")
	}
	return c, nil
}

func refused(respect string) error { return fmt.Errorf("%w: %s", ErrToken, respect) }

// checkTimes compares exp, which has to be there, and nbf with the clock.
func (v *Verifier) checkTimes(expiry time.Time, claims *jsontree.Node) error {
	now := v.now()
	if expiry.IsZero() || !now.Before(expiry.Add(leeway)) {
		return refused("expired")
	}
	if nbf := claims.Child("nbf"); nbf != nil {
		seconds, err := strconv.ParseFloat(nbf.Text(), 64)
		if err != nil || seconds > float64(now.Add(leeway).Unix()) {
			return refused("of the future")
		}
	}
	return nil
}

// namesKey reports whether a token is a compact JWT whose header names the key it was signed with. Keys are found by id, never by trial; and
// the library would also read tokens in the form of JSON.
func namesKey(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return false
	}
	tree, err := jsontree.Parse(header, jsontree.Limits{})
	if err != nil || tree.Kind() != jsontree.Object {
		return false
	}
	kid := tree.Child("kid")
	return kid != nil && kid.Kind() == jsontree.String && kid.Text() != ""
}

// witness remembers of a key set that it could not be read, since the library's error does not say.
type witness struct {
	oidc.KeySet
	trouble error
}

// VerifySignature implements [oidc.KeySet].
func (w *witness) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := w.KeySet.VerifySignature(ctx, jwt)
	if known, ok := errors.AsType[*keysError](err); ok {
		w.trouble = fmt.Errorf("verify token: %w", known)
		return payload, err
	}
	for _, trouble := range []error{ErrKeysUnavailable, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, trouble) { // what stands around it may be anything, such as a URL
			w.trouble = fmt.Errorf("verify token: %w: %w", trouble, httpapi.HostError(err))
		}
	}
	return payload, err
}
