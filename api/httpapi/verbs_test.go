package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-installation/installation/api/httpapi"
)

// TestVerbs: a known verb is taken off the wildcard; anything else behind a colon belongs to it.
func TestVerbs(t *testing.T) {
	says := func(what string) httpapi.Endpoint {
		return func(r *http.Request) (*httpapi.Answer, error) {
			return &httpapi.Answer{Body: what + " " + r.PathValue("job")}, nil
		}
	}
	api := httpapi.New(httpapi.Config{Render: plain})
	api.Handle("/jobs/{job}", httpapi.Methods{"GET": says("job")})
	api.Handle("/jobs/{job}:stop", httpapi.Methods{"POST": says("stop")})
	api.Handle("/plans/{job}:draw", httpapi.Methods{"GET": says("draw")})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	for _, tt := range []struct {
		method, path string
		status       int
		body, allow  string
	}{
		{"GET", "/jobs/7", 200, `"job 7"`, ""},
		{"POST", "/jobs/7:stop", 200, `"stop 7"`, ""},
		{"POST", "/jobs/7%3Astop", 200, `"stop 7"`, ""},
		{"POST", "/jobs/a:b:stop", 200, `"stop a:b"`, ""},
		{"GET", "/jobs/7:go", 200, `"job 7:go"`, ""},
		{"GET", "/jobs/7:", 200, `"job 7:"`, ""},
		{"GET", "/jobs/7:stop", 405, `{"code":"method_not_allowed"}`, "POST"},
		{"POST", "/jobs/7", 405, `{"code":"method_not_allowed"}`, "GET, HEAD"},
		{"GET", "/plans/7:draw", 200, `"draw 7"`, ""},
		{"GET", "/plans/7", 404, `{"code":"not_found"}`, ""},
	} {
		resp, body := send(t, tt.method, server.URL+tt.path, nil)
		if resp.StatusCode != tt.status || body != tt.body ||
			resp.Header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: status %d, %s, Allow %q", tt.method, tt.path, resp.StatusCode, body,
				resp.Header.Get("Allow"))
		}
	}
}

// TestRequestIDOfProblem: the renderer knows the id that the answer carries.
func TestRequestIDOfProblem(t *testing.T) {
	api := httpapi.New(httpapi.Config{Render: func(p *httpapi.Problem) *httpapi.Answer {
		return &httpapi.Answer{Status: p.Status, Body: p.RequestID}
	}})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	if resp, body := send(t, "GET", server.URL+"/",
		nil); body != `"`+resp.Header.Get("X-Request-Id")+`"` || len(body) < 10 {
		t.Errorf("the problem has %s, the answer %s", body, resp.Header.Get("X-Request-Id"))
	}
}

func TestHandlePanicsOnRepeat(t *testing.T) {
	api := httpapi.New(httpapi.Config{Render: plain})
	api.Handle("/jobs/{job}:stop", httpapi.Methods{})
	defer func() {
		if recover() == nil {
			t.Error("the same pattern is added twice")
		}
	}()
	api.Handle("/jobs/{job}:stop", httpapi.Methods{})
}
