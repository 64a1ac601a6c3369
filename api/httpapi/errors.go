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

// Messages that several errors share.
const (
	internalText    = "The request could not be completed."
	unavailableText = "The service cannot answer at the moment."
)

// kinds maps each kind of error of this library to the code and the message of its problem. The
// first match counts. Failures come before rejections, so that an error that matches a failure and
// a rejection is reported as the failure.
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

// ProblemOf returns the [Problem] that err is or wraps. For an error of this library, or of a body
// that is too large, it returns a new problem. Any other error is the server's fault, with
// status 500.
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

// Raced reports whether a write failed because another writer was faster. A retry on the new state
// can succeed.
func Raced(err error) bool {
	conflict, ok := errors.AsType[*installation.ConflictError](err)
	return ok && conflict.To == ""
}

// own reports whether err is an error of this library, so that its text has nothing of a client. A
// context error alone does not count, since the error that wraps it can have any text, such as a
// URL with a password.
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

// hostError hides the text of an error that comes from outside of this library.
type hostError struct{ err error }

// HostError hides the text of err, an error of the host's own code or of a library that the host
// uses. The text of err can quote a client. The result matches what err matches. Its text has only
// the error of this library that err matches, if any, and the types of err and of the errors that
// err wraps. So an error that wraps the result can be logged in full.
func HostError(err error) error { return &hostError{err} }

// Error names the kind and the types of the hidden error.
func (e *hostError) Error() string { return outline(e.err) }

// Unwrap returns the error of the host.
func (e *hostError) Unwrap() error { return e.err }

// outline describes an error without its text. It names the first of kinds that the error matches,
// if any, and the types that typeOf returns.
func outline(err error) string {
	for _, k := range kinds {
		if errors.Is(err, k.target) {
			return fmt.Sprintf("%v, by an error of type %s", k.target, typeOf(err))
		}
	}
	return "an error of type " + typeOf(err)
}

// typeOf names the types of an error and of the errors that it wraps.
func typeOf(err error) string {
	var names []string
	for ; err != nil; err = errors.Unwrap(err) {
		// The names leave out hostError. errors.As would also match an error below this one.
		if _, mark := err.(*hostError); !mark { //nolint:errorlint // the loop unwraps
			names = append(names, fmt.Sprintf("%T", err))
		}
	}
	return strings.Join(names, ": ")
}

// panicError is the error for a panic. It does not have the value of the panic, which can quote a
// client.
type panicError struct {
	kind  string // type of the value
	where string // functions and lines of the stack
}

// maxFrames limits the stack in a panicError.
const maxFrames = 32

// panicked returns the error for a recovered value. The function that calls recover has to call
// panicked directly. The error has functions and lines, but not the arguments of a full trace.
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
