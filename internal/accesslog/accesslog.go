// Package accesslog decides which accesses are recorded, if only the first of many has to be.
package accesslog

import (
	"context"
	"sync"
	"time"

	"github.com/go-installation/installation/internal/lru"
)

// Key says which accesses are recorded once: those of one actor, for one user, to one generation of
// an installation. Era is that of the namespace: a restore can lose what was recorded before it.
type Key struct {
	Era, Tenant, ID   string
	Generation        int64
	Kind, Actor, User string
}

// weight is about how many bytes the key keeps in memory.
func (k Key) weight() int {
	return 256 + len(k.Era) + len(k.Tenant) + len(k.ID) + len(k.Kind) + len(k.Actor) + len(k.User)
}

// Log remembers when an access with each key was recorded last. A Log is safe for concurrent use.
// Make one with [New].
type Log struct {
	recorded *lru.Cache[Key, time.Time]

	mu        sync.Mutex
	recording map[Key]chan struct{} // closed when the caller that records is done
}

// New returns a Log that remembers accesses of at most size bytes. It forgets the oldest ones
// first, and an access that it forgot is recorded again.
func New(size int) *Log {
	return &Log{
		recorded: lru.New[Key, time.Time](size), recording: make(map[Key]chan struct{}),
	}
}

// Recorded reports whether an access at the time now need not be recorded, because one was recorded
// within the interval before.
func (l *Log) Recorded(key Key, now time.Time, interval time.Duration) bool {
	at, known := l.recorded.Get(key)
	age := now.Sub(at) // negative if the clock was put back, which must not hide accesses
	return known && age >= 0 && age < interval
}

// Begin reports whether an access at the time now has to be recorded, because none was recorded
// within the interval before. If it returns true, the caller records the access and then calls
// done with the result. Until then, other callers with this key wait. So one of many callers
// records. If it fails, the next one does. Only the first call of done counts.
//
// The error is that of ctx. done is never nil.
func (l *Log) Begin(
	ctx context.Context, key Key, now time.Time, interval time.Duration,
) (due bool, done func(recorded bool), err error) {
	nothing := func(bool) {}
	for {
		l.mu.Lock()
		if l.Recorded(key, now, interval) {
			l.mu.Unlock()
			return false, nothing, nil
		}
		other, busy := l.recording[key]
		if !busy {
			mine := make(chan struct{})
			l.recording[key] = mine
			l.mu.Unlock()
			return true, func(recorded bool) { l.end(key, now, mine, recorded) }, nil
		}
		l.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return false, nothing, ctx.Err()
		}
	}
}

func (l *Log) end(key Key, now time.Time, mine chan struct{}, recorded bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.recording[key] != mine {
		return
	}
	if recorded {
		l.recorded.Put(key, now, key.weight())
	}
	delete(l.recording, key)
	close(mine)
}
