// Package keytimeout limits how long an operation waits for a key service.
//
// Some operations can finish without a key: they give up a secret, or end an installation. They ask
// for the key first, because the result is better with it, and need time left to go on without it.
package keytimeout

import (
	"context"
	"fmt"
	"time"

	"github.com/go-installation/installation/crypto"
)

// ErrSkipped means that the caller did not wait for a key any longer, or at all. It matches
// [crypto.ErrKeyUnavailable] and says nothing about the key itself, so nothing may be destroyed
// because of it.
var ErrSkipped = fmt.Errorf("%w: not waited for", crypto.ErrKeyUnavailable)

// Half returns keys that are waited for during half of the time that is left to the context.
func Half(keys crypto.KeyWrapper) crypto.KeyWrapper { return half{keys} }

// Skip returns keys that never unwrap: every Unwrap fails at once with [ErrSkipped].
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

// halve calls do with a context that ends after half of the time that is left. It returns
// ErrSkipped if that context ended and the caller's did not.
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
