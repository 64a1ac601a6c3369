package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-installation/installation/validate"
)

// Problem is a rejected or failed request, in terms that all platforms share. A [Renderer]
// writes it in the form of one of them.
type Problem struct {
	Status  int
	Code    Code
	Message string               // for people; fixed text, or text of the host
	Issues  []validate.Violation // violations of the input, with dots in their paths
	Header  http.Header          // such as Allow and Retry-After
	Cause   error                // for the log and the renderer; never shown

	RequestID string // for the renderer; set by the [API]
}

// Renderer returns the answer of a platform to a problem. It may choose another status. The
// headers of the problem are added to those of the answer.
type Renderer func(p *Problem) *Answer

// Code names a kind of problem for machines. The values are stable.
type Code string

// Kinds of problems.
const (
	CodeInvalid          Code = "validation_error"
	CodeUnauthorized     Code = "unauthorized"
	CodeForbidden        Code = "forbidden"
	CodeNotFound         Code = "not_found"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeConflict         Code = "conflict"
	CodeGone             Code = "gone"
	CodeTimeout          Code = "request_timeout"
	CodeTooLarge         Code = "payload_too_large"
	CodeMediaType        Code = "unsupported_media_type"
	CodeKeyReused        Code = "idempotency_key_reused"
	CodeInternal         Code = "internal_error"
	CodeUnavailable      Code = "unavailable"
	CodeUnknownOutcome   Code = "outcome_unknown"
	CodeNotReplicated    Code = "not_replicated"
)

var statuses = map[Code]int{
	CodeInvalid:          http.StatusBadRequest,
	CodeUnauthorized:     http.StatusUnauthorized,
	CodeForbidden:        http.StatusForbidden,
	CodeNotFound:         http.StatusNotFound,
	CodeMethodNotAllowed: http.StatusMethodNotAllowed,
	CodeConflict:         http.StatusConflict,
	CodeGone:             http.StatusGone,
	CodeTimeout:          http.StatusRequestTimeout,
	CodeTooLarge:         http.StatusRequestEntityTooLarge,
	CodeMediaType:        http.StatusUnsupportedMediaType,
	CodeKeyReused:        http.StatusUnprocessableEntity,
	CodeInternal:         http.StatusInternalServerError,
	CodeUnavailable:      http.StatusServiceUnavailable,
	CodeUnknownOutcome:   http.StatusServiceUnavailable,
	CodeNotReplicated:    http.StatusServiceUnavailable,
}

// retryAfter is the time to wait after an answer with 503.
const retryAfter = 5 * time.Second

// Error implements error. It has the message, which is fixed text unless the host made it.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Message }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// Reject returns a problem with the status of its code. The message is a fixed sentence for
// people. A problem with status 503 has a Retry-After header.
func Reject(code Code, message string) *Problem {
	p := &Problem{Status: statuses[code], Code: code, Message: message}
	if p.Status == http.StatusServiceUnavailable {
		p.Header = http.Header{"Retry-After": {strconv.Itoa(int(retryAfter.Seconds()))}}
	}
	return p
}

// caused is [Reject] with a cause.
func caused(code Code, message string, cause error) *Problem {
	p := Reject(code, message)
	p.Cause = cause
	return p
}

// NotFound rejects a request for a resource that does not exist, or that the client must not
// know of. For an installation, return [installation.ErrNotFound] instead.
func NotFound() *Problem { return Reject(CodeNotFound, "There is no such resource.") }

// Forbidden rejects a request of a known client for a reason in one fixed sentence.
func Forbidden(message string) *Problem { return Reject(CodeForbidden, message) }

// Unauthorized rejects a client without a valid identity. The challenge names the scheme to
// use, such as Bearer. The cause is for the log and not for the client.
func Unauthorized(challenge string, cause error) *Problem {
	p := caused(CodeUnauthorized, "The request has no valid credentials.", cause)
	p.Header = http.Header{"Www-Authenticate": {challenge}}
	return p
}

// InvalidToken rejects a bearer token that is not valid; see [Unauthorized].
func InvalidToken(cause error) *Problem {
	return Unauthorized(`Bearer error="invalid_token"`, cause)
}

// Invalid rejects input for one reason; see [validate.List.Add].
func Invalid(path string, rule validate.Rule, detail string) *Problem {
	var l validate.List
	l.Add(path, rule, detail)
	return ProblemOf(l.Err())
}

// Internal is a failure of the server. The client gets no reason.
func Internal(cause error) *Problem { return caused(CodeInternal, internalText, cause) }

// Unavailable is a failure of the server that may pass.
func Unavailable(cause error) *Problem { return caused(CodeUnavailable, unavailableText, cause) }

// Failure is the problem of an error that is never the fault of the request, whatever it matches:
// 503 if it may pass, and 500 otherwise.
func Failure(err error) *Problem {
	if p := ProblemOf(err); p.Status == http.StatusServiceUnavailable {
		return p
	}
	return Internal(err)
}

// HostFailure is [Failure] for an error of the host's own code, which it marks with [HostError].
func HostFailure(err error) *Problem { return Failure(HostError(err)) }
