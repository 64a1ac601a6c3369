package lease

import (
	"testing"
	"time"

	"github.com/go-installation/installation/internal/lru"
	"github.com/go-installation/installation/refresh"
)

// entrance is a gate of one provider, with a clock.
type entrance struct {
	t   *testing.T
	g   gates
	now time.Duration
}

func newEntrance(t *testing.T) *entrance {
	return &entrance{t: t, g: gates{byProvider: lru.New[string, *gate](maxGates)}}
}

// attempt makes an attempt that has to pass.
func (e *entrance) attempt(result refresh.Answer, after time.Duration) {
	e.t.Helper()
	leave, p := e.g.enter("crm", e.now)
	if p != passed {
		e.t.Fatalf("at %v: the gate is shut: %v", e.now, p)
	}
	leave(answer{result: result, after: after, at: e.now})
}

// wants fails if the gate does not answer like this. It leaves without a result.
func (e *entrance) wants(provider string, want pass) {
	e.t.Helper()
	leave, p := e.g.enter(provider, e.now)
	if p != want {
		e.t.Errorf("at %v: the gate of %s answers %v, want %v", e.now, provider, p, want)
	}
	if p == passed {
		leave(answer{})
	}
}

// shut makes the gate shut.
func (e *entrance) shut() {
	e.t.Helper()
	for range maxFailures {
		e.attempt(refresh.Passing, 0)
	}
	e.wants("crm", passShut)
}

func TestGateShutsAfterFailuresInARow(t *testing.T) {
	e := newEntrance(t)
	for range maxFailures - 1 {
		e.attempt(refresh.Unknown, 0)
	}
	e.attempt(answered, 0) // so these were not in a row
	for range maxFailures - 1 {
		e.attempt(refresh.Passing, 0)
	}
	e.wants("crm", passed)
	e.attempt(refresh.Passing, 0)
	e.wants("crm", passShut)
	e.wants("erp", passed)
}

// A refusal for good can come without a request. So it says nothing about the provider.
func TestGateDoesNotCountRefusals(t *testing.T) {
	e := newEntrance(t)
	for range 100 {
		e.attempt(refresh.Permanent, 0)
	}
	for range maxFailures - 1 {
		e.attempt(refresh.Passing, 0)
	}
	e.attempt(refresh.Permanent, 0)
	e.wants("crm", passed)
	e.attempt(refresh.Passing, 0)
	e.wants("crm", passShut)
}

func TestGateDoesNotCountWhatWasNotSent(t *testing.T) {
	e := newEntrance(t)
	for range 100 {
		e.attempt("", 0)
	}
	e.wants("crm", passed)
}

func TestGateLetsOneProbePass(t *testing.T) {
	e := newEntrance(t)
	e.shut()
	e.now += firstShut
	leave, p := e.g.enter("crm", e.now)
	if p != passed {
		t.Fatalf("after the pause the gate answers %v", p)
	}
	e.wants("crm", passFull)
	leave(answer{result: refresh.Unknown, at: e.now})
	leave(answer{}) // has no effect
	e.wants("crm", passShut)
}

func TestGateStaysShutLongerWithEachProbe(t *testing.T) {
	e := newEntrance(t)
	e.shut()
	e.now += firstShut
	for n := 1; n < 12; n++ {
		longest := min(firstShut<<n, longestShut)
		e.attempt(refresh.Passing, 0)
		e.now += longest / 2
		e.wants("crm", passShut)
		e.now += longest / 2
		e.wants("crm", passed)
	}
}

func TestGateOpensSlowly(t *testing.T) {
	e := newEntrance(t)
	e.shut()
	e.now += firstShut
	for slots := 1; slots <= maxSlots; slots++ {
		leaves := make([]func(answer), slots)
		for i := range leaves {
			leave, p := e.g.enter("crm", e.now)
			if p != passed {
				t.Fatalf("attempt %d of %d: the gate answers %v", i+1, slots, p)
			}
			leaves[i] = leave
		}
		e.wants("crm", passFull)
		leaves[0](answer{result: answered, at: e.now})
		for _, leave := range leaves[1:] {
			leave(answer{})
		}
	}
	for range 2 * maxSlots { // none of them leaves
		if _, p := e.g.enter("crm", e.now); p != passed {
			t.Fatalf("a gate that is open answers %v", p)
		}
	}
}

func TestGateShutsAgainWhileItOpens(t *testing.T) {
	e := newEntrance(t)
	e.shut()
	e.now += firstShut
	e.attempt(answered, 0)
	for range maxFailures - 1 {
		e.attempt(refresh.Passing, 0)
	}
	e.wants("crm", passed)
	e.attempt(refresh.Passing, 0)
	e.wants("crm", passShut)
	e.now += 2 * firstShut
	leave, _ := e.g.enter("crm", e.now)
	e.wants("crm", passFull) // one probe again
	leave(answer{})
}

// Attempts from before the gate was shut come back while it is shut or opens.
func TestGateForgetsEarlierAttempts(t *testing.T) {
	for _, result := range []refresh.Answer{answered, refresh.Unknown} {
		e := newEntrance(t)
		var leaves []func(answer)
		for range 2 * maxFailures {
			leave, _ := e.g.enter("crm", e.now)
			leaves = append(leaves, leave)
		}
		e.shut()
		e.now += firstShut
		for _, leave := range leaves {
			leave(answer{result: result, at: e.now})
		}
		leave, p := e.g.enter("crm", e.now)
		if p != passed {
			t.Fatalf("%s: the gate answers %v to the probe", result, p)
		}
		e.wants("crm", passFull)
		leave(answer{})
	}
}

func TestGateHonoursRetryAfter(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{
		10 * time.Minute: 10 * time.Minute, 2 * longestAfter: longestAfter,
	} {
		e := newEntrance(t)
		for range maxFailures {
			e.attempt(refresh.Passing, after)
		}
		e.now += want - 1
		e.wants("crm", passShut)
		e.now++
		e.wants("crm", passed)
	}
}
