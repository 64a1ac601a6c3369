package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

// plain renders a problem in the form of these tests.
func plain(p *httpapi.Problem) *httpapi.Answer {
	type issue struct {
		Path string        `json:"path"`
		Rule validate.Rule `json:"rule"`
	}
	body := struct {
		Code   httpapi.Code `json:"code"`
		Issues []issue      `json:"issues,omitempty"`
	}{Code: p.Code}
	for _, v := range p.Issues {
		body.Issues = append(body.Issues, issue{v.Path, v.Rule})
	}
	return &httpapi.Answer{Status: p.Status, Body: body, ContentType: "application/problem+json"}
}

// serve serves one resource at /things/{id} and returns its address and the log.
func serve(t *testing.T, cfg httpapi.Config, methods httpapi.Methods) (string, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	cfg.Render, cfg.Log = plain, slog.New(slog.NewTextHandler(log, nil))
	api := httpapi.New(cfg)
	api.Handle("/things/{id}", methods)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return server.URL, log
}

func send(t *testing.T, method, url string, body io.Reader, headers ...string) (*http.Response,
	string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, strings.TrimSuffix(string(b), "\n")
}

func TestAnswers(t *testing.T) {
	answers := map[string]*httpapi.Answer{
		"body": {Body: map[string]string{"a": "<b>"}, Revision: 7,
			Header: http.Header{"Location": {"/x"}}},
		"created": {Status: http.StatusCreated, Body: 1, ContentType: "text/json"},
		"nothing": {},
		"gone":    {Status: http.StatusGone},
	}
	url, _ := serve(t, httpapi.Config{}, httpapi.Methods{
		"GET": func(r *http.Request) (*httpapi.Answer, error) {
			return answers[r.PathValue("id")],
				nil
		},
	})
	tests := []struct {
		name, body, contentType, etag string
		status                        int
	}{
		{"body", `{"a":"<b>"}`, "application/json", `"7"`, 200},
		{"created", "1", "text/json", "", 201},
		{"nothing", "", "", "", 204},
		{"gone", "", "", "", 410},
	}
	ids := make(map[string]bool)
	for _, tt := range tests {
		resp, body := send(t, "GET", url+"/things/"+tt.name, nil)
		h := resp.Header
		if resp.StatusCode != tt.status || body != tt.body ||
			h.Get("Content-Type") != tt.contentType || h.Get("ETag") != tt.etag {
			t.Errorf("%s: %d %q %v", tt.name, resp.StatusCode, body, h)
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", tt.name, h)
		}
		ids[h.Get("X-Request-Id")] = true
	}
	if resp, _ := send(t, "GET", url+"/things/body", nil); resp.Header.Get("Location") != "/x" {
		t.Error("the header of the answer is not there")
	}
	if len(ids) != len(tests) || ids[""] {
		t.Errorf("request ids %v", ids)
	}
}

// TestAnswerThatCannotBeWritten: it is a failure in the platform's own form, and in the log,
// without a word of what it held.
func TestAnswerThatCannotBeWritten(t *testing.T) {
	for name, value := range map[string]any{
		"a function": func() {}, "a number that is none": json.Number("c4nary"),
		"JSON that is none": json.RawMessage("{c4nary"),
		"what fails": marshaler(func() ([]byte, error) {
			return nil,
				errors.New("c4nary")
		}),
		"what panics": marshaler(func() ([]byte, error) { panic("c4nary") }),
	} {
		url, log := serve(t, httpapi.Config{},
			httpapi.Methods{"GET": func(*http.Request) (*httpapi.Answer, error) {
				return &httpapi.Answer{Status: 201, Body: value, Revision: 7,
					Header: http.Header{"Location": {"/c4nary"}}}, nil
			}})
		resp, body := send(t, "GET", url+"/things/a", nil)
		h := resp.Header
		if resp.StatusCode != 500 || body != `{"code":"internal_error"}` ||
			h.Get("Content-Type") != "application/problem+json" ||
			h.Get("ETag")+h.Get("Location") != "" {
			t.Errorf("%s: %d %q %v", name, resp.StatusCode, body, h)
		}
		line := log.String()
		says := "cannot be encoded"
		if name == "what panics" {
			says = "panic with a string"
		}
		if !strings.Contains(line, "request="+h.Get("X-Request-Id")) ||
			!strings.Contains(line, says) || strings.Contains(line, "c4nary") {
			t.Errorf("%s: logged %s", name, line)
		}
	}
}

// marshaler writes itself.
type marshaler func() ([]byte, error)

func (m marshaler) MarshalJSON() ([]byte, error) { return m() }

// TestErrorThatCannotBeWritten: the status is all that a platform says that cannot write its
// own errors.
func TestErrorThatCannotBeWritten(t *testing.T) {
	var log bytes.Buffer
	api := httpapi.New(httpapi.Config{
		Render: func(p *httpapi.Problem) *httpapi.Answer {
			return &httpapi.Answer{Status: p.Status, Body: func() {}}
		},
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	if answer.Code != 500 || answer.Body.Len() > 0 ||
		!strings.Contains(log.String(), "cannot be encoded") {
		t.Errorf("%d %s, logged %s", answer.Code, answer.Body, &log)
	}
}

func TestRouting(t *testing.T) {
	url, log := serve(t, httpapi.Config{}, httpapi.Methods{
		"GET": func(*http.Request) (*httpapi.Answer, error) {
			return &httpapi.Answer{Body: 1},
				nil
		},
		"PUT": func(*http.Request) (*httpapi.Answer, error) {
			return &httpapi.Answer{Body: 2},
				nil
		},
	})
	tests := []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/things/a", 200, ""},
		{"HEAD", "/things/a", 200, ""},
		{"PUT", "/things/a", 200, ""},
		{"GET", "/things/a%2Fb", 200, ""},
		{"DELETE", "/things/a", 405, "GET, HEAD, PUT"},
		{"OPTIONS", "/things/a", 405, "GET, HEAD, PUT"},
		{"GET", "/", 404, ""},
		{"GET", "/things/", 404, ""},
		{"GET", "/things/a/", 200, ""},
		{"PUT", "/things/a%2Fb/", 200, ""},
		{"DELETE", "/things/a/", 405, "GET, HEAD, PUT"},
		{"GET", "/things/a//", 404, ""},
		{"GET", "/things%2F", 404, ""},
		{"GET", "/things//a", 404, ""},
		{"GET", "/other/../things/a", 404, ""},
		{"PUT", "/things/./a", 404, ""},
	}
	for _, tt := range tests {
		resp, body := send(t, tt.method, url+tt.path, nil)
		if resp.StatusCode != tt.status || resp.Header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d, Allow %q", tt.method, tt.path, resp.StatusCode,
				resp.Header.Get("Allow"))
		}
		if tt.status >= 400 && !strings.HasPrefix(body, `{"code":"`) {
			t.Errorf("%s %s: body %s", tt.method, tt.path, body)
		}
		if resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s may be stored", tt.method, tt.path)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged: %s", log)
	}
}

// TestSlashOfPattern: a pattern that says what follows a slash stays as it is.
func TestSlashOfPattern(t *testing.T) {
	api := httpapi.New(httpapi.Config{Render: plain})
	for pattern, body := range map[string]int{"/tree/": 1, "/tree": 2, "/rest/{path...}": 3,
		"/end/{$}": 4} {
		api.Handle(pattern, httpapi.Methods{
			"GET": func(*http.Request) (*httpapi.Answer, error) {
				return &httpapi.Answer{Body: body}, nil
			},
		})
	}
	for path, want := range map[string]string{"/tree/a/": "1", "/tree": "2", "/tree/": "2",
		"/rest/a/": "3", "/end/": "4"} {
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		if got := strings.TrimSpace(answer.Body.String()); got != want {
			t.Errorf("%s: %d %s, want %s", path, answer.Code, got, want)
		}
	}
}

// TestPanic: the client learns nothing, the log where it happened.
func TestPanic(t *testing.T) {
	for name, value := range map[string]any{"text": "c4nary", "error": errors.New("c4nary"),
		"nil": nil} {
		url, log := serve(t, httpapi.Config{},
			httpapi.Methods{"GET": func(*http.Request) (*httpapi.Answer, error) { panic(value) }})
		resp, body := send(t, "GET", url+"/things/a", nil)
		if resp.StatusCode != 500 || body != `{"code":"internal_error"}` {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
		if line := log.String(); strings.Contains(line, "c4nary") ||
			!strings.Contains(line, "httpapi_test.TestPanic") {
			t.Errorf("%s: logged %s", name, line)
		}
	}
	url, log := serve(t, httpapi.Config{},
		httpapi.Methods{"GET": func(*http.Request) (*httpapi.Answer, error) {
			panic(http.ErrAbortHandler)
		}})
	if _, err := http.Get(url + "/things/a"); err == nil {
		t.Error("an aborted request was answered")
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log)
	}
}

// A client that goes away is no fault of the server.
func TestClientGone(t *testing.T) {
	var log bytes.Buffer
	api := httpapi.New(httpapi.Config{Render: plain,
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	api.Handle("/things/{id}",
		httpapi.Methods{"GET": func(r *http.Request) (*httpapi.Answer, error) {
			cancel()
			<-r.Context().Done()
			return nil, r.Context().Err()
		}})
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, "GET", "/things/a", nil))
	if answer.Code != 503 || log.Len() > 0 {
		t.Errorf("%d, logged %s", answer.Code, &log)
	}
}

func TestTimeout(t *testing.T) {
	url, _ := serve(t, httpapi.Config{Timeout: time.Nanosecond}, httpapi.Methods{
		"GET": func(r *http.Request) (*httpapi.Answer, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
	})
	if resp, _ := send(t, "GET", url+"/things/a", nil); resp.StatusCode != 503 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// TestSlowBody: a body that does not come ends the request, and is the client's fault.
func TestSlowBody(t *testing.T) {
	read := make(chan error, 1)
	url, _ := serve(t, httpapi.Config{Timeout: 50 * time.Millisecond}, httpapi.Methods{
		"PUT": func(r *http.Request) (*httpapi.Answer, error) {
			_, err := httpapi.Document(r)
			read <- err
			return nil, err
		},
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn,
		"PUT /things/a HTTP/1.1\r\nHost: a\r\nContent-Type: "+
			"application/json\r\nContent-Length: 9\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	if err := <-read; httpapi.ProblemOf(err).Status != http.StatusRequestTimeout {
		t.Errorf("got %v", err)
	}
}

// TestClientThatDoesNotRead: its answer is given up.
func TestClientThatDoesNotRead(t *testing.T) {
	returned := make(chan struct{})
	api := httpapi.New(httpapi.Config{Render: plain, Timeout: time.Millisecond})
	api.Handle("/things/{id}",
		httpapi.Methods{"GET": func(*http.Request) (*httpapi.Answer, error) {
			// more than the buffers between the two hold
			return &httpapi.Answer{Body: strings.Repeat("x", 32<<20)}, nil
		}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(w, r)
		close(returned)
	}))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /things/a HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-returned
}

func TestRequestID(t *testing.T) {
	if id := httpapi.RequestID(t.Context()); id != "" {
		t.Errorf("%q outside of a request", id)
	}
	url, _ := serve(t, httpapi.Config{}, httpapi.Methods{
		"GET": func(r *http.Request) (*httpapi.Answer, error) {
			return &httpapi.Answer{Body: httpapi.RequestID(r.Context())}, nil
		},
	})
	resp, body := send(t, "GET", url+"/things/a", nil, "X-Request-Id", "mine")
	if id := resp.Header.Get("X-Request-Id"); body != `"`+id+`"` || id == "mine" {
		t.Errorf("%s and %s", id, body)
	}
}
