package ampersand

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

// wireProblem is the body of every error.
type wireProblem struct {
	Type       string      `json:"type"`
	Title      string      `json:"title"`
	Status     int         `json:"status"`
	Detail     string      `json:"detail"`
	Subsystem  string      `json:"subsystem"`
	Time       Time        `json:"time"`
	RequestID  string      `json:"requestId"`
	Causes     []string    `json:"causes,omitempty"`
	Remedy     string      `json:"remedy,omitzero"`
	Retryable  bool        `json:"retryable"`
	RetryAfter Time        `json:"retryAfter,omitzero"`
	Issues     []wireIssue `json:"issues,omitempty"` // with 400 and 422
}

// wireIssue is one violation. It never has the violating value, which may be a secret.
type wireIssue struct {
	In     string `json:"in"`
	Name   string `json:"name"`
	Detail string `json:"detail"`
}

// advice is the cause of a problem, with a remedy that replaces the one for the status.
type advice struct {
	error
	remedy string
}

// Unwrap returns the cause without the remedy.
func (a *advice) Unwrap() error { return a.error }

// withRemedy gives a problem a remedy that replaces the one for its status in remedies.
func withRemedy(p *httpapi.Problem, remedy string) *httpapi.Problem {
	p.Cause = &advice{cmp.Or(p.Cause, errors.New(p.Message)), remedy}
	return p
}

// remedies has the text for each status that tells the client what to do.
var remedies = map[int]string{
	http.StatusBadRequest: "Correct the request as the issues say.",
	http.StatusUnauthorized: "Send an API key of the project in X-Api-Key, " +
		"or a bearer token that a key of the project signed.",
	http.StatusForbidden: "Use an API key of the project.",
	http.StatusNotFound: "Check the ids in the path, " +
		"and that they are of this project.",
	http.StatusConflict:              "Read the resource again and decide anew.",
	http.StatusUnsupportedMediaType:  "Send application/json, uncompressed.",
	http.StatusRequestEntityTooLarge: "Send less.",
	http.StatusUnprocessableEntity: "Correct what the provider refuses, " +
		"or see to it that the connection may read it.",
	http.StatusServiceUnavailable: "Try again later.",
}

// notFound returns the 404 for a missing resource of the host, which is any resource except an
// installation. The problem matches [ErrNotFound].
func notFound() *httpapi.Problem {
	p := httpapi.NotFound()
	p.Cause = ErrNotFound
	return p
}

// hostProblem returns the problem for an error of the host: 404 for [ErrNotFound], and a failure of
// the server otherwise. It returns nil for nil.
func hostProblem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return notFound()
	}
	return httpapi.HostFailure(err)
}

// conflict returns the 409 for a request that does not fit the state of a connection. cause can be
// nil.
func conflict(cause error, message, remedy string) *httpapi.Problem {
	p := httpapi.Reject(httpapi.CodeConflict, message)
	p.Cause = cause
	return withRemedy(p, remedy)
}

// rejected returns the 422 for a rejection by the provider. path names the rejected field of the
// request.
func rejected(r *Rejection, path string) *httpapi.Problem {
	p := httpapi.Invalid(path, validate.RuleUnknown, r.Message)
	p.Status, p.Message, p.Cause = http.StatusUnprocessableEntity, r.Message, r
	return p
}

// rejectedOr returns the problem for an error of the host that may be a [*Rejection]; see rejected
// and hostProblem.
func rejectedOr(err error, path string) error {
	if r, ok := errors.AsType[*Rejection](err); ok {
		return rejected(r, path)
	}
	return hostProblem(err)
}

// render returns the answer to a problem in the form of the platform.
func (h *Handler) render(p *httpapi.Problem) *httpapi.Answer {
	now := h.opts.Now()
	w := wireProblem{
		Type: "about:blank", Title: http.StatusText(p.Status), Status: p.Status,
		Detail: p.Message, Subsystem: "api", Time: Time{now}, RequestID: p.RequestID,
		Remedy: remedies[p.Status],
		Retryable: p.Status == http.StatusServiceUnavailable ||
			p.Status == http.StatusRequestTimeout,
	}
	if a, ok := errors.AsType[*advice](p.Cause); ok {
		w.Remedy = a.remedy
	}
	if seconds, err := strconv.Atoi(p.Header.Get("Retry-After")); err == nil {
		w.RetryAfter = Time{now.Add(time.Duration(seconds) * time.Second)}
	}
	for _, v := range p.Issues {
		issue := issueOf(v)
		w.Issues = append(w.Issues, issue)
		w.Causes = append(w.Causes, strings.TrimPrefix(issue.Name+": "+issue.Detail, ": "))
	}
	return &httpapi.Answer{Status: p.Status, ContentType: httpapi.ProblemJSON, Body: w}
}

// issueOf returns a violation in the form of the platform.
func issueOf(v validate.Violation) wireIssue {
	i := wireIssue{In: "body", Name: v.Path, Detail: v.Detail}
	if name, ok := strings.CutPrefix(v.Path, httpapi.InQuery); ok {
		i.In, i.Name = "query", name
	} else if name, ok := strings.CutPrefix(v.Path, inPath); ok {
		i.In, i.Name = "path", name
	} else if v.Path == "If-Match" {
		i.In = "header"
	}
	return i
}

// inPath is the prefix of Violation.Path for parameters in the URL path, as [httpapi.InQuery] is
// for parameters in the query.
const inPath = ":"

// JSON paths of the content in the bodies of requests.
const (
	inCreate = "config.content"
	inUpdate = "installation." + inCreate
)

// issueNames maps paths in violations of the service, and of update masks, to paths in bodies of
// requests.
var issueNames = []httpapi.Name{
	{Domain: "configuration.createdBy", Wire: "config.createdBy"},
	{Domain: "configuration", Wire: inCreate},
	{Domain: "patch", Wire: "changes"},
}

// updateError returns the problem for an error of an update. It changes the paths of violations in
// the configuration to paths in the body of the update.
func updateError(err error) error {
	p := *httpapi.ProblemOf(err)
	p.Issues = slices.Clone(p.Issues)
	for i := range p.Issues {
		if rest, ok := strings.CutPrefix(p.Issues[i].Path, "configuration"); ok {
			p.Issues[i].Path = inUpdate + rest
		}
	}
	return &p
}
