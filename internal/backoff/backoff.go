// Package backoff pauses between retries.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	first = 200 * time.Microsecond
	limit = 100 * time.Millisecond
)

// Backoff makes each pause between retries longer than the one before. The first pause is 200
// microseconds. Each further pause is twice as long, up to 100 milliseconds. Jitter shortens each
// pause by up to half. The zero value is ready to use. A Backoff is for one goroutine.
type Backoff struct{ pauses int }

// Wait pauses. It returns the error of ctx if ctx ends first.
func (b *Backoff) Wait(ctx context.Context) error {
	pause := limit
	if b.pauses < 10 { // 2^10 * first is beyond the limit
		pause = min(first<<b.pauses, limit)
	}
	b.pauses++
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause - rand.N(pause/2)):
		return nil
	}
}

// Pauses returns how often Wait was called since the start or the last Reset.
func (b *Backoff) Pauses() int { return b.pauses }

// Reset starts again with the shortest pause.
func (b *Backoff) Reset() { b.pauses = 0 }
