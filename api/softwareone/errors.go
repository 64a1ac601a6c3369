package softwareone

import (
	"errors"
	"net/http"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
)

// wireProblem is the body of every error answer.
type wireProblem struct {
	Type    string              `json:"type"`
	Title   string              `json:"title"`
	Status  int                 `json:"status"`
	Detail  string              `json:"detail,omitzero"`
	TraceID string              `json:"traceId"`
	Errors  map[string][]string `json:"errors,omitempty"` // by field
}

// render writes a problem in the platform's form.
func render(p *httpapi.Problem) *httpapi.Answer {
	body := wireProblem{
		Type: typeURI(p.Status), Title: http.StatusText(p.Status), Status: p.Status,
		Detail: p.Message, TraceID: p.RequestID, Errors: make(map[string][]string),
	}
	if errors.Is(p.Cause, installation.ErrExists) {
		body.Detail = "Extension is already installed for this account."
	}
	for _, v := range p.Issues {
		body.Errors[v.Path] = append(body.Errors[v.Path], v.Detail)
	}
	return &httpapi.Answer{Status: p.Status, Body: body, ContentType: httpapi.ProblemJSON}
}

// sections has the section of RFC 9110 that describes a status, by status.
var sections = map[int]string{
	400: "15.5.1", 401: "15.5.2", 403: "15.5.4", 404: "15.5.5", 405: "15.5.6", 408: "15.5.9",
	409: "15.5.10", 410: "15.5.11", 413: "15.5.14", 415: "15.5.16", 500: "15.6.1", 503: "15.6.4",
}

func typeURI(status int) string {
	if s := sections[status]; s != "" {
		return "https://tools.ietf.org/html/rfc9110#section-" + s
	}
	return "about:blank"
}

// wireNames translates the library's paths of violations to the platform's.
var wireNames = []httpapi.Name{
	{Domain: "", Wire: "body"},
	{Domain: "consent.modules", Wire: "modules"},
	{Domain: "validity", Wire: "invitation.validity"},
	{Domain: "message", Wire: "invitation.message"},
	{Domain: "externalId", Wire: "invitation.externalId"},
}
