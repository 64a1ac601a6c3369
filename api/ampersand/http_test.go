package ampersand_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/examples/hostapp/memory"
)

// exchange sends a request and returns the answer.
type exchange func(*http.Request) (*http.Response, error)

// inProcess calls a handler without a network.
func inProcess(h http.Handler) exchange {
	return func(r *http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec.Result(), nil
	}
}

// onServer starts a server for a handler.
func onServer(t testing.TB, h http.Handler) exchange {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return func(r *http.Request) (*http.Response, error) {
		r.URL.Scheme, r.URL.Host = "http", server.Listener.Addr().String()
		return server.Client().Do(r)
	}
}

// newRequest makes a request without the checks of clients. Headers are given in pairs; an
// empty value removes the header. ok is false for a path that no server passes on.
func newRequest(method, path, body string, headers ...string) (_ *http.Request, ok bool) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, false
	}
	r := &http.Request{
		Method: method, URL: u, Host: "api.example", Header: make(http.Header),
		Body: http.NoBody,
	}
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r, true
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// send makes an exchange. It may run in any goroutine.
func send(t testing.TB, to exchange, method, path, body string, headers ...string) reply {
	t.Helper()
	r, ok := newRequest(method, path, body, headers...)
	if !ok {
		t.Errorf("%q is not a path", path)
		return reply{}
	}
	return receive(t, to, r.WithContext(t.Context()))
}

func receive(t testing.TB, to exchange, r *http.Request) reply {
	t.Helper()
	resp, err := to(r)
	if err != nil {
		t.Error(err)
		return reply{}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return reply{resp.StatusCode, resp.Header, strings.TrimSuffix(string(b), "\n")}
}

// send sends a request without credentials.
func (w *world) send(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	return send(t, w.first, method, path, body, headers...)
}

// do sends a request with the project's API key.
func (w *world) do(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	return w.send(t, method, path, body, append([]string{"X-Api-Key", apiKey}, headers...)...)
}

// as sends a request with a token.
func (w *world) as(t testing.TB, token, method, path, body string) reply {
	t.Helper()
	return w.send(t, method, path, body, bearer(token)...)
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// want fails the test unless the answer has the status and contains the texts. It returns the
// answer. An error must be a complete problem.
func (r reply) want(t testing.TB, status int, texts ...string) reply {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d; body %s", r.status, status, r.body)
		return r
	}
	for _, text := range texts {
		if !strings.Contains(r.body, text) {
			t.Errorf("body lacks %s:\n%s", text, r.body)
		}
	}
	if status >= 400 && r.body != "" {
		r.wantProblem(t)
	}
	return r
}

func (r reply) wantProblem(t testing.TB) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Subsystem, RequestID, Remedy string
		Status                                            int
		Time                                              time.Time
		Retryable                                         *bool
		Issues                                            []struct{ In, Name, Detail string }
	}
	err := json.Unmarshal([]byte(r.body), &p)
	if err != nil || r.header.Get("Content-Type") != "application/problem+json" ||
		p.Type != "about:blank" || p.Title == "" || p.Detail == "" || p.Status != r.status ||
		p.Subsystem != "api" || p.RequestID != r.header.Get("X-Request-Id") ||
		p.Time.IsZero() ||
		p.Retryable == nil || *p.Retryable != (r.status == 503) {
		t.Errorf("error %v: %s is not a complete problem: %s",
			err, r.header.Get("Content-Type"), r.body)
	}
	for _, i := range p.Issues {
		if i.In == "" || i.Detail == "" {
			t.Errorf("an issue lacks something: %s", r.body)
		}
	}
}

// wantBody fails the test unless the body is exactly a text.
func (r reply) wantBody(t testing.TB, body string) {
	t.Helper()
	if r.body != body {
		t.Errorf("body is\n%s\nwant\n%s", r.body, body)
	}
}

// decode reads the body of an answer.
func decode[T any](t testing.TB, r reply) T {
	t.Helper()
	var v T
	mustUnmarshal(t, []byte(r.body), &v)
	return v
}

func mustUnmarshal(t testing.TB, text []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// wire is an installation as a client reads it.
type wire struct {
	ID, ProjectID, IntegrationID, HealthStatus, CreatedBy string
	CreateTime                                            string
	UpdateTime                                            *string
	Group                                                 struct{ GroupRef, GroupName string }
	Connection                                            struct{ ID, Provider, Status string }
	Config                                                struct {
		ID, RevisionID, CreateTime, CreatedBy string
		Content                               json.RawMessage
	}
}

// install creates the installation that most tests use, of group-123, and returns its path.
func (w *world) install(t testing.TB, objects ...string) string {
	t.Helper()
	if len(objects) == 0 {
		objects = []string{`"contact":` + contact}
	}
	return w.installFor(t, memory.DemoGroup, objects...)
}

// installFor creates an installation with some read objects for a group, and returns its path.
func (w *world) installFor(t testing.TB, group string, objects ...string) string {
	t.Helper()
	r := w.do(t, "POST", path, creation(group, strings.Join(objects, ","))).want(t, 201)
	return path + "/" + decode[wire](t, r).ID
}

// get reads the installation at a path.
func (w *world) get(t testing.TB, at string) wire {
	t.Helper()
	return decode[wire](t, w.do(t, "GET", at, "").want(t, 200))
}

// idOf returns the ID at the end of a path.
func idOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
