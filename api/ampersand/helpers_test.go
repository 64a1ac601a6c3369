package ampersand_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/redisstore"
)

const (
	apiKey      = "c4nary-key"
	project     = "/projects/" + memory.DemoProject
	integration = project + "/integrations/" + memory.DemoIntegration
	path        = integration + "/installations"
)

// contact is a read object as clients write it.
const contact = `{"objectName":"contact","schedule":"*/30 * * * *","destination":"contactHook","selectedFields":{"email":true},` +
	`"selectedFieldMappings":{"mobile":"phone"}}`

// creation is the body of a POST for a group with some read objects.
func creation(group, objects string) string {
	return `{"groupRef":"` + group + `","config":{"createdBy":"consumer:u-9","content":{"provider":"salesforce","read":{"objects":{` + objects + `}}}}}`
}

// clock is a clock that tests move by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// watched counts what is written, and fails or lets another writer come first when told to.
type watched struct {
	installation.Store
	commits atomic.Int64
	failing atomic.Pointer[error]
	first   atomic.Pointer[func()] // to be run once, before the next commit
}

func (s *watched) fail(err error) { s.failing.Store(&err) }

func (s *watched) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if err := s.failing.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Get(ctx, key)
}

func (s *watched) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	if err := s.failing.Load(); err != nil {
		return installation.Page{}, *err
	}
	return s.Store.List(ctx, q)
}

func (s *watched) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	if err := s.failing.Load(); err != nil {
		return installation.Receipt{}, *err
	}
	if first := s.first.Swap(nil); first != nil {
		(*first)()
	}
	receipt, err := s.Store.Commit(ctx, c)
	if err == nil {
		s.commits.Add(1)
	}
	return receipt, err
}

// opener opens an empty store.
type opener func(testing.TB) installation.Store

func onMemory(testing.TB) installation.Store { return memstore.New() }

// namespaces counts those given out, so that stores on one server are apart.
var namespaces atomic.Int64

// onStores runs a test on memory and on a real Redis.
func onStores(t *testing.T, run func(*testing.T, opener)) {
	t.Run("memory", func(t *testing.T) { run(t, onMemory) })
	t.Run("redis", func(t *testing.T) {
		client := redistest.Start(t).Client(t)
		run(t, func(tb testing.TB) installation.Store {
			s, err := redisstore.Open(tb.Context(), client, &redisstore.Options{Namespace: fmt.Sprintf("test-%d", namespaces.Add(1))})
			if err != nil {
				tb.Fatal(err)
			}
			return s
		})
	})
}

// world is a handler on a server of its own, with what there is to look at behind it.
type world struct {
	*clock
	host    *memory.Host
	store   *watched
	all     *installation.Service // of all tenants, without an actor
	svc     *installation.Service // in the tenant, as the host
	handler *ampersand.Handler
	server  *httptest.Server
	second  *httptest.Server // as of another process
	log     *bytes.Buffer
}

// choices are what a test may want otherwise.
type choices struct {
	service installation.Options
	handler ampersand.Options
	wrap    func(ampersand.Host) ampersand.Host
}

func newWorld(t testing.TB, open opener, choose ...func(*choices)) *world {
	t.Helper()
	w, second := unserved(t, open, choose...)
	w.server, w.second = httptest.NewServer(w.handler), httptest.NewServer(second)
	t.Cleanup(w.server.Close)
	t.Cleanup(w.second.Close)
	return w
}

// unserved is a world without servers, and a second handler in it.
func unserved(t testing.TB, open opener, choose ...func(*choices)) (*world, http.Handler) {
	t.Helper()
	w := &world{clock: &clock{now: time.Date(2026, 3, 2, 10, 0, 0, 120_000_000, time.UTC)}, store: &watched{Store: open(t)}, log: new(bytes.Buffer)}
	w.host = memory.Demo(crypto.NewSecret(apiKey), w.Now)
	w.host.AddProject(ampersand.Project{ID: "project-other", Name: "tidewater-app"})
	w.host.AddAPIKey(crypto.NewSecret("c4nary-other-key"), ampersand.APIKey{Project: "project-other", ID: "other"})
	w.host.AddPublicKey("kid-1", memory.DemoProject, &testKey().PublicKey)
	w.host.AddPublicKey("kid-other", "project-other", &otherKey().PublicKey)
	w.host.AddConnection(memory.DemoProject, "connection-org-71", connected("salesforce", "org-71", "u-9"))
	o := choices{
		service: installation.Options{Now: w.Now, Policy: ampersand.Policy, Schema: ampersand.Schema},
		handler: ampersand.Options{Catalogue: w.host, Sampler: w.host, Now: w.Now, Log: slog.New(slog.NewTextHandler(&locked{w: w.log}, nil))},
		wrap:    func(h ampersand.Host) ampersand.Host { return h },
	}
	for _, f := range choose {
		f(&o)
	}
	var err error
	if w.all, err = installation.New(w.store, ring(t), &o.service); err != nil {
		t.Fatal(err)
	}
	w.svc = w.all.In(memory.DemoProject).As(installation.Actor{Kind: installation.Host})
	if w.handler, err = ampersand.NewHandler(w.all, o.wrap(w.host.Host()), &o.handler); err != nil {
		t.Fatal(err)
	}
	second, err := ampersand.NewHandler(w.all, o.wrap(w.host.Host()), &o.handler)
	if err != nil {
		t.Fatal(err)
	}
	return w, second
}

// connected is a connection by OAuth of a consumer, with tokens that no test may find again.
func connected(provider, group, consumer string) ampersand.NewConnection {
	return ampersand.NewConnection{
		Provider: provider, Scheme: ampersand.SchemeAuthorizationCode,
		Group: ampersand.Group{Ref: group, Name: "Name of " + group}, Consumer: ampersand.Consumer{Ref: consumer, Name: "Name of " + consumer},
		Credentials: ampersand.Credentials{AuthorizationCode: &ampersand.AuthorizationCode{
			AccessToken:  installation.Token{Value: crypto.NewSecret("c4nary-access"), Expires: time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)},
			RefreshToken: installation.Token{Value: crypto.NewSecret("c4nary-refresh")},
			Scopes:       []string{"api"},
		}},
	}
}

// locked is a writer for many goroutines.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func ring(t testing.TB) *crypto.Keyring {
	t.Helper()
	key, err := crypto.NewKey("k1", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request with the project's API key. Headers are given in pairs; one with an empty value is left out.
func (w *world) do(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	return send(t, w.server.URL, method, path, body, append([]string{"X-Api-Key", apiKey}, headers...)...)
}

// as sends a request with a token.
func (w *world) as(t testing.TB, token, method, path, body string, headers ...string) reply {
	t.Helper()
	return send(t, w.server.URL, method, path, body, append([]string{"Authorization", "Bearer " + token}, headers...)...)
}

func send(t testing.TB, base, method, path, body string, headers ...string) reply {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, content)
	if err != nil {
		t.Error(err)
		return reply{}
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err) // not Fatal: requests may be sent from other goroutines
		return reply{}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return reply{resp.StatusCode, resp.Header, strings.TrimSuffix(string(b), "\n")}
}

// want fails the test unless the answer has a status and holds each of some texts; it returns the answer. An error has to be a whole problem.
func (r reply) want(t testing.TB, status int, parts ...string) reply {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d; body %s", r.status, status, r.body)
		return r
	}
	for _, part := range parts {
		if !strings.Contains(r.body, part) {
			t.Errorf("body lacks %s:\n%s", part, r.body)
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
	if err != nil || r.header.Get("Content-Type") != "application/problem+json" || p.Type != "about:blank" || p.Title == "" || p.Detail == "" ||
		p.Status != r.status || p.Subsystem != "api" || p.RequestID != r.header.Get("X-Request-Id") || p.Time.IsZero() || p.Retryable == nil ||
		*p.Retryable != (r.status == 503) {
		t.Errorf("error %v: %s is no whole problem: %s", err, r.header.Get("Content-Type"), r.body)
	}
	for _, i := range p.Issues {
		if i.In == "" || i.Detail == "" {
			t.Errorf("an issue lacks something: %s", r.body)
		}
	}
}

// decode reads the body of an answer.
func decode[T any](t testing.TB, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return v
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

// install makes the installation that most tests are about, of group-123, and returns its path.
func (w *world) install(t testing.TB, objects ...string) string {
	t.Helper()
	if len(objects) == 0 {
		objects = []string{`"contact":` + contact}
	}
	r := w.do(t, "POST", path, creation(memory.DemoGroup, strings.Join(objects, ","))).want(t, 201)
	return path + "/" + decode[wire](t, r).ID
}

// get reads an installation at a path.
func (w *world) get(t testing.TB, at string) wire {
	t.Helper()
	return decode[wire](t, w.do(t, "GET", at, "").want(t, 200))
}

func mustUnmarshal(t testing.TB, text []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}
