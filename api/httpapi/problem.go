package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-installation/installation/validate"
)

// Problem is the error for a rejected or failed request, in a form that all platforms share. A
// [Renderer] writes it in the format of one platform.
type Problem struct {
	Status  int
	Code    Code
	Message string               // for people; a fixed text, or a text of the host
	Issues  []validate.Violation // violations in the input, with dots in their paths
	Header  http.Header          // such as Allow and Retry-After
	Cause   error                // for the log and the renderer; clients never see it

	RequestID string // for the renderer; set by the [API]
}

// Renderer returns the answer of a platform to a problem. It can choose a status other than
// p.Status. The [API] adds p.Header to the headers of the answer.
type Renderer func(p *Problem) *Answer

// Code names the kind of a problem, for programs. The values are stable.
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

// retryAfter is the time that a client is told to wait after a 503.
const retryAfter = 5 * time.Second

// Error returns the code and the message. The message is a fixed text, or a text of the host.
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

// NotFound rejects a request for a resource that does not exist, or that the client is not allowed
// to know of. For an installation, return [installation.ErrNotFound] instead.
func NotFound() *Problem { return Reject(CodeNotFound, "There is no such resource.") }

// Forbidden rejects a request of a known client. The message is a fixed sentence with the reason.
func Forbidden(message string) *Problem { return Reject(CodeForbidden, message) }

// Unauthorized rejects a request without valid credentials. The challenge is the value of the
// WWW-Authenticate header, which names the scheme to use, such as Bearer. The client does not see
// the cause.
func Unauthorized(challenge string, cause error) *Problem {
	p := caused(CodeUnauthorized, "The request has no valid credentials.", cause)
	p.Header = http.Header{"Www-Authenticate": {challenge}}
	return p
}

// InvalidToken rejects a bearer token that is not valid; see [Unauthorized].
func InvalidToken(cause error) *Problem {
	return Unauthorized(`Bearer error="invalid_token"`, cause)
}

// Invalid rejects input with one violation. The parameters are those of [validate.List.Add].
func Invalid(path string, rule validate.Rule, detail string) *Problem {
	var l validate.List
	l.Add(path, rule, detail)
	return ProblemOf(l.Err())
}

// Internal returns a problem for a failure of the server, with status 500. The client does not see
// the cause.
func Internal(cause error) *Problem { return caused(CodeInternal, internalText, cause) }

// Unavailable returns a problem for a failure of the server that is temporary, with status 503.
func Unavailable(cause error) *Problem { return caused(CodeUnavailable, unavailableText, cause) }

// Failure returns a problem for an error that is not the fault of the request, even if it matches
// an error such as [installation.ErrNotFound]. The status is 503 if [ProblemOf] gives the error
// that status, and 500 otherwise.
func Failure(err error) *Problem {
	if p := ProblemOf(err); p.Status == http.StatusServiceUnavailable {
		return p
	}
	return Internal(err)
}

// HostFailure is [Failure] for an error of the host's own code. It hides the text of the error with
// [HostError].
func HostFailure(err error) *Problem { return Failure(HostError(err)) }
