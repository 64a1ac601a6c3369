package ampersand

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

// problemJSON is the media type of errors (RFC 9457).
const problemJSON = "application/problem+json"

// wireProblem is the body of every error.
type wireProblem struct {
	Type       string      `json:"type"`
	Title      string      `json:"title"`
	Status     int         `json:"status"`
	Detail     string      `json:"detail"`
	Subsystem  string      `json:"subsystem"`
	Time       wireTime    `json:"time"`
	RequestID  string      `json:"requestId"`
	Causes     []string    `json:"causes,omitempty"`
	Remedy     string      `json:"remedy,omitzero"`
	Retryable  bool        `json:"retryable"`
	RetryAfter wireTime    `json:"retryAfter,omitzero"`
	Issues     []wireIssue `json:"issues,omitempty"` // with 400 and 422
}

// wireIssue is one thing that is wrong with a request. The value is never in it: it may be a secret.
type wireIssue struct {
	In     string `json:"in"`
	Name   string `json:"name"`
	Detail string `json:"detail"`
}

// advice is the cause of a problem that has a remedy of its own.
type advice struct {
	error
	remedy string
}

// Unwrap returns what the advice is about.
func (a *advice) Unwrap() error { return a.error }

// withRemedy adds to a problem how to resolve it.
func withRemedy(p *httpapi.Problem, remedy string) *httpapi.Problem {
	cause := p.Cause
	if cause == nil {
		cause = errors.New(p.Message)
	}
	p.Cause = &advice{cause, remedy}
	return p
}

// remedies say how to resolve a problem that has no remedy of its own.
var remedies = map[int]string{
	http.StatusBadRequest:            "Correct the request as the issues say.",
	http.StatusUnauthorized:          "Send an API key of the project in X-Api-Key, or a bearer token that a key of the project signed.",
	http.StatusForbidden:             "Use an API key of the project.",
	http.StatusNotFound:              "Check the ids in the path, and that they are of this project.",
	http.StatusConflict:              "Read the resource again and decide anew.",
	http.StatusUnsupportedMediaType:  "Send application/json.",
	http.StatusRequestEntityTooLarge: "Send less.",
	http.StatusUnprocessableEntity:   "Correct what the provider refuses, or see to it that the connection may read it.",
	http.StatusServiceUnavailable:    "Try again later.",
}

// render writes a problem as the platform does.
func (h *Handler) render(p *httpapi.Problem) *httpapi.Answer {
	w := wireProblem{
		Type: "about:blank", Title: http.StatusText(p.Status), Status: p.Status, Detail: p.Message, Subsystem: "api",
		Time: wireTime(h.opts.Now()), RequestID: p.RequestID, Remedy: remedies[p.Status],
		Retryable: p.Status == http.StatusServiceUnavailable || p.Status == http.StatusRequestTimeout,
	}
	if a, ok := errors.AsType[*advice](p.Cause); ok {
		w.Remedy = a.remedy
	}
	if seconds, err := strconv.Atoi(p.Header.Get("Retry-After")); err == nil {
		w.RetryAfter = wireTime(h.opts.Now().Add(time.Duration(seconds) * time.Second))
	}
	for _, v := range p.Issues {
		issue := issueOf(v)
		w.Issues = append(w.Issues, issue)
		w.Causes = append(w.Causes, strings.TrimPrefix(issue.Name+": "+issue.Detail, ": "))
	}
	return &httpapi.Answer{Status: p.Status, ContentType: problemJSON, Body: w}
}

// Prefixes of the paths of violations that are not in the body.
const (
	inPath   = ":"
	inHeader = "If-Match"
)

// Names that the paths of violations begin with: of the stored configuration, and of the content of an update.
const (
	ofConfiguration = "configuration"
	ofDocument      = "document"
)

// inUpdate names what is wrong with the configuration by where it stands in an update.
func inUpdate(err error) error {
	p := *httpapi.ProblemOf(err)
	if len(p.Issues) == 0 {
		return err
	}
	p.Issues = slices.Clone(p.Issues)
	for i := range p.Issues {
		if rest, ok := strings.CutPrefix(p.Issues[i].Path, ofConfiguration); ok {
			p.Issues[i].Path = ofDocument + rest
		}
	}
	return &p
}

// issueOf puts a violation into the terms of the wire. Places in the stored configuration are places in config.content.
func issueOf(v validate.Violation) wireIssue {
	i := wireIssue{In: "body", Name: v.Path, Detail: v.Detail}
	switch {
	case strings.HasPrefix(v.Path, httpapi.InQuery):
		i.In, i.Name = "query", v.Path[len(httpapi.InQuery):]
	case strings.HasPrefix(v.Path, inPath):
		i.In, i.Name = "path", v.Path[len(inPath):]
	case v.Path == inHeader:
		i.In = "header"
	case strings.HasPrefix(v.Path, ofDocument):
		i.Name = "installation.config.content" + strings.TrimPrefix(v.Path, ofDocument)
	case v.Path == ofConfiguration+".createdBy": // beside the content
		i.Name = "config.createdBy"
	case v.Path == ofConfiguration || strings.HasPrefix(v.Path, ofConfiguration+"."):
		i.Name = "config.content" + strings.TrimPrefix(v.Path, ofConfiguration)
	}
	return i
}

// refused is the answer to a [*Refusal]: the request was understood, and the provider does not take it.
func refused(name string, r *Refusal) *httpapi.Problem {
	p := httpapi.Invalid(name, validate.RuleUnknown, r.Message)
	p.Status, p.Message, p.Cause = http.StatusUnprocessableEntity, r.Message, r
	return p
}
