package vercel

import (
	"errors"
	"net/http"

	"github.com/go-installation/installation/api/httpapi"
)

// wireError is the JSON body of every error.
type wireError struct {
	Error struct {
		Code    string      `json:"code"`
		Message string      `json:"message"`
		User    *wireUser   `json:"user,omitzero"`
		Fields  []wireField `json:"fields,omitempty"` // with 400 only
	} `json:"error"`
}

// wireUser is the text of a [Refusal], which Vercel shows to the customer.
type wireUser struct {
	Message string `json:"message,omitzero"`
	URL     string `json:"url,omitzero"`
}

type wireField struct {
	Key     string `json:"key"`
	Message string `json:"message,omitzero"`
}

// render returns the answer to a problem in the form of the Partner API. For an idempotency key
// that another request has used, the status is 409, because the API has no 422.
func render(p *httpapi.Problem) *httpapi.Answer {
	status := p.Status
	if p.Code == httpapi.CodeKeyReused {
		status = http.StatusConflict
	}
	var body wireError
	body.Error.Code, body.Error.Message = string(p.Code), p.Message
	if status == http.StatusBadRequest {
		for _, v := range p.Issues {
			body.Error.Fields = append(body.Error.Fields, wireField{Key: v.Path, Message: v.Detail})
		}
	}
	if r, ok := errors.AsType[*Refusal](p.Cause); ok {
		body.Error.User = &wireUser{Message: r.Message, URL: r.URL}
	}
	return &httpapi.Answer{Status: status, Body: body}
}

// wireNames maps paths in an installation to names of Vercel, for the fields of an error. The whole
// body has the name "body", since a field needs a key.
var wireNames = []httpapi.Name{
	{Domain: "", Wire: "body"},
	{Domain: "consent.scopes", Wire: "scopes"},
	{Domain: "consent.policies", Wire: "acceptedPolicies"},
	{Domain: "connection.access_token", Wire: "credentials.access_token"},
	{Domain: "connection.tokenType", Wire: "credentials.token_type"},
	{Domain: "id", Wire: "installationId"},
}
