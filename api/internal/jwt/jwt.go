// Package jwt verifies the signed JSON Web Tokens (JWT) that clients send to the handlers in api.
// It uses go-jose to check signatures, and checks everything else itself.
package jwt

import (
	"context"
	"crypto/rsa"
	"fmt"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Limits of tokens and keys.
const (
	minKeyBits = 2048 // of an RSA key
	maxSeconds = 1e11 // of a time since 1970; up to this, a float64 is exact to the microsecond
)

// Supported signature algorithms.
const (
	RS256 = jose.RS256
	HS256 = jose.HS256
)

// Verifier verifies the tokens of one platform. It accepts tokens in the compact form that are
// signed with Algorithm. Algorithm, Now and Invalid are required. Issuer, Audience and MaxLifetime
// are not checked if they are zero. A Verifier is safe for concurrent use.
type Verifier struct {
	Algorithm jose.SignatureAlgorithm
	Issuer    string        // the expected iss claim
	Audience  string        // the expected aud claim, or one entry of it
	Leeway    time.Duration // tolerance for clocks that differ
	// MaxLifetime limits the time between the iat and exp claims. If MaxLifetime is set, a token
	// without iat, or with an iat in the future, is rejected.
	MaxLifetime time.Duration
	Now         func() time.Time // the clock
	// Invalid is the error that [Verifier.Verify] wraps for a bad token. The wrapping error adds a
	// reason, which quotes nothing of the token.
	Invalid error
}

// Token is the content of a verified token.
type Token struct {
	Claims  *jsontree.Node // all claims, as a JSON object
	Expires time.Time      // the exp claim
}

// KeyFunc returns the key with an ID: a *rsa.PublicKey for RS256, or a []byte for HS256. If no key
// has the ID, it returns nil without an error. An error means that the lookup failed.
type KeyFunc func(ctx context.Context, id string) (any, error)

// Verify checks the signature, the times, the issuer and the audience of a token, and returns its
// content. It calls find for the key. The error matches v.Invalid if the token is bad. If find
// fails, Verify returns the error of find.
func (v *Verifier) Verify(ctx context.Context, text string, find KeyFunc) (*Token, error) {
	if len(text) > httpapi.MaxToken {
		return nil, v.Reject("it is too long")
	}
	// The errors of go-jose quote the token, so they are not wrapped.
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{v.Algorithm})
	if err != nil {
		return nil, v.Reject(fmt.Sprintf("it is not a compact JWT signed with %s", v.Algorithm))
	}
	header := signed.Signatures[0].Protected
	if _, critical := header.ExtraHeaders["crit"]; critical {
		return nil, v.Reject("it requires a JWT extension (crit)")
	}
	if header.KeyID == "" && v.Algorithm == RS256 || len(header.KeyID) > validate.MaxID {
		return nil, v.Reject("it names no key")
	}
	key, err := find(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	if !usable(key, v.Algorithm) {
		return nil, v.Reject("there is no such key, or it is too short")
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, v.Reject("its signature is wrong")
	}
	claims, err := jsontree.Parse(payload, jsontree.Limits{})
	if err != nil || claims.Kind() != jsontree.Object {
		return nil, v.Reject("its claims are not a valid JSON object")
	}
	expires, reason := v.check(claims)
	if reason != "" {
		return nil, v.Reject(reason)
	}
	return &Token{Claims: claims, Expires: expires}, nil
}

// Reject returns the error for a bad token. The reason must not quote the token.
func (v *Verifier) Reject(reason string) error { return fmt.Errorf("%w: %s", v.Invalid, reason) }

// usable reports whether a key has the type that an algorithm needs, and is long enough.
func usable(key any, algorithm jose.SignatureAlgorithm) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return algorithm == RS256 && key != nil && key.N != nil && key.N.BitLen() >= minKeyBits
	case []byte:
		return algorithm == HS256 && len(key) > 0
	}
	return false
}

// check compares the claims with the rules of v. It returns the expiry of the token, and the
// reason to reject the token, or "".
func (v *Verifier) check(claims *jsontree.Node) (expires time.Time, reason string) {
	if v.Issuer != "" && !claims.Child("iss").IsString(v.Issuer) ||
		v.Audience != "" && !contains(claims.Child("aud"), v.Audience) {
		return expires, "its issuer or audience is wrong"
	}
	now := v.Now()
	expires, ok := numericDate(claims.Child("exp"))
	switch {
	case !ok:
		return expires, "it has no expiry"
	case !now.Before(expires.Add(v.Leeway)):
		return expires, "it has expired"
	}
	if nbf := claims.Child("nbf"); nbf != nil {
		from, ok := numericDate(nbf)
		if !ok || from.After(now.Add(v.Leeway)) {
			return expires, "it is not valid yet"
		}
	}
	if v.MaxLifetime == 0 {
		return expires, ""
	}
	issued, ok := numericDate(claims.Child("iat"))
	lifetime := expires.Sub(issued)
	switch {
	case !ok:
		return expires, "it has no time of issue"
	case lifetime <= 0 || lifetime > v.MaxLifetime:
		return expires, "it is valid for too long"
	case issued.After(now.Add(v.Leeway)):
		return expires, "it was issued in the future"
	}
	return expires, ""
}

// contains reports whether an aud claim has an audience. The claim is a string or a list of
// strings.
func contains(aud *jsontree.Node, audience string) bool {
	if aud != nil && aud.Kind() == jsontree.Array {
		for _, one := range aud.Children() {
			if one.IsString(audience) {
				return true
			}
		}
	}
	return aud.IsString(audience)
}

// numericDate returns the time in a claim. The claim is a number of seconds since 1970, with or
// without a fraction.
func numericDate(n *jsontree.Node) (time.Time, bool) {
	if n == nil || n.Kind() != jsontree.Number {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseFloat(n.Text(), 64)
	if err != nil || seconds < 0 || seconds > maxSeconds {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(seconds * 1e6)), true
}
