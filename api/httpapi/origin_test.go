package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation/api/httpapi"
)

// corsHeaders returns the headers of an answer that concern a browser.
func corsHeaders(h http.Header) map[string]string {
	got := make(map[string]string)
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
			got[name] = h.Get(name)
		}
	}
	return got
}

// TestOrigins sends what Chromium sends before and with a PATCH that has JSON and a token.
func TestOrigins(t *testing.T) {
	const app = "https://app.example"
	url, _ := serve(t, httpapi.Config{Origins: []string{"https://other.example", app}},
		httpapi.Methods{"PATCH": func(*http.Request) (*httpapi.Answer, error) {
			return nil, httpapi.Unauthorized("Bearer", nil)
		}})
	preflight := func(origin string) []string {
		return []string{"Origin", origin, "Access-Control-Request-Method", "PATCH",
			"Access-Control-Request-Headers", "authorization,content-type,x-api-key"}
	}
	refused := map[string]string{"Vary": "Origin"}
	shared := map[string]string{"Vary": "Origin", "Access-Control-Allow-Origin": app,
		"Access-Control-Expose-Headers": "ETag, Retry-After, X-Request-Id"}
	allowed := map[string]string{"Vary": "Origin", "Access-Control-Allow-Origin": app,
		"Access-Control-Expose-Headers": "ETag, Retry-After, X-Request-Id",
		"Access-Control-Allow-Methods":  "GET, HEAD, POST, PUT, PATCH, DELETE",
		"Access-Control-Allow-Headers":  "authorization,content-type,x-api-key",
		"Access-Control-Max-Age":        "600"}
	tests := []struct {
		name, method string
		headers      []string
		status       int
		want         map[string]string
	}{
		{"preflight", "OPTIONS", preflight(app), 204, allowed},
		{"preflight of another origin", "OPTIONS", preflight("https://evil.example"), 405, refused},
		{"preflight of a longer origin", "OPTIONS", preflight(app + ".evil.example"), 405, refused},
		{"preflight without an origin", "OPTIONS", nil, 405, refused},
		{"OPTIONS", "OPTIONS", []string{"Origin", app}, 405, shared},
		{"the request", "PATCH", []string{"Origin", app}, 401, shared},
		{"of another origin", "PATCH", []string{"Origin", "null"}, 401, refused},
		{"without an origin", "PATCH", nil, 401, refused},
	}
	for _, tt := range tests {
		resp, _ := send(t, tt.method, url+"/things/a", nil, tt.headers...)
		if diff := cmp.Diff(tt.want, corsHeaders(resp.Header)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if resp.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, resp.StatusCode, tt.status)
		}
	}
	if resp, _ := send(t, "GET", url+"/nothing", nil, "Origin", app); resp.StatusCode != 404 ||
		resp.Header.Get("Access-Control-Allow-Origin") != app {
		t.Errorf("an unknown path: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestNoOriginsByDefault(t *testing.T) {
	url, _ := serve(t, httpapi.Config{}, httpapi.Methods{
		"GET": func(*http.Request) (*httpapi.Answer, error) { return nil, nil },
	})
	for method, status := range map[string]int{"OPTIONS": 405, "GET": 204} {
		resp, _ := send(t, method, url+"/things/a", nil, "Origin", "",
			"Access-Control-Request-Method", "GET")
		if got := corsHeaders(resp.Header); resp.StatusCode != status || len(got) > 0 {
			t.Errorf("%s: %d %v", method, resp.StatusCode, got)
		}
	}
}

// TestCompressedBody: the refusal says what to change, and Accept-Encoding says it to programs.
func TestCompressedBody(t *testing.T) {
	for encoding, message := range map[string]string{
		"gzip":     "The body must be sent without compression.",
		"identity": "The body must be application/json in UTF-8.",
	} {
		r := httptest.NewRequest("PUT", "/", strings.NewReader("\x1f\x8b\x08"))
		r.Header.Set("Content-Encoding", encoding)
		_, err := httpapi.Document(r)
		p := httpapi.ProblemOf(err)
		accepts := p.Header.Get("Accept-Encoding") == "identity"
		if p.Status != 415 || p.Message != message || accepts != (encoding == "gzip") {
			t.Errorf("%s: %+v", encoding, p)
		}
	}
}
