package lease

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation/refresh"
)

// manual is a clock that stands still until a test moves it.
type manual struct {
	mu   sync.Mutex
	mono time.Duration
	wall time.Time
}

func newManual() *manual { return &manual{mono: time.Hour, wall: since} }

func (c *manual) Read() (time.Duration, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mono, c.wall
}

// move moves the two clocks.
func (c *manual) move(mono, wall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mono, c.wall = c.mono+mono, c.wall.Add(wall)
}

// pass moves both clocks alike.
func (c *manual) pass(d time.Duration) { c.move(d, d) }

var place = Key{Tenant: "tenant", ID: "EXI-1"}

func TestUntilGoesByTheClockThatShowsMore(t *testing.T) {
	for name, test := range map[string]struct{ mono, wall, want time.Duration }{
		"alike":           {time.Second, time.Second, time.Second},
		"suspended":       {0, time.Hour, time.Hour},
		"put back":        {time.Second, -time.Hour, time.Second},
		"put forward":     {time.Second, time.Minute, time.Minute},
		"both stand":      {0, 0, 0},
		"suspended, back": {time.Millisecond, -time.Second, time.Millisecond},
	} {
		c := newManual()
		start := read(c)
		c.move(test.mono, test.wall)
		if got := start.until(read(c)); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

func TestMachineClockHasBothTimes(t *testing.T) {
	c := machine{time.Now()}
	first := read(c)
	second := read(c)
	if first.mono < 0 || second.mono < first.mono {
		t.Errorf("the monotonic clock went from %v to %v", first.mono, second.mono)
	}
	// A time with a monotonic reading would be compared by that.
	if first.wall != first.wall.Round(0) {
		t.Error("the time of the wall clock has a monotonic reading")
	}
}

func TestRanOutAfterItsWholeDuration(t *testing.T) {
	c := newManual()
	m := New(c)
	s := &State{Kind: Sending, Holder: "a", Credential: 1, Duration: time.Minute}
	if m.ranOut(place, s) {
		t.Fatal("ran out at first sight")
	}
	c.pass(time.Minute - 1)
	if m.ranOut(place, s) {
		t.Error("ran out too early")
	}
	if m.ranOut(Key{ID: place.ID}, s) {
		t.Error("ran out in another tenant")
	}
	c.pass(1)
	if !m.ranOut(place, new(*s)) {
		t.Error("an equal lease has not run out after its duration")
	}
	if New(c).ranOut(place, s) {
		t.Error("ran out in a process that has just seen it")
	}
}

// seenLease returns a process that has just seen a lease, and its clock.
func seenLease() (*manual, *Memory, *State) {
	c := newManual()
	m := New(c)
	s := &State{Kind: Sending, Holder: "a", Credential: 1, Duration: time.Minute}
	m.ranOut(place, s)
	return c, m, s
}

func TestRanOutStartsAgainWithAnotherLease(t *testing.T) {
	c, m, s := seenLease()
	c.pass(time.Minute)
	other := new(*s)
	other.Holder = "b"
	if m.ranOut(place, other) {
		t.Error("another lease ran out at first sight")
	}
	if m.ranOut(place, s) {
		t.Error("a lease that came back ran out at once")
	}
}

func TestRanOutGoesByTheMonotonicClockOnly(t *testing.T) {
	c, m, s := seenLease()
	c.move(0, time.Hour) // the wall clock is put forward
	if m.ranOut(place, s) {
		t.Error("ran out because the wall clock was put forward")
	}
	c.move(time.Minute, -2*time.Hour)
	if !m.ranOut(place, s) {
		t.Error("has not run out because the wall clock was put back")
	}
}

func TestSuccessesPushOutNoPause(t *testing.T) {
	m := New(newManual())
	v := View{Generation: 1, Credential: 1}
	m.failed(place, v, &refresh.Error{}, time.Now())
	for i := range 2 * maxPauses / weight {
		m.succeeded(Key{ID: strconv.Itoa(i)})
	}
	if !m.paused(place, v) {
		t.Error("the pause is forgotten")
	}
}

func TestPausesGrow(t *testing.T) {
	c := newManual()
	m := New(c)
	v := View{Generation: 1, Credential: 1}
	began := c.wall
	for n := range 20 {
		longest := min(firstPause<<n, longestPause)
		attempts, first := m.failed(place, v, &refresh.Error{}, c.wall)
		if attempts != int64(n+1) || !first.Equal(began) {
			t.Fatalf("failure %d: %d attempts since %v", n+1, attempts, first)
		}
		c.pass(longest / 2)
		if !m.paused(place, v) {
			t.Errorf("failure %d: the pause is shorter than half of %v", n+1, longest)
		}
		c.pass(longest / 2)
		if m.paused(place, v) {
			t.Errorf("failure %d: the pause is longer than %v", n+1, longest)
		}
	}
	m.succeeded(place)
	if n, first := m.failed(place, v, &refresh.Error{}, c.wall); n != 1 || !first.Equal(c.wall) {
		t.Errorf("after a success: %d attempts since %v", n, first)
	}
}

func TestPauseIsOfOneCredential(t *testing.T) {
	c := newManual()
	m := New(c)
	v := View{Generation: 1, Newest: 1}
	m.failed(place, v, &refresh.Error{}, c.wall)
	for name, other := range map[string]View{
		"credential": {Generation: 1, Newest: 2}, "generation": {Generation: 2, Newest: 1},
	} {
		if m.paused(place, other) {
			t.Errorf("another %s is paused", name)
		}
	}
	c.pass(time.Second)
	v.Newest = 2
	if n, _ := m.failed(place, v, &refresh.Error{}, c.wall); n != 1 {
		t.Errorf("another credential failed %d times", n)
	}
}

func TestPauseIsWhatTheProviderAsksFor(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{
		time.Minute: time.Minute, 2 * longestAfter: longestAfter,
	} {
		c := newManual()
		m := New(c)
		m.failed(place, View{}, &refresh.Error{After: after}, c.wall)
		c.pass(want - 1)
		before := m.paused(place, View{})
		c.pass(1)
		if !before || m.paused(place, View{}) {
			t.Errorf("asked for %v: the pause is not %v", after, want)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := newManual()
	m := New(c)
	for i := range maxSeen + 10 {
		key := Key{ID: fmt.Sprint(i)}
		m.ranOut(key, &State{Kind: Sending})
		m.failed(key, View{}, &refresh.Error{}, c.wall)
		if leave, p := m.gates.enter(key.ID, 0); p == passed {
			leave(answer{})
		}
	}
	for what, n := range map[string]int{
		"leases": len(m.seen) / 2, "pauses": m.pauses.Len(), "gates": m.gates.byProvider.Len(),
	} {
		if n == 0 || n > 5000 {
			t.Errorf("%d %s are kept", n, what)
		}
	}
}

// A loop over more leases of dead holders than a process remembers takes all of them over.
func TestMoreLeasesThanRemembered(t *testing.T) {
	c := newManual()
	m := New(c)
	dead := make(map[Key]bool)
	for i := range maxSeen * 3 / 2 {
		dead[Key{ID: fmt.Sprint(i)}] = true
	}
	keys := slices.Collect(maps.Keys(dead)) // each round has the same order
	for round := 0; len(dead) > 0; round++ {
		if round == 30 {
			t.Fatalf("%d leases are not taken over in %d rounds", len(dead), round)
		}
		for _, key := range keys {
			if dead[key] && m.ranOut(key, &State{Kind: Sending, Duration: length}) {
				delete(dead, key)
			}
		}
		c.pass(length)
	}
}

func TestLateListsKeys(t *testing.T) {
	m := New(newManual())
	m.keep(place, &caller{}, View{})
	if _, ok := m.Late()[place]; !ok || len(m.Late()) != 1 {
		t.Errorf("got %v", m.Late())
	}
	m.forget(place, &late{})
	if len(m.Late()) != 1 {
		t.Error("another result was forgotten")
	}
	m.forget(place, m.lateOf(place))
	if len(m.Late()) != 0 {
		t.Error("the result is still there")
	}
}

// With too many results that are not stored yet, nothing more is sent.
func TestLateResultsAreBounded(t *testing.T) {
	m := New(newManual())
	for i := range maxLate {
		m.keep(Key{ID: fmt.Sprint(i)}, &caller{row: newRow()}, View{})
	}
	r := newRow()
	err := m.do(t, &caller{row: r}, refresh.Retry)
	if !isReason(err, refresh.Passing, refresh.Paused) || r.sent != 0 {
		t.Errorf("%d sent, error %v", r.sent, err)
	}
	m.forget(Key{ID: "0"}, m.lateOf(Key{ID: "0"}))
	if err := m.do(t, &caller{row: r}, refresh.Retry); err != nil || r.sent != 1 {
		t.Errorf("with room again: %d sent, error %v", r.sent, err)
	}
}
