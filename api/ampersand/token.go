package ampersand

import (
	"context"
	"errors"
	"time"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/api/internal/jwt"
)

// Limits of tokens.
const (
	maxLifetime = 10 * time.Minute
	leeway      = 10 * time.Second // for clocks that differ
)

// ErrToken means that a token is not valid, or not any more. The text gives the reason and
// quotes nothing of the token.
var ErrToken = errors.New("ampersand: token not valid")

// verify returns the consumer that a token speaks for, in the project whose key signed it. The
// error matches [ErrToken] or is a failure of the host.
func (h *Handler) verify(ctx context.Context, token string) (caller, error) {
	rules := jwt.Verifier{
		Algorithm: jwt.RS256, Leeway: leeway, MaxLifetime: maxLifetime,
		Now: h.opts.Now, Invalid: ErrToken,
	}
	var project string
	t, err := rules.Verify(ctx, token, func(ctx context.Context, id string) (any, error) {
		key, err := h.host.Identities.PublicKey(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil, nil
		case err != nil:
			return nil, httpapi.HostFailure(err)
		}
		project = key.Project
		return key.Key, nil
	})
	if err != nil {
		return caller{}, err
	}
	who, err := httpapi.ReadNode(t.Claims, readClaims)
	if err != nil {
		return caller{}, rules.Reject("claims")
	}
	who.project = project
	return who, nil
}

func readClaims(in httpapi.Object) caller {
	c := caller{
		subject: in.String("sub"), group: in.String("groupRef"), consumer: in.String("consumerRef"),
	}
	l := in.Violations()
	l.ID("sub", c.subject)
	l.ID("groupRef", c.group)
	checkConsumer(l, "consumerRef", c.consumer)
	return c
}
