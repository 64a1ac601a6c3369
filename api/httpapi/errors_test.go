package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

type errorCase struct {
	err    error
	status int
	code   httpapi.Code
	logged string // part of the line; "" = nothing is logged
}

// errorCases returns errors with their answers.
func errorCases() []errorCase {
	const unknown = "internal_error"
	return []errorCase{
		{&validate.Error{Violations: []validate.Violation{{Path: "a",
			Rule: validate.RuleRequired}}}, 400, "validation_error", ""},
		{installation.ErrInvitation, 400, "validation_error", ""},
		{installation.ErrForbidden, 403, "forbidden", ""},
		{installation.ErrNotFound, 404, "not_found", ""},
		{&installation.ExistsError{}, 409, "conflict", ""},
		{&installation.ConflictError{}, 409, "conflict", ""},
		{installation.ErrStale, 409, "conflict", ""},
		{installation.ErrIdempotencyMismatch, 422, "idempotency_key_reused", ""},
		{installation.ErrShredded, 410, "gone", ""},
		{installation.ErrSealed, 500, unknown, "sealed"},
		{installation.ErrUnknownKey, 500, unknown, "key"},
		{installation.ErrKeyUnavailable, 503, "unavailable", "key"},
		{installation.ErrUnavailable, 503, "unavailable", "store unavailable"},
		{installation.ErrUnknownOutcome, 503, "outcome_unknown", "outcome unknown"},
		{installation.ErrNotReplicated, 503, "not_replicated", "not confirmed"},
		{context.DeadlineExceeded, 503, "unavailable", "deadline"},
		{context.Canceled, 503, "unavailable", "canceled"},
		{errors.Join(installation.ErrNotFound, installation.ErrUnavailable), 503, "unavailable",
			"store unavailable"},
		{&http.MaxBytesError{}, 413, "payload_too_large", ""},
		{errors.New("c4nary"), 500, unknown, "*errors.errorString"},
		{httpapi.Internal(io.ErrUnexpectedEOF), 500, unknown, "*errors.errorString"},
		{httpapi.Internal(nil), 500, unknown, "*httpapi.Problem"},
		{httpapi.Unavailable(errSafe), 503, "unavailable", "safe to say"},
		{httpapi.Forbidden("No."), 403, "forbidden", ""},
		{httpapi.Unauthorized("Bearer", nil), 401, "unauthorized", ""},
	}
}

// TestErrors: which status and code each error has.
func TestErrors(t *testing.T) {
	tests := errorCases()
	var fail error
	url, log := serve(t, httpapi.Config{Loggable: []error{errSafe}}, httpapi.Methods{
		"GET": func(*http.Request) (*httpapi.Answer, error) {
			return &httpapi.Answer{Body: "ignored"}, fail
		},
	})
	for _, tt := range tests {
		log.Reset()
		fail = tt.err
		resp, body := send(t, "GET", url+"/things/c4nary?c4nary=c4nary", nil)
		if resp.StatusCode != tt.status ||
			!strings.Contains(body, `"code":"`+string(tt.code)+`"`) {
			t.Errorf("%v: %d %s, want %d %s", tt.err, resp.StatusCode, body, tt.status, tt.code)
		}
		if (resp.Header.Get("Retry-After") != "") != (tt.status == 503) {
			t.Errorf("%v: Retry-After %q with %d", tt.err, resp.Header.Get("Retry-After"),
				tt.status)
		}
		line := log.String()
		if !strings.Contains(line, tt.logged) || (line == "") != (tt.logged == "") ||
			strings.Contains(line+body, "c4nary") {
			t.Errorf("%v: logged %s", tt.err, line)
		}
		if tt.logged != "" &&
			!strings.Contains(line, "request="+resp.Header.Get("X-Request-Id")) {
			t.Errorf("%v: logged without the request id: %s", tt.err, line)
		}
	}
}

var errSafe = errors.New("safe to say")

// TestHostErrorInLog: whatever an error of the host's own code matches, the log says the kind
// and the types and none of its text.
func TestHostErrorInLog(t *testing.T) {
	secret := func(err error) error { return fmt.Errorf("token=c4nary: %w", err) }
	request := &url.Error{Op: "Post", URL: "https://billing.example/?api_key=c4nary",
		Err: context.DeadlineExceeded}
	tests := map[string]struct {
		err    error
		status int
		logged string
	}{
		"timeout": {httpapi.HostFailure(request), 503,
			"context deadline exceeded, by an error of type *url.Error"},
		"cancelled": {httpapi.HostFailure(secret(context.Canceled)), 503,
			"context canceled, by an error of type *fmt.wrapError"},
		"unavailable": {httpapi.HostFailure(secret(installation.ErrUnavailable)), 503,
			"store unavailable, by an error of type *fmt.wrapError"},
		"loggable": {httpapi.HostFailure(secret(errSafe)), 500,
			"an error of type *fmt.wrapError"},
		"input": {httpapi.HostFailure(secret(installation.ErrInvalid)), 500,
			"invalid"},
		"not found": {httpapi.HostFailure(secret(installation.ErrNotFound)), 500,
			"not found"},
		"unknown": {httpapi.HostFailure(errors.New("c4nary")), 500,
			"an error of type *errors.errorString"},
		"marked below our text": {fmt.Errorf("%w: %w", errSafe, httpapi.HostError(request)), 503,
			"safe to say: context deadline exceeded"},
		"marked twice": {httpapi.HostFailure(httpapi.HostFailure(request)), 503,
			"context deadline exceeded"},
		"timeout, not marked": {request, 503,
			"context deadline exceeded, by an error of type *url.Error"},
		"below foreign text": {secret(httpapi.HostError(request)), 503,
			"context deadline exceeded"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			url, log := serve(t, httpapi.Config{Loggable: []error{errSafe}}, httpapi.Methods{
				"GET": func(*http.Request) (*httpapi.Answer, error) { return nil, tt.err },
			})
			resp, body := send(t, "GET", url+"/things/a", nil)
			if resp.StatusCode != tt.status {
				t.Errorf("%d %s, want %d", resp.StatusCode, body, tt.status)
			}
			if line := log.String(); !strings.Contains(line, tt.logged) ||
				strings.Contains(line+body, "c4nary") {
				t.Errorf("logged %s, want %q", line, tt.logged)
			}
		})
	}
	if err := httpapi.HostError(request); !errors.Is(err, context.DeadlineExceeded) ||
		strings.Contains(err.Error(), "c4nary") {
		t.Errorf("%v", err)
	}
}

func TestProblem(t *testing.T) {
	p := httpapi.Internal(io.EOF)
	if !errors.Is(p, io.EOF) || strings.Contains(p.Error(), "EOF") {
		t.Errorf("%v", p)
	}
	if got := httpapi.ProblemOf(p); got != p {
		t.Error("a problem is not its own")
	}
}
