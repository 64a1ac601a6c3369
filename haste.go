package installation

import (
	"context"
	"fmt"
	"time"

	"github.com/go-installation/installation/crypto"
)

// inHaste returns the service for a mutation that can do without a key: one that leaves enough of the caller's time to do so. With never it
// does not ask for keys at all. Only the host and the platform can do without; what others may is in what is sealed.
func (s *Service) inHaste(never bool) *Service {
	if s.actor.Kind != Host && s.actor.Kind != Platform {
		return s
	}
	c := *s
	c.keys = hasty{s.keys, never}
	return &c
}

// hasty are keys that are waited for half of the time that is left, or not at all.
type hasty struct {
	crypto.KeyWrapper
	never bool
}

// errLate says that a key was not waited for any longer. It is no word of the key, so nothing is given up for it.
var errLate = fmt.Errorf("%w: not waited for", ErrKeyUnavailable)

func (h hasty) Unwrap(ctx context.Context, w crypto.Wrapped, b crypto.Binding) (*crypto.DataKey, error) {
	if h.never {
		return nil, errLate
	}
	half, cancel := halfOf(ctx)
	defer cancel()
	k, err := h.KeyWrapper.Unwrap(half, w, b)
	return k, late(ctx, half, err)
}

func (h hasty) Wrap(ctx context.Context, k *crypto.DataKey, b crypto.Binding) (crypto.Wrapped, error) {
	half, cancel := halfOf(ctx)
	defer cancel()
	w, err := h.KeyWrapper.Wrap(half, k, b)
	return w, late(ctx, half, err)
}

// halfOf returns a context that ends after half of the time that is left.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// late is err, or errLate if the time that was given ended before that of the caller.
func late(ctx, half context.Context, err error) error {
	if err != nil && half.Err() != nil && ctx.Err() == nil {
		return errLate
	}
	return err
}
