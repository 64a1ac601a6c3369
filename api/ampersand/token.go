package ampersand

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Bounds of tokens.
const (
	maxLife    = 10 * time.Minute
	leeway     = 10 * time.Second // by which clocks may differ
	minKeyBits = 2048
)

// ErrToken says that a token is not good, or not any more. The text says in what respect and quotes nothing.
var ErrToken = errors.New("ampersand: token not valid")

func badToken(respect string) error { return fmt.Errorf("%w: %s", ErrToken, respect) }

// verify returns who a token speaks for: a consumer of a group, in the project whose key signed it. The error is [ErrToken], or one of the host.
func (h *Handler) verify(ctx context.Context, token string) (caller, error) {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(signed.Signatures) != 1 {
		return caller{}, badToken("it is no compact JWT signed with RS256") // the library's text quotes the header
	}
	kid := signed.Signatures[0].Protected.KeyID
	if kid == "" || len(kid) > validate.MaxID {
		return caller{}, badToken("it names no key")
	}
	key, err := h.host.Identities.PublicKey(ctx, kid)
	switch {
	case errors.Is(err, ErrNotFound):
		return caller{}, badToken("there is no such key")
	case err != nil:
		return caller{}, httpapi.HostFailure(err)
	case !strong(key.Key):
		return caller{}, badToken("the key is too short")
	}
	payload, err := signed.Verify(key.Key)
	if err != nil {
		return caller{}, badToken("signature")
	}
	claims, err := jsontree.Parse(payload, jsontree.Limits{})
	if err != nil {
		return caller{}, badToken("claims")
	}
	var l validate.List
	in := httpapi.ReadObject(claims, "", &l)
	c := caller{project: key.Project, subject: in.String("sub"), group: in.String("groupRef"), consumer: in.String("consumerRef")}
	l.ID("sub", c.subject)
	l.ID("groupRef", c.group)
	checkConsumer(&l, "consumerRef", c.consumer)
	if l.Err() != nil {
		return caller{}, badToken("claims")
	}
	return c, checkTimes(claims, h.opts.Now())
}

func strong(key *rsa.PublicKey) bool {
	return key != nil && key.N != nil && key.N.BitLen() >= minKeyBits
}

// checkTimes compares iat and exp, which have to be there, and nbf with the clock.
func checkTimes(claims *jsontree.Node, now time.Time) error {
	issued, ok := numericDate(claims.Child("iat"))
	expires, also := numericDate(claims.Child("exp"))
	if !ok || !also {
		return badToken("it has no iat or no exp")
	}
	life := expires.Sub(issued)
	switch {
	case life <= 0 || life > maxLife:
		return badToken("it lives too long")
	case now.After(expires.Add(leeway)):
		return badToken("it has expired")
	case issued.After(now.Add(leeway)):
		return badToken("it is of the future")
	}
	if nbf := claims.Child("nbf"); nbf != nil {
		from, ok := numericDate(nbf)
		if !ok || from.After(now.Add(leeway)) {
			return badToken("it is not good yet")
		}
	}
	return nil
}

// numericDate reads seconds since 1970, which may have a fraction.
func numericDate(n *jsontree.Node) (time.Time, bool) {
	if n == nil || n.Kind() != jsontree.Number {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseFloat(n.Text(), 64)
	if err != nil || seconds < 0 || seconds > 1e11 {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(seconds * 1e6)), true
}
