package storecall

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/go-installation/installation/internal/backoff"
)

// ErrTimeout is the error of a call whose first try used up [Retry.Limit].
var ErrTimeout = errors.New("there was no answer in time")

// Retry says how a store retries a call.
type Retry struct {
	// Limit is the time for a call whose context has no deadline.
	Limit time.Duration
	// Pause is the first pause between tries.
	Pause backoff.Backoff
	// Judge reports whether a try that failed with err may have been executed, and whether another
	// try may succeed.
	Judge func(err error) (executed, again bool)
	// BeforePause, if set, gets the number of a failed try and its error.
	BeforePause func(n int, err error)
}

// Do calls try until it succeeds, or fails with an [Error] or an error that Judge does not retry,
// or until the deadline of the context. Without a deadline, Limit sets one for the context of try.
// Do returns the last error. The result uncertain is true if a failed try may have been executed.
// The parameter uncertain of try is true if an earlier try may have been executed; try then has to
// do no harm if it runs twice.
func (r Retry) Do(
	ctx context.Context, try func(_ context.Context, uncertain bool) error,
) (uncertain bool, err error) {
	end, hasDeadline := ctx.Deadline()
	if !hasDeadline {
		end = time.Now().Add(r.Limit)
	}
	limited, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	var before error
	for n := 1; ; n++ {
		if err = try(limited, uncertain); err == nil {
			return uncertain, nil
		}
		if _, ok := errors.AsType[*Error](err); ok {
			return uncertain, err // final: try has interpreted the answer of the server
		}
		executed, again := r.Judge(err)
		uncertain = uncertain || executed
		if limited.Err() != nil && IsContextError(err) {
			// The error of the try before says more than that the time is up.
			if before == nil && !hasDeadline && ctx.Err() == nil {
				before = ErrTimeout // the caller has set no deadline
			}
			return uncertain, cmp.Or(before, err)
		}
		before = err
		if !again || limited.Err() != nil {
			return uncertain, err
		}
		if r.BeforePause != nil {
			r.BeforePause(n, err)
		}
		if r.Pause.Wait(limited) != nil {
			return uncertain, err
		}
	}
}
