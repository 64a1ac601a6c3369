package ampersand_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

func TestNewHandlerRequiresHost(t *testing.T) {
	w := newWorld(t, anyStore)
	whole := w.host.Host()
	if _, err := ampersand.NewHandler(nil, whole, nil); err == nil {
		t.Error("a handler without a service")
	}
	for name, spoil := range map[string]func(*ampersand.Host){
		"identities":  func(h *ampersand.Host) { h.Identities = nil },
		"projects":    func(h *ampersand.Host) { h.Projects = nil },
		"connections": func(h *ampersand.Host) { h.Connections = nil },
	} {
		host := whole
		spoil(&host)
		if _, err := ampersand.NewHandler(w.all, host, nil); err == nil {
			t.Errorf("a handler without %s", name)
		}
	}
}

const keyBody = `{"groupRef":"g","consumerRef":"c","provider":"anthropic","apiKey":"k"}`

// hostRequests has a request that calls each method of the host.
var hostRequests = map[string]struct{ method, path, body string }{
	"key":          {"GET", path, ""},
	"token":        {"GET", path, ""},
	"project":      {"GET", path, ""},
	"integration":  {"GET", path, ""},
	"integrations": {"GET", project + "/integrations", ""},
	"connection":   {"GET", path + "/{id}", ""},
	"connections":  {"POST", path, creation("org-71", "")},
	"reveal":       {"GET", conns + "/connection-org-71?includeCreds=true", ""},
	"refresh":      {"GET", conns + "/connection-org-71?refresh=force", ""},
	"generate":     {"POST", conns + ":generate", keyBody},
	"provider":     {"POST", conns + ":generate", keyBody},
	"update": {"PATCH", conns + "/connection-org-71",
		`{"updateMask":["providerWorkspaceRef"],"connection":{"providerWorkspaceRef":"x"}}`},
	"delete":     {"DELETE", conns + "/connection-org-71", ""},
	"operations": {"GET", path + "/{id}/operations", ""},
	"backfill":   {"GET", path + "/{id}/objects/contact/backfill-progress", ""},
	"oauth":      {"POST", "/oauth-connect", connectBody},
	"oauthAgain": {"PATCH", conns + "/connection-salesforce:oauth-update", ""},
	"custom":     {"POST", "/custom-auth/connect", customBody},
	"apps":       {"GET", project + "/provider-apps", ""},
	"metadata":   {"GET", integration + "/objects/contact/metadata?groupRef=group-123", ""},
}

// askHost sends a request that calls a method of the host.
func (w *world) askHost(t *testing.T, at, one string) reply {
	t.Helper()
	r := hostRequests[at]
	to := strings.Replace(r.path, "{id}", idOf(one), 1)
	if at == "token" {
		return w.as(t, w.own(), r.method, to, r.body)
	}
	return w.do(t, r.method, to, r.body)
}

// TestHostFailuresHideDetails proves that neither the client nor the log gets details of a
// failure of the host. Passing failures are 503, and a rejection is 422 with its message where
// it is allowed.
func TestHostFailuresHideDetails(t *testing.T) {
	rejectable := map[string]bool{"refresh": true, "generate": true, "update": true,
		"oauth": true, "oauthAgain": true, "custom": true}
	for at := range hostRequests {
		t.Run(at, func(t *testing.T) {
			w, f := newFailing(t)
			one := w.install(t)
			f.at = at
			send := func(status int, texts ...string) {
				t.Helper()
				w.askHost(t, at, one).want(t, status, texts...)
			}
			for _, err := range []error{
				nil, errors.New("c4nary"), installation.ErrInvalid, installation.ErrForbidden,
			} {
				f.err = err
				send(http.StatusInternalServerError,
					`"detail":"The request could not be completed."`)
			}
			for _, err := range []error{context.DeadlineExceeded, installation.ErrUnavailable} {
				f.err = err
				send(http.StatusServiceUnavailable, `"retryable":true`,
					`"retryAfter":"2026-03-02T10:00:05.120000Z"`)
			}
			f.err = &ampersand.Rejection{Message: "Not with this secret"}
			if rejectable[at] {
				send(http.StatusUnprocessableEntity, `"detail":"Not with this secret"`)
			} else {
				send(http.StatusInternalServerError)
			}
			w.wantLog(t, "request failed")
			if log := w.log.String(); strings.Contains(log, "secret") {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

// TestDeleteSucceedsIfConnectionStays proves that DELETE succeeds once the installation is
// gone, even if the host fails to delete its connection.
func TestDeleteSucceedsIfConnectionStays(t *testing.T) {
	w, f := newFailing(t)
	one := w.install(t)
	f.at, f.err = "delete", errors.New("c4nary")
	w.do(t, "DELETE", one, "").want(t, 204)
	w.wantLog(t, "left over")
}

// TestLostConnectionIsRemembered proves that an installation shows the connection it has stored
// if the host has none.
func TestLostConnectionIsRemembered(t *testing.T) {
	w, f := newFailing(t)
	one := w.install(t)
	before := w.do(t, "GET", one, "").want(t, 200)
	f.at, f.err = "connection", ampersand.ErrNotFound
	w.do(t, "GET", one, "").want(t, 200).wantBody(t, before.body)
}

// TestStoreFailuresAreUnavailable expects 503, and neither 404 nor 403, from a store that
// fails.
func TestStoreFailuresAreUnavailable(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	fill := filler(one, "connection-salesforce")
	w.store.fail(installation.ErrUnavailable)
	for _, e := range endpoints {
		if strings.Contains(e.path, "/connections") && e.method != "DELETE" ||
			!strings.Contains(e.path, "/installations") && e.method == "GET" ||
			strings.HasSuffix(e.path, "connect") {
			continue // does not ask the store
		}
		r := w.do(t, e.method, fill(e.path), fill(e.body)).
			want(t, http.StatusServiceUnavailable)
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", e.method, e.path)
		}
	}
}

func TestOptionsLimitBodyAndTime(t *testing.T) {
	w := newWorld(t, anyStore, func(o *choices) { o.handler.MaxBody = 64 })
	w.do(t, "POST", path, creation(memory.DemoGroup, "")).
		want(t, http.StatusRequestEntityTooLarge)
	w = newWorld(t, anyStore, func(o *choices) { o.handler.Timeout = 1 })
	w.do(t, "GET", path, "").want(t, http.StatusServiceUnavailable)
}

// TestHostErrorTextIsNotLogged proves that the log has the kind and type of an error of the
// host, whatever it matches. Its text may quote secrets.
func TestHostErrorTextIsNotLogged(t *testing.T) {
	for at := range hostRequests {
		t.Run(at, func(t *testing.T) {
			w, f := newFailing(t)
			one := w.install(t)
			f.at = at
			for _, kind := range []error{
				context.DeadlineExceeded, context.Canceled, installation.ErrUnavailable,
				installation.ErrConflict, installation.ErrNotFound,
				ampersand.ErrNotFound, ampersand.ErrInUse, ampersand.ErrToken,
			} {
				f.err = &url.Error{Op: "Get", URL: "https://directory.example/?key=c4nary",
					Err: kind}
				got := w.askHost(t, at, one)
				shows := strings.Contains(got.body, "c4nary")
				if shows || got.status < 400 && at != "connection" {
					t.Errorf("%v: status %d: %s", kind, got.status, got.body)
				}
			}
			w.wantLog(t, "url.Error")
		})
	}
}
