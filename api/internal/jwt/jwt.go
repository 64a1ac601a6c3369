// Package jwt verifies signed tokens for the handlers. It uses go-jose for the signature and
// checks everything else itself.
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
	maxSeconds = 1e11 // of a time; a float64 is exact to the microsecond up to here
)

// Algorithms of signatures.
const (
	RS256 = jose.RS256
	HS256 = jose.HS256
)

// Verifier has the rules for the tokens of one platform. It takes compact tokens that are signed
// with one algorithm. A zero rule is not checked. It is safe for concurrent use.
type Verifier struct {
	Algorithm jose.SignatureAlgorithm
	Issuer    string        // the iss claim
	Audience  string        // the aud claim, or one of them
	Leeway    time.Duration // tolerance for clocks that differ
	// MaxLifetime limits the time between iat and exp. With it, iat is required and must not be
	// in the future.
	MaxLifetime time.Duration
	Now         func() time.Time
	// Invalid is the error that a bad token matches. Its text is completed with a reason that
	// quotes nothing of the token.
	Invalid error
}

// Token is what a verified token says.
type Token struct {
	Claims  *jsontree.Node // an object
	Expires time.Time
}

// KeyFunc returns the key with an ID: a *rsa.PublicKey or the []byte of HS256. It returns nil
// without an error if there is no such key. An error means that it could not find out.
type KeyFunc func(ctx context.Context, id string) (any, error)

// Verify checks the signature, the times, the issuer and the audience of a token. The error
// matches v.Invalid if the token is bad, and is the error of the key function otherwise.
func (v *Verifier) Verify(ctx context.Context, text string, find KeyFunc) (*Token, error) {
	if len(text) > httpapi.MaxToken {
		return nil, v.Reject("it is too long")
	}
	// The errors of the library quote the token, so they are not wrapped.
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{v.Algorithm})
	if err != nil {
		return nil, v.Reject(fmt.Sprintf("it is no compact JWT signed with %s", v.Algorithm))
	}
	header := signed.Signatures[0].Protected
	if _, critical := header.ExtraHeaders["crit"]; critical {
		return nil, v.Reject("it needs an extension")
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
		return nil, v.Reject("signature")
	}
	claims, err := jsontree.Parse(payload, jsontree.Limits{})
	if err != nil || claims.Kind() != jsontree.Object {
		return nil, v.Reject("claims")
	}
	expires, reason := v.check(claims)
	if reason != "" {
		return nil, v.Reject(reason)
	}
	return &Token{Claims: claims, Expires: expires}, nil
}

// Reject returns the error for a bad token. The reason must not quote the token.
func (v *Verifier) Reject(reason string) error { return fmt.Errorf("%w: %s", v.Invalid, reason) }

// usable reports whether a key is of the kind for an algorithm, and strong enough.
func usable(key any, algorithm jose.SignatureAlgorithm) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return algorithm == RS256 && key != nil && key.N != nil && key.N.BitLen() >= minKeyBits
	case []byte:
		return algorithm == HS256 && len(key) > 0
	}
	return false
}

// check compares the claims with the rules. It returns the reason to reject them, or "".
func (v *Verifier) check(claims *jsontree.Node) (expires time.Time, reason string) {
	if v.Issuer != "" && !claims.Child("iss").IsString(v.Issuer) ||
		v.Audience != "" && !contains(claims.Child("aud"), v.Audience) {
		return expires, "issuer or audience"
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

// contains reports whether an aud claim, which is a string or a list of them, has an audience.
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

// numericDate reads seconds since 1970, which may have a fraction.
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
