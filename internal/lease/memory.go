package lease

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-installation/installation/internal/lru"
	"github.com/go-installation/installation/refresh"
)

// Bounds of what a process remembers. The worst that follows is that it waits again for a lease to
// run out, or pauses less.
const (
	maxSeen   = 10_000  // leases
	maxLate   = 1000    // results; with more, nothing is sent
	maxPauses = 1 << 20 // bytes
	weight    = 256     // of an entry, besides its key
)

// Memory is what a process remembers of leases and attempts. It is safe for concurrent use. Make
// one with [New].
type Memory struct {
	clock  Clock
	pauses *lru.Cache[Key, pause]
	gates  gates

	mu   sync.Mutex
	seen map[Key]sight
	late map[Key]*late // results that could not be stored yet
}

// Key identifies a record.
type Key struct{ Tenant, ID string }

// sight is when a process first saw a lease.
type sight struct {
	lease State
	at    time.Duration // on the monotonic clock
}

// pause is a time without attempts, after failures in a row. A new credential of any kind ends it,
// since the provider may have refused an API key.
type pause struct {
	generation, newest int64
	until              time.Duration // on the monotonic clock
	attempts           int64
	since              time.Time
}

// late is a record with a result, and the view that it was sent for.
type late struct {
	record Record
	view   View
	turn   chan struct{} // has room for the one caller that stores the result
}

// New returns an empty memory. A nil clock is that of the machine.
func New(c Clock) *Memory {
	if c == nil {
		c = machine{time.Now()}
	}
	return &Memory{
		clock: c, seen: make(map[Key]sight), late: make(map[Key]*late),
		pauses: lru.New[Key, pause](maxPauses),
		gates:  gates{byProvider: lru.New[string, *gate](maxGates)},
	}
}

func (k Key) weight() int { return weight + len(k.Tenant) + len(k.ID) }

// ranOut reports whether this process has seen the same lease for its whole duration. It starts
// with the first call for a lease. No clocks of two machines are compared.
//
// If there are too many leases, it forgets any one. If it forgot the one that was used longest ago,
// a loop over all of them would forget each before its next turn.
func (m *Memory) ranOut(key Key, s *State) bool {
	now := read(m.clock).mono
	m.mu.Lock()
	defer m.mu.Unlock()
	seen, ok := m.seen[key]
	if ok && Same(&seen.lease, s) {
		return now-seen.at >= s.Duration
	}
	if !ok && len(m.seen) >= maxSeen {
		for other := range m.seen {
			delete(m.seen, other)
			break
		}
	}
	m.seen[key] = sight{*s, now}
	return false
}

// Lengths of the pauses of a connection after failures in a row. Each is twice as long as the one
// before.
const (
	firstPause   = time.Second
	longestPause = 10 * time.Minute
	longestAfter = time.Hour // that a provider can ask for
)

// paused reports whether the credential must not be sent yet.
func (m *Memory) paused(key Key, v View) bool {
	m.mu.Lock()
	full := len(m.late) >= maxLate
	m.mu.Unlock()
	if full {
		return true
	}
	p, ok := m.pauses.Get(key)
	return ok && p.of(v) && read(m.clock).mono < p.until
}

func (p pause) of(v View) bool {
	return p.generation == v.Generation && p.newest == v.Newest
}

// failed begins a pause after an attempt that failed, at the time now of the service. It returns
// how many failed in a row, and when the first did.
func (m *Memory) failed(key Key, v View, e *refresh.Error, now time.Time) (int64, time.Time) {
	p, ok := m.pauses.Get(key)
	if !ok || !p.of(v) {
		p = pause{generation: v.Generation, newest: v.Newest, since: now}
	}
	length := min(firstPause<<min(p.attempts, 20), longestPause)
	length = max(length-rand.N(length/2), min(e.After, longestAfter))
	p.attempts++
	p.until = read(m.clock).mono + length
	m.pauses.Put(key, p, key.weight())
	return p.attempts, p.since
}

// succeeded forgets the failures of a record.
func (m *Memory) succeeded(key Key) {
	if _, ok := m.pauses.Get(key); ok { // without this, successes would push out the pauses
		m.pauses.Put(key, pause{}, key.weight())
	}
}

func (m *Memory) keep(key Key, r Record, v View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.late[key] = &late{r, v, make(chan struct{}, 1)}
}

// lateOf returns the late result of a record, or nil.
func (m *Memory) lateOf(key Key) *late {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.late[key]
}

// forget drops a late result, unless another one took its place.
func (m *Memory) forget(key Key, l *late) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.late[key] == l {
		delete(m.late, key)
	}
}

// Late returns the records that have a late result.
func (m *Memory) Late() map[Key]Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	records := make(map[Key]Record, len(m.late))
	for k, l := range m.late {
		records[k] = l.record
	}
	return records
}
