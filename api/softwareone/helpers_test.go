package softwareone_test

import (
	"bytes"
	"context"
	"encoding/base64"
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
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/static"
	"github.com/go-installation/installation/internal/redistest"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/redisstore"
)

// The platform that most tests are on: two vendors, two clients and operations.
const (
	stock  = "EXT-4410-7725" // public, of vendorAccount, asks for MOD-0478 and MOD-0112
	pilot  = "EXT-4410-8001" // private, of vendorAccount
	draft  = "EXT-4410-8002"
	gone   = "EXT-4410-8003"      // deleted
	ledger = "EXT-5520-1000"      // public, of otherVendor
	paged  = "EXT-6822-9898-4256" // of the platform's own page, here of vendorAccount

	vendorAccount = "ACC-2205-6611"
	otherVendor   = "ACC-2205-7000"
	clientAccount = "ACC-8834-0012"
	otherClient   = "ACC-8834-0099"
	operations    = "ACC-0001-0001"
)

// Bearer tokens of the actors. The word in the secrets is one that no answer and no log may show.
const (
	vendorToken  = "idt:TKN-0001-0001:c4nary-vendor-secret"
	rivalToken   = "idt:TKN-0001-0002:c4nary-rival-secret"
	clientToken  = "idt:TKN-0002-0001:c4nary-client-secret"
	client2Token = "idt:TKN-0002-0002:c4nary-client2-secret"
	opsToken     = "idt:TKN-0003-0001:c4nary-operations-secret"
	noneToken    = "idt:TKN-0004-0001:c4nary-no-scope-secret" // operations, for no extension
	ledgerToken  = "idt:TKN-0004-0002:c4nary-ledger-secret"   // operations, for ledger alone
	// operations, for stock and ledger
	bothToken    = "idt:TKN-0004-0003:c4nary-both-secret"
	narrowToken  = "idt:TKN-0004-0004:c4nary-narrow-secret" // clientAccount, for ledger alone
	pilotToken   = "idt:TKN-0004-0005:c4nary-pilot-secret"  // vendorAccount, for pilot alone
	stockSecret  = "c4nary-secret-of-the-stock-extension"
	ledgerSecret = "c4nary-secret-of-the-ledger-extension"
	installBody  = `{"extension":{"id":"` + stock + `"},"modules":[{"id":"MOD-0478"}]}`
	inviteBody   = `{"extension":{"id":"` + stock +
		`"},"invitation":{"message":"Join the pilot","validity":"7d","externalId":"crm-5521"}}`
	configuredBody = `{"configuration":{"api_secret":"c4nary-api-secret","warehouse":"EU-2"}}`
)

// clock is a clock that tests move by hand; each look at it takes a millisecond.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// failing is a store that fails when told to.
type failing struct {
	installation.Decorator
	err  atomic.Pointer[error]
	gets atomic.Int64 // calls of Get
}

func (s *failing) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	s.gets.Add(1)
	if err := s.err.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Get(ctx, key)
}

// world is a handler on a server of its own and what there is to look at behind it.
type world struct {
	*clock
	store   *failing
	svc     *installation.Service // in the tenant, as the host
	handler *softwareone.Handler
	issuer  *softwareone.Issuer
	server  *httptest.Server
	log     *locked
}

func newWorld(t testing.TB, store installation.Store, change ...func(*static.Data)) *world {
	t.Helper()
	w := &world{clock: &clock{now: time.Date(2026, 5, 2, 8, 0, 0, 0, time.UTC)},
		store: &failing{Decorator: installation.Decorator{Store: store}}, log: new(locked)}
	svc, handler, issuer := newHandler(t, w.store, w.Now, w.log, change...)
	w.svc = svc.As(installation.Actor{Kind: installation.Host})
	w.handler, w.issuer = handler, issuer
	w.server = httptest.NewServer(http.StripPrefix("/public/v1/integration", handler))
	t.Cleanup(w.server.Close)
	return w
}

func newHandler(
	t testing.TB, store installation.Store, now func() time.Time, log io.Writer,
	change ...func(*static.Data),
) (*installation.Service, *softwareone.Handler, *softwareone.Issuer) {
	t.Helper()
	directory := newDirectory(t, change...)
	svc := newService(t, store, now, directory)
	issuer, err := softwareone.NewIssuer(crypto.NewSecret("c4nary-signing-key-0123456789abcdef"),
		&softwareone.IssuerOptions{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := softwareone.NewHandler(svc, directory, issuer,
		&softwareone.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return svc, handler, issuer
}

// newService is a service over a directory.
func newService(
	t testing.TB, store installation.Store, now func() time.Time, directory softwareone.Directory,
) *installation.Service {
	t.Helper()
	svc, err := installation.New(store, newKeys(t, "k1", "0123456789abcdef0123456789abcdef"),
		&installation.Options{
			Now: now, Policy: softwareone.Policy, Owner: softwareone.Owners(directory),
			Schema: softwareone.Schemas(directory),
		})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

// newKeys are keys with one key.
func newKeys(t testing.TB, id, material string) *crypto.Keyring {
	t.Helper()
	key, err := crypto.NewKey(id, []byte(material))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := crypto.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// onStores runs a test on memory and on a Redis server.
func onStores(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("memory", func(t *testing.T) { test(t, newWorld(t, memstore.New())) })
	t.Run("redis", func(t *testing.T) {
		store, err := redisstore.Open(t.Context(), redistest.Start(t).Client(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		test(t, newWorld(t, store))
	})
}

// locked is a buffer for many goroutines.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request; a path begins below the base. Headers are given in pairs, an empty value
// takes one away.
func (w *world) do(t testing.TB, method, path, token, body string, headers ...string) reply {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method,
		w.server.URL+"/public/v1/integration"+path, content)
	if err != nil {
		t.Error(err)
		return reply{}
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
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

// want fails the test unless the answer has a status and, if given, a body.
func (r reply) want(t testing.TB, status int, body ...string) reply {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d; body %s", r.status, status, r.body)
	} else if len(body) > 0 && r.body != body[0] {
		t.Errorf("body is\n%s\nwant\n%s", r.body, body[0])
	}
	return r
}

// refused fails the test unless the answer is a problem of a status, with a detail and errors
// by field if any are given.
func (r reply) refused(t testing.TB, status int, detail string, errors ...string) {
	t.Helper()
	var p struct {
		Type, Title, Detail, TraceID string
		Status                       int
		Errors                       map[string][]string
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Errorf("status %d with a body that is no problem: %s", r.status, r.body)
		return
	}
	if r.status != status || p.Status != status || p.Detail != detail {
		t.Errorf("status %d, want %d; body %s", r.status, status, r.body)
	}
	if r.header.Get("Content-Type") != "application/problem+json" ||
		p.Title != http.StatusText(status) || p.TraceID != r.header.Get("X-Request-Id") ||
		!strings.HasPrefix(p.Type, "https://tools.ietf.org/html/rfc9110#section-15.") {
		t.Errorf("no problem of RFC 7807: %s", r.body)
	}
	if want := len(errors) / 2; len(p.Errors) != want {
		t.Errorf("errors %v, want %q", p.Errors, errors)
	}
	for i := 0; i < len(errors); i += 2 {
		if got := p.Errors[errors[i]]; len(got) != 1 || got[0] != errors[i+1] {
			t.Errorf("errors of %s: %q, want %q", errors[i], got, errors[i+1])
		}
	}
}

// row is an installation as a client reads it.
type row struct {
	ID, Name, Status string
	Revision         int64
	Extension        struct{ ID, Name string }
	Account          struct{ ID, Name, Type, Status string }
	Modules          []struct{ ID string }
	Configuration    map[string]any
	Invitation       *struct {
		Message, Status, ExternalID, URL, Code string
		Validity                               struct{ Period string }
	}
	Audit map[string]struct {
		At string
		By struct{ ID string }
		Of struct{ ID string }
	}
}

func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func (r reply) row(t testing.TB) row {
	t.Helper()
	return decode[row](t, r.body)
}

// install installs an extension for the account of a token.
func (w *world) install(t testing.TB, token, extension string) row {
	t.Helper()
	return w.do(t, "POST", "/installations", token,
		fmt.Sprintf(`{"extension":{"id":%q},"modules":[{"id":"MOD-0478"}]}`, extension)).
		want(t, 201).row(t)
}

// invite makes an invitation and returns its code as well.
func (w *world) invite(t testing.TB, extension string) (invited row, code string) {
	t.Helper()
	invited = w.do(t, "POST", "/installations", vendorToken,
		strings.Replace(inviteBody, stock, extension, 1)).want(t, 201).row(t)
	return invited, openTicket(t, invited)
}

// openTicket returns the code in an invitation's ticket.
func openTicket(t testing.TB, invited row) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(invited.Invitation.URL)
	if err != nil {
		t.Fatal(err)
	}
	ticket := decode[struct{ InstallationID, Code string }](t, string(b))
	if ticket.InstallationID != invited.ID || ticket.Code == "" {
		t.Fatalf("the ticket is for %q", ticket.InstallationID)
	}
	return ticket.Code
}

// redeemBody is the body of a redeem.
func redeemBody(code string) string {
	return fmt.Sprintf(`{"code":%q,"modules":[{"id":"MOD-0478"}]}`, code)
}

func newMemory() installation.Store { return memstore.New() }

// mint returns a token of an extension, for an account or for its own.
func (w *world) mint(t testing.TB, secret, account string) string {
	t.Helper()
	path := "/installations/-/token"
	if account != "" {
		path += "?account.id=" + account
	}
	return decode[struct{ Token string }](t,
		w.do(t, "POST", path, secret, "").want(t, 201).body).Token
}

// issue makes a token as a host does for who uses its platform.
func (w *world) issue(t testing.TB, c softwareone.Claims) string {
	t.Helper()
	token, err := w.issuer.Mint(c)
	if err != nil {
		t.Fatal(err)
	}
	return token.RevealString()
}

// over lets another handler answer from now on: over a service, with a directory.
func (w *world) over(t testing.TB, svc *installation.Service, directory softwareone.Directory) {
	t.Helper()
	handler, err := softwareone.NewHandler(svc, directory, w.issuer,
		&softwareone.Options{Log: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	w.handler, w.server.Config.Handler = handler, http.StripPrefix("/public/v1/integration",
		handler)
}
