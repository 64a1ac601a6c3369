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

// kind is how one sort of error is answered.
type kind struct {
	status  int
	code    Code
	message string
}

func (k kind) problem(cause error) *Problem {
	p := &Problem{Status: k.status, Code: k.code, Message: k.message, Cause: cause}
	if k.status == http.StatusServiceUnavailable {
		p.Header = retryHeader()
	}
	return p
}

var unavailable = kind{http.StatusServiceUnavailable, CodeUnavailable, "The service cannot answer at the moment."}

// kinds say how the errors of the library are answered; the first that an error matches counts. Those that leave open what happened come
// first, so that trouble is never taken for an answer.
var kinds = []struct {
	target error
	kind
}{
	{installation.ErrUnknownOutcome, kind{http.StatusServiceUnavailable, CodeUnknownFate, "It is not known whether the request was carried out."}},
	{installation.ErrNotReplicated, kind{http.StatusServiceUnavailable, CodeUnreplicated, "The request was carried out and not yet confirmed by all replicas."}},
	{installation.ErrUnavailable, unavailable},
	{installation.ErrKeyUnavailable, unavailable},
	{context.DeadlineExceeded, unavailable},
	{context.Canceled, unavailable},
	{installation.ErrInvalid, kind{http.StatusBadRequest, CodeInvalid, "The request is not valid."}},
	{installation.ErrInvitation, kind{http.StatusBadRequest, CodeInvalid, "The invitation is not valid."}},
	{installation.ErrForbidden, kind{http.StatusForbidden, CodeForbidden, "This may not be done with these credentials."}},
	{installation.ErrNotFound, kind{http.StatusNotFound, CodeNotFound, "There is no such installation."}},
	{installation.ErrExists, kind{http.StatusConflict, CodeConflict, "There is an installation already."}},
	{installation.ErrStale, kind{http.StatusConflict, CodeConflict, "The installation was made anew since."}},
	{installation.ErrConflict, kind{http.StatusConflict, CodeConflict, "The present state of the installation does not allow this."}},
	{installation.ErrIdempotencyMismatch, kind{http.StatusUnprocessableEntity, CodeKeyReused, "The idempotency key was used for another request."}},
	{installation.ErrShredded, kind{http.StatusGone, CodeGone, "The content of the installation was destroyed."}},
	{installation.ErrUnknownKey, kind{http.StatusInternalServerError, CodeInternal, "The request could not be completed."}},
	{installation.ErrSealed, kind{http.StatusInternalServerError, CodeInternal, "The request could not be completed."}},
}

// ProblemOf returns the problem that err is or leads to. An error that it does not know is the server's fault.
func ProblemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &Problem{Status: http.StatusRequestEntityTooLarge, Code: CodeTooLarge, Message: "The body is too large.", Cause: err}
	}
	for _, k := range kinds {
		if !errors.Is(err, k.target) {
			continue
		}
		p := k.problem(err)
		if invalid, ok := errors.AsType[*validate.Error](err); ok && p.Code == CodeInvalid {
			p.Issues = issues(invalid.Violations)
		}
		return p
	}
	return Internal(err)
}

// own reports whether the text of err is the library's and thereby free of what a client sent. The errors of contexts are anybody's: the text
// around them may be a URL with a password in it.
func own(err error) bool {
	if _, ok := errors.AsType[*panicError](err); ok {
		return true
	}
	for _, k := range kinds {
		if !ended(k.target) && errors.Is(err, k.target) {
			return true
		}
	}
	return errors.Is(err, installation.ErrSchema) || errors.Is(err, errAnswer)
}

// ended reports whether an error is the end of a context.
func ended(err error) bool { return err == context.DeadlineExceeded || err == context.Canceled }

// hostError is an error of code that is not the library's, as it may be shown to who runs the server.
type hostError struct{ err error }

// HostError marks an error as one of the host's own code, or of a library beneath it. It matches what err matches and says what kinds and types
// of errors err is made of, but nothing of its text, which may quote what the host's code was given. What wraps it may be logged in full.
func HostError(err error) error { return &hostError{err} }

// HostFailure is the answer to an error of the host's own code, which it marks with [HostError]. Whatever the error is, it says nothing of the
// request: where it is not a passing trouble, it is a failure.
func HostFailure(err error) *Problem {
	marked := HostError(err)
	if p := ProblemOf(marked); p.Status == http.StatusServiceUnavailable {
		return p
	}
	return Internal(marked)
}

// Error says what kind of error it is.
func (e *hostError) Error() string { return outline(e.err) }

// Unwrap returns the error of the host.
func (e *hostError) Unwrap() error { return e.err }

// outline says of an error whose text is not to be shown what it matches and what types it is made of.
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
		if _, mark := err.(*hostError); !mark { //nolint:errorlint // the mark alone is left out
			names = append(names, fmt.Sprintf("%T", err))
		}
	}
	return strings.Join(names, ": ")
}

// panicError is a panic without what it said, which may be anything.
type panicError struct {
	kind  string
	where string
}

// maxFrames is how much of the stack is kept of a panic.
const maxFrames = 32

// panicked is to be called by the function that recovers. It notes functions and lines alone: a full trace shows arguments.
func panicked(value any) error {
	var pcs [maxFrames]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])]) // not Callers, panicked and who recovers
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

// Error says what type was panicked with, and where.
func (e *panicError) Error() string { return "panic with a " + e.kind + " at " + e.where }
