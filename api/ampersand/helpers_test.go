package ampersand_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/ampersand"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/memory"
	"github.com/go-installation/installation/installationtest"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/redisstore"
)

// Paths, and the API key of the project.
const (
	apiKey      = "c4nary-key"
	project     = "/projects/" + memory.DemoProject
	integration = project + "/integrations/" + memory.DemoIntegration
	path        = integration + "/installations"
	conns       = project + "/connections"
)

// contentOf returns the path of the config-content of an object.
func contentOf(object string) string {
	return integration + "/objects/" + object + "/config-content"
}

// contact is a read object as clients write it.
const contact = `{"objectName":"contact","schedule":"*/30 * * * *",` +
	`"destination":"contactHook",` +
	`"selectedFields":{"email":true},"selectedFieldMappings":{"mobile":"phone"}}`

// object returns a read object with a schedule of some minutes.
func object(name string, minutes int) string {
	return fmt.Sprintf(`{"objectName":%q,"schedule":"*/%d * * * *","destination":"hook",`+
		`"selectedFields":{},"selectedFieldMappings":{}}`, name, minutes)
}

// creation returns the body of a POST for a group with read objects.
func creation(group, objects string) string {
	return `{"groupRef":"` + group + `","config":{"createdBy":"consumer:u-9","content":` +
		`{"provider":"salesforce","read":{"objects":{` + objects + `}}}}}`
}

// reads returns a content with read objects.
func reads(objects string) string { return `{"read":{"objects":{` + objects + `}}}` }

// update returns the body of a PATCH with a mask and the content for it.
func update(content string, mask ...string) string {
	return fmt.Sprintf(`{"updateMask":%s,"installation":{"config":{"content":%s}}}`,
		marshal(mask), content)
}

// replaceObject returns the body of a PATCH that replaces a read object.
func replaceObject(name, object string) string {
	return update(reads(`"`+name+`":`+object), "config.content.read.objects."+name)
}

// swapTo returns the body of a PATCH with another connection.
func swapTo(connection string) string {
	return `{"updateMask":["connectionId"],"installation":{"connectionId":"` + connection +
		`"}}`
}

// setCreator returns the body of a PATCH with another creator.
func setCreator(creator string) string {
	return `{"updateMask":["config.createdBy"],"installation":{"config":{"createdBy":"` +
		creator + `"}}}`
}

// changes returns the body of a PATCH of config-content for the demo group.
func changes(action, steps string) string {
	return `{"groupRef":"group-123","action":"` + action + `","changes":[` + steps + `]}`
}

// testStore counts commits. A test can make it fail, or run a function before the next commit.
type testStore struct {
	installation.Decorator
	commits      atomic.Int64
	failing      atomic.Pointer[error]
	beforeCommit atomic.Pointer[func()]
}

func (s *testStore) fail(err error) { s.failing.Store(&err) }

// interrupt runs a function before the next commit.
func (s *testStore) interrupt(f func()) { s.beforeCommit.Store(&f) }

func (s *testStore) Get(
	ctx context.Context, key installation.Key,
) (*installation.Record, error) {
	if err := s.failing.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Get(ctx, key)
}

func (s *testStore) List(
	ctx context.Context, q installation.Query,
) (installation.Page, error) {
	if err := s.failing.Load(); err != nil {
		return installation.Page{}, *err
	}
	return s.Store.List(ctx, q)
}

func (s *testStore) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	if err := s.failing.Load(); err != nil {
		return installation.Receipt{}, *err
	}
	if f := s.beforeCommit.Swap(nil); f != nil {
		(*f)()
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

// namespaces counts the namespaces on one server.
var namespaces atomic.Int64

// onRedis returns an opener of stores on a real server.
func onRedis(t *testing.T) opener {
	client := redistest.Start(t).Client(t)
	return func(tb testing.TB) installation.Store {
		namespace := fmt.Sprintf("test-%d", namespaces.Add(1))
		s, err := redisstore.Open(tb.Context(), client,
			&redisstore.Options{Namespace: namespace})
		if err != nil {
			tb.Fatal(err)
		}
		return s
	}
}

// onStores runs a test on memory and on a real Redis.
func onStores(t *testing.T, run func(*testing.T, opener)) {
	t.Run("memory", func(t *testing.T) { run(t, onMemory) })
	t.Run("redis", func(t *testing.T) { run(t, onRedis(t)) })
}

// world is a handler with its host, service and store.
type world struct {
	*installationtest.Clock
	host    *memory.Host
	store   *testStore
	all     *installation.Service // of all tenants, without an actor
	svc     *installation.Service // in the tenant, as the host
	handler http.Handler
	first   exchange // with handler
	second  exchange // with a handler as in another process
	log     *bytes.Buffer
}

// choices are the options of a world.
type choices struct {
	service installation.Options
	handler ampersand.Options
	wrap    func(ampersand.Host) ampersand.Host
}

// newWorld returns a world with handlers on servers.
func newWorld(t testing.TB, open opener, choose ...func(*choices)) *world {
	t.Helper()
	w, second := newHandlers(t, open, choose...)
	w.first, w.second = onServer(t, w.handler), onServer(t, recorded(t, second))
	return w
}

// newHandlers returns a world without servers, and a second handler for it.
func newHandlers(
	t testing.TB, open opener, choose ...func(*choices),
) (*world, *ampersand.Handler) {
	t.Helper()
	w := &world{
		Clock: new(installationtest.Clock),
		store: &testStore{Decorator: installation.Decorator{Store: open(t)}},
		log:   new(bytes.Buffer),
	}
	w.Set(time.Date(2026, 3, 2, 10, 0, 0, 120_000_000, time.UTC))
	w.addDemo()
	log := slog.New(slog.NewTextHandler(&lockedWriter{w: w.log}, nil))
	o := choices{
		service: installation.Options{
			Now: w.Now, Policy: ampersand.Policy, Owner: ampersand.Owner, Schema: ampersand.Schema,
		},
		handler: ampersand.Options{
			Catalogue: w.host, Sampler: w.host, OAuth: w.host, CustomAuth: w.host, Apps: w.host,
			Metadata: w.host, Now: w.Now, Log: log,
		},
		wrap: func(h ampersand.Host) ampersand.Host { return h },
	}
	for _, f := range choose {
		f(&o)
	}
	var err error
	if w.all, err = installation.New(w.store, keyring(t, "k1"), &o.service); err != nil {
		t.Fatal(err)
	}
	w.svc = w.all.In(memory.DemoProject).As(installation.Actor{Kind: installation.Host})
	handlers := make([]*ampersand.Handler, 2)
	for i := range handlers {
		handlers[i], err = ampersand.NewHandler(w.all, o.wrap(w.host.Host()), &o.handler)
		if err != nil {
			t.Fatal(err)
		}
	}
	w.handler = recorded(t, handlers[0])
	w.first = inProcess(w.handler)
	return w, handlers[1]
}

// addDemo adds the demo project and another one with keys.
func (w *world) addDemo() {
	const other = "project-other"
	w.host = memory.Demo(crypto.NewSecret(apiKey), w.Now)
	w.host.SetConsent("https://host.example/consent")
	w.host.AddProject(ampersand.Project{ID: other, Name: "tidewater-app"})
	w.host.AddAPIKey(crypto.NewSecret("c4nary-other-key"),
		ampersand.APIKey{Project: other, ID: "other"})
	w.host.AddPublicKey("kid-1", memory.DemoProject, &testKey().PublicKey)
	w.host.AddPublicKey("kid-other", other, &otherKey().PublicKey)
	w.connect("connection-org-71", "salesforce", "org-71", "u-9")
}

// connect adds a connection to the demo project.
func (w *world) connect(id, provider, group, consumer string) {
	w.host.AddConnection(memory.DemoProject, id, newConnection(provider, group, consumer))
}

// setIntegration adds or replaces an integration of the demo project.
func (w *world) setIntegration(id, provider, revision string) {
	w.host.SetIntegration(memory.DemoProject, ampersand.Integration{
		ID: id, Provider: provider, Latest: ampersand.Revision{ID: revision},
	})
}

// wantCommits fails the test if there were commits after a number of them.
func (w *world) wantCommits(t testing.TB, before int64) {
	t.Helper()
	if n := w.store.commits.Load() - before; n != 0 {
		t.Errorf("%d commits, want none", n)
	}
}

// wantLog fails the test unless the log has a text and no secret.
func (w *world) wantLog(t testing.TB, text string) {
	t.Helper()
	log := w.log.String()
	if !strings.Contains(log, text) || strings.Contains(log, "c4nary") {
		t.Errorf("want %q and no secrets in the log: %s", text, log)
	}
}

// newConnection returns a connection with OAuth tokens.
func newConnection(provider, group, consumer string) ampersand.NewConnection {
	return ampersand.NewConnection{
		Provider: provider, Scheme: ampersand.SchemeAuthorizationCode,
		Group:    installation.Account{ID: group, Name: "Name of " + group},
		Consumer: installation.Consumer{ID: consumer, Name: "Name of " + consumer},
		Credentials: ampersand.Credentials{AuthorizationCode: &ampersand.AuthorizationCode{
			AccessToken: installation.Token{
				Value:   crypto.NewSecret("c4nary-access"),
				Expires: time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC),
			},
			RefreshToken: installation.Token{Value: crypto.NewSecret("c4nary-refresh")},
			Scopes:       []string{"api"},
		}},
	}
}

// lockedWriter is a writer for many goroutines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// keyring returns a keyring with one key.
func keyring(t testing.TB, id string) *crypto.Keyring {
	t.Helper()
	key, err := crypto.NewKey(id, []byte("0123456789abcdef0123456789abcd"+id))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
