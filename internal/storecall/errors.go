// Package storecall has what stores on a server share: the errors of their calls, and the loop that
// retries a call.
package storecall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-installation/installation"
)

// Error is an error of a store: a sentinel with a text. It matches its causes, but does not repeat
// their text.
type Error struct {
	Sentinel error
	Text     string
	Causes   []error
}

// Error implements error.
func (e *Error) Error() string { return e.Sentinel.Error() + ": " + e.Text }

// Unwrap returns the sentinel and the causes.
func (e *Error) Unwrap() []error { return append([]error{e.Sentinel}, e.Causes...) }

// Unavailable returns an [installation.ErrUnavailable] with a text of our own.
func Unavailable(format string, args ...any) error {
	return &Error{Sentinel: installation.ErrUnavailable, Text: fmt.Sprintf(format, args...)}
}

// Restored returns the error of a store whose data went back to an older state.
func Restored(format string, args ...any) *Error {
	return &Error{
		Sentinel: installation.ErrUnavailable,
		Text: "the data went back to an older state: " + fmt.Sprintf(format, args...) +
			"; if you want to go on with this data, call Service.AcceptRestore",
		Causes: []error{installation.ErrRestored},
	}
}

// ErrForgotten is the error of a change whose answer was lost and whose op token the record may
// have forgotten.
var ErrForgotten error = &Error{
	Sentinel: installation.ErrUnknownOutcome,
	Text: "an answer was lost, and the answer to the retry does not tell whether the change " +
		"was applied; read the record",
}

// Refused returns the error of a change that the last try refused with err. The parameter uncertain
// is true if an earlier try may have been applied. The result is then ErrForgotten, unless err
// proves that no try was applied and none will be. An [installation.ErrEpoch] counts as a proof:
// the caller checks [ReachBack] before.
func Refused(uncertain bool, err error) error {
	if uncertain && !notApplied(err) && !errors.Is(err, installation.ErrEpoch) {
		return ErrForgotten
	}
	return err
}

// ReachBack reports whether the changes that a record remembers would still include c if c had been
// applied. It asks what is proven if the record has moved on.
func ReachBack(c installation.Change, ops []installation.Op) bool {
	moved := installation.Record{Key: c.Key, Revision: c.If + 1}
	return notApplied(installation.Row{Record: &moved, Ops: ops}.Check(c))
}

func notApplied(err error) bool {
	conflict, ok := errors.AsType[*installation.ConflictError](err)
	return ok && conflict.NotApplied
}

// Wrap returns the error of a call that ends with err: an Error with the sentinel and the text. If
// err is an Error with this sentinel already, it stays as it is.
func Wrap(ctx context.Context, sentinel, err error, text string) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Sentinel == sentinel {
		return err
	}
	e := &Error{Sentinel: sentinel, Text: text, Causes: []error{err}}
	if ended := contextError(ctx); ended != nil && !errors.Is(err, ended) {
		e.Causes = append(e.Causes, ended)
	}
	return e
}

// contextError returns the error of a context that has ended, else nil. A deadline that has passed
// counts, even if the context has not noticed it yet: another timer for the same deadline can fire
// a moment earlier.
func contextError(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// IsContextError reports whether err says that a context has ended.
func IsContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// NotSent is the error of a try of which nothing was sent to the server.
type NotSent struct{ Err error }

// Error implements error.
func (e NotSent) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e NotSent) Unwrap() error { return e.Err }
