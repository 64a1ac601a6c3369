package ampersand_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
)

func TestNewHandler(t *testing.T) {
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

// failing is a host that fails at what a test says, or worse.
type failing struct {
	*memory.Host
	at  string
	err error
}

func (f *failing) fail(at string) error {
	if f.at != at {
		return nil
	}
	if f.err == nil {
		panic("c4nary")
	}
	return f.err
}

func (f *failing) APIKey(ctx context.Context, key crypto.Secret) (*ampersand.APIKey, error) {
	if err := f.fail("key"); err != nil {
		return nil, err
	}
	return f.Host.APIKey(ctx, key)
}

func (f *failing) PublicKey(ctx context.Context, id string) (*ampersand.PublicKey, error) {
	if err := f.fail("token"); err != nil {
		return nil, err
	}
	return f.Host.PublicKey(ctx, id)
}

func (f *failing) Project(ctx context.Context, id string) (*ampersand.Project, error) {
	if err := f.fail("project"); err != nil {
		return nil, err
	}
	return f.Host.Project(ctx, id)
}

func (f *failing) Integration(ctx context.Context, project, id string) (*ampersand.Integration, error) {
	if err := f.fail("integration"); err != nil {
		return nil, err
	}
	return f.Host.Integration(ctx, project, id)
}

func (f *failing) Integrations(ctx context.Context, project string) ([]*ampersand.Integration, error) {
	if err := f.fail("integrations"); err != nil {
		return nil, err
	}
	return f.Host.Integrations(ctx, project)
}

func (f *failing) Connection(ctx context.Context, project, id string) (*ampersand.Connection, error) {
	if err := f.fail("connection"); err != nil {
		return nil, err
	}
	return f.Host.Connection(ctx, project, id)
}

func (f *failing) Connections(ctx context.Context, project string, by ampersand.ConnectionFilter) ([]*ampersand.Connection, error) {
	if err := f.fail("connections"); err != nil {
		return nil, err
	}
	return f.Host.Connections(ctx, project, by)
}

func (f *failing) Reveal(ctx context.Context, project, id string, d ampersand.Disclosure) (*ampersand.Credentials, error) {
	if err := f.fail("reveal"); err != nil {
		return nil, err
	}
	return f.Host.Reveal(ctx, project, id, d)
}

func (f *failing) Refresh(ctx context.Context, project, id string, force bool) error {
	if err := f.fail("refresh"); err != nil {
		return err
	}
	return f.Host.Refresh(ctx, project, id, force)
}

func (f *failing) Generate(ctx context.Context, project string, n ampersand.NewConnection) (*ampersand.Connection, error) {
	if err := f.fail("generate"); err != nil {
		return nil, err
	}
	return f.Host.Generate(ctx, project, n)
}

func (f *failing) Update(ctx context.Context, project, id string, u ampersand.ConnectionUpdate) (*ampersand.Connection, error) {
	if err := f.fail("update"); err != nil {
		return nil, err
	}
	return f.Host.Update(ctx, project, id, u)
}

func (f *failing) Delete(ctx context.Context, project, id string, inUse func(context.Context) (bool, error)) error {
	if err := f.fail("delete"); err != nil {
		return err
	}
	return f.Host.Delete(ctx, project, id, inUse)
}

func (f *failing) Provider(ctx context.Context, name string) (*ampersand.Provider, error) {
	if err := f.fail("provider"); err != nil {
		return nil, err
	}
	return f.Host.Provider(ctx, name)
}

func (f *failing) Operations(context.Context, string, string, int, string) ([]json.RawMessage, string, error) {
	return []json.RawMessage{json.RawMessage(`{"id":"op-1"}`)}, "page-2", f.fail("operations")
}

func (f *failing) Backfill(context.Context, string, string, string) (json.RawMessage, error) {
	return json.RawMessage(`{"objectName":"contact","recordsProcessed":7}`), f.fail("backfill")
}

func withFailing(t *testing.T) (*world, *failing) {
	t.Helper()
	f := new(failing)
	w := newWorld(t, anyStore, func(o *choices) {
		o.wrap = func(h ampersand.Host) ampersand.Host {
			f.Host = h.Identities.(*memory.Host)
			return ampersand.Host{Identities: f, Projects: f, Connections: f}
		}
		o.handler.Catalogue, o.handler.Operations = f, f
	})
	return w, f
}

const keyBody = `{"groupRef":"g","consumerRef":"c","provider":"anthropic","apiKey":"k"}`

// asksHost is a request for each thing that the host is asked.
var asksHost = map[string]struct{ method, path, body string }{
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
	"update":       {"PATCH", conns + "/connection-org-71", `{"updateMask":["providerWorkspaceRef"],"connection":{"providerWorkspaceRef":"x"}}`},
	"delete":       {"DELETE", conns + "/connection-org-71", ""},
	"operations":   {"GET", path + "/{id}/operations", ""},
	"backfill":     {"GET", path + "/{id}/objects/contact/backfill-progress", ""},
}

// TestHostFailures: what goes wrong in the host is no fault of the client, who gets no detail; neither does the log, where it may quote. A passing
// trouble is 503, a refusal 422 with its reason where there is one to give.
func TestHostFailures(t *testing.T) {
	refusable := map[string]bool{"refresh": true, "generate": true, "update": true}
	for at, r := range asksHost {
		t.Run(at, func(t *testing.T) {
			w, f := withFailing(t)
			one := w.install(t)
			send := func(status int, parts ...string) {
				t.Helper()
				to := strings.Replace(r.path, "{id}", one[strings.LastIndexByte(one, '/')+1:], 1)
				if at == "token" {
					w.as(t, w.own(), r.method, to, r.body).want(t, status, parts...)
				} else {
					w.do(t, r.method, to, r.body).want(t, status, parts...)
				}
			}
			f.at = at
			for _, err := range []error{nil, errors.New("c4nary"), installation.ErrInvalid, installation.ErrForbidden} {
				f.err = err
				send(http.StatusInternalServerError, `"detail":"The request could not be completed."`)
			}
			for _, err := range []error{context.DeadlineExceeded, installation.ErrUnavailable} {
				f.err = err
				send(http.StatusServiceUnavailable, `"retryable":true`, `"retryAfter":"2026-03-02T10:00:05.120000Z"`)
			}
			f.err = &ampersand.Rejection{Message: "Not with this secret"}
			if refusable[at] {
				send(http.StatusUnprocessableEntity, `"detail":"Not with this secret"`)
			} else {
				send(http.StatusInternalServerError)
			}
			if log := w.log.String(); strings.Contains(log, "c4nary") || strings.Contains(log, "secret") || log == "" {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

// TestOperations: pages as the host has them.
func TestOperations(t *testing.T) {
	w, f := withFailing(t)
	one := w.install(t)
	if r := w.do(t, "GET", one+"/operations", "").want(t, 200); r.body != `{"results":[{"id":"op-1"}],"pagination":{"done":false,"nextPageToken":"page-2"}}` {
		t.Errorf("body is %s", r.body)
	}
	w.do(t, "GET", one+"/objects/contact/backfill-progress", "").want(t, 200, `{"objectName":"contact","recordsProcessed":7}`)
	f.at, f.err = "operations", ampersand.ErrNotFound
	w.do(t, "GET", one+"/operations?pageToken=x", "").want(t, 400, `"in":"query","name":"pageToken"`)
}

// TestLeftOverConnection: a DELETE succeeds once the installation is gone, whatever becomes of its connection.
func TestLeftOverConnection(t *testing.T) {
	w, f := withFailing(t)
	one := w.install(t)
	f.at, f.err = "delete", errors.New("c4nary")
	w.do(t, "DELETE", one, "").want(t, 204)
	if log := w.log.String(); !strings.Contains(log, "left over") || strings.Contains(log, "c4nary") {
		t.Errorf("logged: %s", log)
	}
}

// TestLostConnection: an installation shows what it remembers of a connection that the host has no more.
func TestLostConnection(t *testing.T) {
	w, f := withFailing(t)
	one := w.install(t)
	before := w.do(t, "GET", one, "").want(t, 200)
	f.at, f.err = "connection", ampersand.ErrNotFound
	if r := w.do(t, "GET", one, "").want(t, 200); r.body != before.body {
		t.Errorf("it was\n%s\nand is\n%s", before.body, r.body)
	}
}

// TestStoreFailures: what could not be looked at is neither missing nor refused.
func TestStoreFailures(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	fill := strings.NewReplacer("{id}", one[strings.LastIndexByte(one, '/')+1:], "{conn}", "connection-salesforce").Replace
	w.store.fail(installation.ErrUnavailable)
	for _, e := range endpoints {
		if strings.Contains(e.path, "/connections") && e.method != "DELETE" || strings.HasSuffix(e.path, "/integrations") || strings.Contains(e.path, "revisions") {
			continue // does not ask the store
		}
		r := w.do(t, e.method, fill(e.path), fill(e.body)).want(t, http.StatusServiceUnavailable)
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", e.method, e.path)
		}
	}
}

// TestDamaged: a record that does not open is left out of lists, is logged, and is a failure where it alone is asked for.
func TestDamaged(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	w.do(t, "POST", path, creation("org-71", "")).want(t, 201)
	key := installation.Key{Tenant: memory.DemoProject, ID: one[strings.LastIndexByte(one, '/')+1:]}
	record, err := w.store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	body := record.Body.Bytes()
	body[len(body)/2] ^= 1
	record.Body = installation.BodyFromBytes(body)
	record.Revision++
	if _, err := w.store.Store.Commit(t.Context(), installation.Change{Op: [16]byte{1}, Now: w.Now(), Key: key, If: 1, Record: record}); err != nil {
		t.Fatal(err)
	}
	if list := decode[[]wire](t, w.do(t, "GET", path, "").want(t, 200)); len(list) != 1 || list[0].Group.GroupRef != "org-71" {
		t.Errorf("lists %+v", list)
	}
	if !strings.Contains(w.log.String(), key.ID) {
		t.Errorf("logged: %s", w.log)
	}
	w.do(t, "GET", one, "").want(t, 500)
}

// TestLimits: the options bound the body and the time.
func TestLimits(t *testing.T) {
	w := newWorld(t, anyStore, func(o *choices) { o.handler.MaxBody = 64 })
	w.do(t, "POST", path, creation(memory.DemoGroup, "")).want(t, http.StatusRequestEntityTooLarge)
	w = newWorld(t, anyStore, func(o *choices) { o.handler.Timeout = 1 })
	w.do(t, "GET", path, "").want(t, http.StatusServiceUnavailable)
}

// TestHostErrorsInLog: what the host's own code fails with may quote its own secrets, whatever it matches. The log has its kind and type.
func TestHostErrorsInLog(t *testing.T) {
	for at, r := range asksHost {
		t.Run(at, func(t *testing.T) {
			w, f := withFailing(t)
			one := w.install(t)
			f.at = at
			for _, kind := range []error{
				context.DeadlineExceeded, context.Canceled, installation.ErrUnavailable, installation.ErrConflict, installation.ErrNotFound,
				ampersand.ErrNotFound, ampersand.ErrInUse, ampersand.ErrToken,
			} {
				f.err = &url.Error{Op: "Get", URL: "https://directory.example/?key=c4nary", Err: kind}
				to := strings.Replace(r.path, "{id}", one[strings.LastIndexByte(one, '/')+1:], 1)
				var got reply
				if at == "token" {
					got = w.as(t, w.own(), r.method, to, r.body)
				} else {
					got = w.do(t, r.method, to, r.body)
				}
				if got.status < 400 && at != "connection" || strings.Contains(got.body, "c4nary") {
					t.Errorf("%v: status %d: %s", kind, got.status, got.body)
				}
			}
			if log := w.log.String(); strings.Contains(log, "c4nary") || !strings.Contains(log, "url.Error") {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

// TestDamagedEnds: an installation whose key is lost is in no list and in the way of another. Who may know of it can delete it, and is told of it
// where it is in the way; its connection is free then.
func TestDamagedEnds(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		for name, headers := range map[string]func(w *world) []string{
			"the project's key":         func(*world) []string { return []string{"X-Api-Key", apiKey} },
			"a consumer of the group":   func(w *world) []string { return bearer(w.token("org-71", "u-9")) },
			"a colleague of the holder": func(w *world) []string { return bearer(w.token("org-71", "u-10")) },
		} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, open)
				id := decode[wire](t, w.do(t, "POST", path, creation("org-71", "")).want(t, 201)).ID
				one := path + "/" + id
				w.loseKeys(t)
				by := headers(w)
				if r := send(t, w.server.URL, "GET", path+"?groupRef=org-71", "", by...).want(t, 200); r.body != "[]" {
					t.Errorf("lists %s", r.body)
				}
				send(t, w.server.URL, "GET", one, "", by...).want(t, 500)
				w.do(t, "POST", path, creation("org-71", "")).want(t, 409, `"remedy":"Delete the installation `+id+` first, or change it.`)
				w.do(t, "DELETE", conns+"/connection-org-71", "").want(t, 409)
				w.as(t, w.own(), "DELETE", one, "").want(t, 404)
				send(t, w.server.URL, "DELETE", one, "", "X-Api-Key", "c4nary-other-key").want(t, 404)
				send(t, w.server.URL, "DELETE", strings.Replace(one, memory.DemoIntegration, "nope", 1), "", by...).want(t, 404)
				send(t, w.server.URL, "DELETE", one, "", append(by, "If-Match", `"9"`)...).want(t, 409)
				send(t, w.server.URL, "DELETE", one, "", by...).want(t, 204)
				send(t, w.server.URL, "DELETE", one, "", by...).want(t, 404)
				w.do(t, "POST", path, creation("org-71", "")).want(t, 201)
			})
		}
		w := newWorld(t, open)
		one := path + "/" + decode[wire](t, w.do(t, "POST", path, creation("org-71", "")).want(t, 201)).ID
		w.loseKeys(t)
		w.do(t, "DELETE", one, "").want(t, 204)
		w.do(t, "DELETE", conns+"/connection-org-71", "").want(t, 204)
	})
}

// TestDamagedForNow: an installation whose key cannot be had for now is not deleted, since what it has would be left over.
func TestDamagedForNow(t *testing.T) {
	w := newWorld(t, anyStore)
	one := w.install(t)
	w.loseKeys(t, installation.ErrKeyUnavailable)
	w.do(t, "DELETE", one, "").want(t, 503)
}

// loseKeys serves what is stored from a service whose keys are others, or fail.
func (w *world) loseKeys(t *testing.T, fails ...error) {
	t.Helper()
	key, err := crypto.NewKey("k2", []byte("another-key-of-32-bytes-in-tests"))
	if err != nil {
		t.Fatal(err)
	}
	others, err := crypto.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	var keys crypto.KeyWrapper = others
	if len(fails) > 0 {
		keys = lostKeys{others, fails[0]}
	}
	svc, err := installation.New(w.store, keys, &installation.Options{Now: w.Now, Policy: ampersand.Policy, Schema: ampersand.Schema})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := ampersand.NewHandler(svc, w.host.Host(), &ampersand.Options{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.server.Close()
	w.server = httptest.NewServer(handler)
	t.Cleanup(w.server.Close)
}

// lostKeys are keys that no data key opens by.
type lostKeys struct {
	crypto.KeyWrapper
	err error
}

func (k lostKeys) Unwrap(context.Context, crypto.Wrapped, crypto.Binding) (*crypto.DataKey, error) {
	return nil, k.err
}
