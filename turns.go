package installation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// lostRace says that the record moved under a write, which may be applied again to what it is now.
type lostRace struct {
	read int64 // revision that the write was applied to
}

func (lostRace) Error() string { return "installation: changed meanwhile" }

// turns are the tries of one write.
type turns struct {
	last  lostRace
	stuck int // tries in a row that read nothing newer
}

// maxStuck is how many tries may read a revision that the store then says is not the stored one. Whoever loses a race reads a newer revision
// the next time, unless reads come from a replica that lags; at these pauses, it may lag for some five seconds.
const maxStuck = 60

// wait pauses before the next try: not at all after a race that was lost, longer and longer while reading does not catch up.
func (t *turns) wait(ctx context.Context, lost lostRace) error {
	if lost.read > t.last.read {
		t.last, t.stuck = lost, 0
		return nil
	}
	if t.stuck++; t.stuck > maxStuck {
		return fmt.Errorf("%w: it keeps reading revision %d and refusing it as not the stored one", ErrUnavailable, lost.read)
	}
	pause := min(time.Duration(1)<<min(t.stuck, 20)*time.Microsecond*100, 100*time.Millisecond)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause/2 + rand.N(pause/2)):
		return nil
	}
}
