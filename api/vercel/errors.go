package vercel

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-installation/installation/api/httpapi"
)

// wireError is the body of every error.
type wireError struct {
	Error struct {
		Code    string      `json:"code"`
		Message string      `json:"message"`
		User    *wireUser   `json:"user,omitzero"`
		Fields  []wireField `json:"fields,omitempty"` // with 400 only
	} `json:"error"`
}

// wireUser is the text for the customer.
type wireUser struct {
	Message string `json:"message,omitzero"`
	URL     string `json:"url,omitzero"`
}

type wireField struct {
	Key     string `json:"key"`
	Message string `json:"message,omitzero"`
}

// render writes a problem as the Partner API does. It knows no 422 for a key that was used for another request: that is a conflict.
func render(p *httpapi.Problem) *httpapi.Answer {
	status := p.Status
	if p.Code == httpapi.CodeKeyReused {
		status = http.StatusConflict
	}
	var body wireError
	body.Error.Code, body.Error.Message = string(p.Code), p.Message
	if status == http.StatusBadRequest {
		for _, v := range p.Issues {
			body.Error.Fields = append(body.Error.Fields, wireField{Key: wireName(v.Path), Message: v.Detail})
		}
	}
	if r, ok := errors.AsType[*Refusal](p.Cause); ok {
		body.Error.User = &wireUser{Message: r.Message, URL: r.URL}
	}
	return &httpapi.Answer{Status: status, Body: body}
}

// wireNames are the names that Vercel has for those of the domain.
var wireNames = []struct{ domain, wire string }{
	{"consent.scopes", "scopes"},
	{"consent.policies", "acceptedPolicies"},
	{"connection.access_token", "credentials.access_token"},
	{"connection.tokenType", "credentials.token_type"},
	{"id", "installationId"},
}

// wireName translates the path of a violation. That of the whole body has a name too, since a field without key is none.
func wireName(path string) string {
	if path == "" {
		return "body"
	}
	for _, n := range wireNames {
		if rest, ok := strings.CutPrefix(path, n.domain); ok && (rest == "" || strings.ContainsRune(".[", rune(rest[0]))) {
			return n.wire + rest
		}
	}
	return path
}
