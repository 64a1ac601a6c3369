package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-installation/installation/validate"
)

// Problem is a request that was refused or that failed, in the terms all platforms share. A [Renderer] puts it into those of one.
type Problem struct {
	Status  int
	Code    Code
	Message string               // for people; fixed text
	Issues  []validate.Violation // what is wrong with the input, in the domain's names with dots between them
	Header  http.Header          // such as Allow and Retry-After
	Cause   error                // the error it was made of, for the log and for the renderer; never shown

	RequestID string // of the request that met it, for the renderer; set by the [API]
}

// Renderer makes the answer that a platform gives to a problem. It may choose another status than the problem's. The headers of the problem
// are added to those it returns.
type Renderer func(p *Problem) Answer

// Code names a kind of problem, for machines. The values are stable.
type Code string

// Kinds of problems.
const (
	CodeInvalid      Code = "validation_error"
	CodeIdentity     Code = "unauthorized" // no valid identity
	CodeForbidden    Code = "forbidden"
	CodeNotFound     Code = "not_found"
	CodeMethod       Code = "method_not_allowed"
	CodeConflict     Code = "conflict"
	CodeGone         Code = "gone"
	CodeTimeout      Code = "request_timeout"
	CodeTooLarge     Code = "payload_too_large"
	CodeMediaType    Code = "unsupported_media_type"
	CodeKeyReused    Code = "idempotency_key_reused"
	CodeInternal     Code = "internal_error"
	CodeUnavailable  Code = "unavailable"
	CodeUnknownFate  Code = "outcome_unknown"
	CodeUnreplicated Code = "not_replicated"
)

// retryAfter is when to ask again after an answer with 503.
const retryAfter = 5 * time.Second

// Error implements error. It holds no text of the client.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Message }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// NotFound is the answer about what is not there, or not for this client to know of.
func NotFound() *Problem {
	return &Problem{Status: http.StatusNotFound, Code: CodeNotFound, Message: "There is no such resource."}
}

// Forbidden refuses a client that is known, for a reason in one fixed sentence.
func Forbidden(message string) *Problem {
	return &Problem{Status: http.StatusForbidden, Code: CodeForbidden, Message: message}
}

// Unauthorized refuses a client without a valid identity and names the scheme it should use, such as Bearer. Why the identity is not valid is
// for the log, not for the client.
func Unauthorized(scheme string, cause error) *Problem {
	return &Problem{
		Status: http.StatusUnauthorized, Code: CodeIdentity, Message: "The request has no valid credentials.", Cause: cause,
		Header: http.Header{"Www-Authenticate": {scheme}},
	}
}

// Invalid refuses input for one reason; see [validate.List.Add].
func Invalid(path string, rule validate.Rule, detail string) *Problem {
	var l validate.List
	l.Add(path, rule, detail)
	return ProblemOf(l.Err())
}

// Internal is a failure of the server for which the client gets no reason.
func Internal(cause error) *Problem {
	return &Problem{Status: http.StatusInternalServerError, Code: CodeInternal, Message: "The request could not be completed.", Cause: cause}
}

// Unavailable is a failure that a later try may not meet.
func Unavailable(cause error) *Problem { return unavailable.problem(cause) }

// retryHeader says when to try again.
func retryHeader() http.Header {
	return http.Header{"Retry-After": {strconv.Itoa(int(retryAfter.Seconds()))}}
}
