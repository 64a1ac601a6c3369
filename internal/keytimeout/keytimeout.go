// Package keytimeout limits how long an operation waits for a key service.
//
// Some operations can finish without a key, for example to drop a secret or to end an installation.
// They try to get the key first, because the result is better with the key. If they do not get it,
// they need some of the caller's time to finish without it.
package keytimeout

import (
	"context"
	"fmt"
	"time"

	"github.com/go-installation/installation/crypto"
)

// ErrSkipped means that an operation stopped waiting for a key, or did not wait at all. It matches
// [crypto.ErrKeyUnavailable]. It does not mean that the key is lost, so do not destroy anything
// because of it.
var ErrSkipped = fmt.Errorf("%w: not waited for", crypto.ErrKeyUnavailable)

// Half returns a KeyWrapper that gives each Wrap and Unwrap half of the time until the deadline of
// the context. After that time the call fails with [ErrSkipped].
func Half(keys crypto.KeyWrapper) crypto.KeyWrapper { return half{keys} }

// Skip returns a KeyWrapper whose Unwrap always fails at once with [ErrSkipped]. Its Wrap works as
// with [Half].
func Skip(keys crypto.KeyWrapper) crypto.KeyWrapper { return skip{half{keys}} }

type half struct{ crypto.KeyWrapper }

func (k half) Unwrap(
	ctx context.Context, w crypto.Wrapped, b crypto.Binding,
) (*crypto.DataKey, error) {
	return halve(ctx, func(ctx context.Context) (*crypto.DataKey, error) {
		return k.KeyWrapper.Unwrap(ctx, w, b)
	})
}

func (k half) Wrap(
	ctx context.Context, key *crypto.DataKey, b crypto.Binding,
) (crypto.Wrapped, error) {
	return halve(ctx, func(ctx context.Context) (crypto.Wrapped, error) {
		return k.KeyWrapper.Wrap(ctx, key, b)
	})
}

type skip struct{ half }

func (skip) Unwrap(context.Context, crypto.Wrapped, crypto.Binding) (*crypto.DataKey, error) {
	return nil, ErrSkipped
}

// halve calls do with a context that ends after half of the time that is left until the deadline of
// ctx. It returns ErrSkipped if do failed because that context ended and ctx did not.
func halve[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	limited, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		limited, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
	}
	defer cancel()
	result, err := do(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = ErrSkipped
	}
	return result, err
}
