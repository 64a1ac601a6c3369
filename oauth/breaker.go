package oauth

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/lru"
)

// BreakerOptions are the options of [NewBreaker]. A zero field has the default that is named there.
type BreakerOptions struct {
	Threshold int           // failures in a row that pause a provider; 0 = 10
	Pause     time.Duration // the first pause; each one in a row is twice as long; 0 = 10 seconds
	MaxPause  time.Duration // the longest pause; 0 = 5 minutes
	Rate      int           // calls in a second when a recovery begins; 0 = 1
	Double    time.Duration // in which a recovering provider gets twice the rate; 0 = 10 seconds

	Now func() time.Time // the clock; nil = time.Now
}

// Breaker stops calls to a provider that is down, so that its outage is not the failure of each
// connection. It counts for each Connection.Provider, in memory, for one process. It starts no
// goroutine, and is safe for concurrent use.
//
// Threshold failures in a row pause a provider. A failure is a passing or an unknown answer. Tokens
// and permanent answers end the row, since the provider works. A canceled call says nothing.
//
// After the pause, or after Retry-After of the last answer if that is longer, one call goes through
// as a probe. If it fails, the next pause begins. If it does not, the provider recovers: Rate calls
// in a second go through at first. The rate doubles in each Double in which it is used up. There is
// no limit any more at 1,000 times Rate, or when all calls went through for MaxPause.
//
// A call that does not go through fails at once with a passing [*installation.RefreshError]. Its
// Reason is provider_paused. Its After differs from call to call, so that those who follow it do
// not come back together.
type Breaker struct {
	opts BreakerOptions

	mu       sync.Mutex
	circuits *lru.Cache[string, *circuit]
}

// maxCircuits limits the memory of a Breaker, in bytes. That is room for 1,000 providers. Those
// beyond, used least recently, are forgotten.
const maxCircuits = 256 << 10

// circuitWeight is about what a circuit needs beside the name of its provider.
const circuitWeight = 240

// NewBreaker returns a Breaker for all providers of a process. opts can be nil.
func NewBreaker(opts *BreakerOptions) *Breaker {
	o := *cmp.Or(opts, &BreakerOptions{})
	o.Threshold = max(cmp.Or(o.Threshold, 10), 1)
	o.Pause = max(cmp.Or(o.Pause, 10*time.Second), time.Millisecond)
	o.MaxPause = max(cmp.Or(o.MaxPause, 5*time.Minute), o.Pause)
	o.Rate = max(cmp.Or(o.Rate, 1), 1)
	o.Double = max(cmp.Or(o.Double, 10*time.Second), time.Millisecond)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Breaker{opts: o, circuits: lru.New[string, *circuit](maxCircuits)}
}

// Wrap returns a function that calls fn while the provider of the installation is not paused.
func (b *Breaker) Wrap(fn installation.RefreshFunc) installation.RefreshFunc {
	return func(ctx context.Context, inst *installation.Opened) (installation.Tokens, error) {
		provider := ""
		if inst.Connection != nil {
			provider = inst.Connection.Provider
		}
		c, turn, after := b.admit(provider)
		if after > 0 {
			e := failed(installation.AnswerPassing, "provider_paused", nil)
			e.After = after
			return installation.Tokens{}, e
		}
		result, retryAfter := nothing, time.Duration(0)
		defer func() { b.settle(c, turn, result, retryAfter) }() // also if fn panics
		tokens, err := fn(ctx, inst)
		result, retryAfter = resultOf(ctx, err)
		return tokens, err
	}
}

// Paused returns how long a provider is still paused. 0 = it is not, but may recover. It changes
// nothing.
func (b *Breaker) Paused(provider string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.circuits.Get(provider)
	if !ok || c.phase != open {
		return 0
	}
	return max(0, c.until.Sub(b.opts.Now()))
}

// result is what a call says about a provider.
type result int

const (
	nothing result = iota
	works
	fails
)

func resultOf(ctx context.Context, err error) (result, time.Duration) {
	e, ok := errors.AsType[*installation.RefreshError](err)
	switch {
	case err == nil:
		return works, 0
	case ok && e.Reason == "no_refresh_token", ok && e.Reason == "not_opened",
		errors.Is(err, context.Canceled), errors.Is(ctx.Err(), context.Canceled):
		return nothing, 0
	case ok && e.Answer == installation.AnswerPermanent:
		return works, 0
	case ok:
		return fails, min(e.After, MaxRetryAfter)
	}
	return fails, 0
}

// admit returns how long a call has to wait. 0 = it goes through, and settle must follow.
func (b *Breaker) admit(provider string) (*circuit, int64, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.circuits.Get(provider)
	if !ok {
		c = &circuit{}
		b.circuits.Put(provider, c, len(provider)+circuitWeight)
	}
	after := c.admit(b.opts.Now(), &b.opts)
	return c, c.turn, after
}

func (b *Breaker) settle(c *circuit, turn int64, r result, retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if turn == c.turn { // else the call began before the provider was paused
		c.settle(r, retryAfter, b.opts.Now(), &b.opts)
	}
}

// shorten takes up to a quarter off a pause, so that processes do not probe together.
func shorten(d time.Duration) time.Duration { return d - rand.N(d/4+1) }
