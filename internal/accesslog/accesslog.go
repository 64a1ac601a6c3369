// Package accesslog decides which accesses are recorded, if only the first of many has to be.
package accesslog

import (
	"context"
	"sync"
	"time"

	"github.com/go-installation/installation/internal/lru"
)

// Log remembers when an access of each kind was recorded last. K says which accesses are of one
// kind. A Log is safe for concurrent use. Make one with [New].
type Log[K comparable] struct {
	recorded *lru.Cache[K, time.Time]

	mu        sync.Mutex
	recording map[K]chan struct{} // closed when the caller that records is done
}

// New returns a Log that remembers accesses of at most size bytes. It forgets the oldest ones
// first, and an access of a forgotten kind is recorded again.
func New[K comparable](size int) *Log[K] {
	return &Log[K]{
		recorded: lru.New[K, time.Time](size), recording: make(map[K]chan struct{}),
	}
}

// Begin reports whether an access at the time now has to be recorded, because none was recorded
// within the interval before. If it returns true, the caller records the access and then calls
// done with the result. Until then, other callers with this key wait. So one of many callers
// records. If it fails, the next one does. Only the first call of done counts.
//
// weight is how many bytes the key keeps. The error is that of ctx. done is never nil.
func (l *Log[K]) Begin(
	ctx context.Context, key K, weight int, now time.Time, interval time.Duration,
) (due bool, done func(recorded bool), err error) {
	nothing := func(bool) {}
	for {
		l.mu.Lock()
		at, known := l.recorded.Get(key)
		// A clock that was put back must not keep accesses out of the log.
		if age := now.Sub(at); known && age >= 0 && age < interval {
			l.mu.Unlock()
			return false, nothing, nil
		}
		other, busy := l.recording[key]
		if !busy {
			mine := make(chan struct{})
			l.recording[key] = mine
			l.mu.Unlock()
			return true, func(recorded bool) { l.end(key, weight, now, mine, recorded) }, nil
		}
		l.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return false, nothing, ctx.Err()
		}
	}
}

func (l *Log[K]) end(key K, weight int, now time.Time, mine chan struct{}, recorded bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.recording[key] != mine {
		return
	}
	if recorded {
		l.recorded.Put(key, now, weight)
	}
	delete(l.recording, key)
	close(mine)
}
