// Package backoff pauses between retries.
package backoff

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"
)

// Backoff makes each pause between retries longer than the one before. Each pause is twice as long
// as the last, up to Longest. Jitter shortens each pause by up to half. The zero value is ready to
// use. A Backoff is for one goroutine.
type Backoff struct {
	First   time.Duration // pause; 0 = 200 microseconds
	Longest time.Duration // pause, at most 1024 times First; 0 = 100 milliseconds

	pauses int
}

// Wait pauses. It returns the error of ctx if ctx ends first.
func (b *Backoff) Wait(ctx context.Context) error {
	pause := cmp.Or(b.First, 200*time.Microsecond) << min(b.pauses, 10)
	pause = min(pause, cmp.Or(b.Longest, 100*time.Millisecond))
	b.pauses++
	return Sleep(ctx, pause-rand.N(pause/2))
}

// Pauses returns how often Wait was called since the start or the last Reset.
func (b *Backoff) Pauses() int { return b.pauses }

// Reset starts again with the shortest pause.
func (b *Backoff) Reset() { b.pauses = 0 }

// Sleep pauses for d. It returns the error of ctx if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
