package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/validate"
)

// Messages of several errors.
const (
	internalText    = "The request could not be completed."
	unavailableText = "The service cannot answer at the moment."
)

// kinds map the errors of the library to problems. The first match counts. Errors that leave the
// outcome open come first, so that a failure is never taken for an answer.
var kinds = []struct {
	target  error
	code    Code
	message string
}{
	{installation.ErrUnknownOutcome, CodeUnknownOutcome,
		"It is not known whether the request was carried out."},
	{installation.ErrNotReplicated, CodeNotReplicated,
		"The request was carried out and not yet confirmed by all replicas."},
	{installation.ErrUnavailable, CodeUnavailable, unavailableText},
	{installation.ErrKeyUnavailable, CodeUnavailable, unavailableText},
	{context.DeadlineExceeded, CodeUnavailable, unavailableText},
	{context.Canceled, CodeUnavailable, unavailableText},
	{installation.ErrInvalid, CodeInvalid, "The request is not valid."},
	{installation.ErrInvitation, CodeInvalid, "The invitation is not valid."},
	{installation.ErrForbidden, CodeForbidden, "This may not be done with these credentials."},
	{installation.ErrNotFound, CodeNotFound, "There is no such installation."},
	{installation.ErrExists, CodeConflict, "There is an installation already."},
	{installation.ErrStale, CodeConflict, "The installation was made anew since."},
	{installation.ErrConflict, CodeConflict,
		"The present state of the installation does not allow this."},
	{installation.ErrIdempotencyMismatch, CodeKeyReused,
		"The idempotency key was used for another request."},
	{installation.ErrShredded, CodeGone, "The content of the installation was destroyed."},
	{installation.ErrUnknownKey, CodeInternal, internalText},
	{installation.ErrSealed, CodeInternal, internalText},
}

// ProblemOf returns the problem that err is, or that it leads to. An unknown error is the
// server's fault.
func ProblemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return caused(CodeTooLarge, "The body is too large.", err)
	}
	for _, k := range kinds {
		if !errors.Is(err, k.target) {
			continue
		}
		p := caused(k.code, k.message, err)
		if invalid, ok := errors.AsType[*validate.Error](err); ok && p.Code == CodeInvalid {
			p.Issues = issues(invalid.Violations)
		}
		return p
	}
	return Internal(err)
}

// own reports whether the text of err is the library's and thus has nothing of a client. Errors
// of contexts do not count: the text around them may be a URL with a password in it.
func own(err error) bool {
	if _, ok := errors.AsType[*panicError](err); ok {
		return true
	}
	for _, k := range kinds {
		ended := k.target == context.DeadlineExceeded || k.target == context.Canceled
		if !ended && errors.Is(err, k.target) {
			return true
		}
	}
	return errors.Is(err, validate.ErrSchema) || errors.Is(err, errAnswer)
}

// hostError hides the text of an error of code that is not the library's.
type hostError struct{ err error }

// HostError marks an error of the host's own code, or of a library below it. The result matches
// what err matches, and its text names the kinds and types of err. It has nothing of the text
// of err, which may quote a client. An error that wraps the result may be logged in full.
func HostError(err error) error { return &hostError{err} }

// Error names the kind of the error.
func (e *hostError) Error() string { return outline(e.err) }

// Unwrap returns the error of the host.
func (e *hostError) Unwrap() error { return e.err }

// outline describes an error whose text must not be shown: which kind it matches, and its types.
func outline(err error) string {
	for _, k := range kinds {
		if errors.Is(err, k.target) {
			return fmt.Sprintf("%v, by an error of type %s", k.target, typeOf(err))
		}
	}
	return "an error of type " + typeOf(err)
}

// typeOf names the type of an error and of those it wraps.
func typeOf(err error) string {
	var names []string
	for ; err != nil; err = errors.Unwrap(err) {
		// The loop unwraps, so only err itself is looked at. A hostError names no type of its own.
		if _, mark := err.(*hostError); !mark { //nolint:errorlint // see above
			names = append(names, fmt.Sprintf("%T", err))
		}
	}
	return strings.Join(names, ": ")
}

// panicError is a panic without its value, which may quote a client.
type panicError struct {
	kind  string
	where string
}

// maxFrames limits the stack of a panic.
const maxFrames = 32

// panicked returns the error for a recovered value. The function that recovers must call it. It
// has functions and lines, but not the arguments that a full trace shows.
func panicked(value any) error {
	var pcs [maxFrames]uintptr
	// Skip Callers, panicked and the function that recovers.
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var where []string
	for {
		f, more := frames.Next()
		where = append(where, fmt.Sprintf("%s:%d", f.Function, f.Line))
		if !more {
			break
		}
	}
	return &panicError{kind: fmt.Sprintf("%T", value), where: strings.Join(where, " < ")}
}

// Error names the type of the value and the place of the panic.
func (e *panicError) Error() string { return "panic with a " + e.kind + " at " + e.where }
