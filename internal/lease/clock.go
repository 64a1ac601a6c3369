package lease

import "time"

// Clock measures how long something took.
type Clock interface {
	// Read returns the time on the monotonic clock of the machine, and the time of its wall clock.
	Read() (mono time.Duration, wall time.Time)
}

// machine is the Clock of this machine. Its monotonic time begins at start.
type machine struct{ start time.Time }

func (m machine) Read() (time.Duration, time.Time) {
	now := time.Now()
	return now.Sub(m.start), now.Round(0)
}

// instant is a moment that a process remembers.
type instant struct {
	mono time.Duration
	wall time.Time
}

func read(c Clock) instant {
	mono, wall := c.Read()
	return instant{mono, wall}
}

// until returns the time from i to later, by the clock that shows more: the monotonic clock of a
// machine that was suspended stands still meanwhile, and the wall clock can be put back.
func (i instant) until(later instant) time.Duration {
	return max(later.mono-i.mono, later.wall.Sub(i.wall))
}
