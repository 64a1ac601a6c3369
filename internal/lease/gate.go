package lease

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-installation/installation/internal/lru"
	"github.com/go-installation/installation/refresh"
)

// Numbers of a gate. A gate shuts after maxFailures failures in a row. It stays shut for a pause,
// which grows each time. Then it lets one attempt pass. If that fails, it shuts again. Each success
// lets one more pass at the same time, until maxSlots: a provider that is back is not flooded by
// all who waited.
const (
	maxFailures  = 5
	firstShut    = time.Second
	longestShut  = time.Minute
	maxSlots     = 64
	maxProviders = 1024
	maxGates     = maxProviders * weight
)

// gates keep an outage of a provider from becoming a failure of each of its connections.
type gates struct {
	mu         sync.Mutex
	byProvider *lru.Cache[string, *gate]
}

// gate counts the attempts at one provider. Its fields belong to the mutex of gates.
type gate struct {
	turn     int           // how often it was shut; earlier attempts do not count any more
	failures int           // in a row
	until    time.Duration // shut until then, on the monotonic clock
	shuts    int           // in a row
	slots    int           // attempts at the same time; 0 = any number
	inside   int
}

// pass is how a gate answers.
type pass int

const (
	passed pass = iota
	passFull
	passShut
)

// enter asks for an attempt. If it passes, the caller has to call leave with the result.
func (g *gates) enter(provider string, now time.Duration) (leave func(answer), p pass) {
	g.mu.Lock()
	defer g.mu.Unlock()
	one, ok := g.byProvider.Get(provider)
	if !ok {
		one = &gate{}
		g.byProvider.Put(provider, one, weight+len(provider))
	}
	switch {
	case now < one.until:
		return nil, passShut
	case one.slots > 0 && one.inside >= one.slots:
		return nil, passFull
	}
	one.inside++
	turn := one.turn
	var once sync.Once
	return func(a answer) {
		once.Do(func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			one.inside--
			if one.turn == turn {
				one.note(a)
			}
		})
	}, passed
}

// answer is what a gate learns of an attempt.
type answer struct {
	result refresh.Answer // "" = nothing was sent
	after  time.Duration  // that the provider asks to wait
	at     time.Duration  // on the monotonic clock
}

// answered is the result of an attempt that the provider served.
const answered refresh.Answer = "answered"

// note counts a result. A permanent answer says nothing, because it can come without a request.
func (g *gate) note(a answer) {
	switch a.result {
	case "", refresh.Permanent:
	case answered:
		g.failures = 0
		if g.slots > 0 {
			g.slots++
		}
		if g.slots > maxSlots {
			g.slots, g.shuts = 0, 0
		}
	default:
		g.failures++
		if g.failures < maxFailures && g.slots != 1 {
			return
		}
		shut := min(firstShut<<min(g.shuts, 10), longestShut)
		shut = max(shut-rand.N(shut/2), min(a.after, longestAfter))
		g.until = a.at + shut
		g.failures, g.slots = 0, 1
		g.shuts++
		g.turn++
	}
}
