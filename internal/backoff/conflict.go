package backoff

import (
	"context"
	"fmt"
)

// maxStaleReads is how many attempts in a row can fail without reading a newer revision. After a
// lost race, the next read returns a newer revision, unless it comes from a replica that lags. The
// pauses allow a lag of about five seconds.
const maxStaleReads = 60

// Conflicts paces the attempts of one write after conflicts. It is for one goroutine.
type Conflicts struct {
	GiveUp error // that Wait wraps if reads keep returning what the store calls outdated

	revision int64   // highest that was read
	pause    Backoff // between attempts that read nothing newer
}

// Wait pauses before the next attempt. It does not pause if the last attempt read a newer revision.
// Otherwise each pause is longer than the one before. After 60 such pauses it gives up.
func (c *Conflicts) Wait(ctx context.Context, revision int64) error {
	if revision > c.revision {
		c.revision = revision
		c.pause.Reset()
		return nil
	}
	if c.pause.Pauses() == maxStaleReads {
		return fmt.Errorf("%w: reads keep returning revision %d, which the store calls outdated",
			c.GiveUp, revision)
	}
	return c.pause.Wait(ctx)
}
