package oauth

import (
	"math"
	"time"
)

// phase is a state of a circuit.
type phase int

const (
	closed     phase = iota // no limit
	open                    // paused until a time
	probing                 // one call is under way
	recovering              // a rate that grows
)

// circuit is what a Breaker knows about one provider.
type circuit struct {
	phase    phase
	turn     int64         // grows when calls under way no longer count
	failures int           // in a row
	pause    time.Duration // the last one; 0 = none since the circuit was closed
	until    time.Time     // the end of the pause, or of the longest probe
	recovery
}

// recovery says how many calls go through. The rate grows with the calls that went through, not
// with time: a provider has to show that it can answer more of them.
type recovery struct {
	used     float64   // calls that went through
	promised float64   // position of the last call that was told when to come back
	ready    float64   // calls that can go through now
	counted  time.Time // when ready was counted
	refused  time.Time // the last call that did not go through
}

// admit returns 0 if a call can go through, else how long it has to wait.
func (c *circuit) admit(now time.Time, o *BreakerOptions) time.Duration {
	switch c.phase {
	case closed:
		return 0
	case open, probing:
		if !now.Before(c.until) {
			c.phase, c.until = probing, now.Add(o.MaxPause)
			c.turn++
			return 0
		}
		if c.phase == open {
			return c.until.Sub(now) + c.promise(o)
		}
		return c.promise(o)
	}
	if c.complete(now, o) {
		*c = circuit{turn: c.turn, failures: c.failures}
		return 0
	}
	if c.take(now, o) {
		return 0
	}
	return c.promise(o)
}

// settle counts the result of a call.
func (c *circuit) settle(r result, retryAfter time.Duration, now time.Time, o *BreakerOptions) {
	switch {
	case r == fails:
		if c.failures++; c.phase == probing || c.failures >= o.Threshold {
			c.stop(retryAfter, now, o)
		}
	case c.phase == probing && r == works:
		*c = circuit{phase: recovering, turn: c.turn + 1, pause: c.pause}
		c.counted, c.refused = now, now
	case c.phase == probing:
		c.phase, c.until = open, now // the next call is the probe
	case r == works:
		c.failures = 0
	}
}

// stop begins a pause.
func (c *circuit) stop(retryAfter time.Duration, now time.Time, o *BreakerOptions) {
	pause := o.Pause
	if c.pause > 0 {
		pause = min(2*c.pause, o.MaxPause)
	}
	*c = circuit{
		phase: open, turn: c.turn + 1, pause: pause,
		until: now.Add(max(shorten(pause), retryAfter)),
	}
}

// growth is by how much one call raises the rate, as a part of the first rate. With it, the rate
// doubles in each o.Double in which all calls that can go through do.
func growth(o *BreakerOptions) float64 {
	return math.Ln2 / (float64(o.Rate) * o.Double.Seconds())
}

// Limits of a recovery.
const (
	together = 3 * time.Second // calls of this time can come at once
	fullRate = 1000            // times the first rate: no limit is needed any more
)

// complete reports whether no limit is needed any more: the rate is high, or low enough for all.
func (r *recovery) complete(now time.Time, o *BreakerOptions) bool {
	return r.used*growth(o) >= fullRate || now.Sub(r.refused) >= o.MaxPause
}

// take lets a call through if the rate allows it.
func (r *recovery) take(now time.Time, o *BreakerOptions) bool {
	rate := float64(o.Rate) * (1 + r.used*growth(o))
	r.ready += rate * max(0, now.Sub(r.counted)).Seconds()
	r.ready = min(r.ready, max(1, rate*together.Seconds()))
	r.counted = now
	if r.ready < 1 {
		r.refused = now
		return false
	}
	r.ready--
	r.used++
	return true
}

// promise returns how long the next call has to wait from now or from the end of the pause, after
// the calls that were told before.
func (r *recovery) promise(o *BreakerOptions) time.Duration {
	r.promised = max(r.promised, r.used) + 1
	g := growth(o)
	doublings := math.Log2(1+r.promised*g) - math.Log2(1+r.used*g)
	wait := time.Duration(doublings * float64(o.Double))
	return min(max(wait, time.Millisecond), MaxRetryAfter)
}
