// Package backoff paces retries.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// The pauses of a Backoff, before jitter.
const (
	shortest = 200 * time.Microsecond
	longest  = 100 * time.Millisecond
)

// Backoff pauses between the attempts of one operation: each pause is up to twice as long as the
// one before, with jitter. The zero value is ready to use.
type Backoff struct{ attempts int }

// Wait pauses before the next attempt. It returns early, with the error of the context, if that
// ends.
func (b *Backoff) Wait(ctx context.Context) error {
	pause := min(shortest<<min(b.attempts, 20), longest)
	b.attempts++
	timer := time.NewTimer(pause/2 + rand.N(pause/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
