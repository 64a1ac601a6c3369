package backoff

import (
	"context"
	"errors"
)

// ErrStale means that many attempts in a row read nothing newer, although each lost to a newer
// revision.
var ErrStale = errors.New("backoff: reads are outdated")

// maxStaleReads is how many attempts in a row can fail without reading a newer revision. After a
// lost race, the next read returns a newer revision, unless it comes from a replica that lags. The
// pauses allow a lag of about five seconds.
const maxStaleReads = 60

// Conflicts paces the attempts of one write that loses races. The zero value is ready. It is not
// safe for concurrent use.
type Conflicts struct {
	revision int64   // highest that was read
	pause    Backoff // between attempts that read nothing newer
}

// Wait waits before the next attempt. revision is what the last attempt read. Wait does not pause
// if that is newer than before. Otherwise each pause is longer than the one before. The error is
// [ErrStale] or that of the context.
func (c *Conflicts) Wait(ctx context.Context, revision int64) error {
	if revision > c.revision {
		c.revision = revision
		c.pause.Reset()
		return nil
	}
	if c.pause.Pauses() == maxStaleReads {
		return ErrStale
	}
	return c.pause.Wait(ctx)
}
