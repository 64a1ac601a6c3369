package ampersand

import (
	"context"
	"hash/maphash"
)

// lockset has a lock for each installation, so that only one writer of this process works on it
// at a time. Without it, writers that meet would retry on conflict, and most tries of many
// writers would fail. Installations share locks, so some writers wait without need.
type lockset struct {
	seed  maphash.Seed
	locks [64]chan struct{} // full while locked
}

func newLockset() *lockset {
	l := &lockset{seed: maphash.MakeSeed()}
	for i := range l.locks {
		l.locks[i] = make(chan struct{}, 1)
	}
	return l
}

// lock waits for the lock of an installation until the context ends.
func (l *lockset) lock(ctx context.Context, id string) (unlock func(), err error) {
	lock := l.locks[maphash.String(l.seed, id)%uint64(len(l.locks))]
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
