package vercel_test

import (
	"bytes"
	"context"
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
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
)

const (
	clientID = "oac_5pQ2sVx8"
	account  = "4f1a0b"
	other    = "77c2d9" // account
	icfg     = "icfg_9aXw3LmQ7vBn2TzK5rYd8PcH"
	path     = "/v1/installations/" + icfg
)

// upsertBody is a full request of an installation, with a token that no test may find again.
const upsertBody = `{"scopes":["read-write:integration-resource"],
 "acceptedPolicies":{"terms":"2026-03-04T09:15:00Z","privacy":"2026-03-04T10:15:00+01:00"},
 "credentials":{"access_token":"c4nary-access","token_type":"Bearer"},
 "account":{"name":"Northwind Bikes","url":"https://vercel.com/northwind-bikes",
  "contact":{"email":"ops@northwind.example","name":"Iris Holm"}}}`

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
	installation.Decorator
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

func (s *watched) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	s.commits.Add(1)
	if first := s.first.Swap(nil); first != nil {
		(*first)()
	}
	return s.Store.Commit(ctx, c)
}

// world is a handler on a server of its own, with the keys of an issuer and what there is to
// look at behind it.
type world struct {
	*clock
	issuer   *issuer
	store    *watched
	svc      *installation.Service // in the tenant, as the host
	verifier *vercel.Verifier
	handler  *vercel.Handler
	server   *httptest.Server
	log      *bytes.Buffer
}

type choices struct {
	service installation.Options
	handler vercel.Options
}

func newWorld(t testing.TB, choose ...func(*choices)) *world {
	t.Helper()
	w := &world{clock: &clock{now: time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)},
		store: &watched{Decorator: installation.Decorator{Store: newStore(t)}},
		log:   new(bytes.Buffer)}
	w.issuer = newIssuer(t, w.clock)
	o := choices{
		service: installation.Options{Now: w.Now, Policy: vercel.Policy, Claims: vercel.NoClaims},
		handler: vercel.Options{Plans: catalogue(t),
			Log: slog.New(slog.NewTextHandler(&locked{w: w.log}, nil))},
	}
	for _, f := range choose {
		f(&o)
	}
	svc, err := installation.New(w.store, ring(t), &o.service)
	if err != nil {
		t.Fatal(err)
	}
	w.svc = svc.In(clientID).As(installation.Actor{Kind: installation.Host})
	if w.verifier, err = vercel.NewVerifier(clientID,
		&vercel.VerifierOptions{KeySetURL: w.issuer.url, Now: w.Now}); err != nil {
		t.Fatal(err)
	}
	if w.handler, err = vercel.NewHandler(svc, w.verifier, &o.handler); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w.handler)
	t.Cleanup(w.server.Close)
	return w
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

var (
	freePlan = billing.Plan{
		ID: "free", Type: "subscription", Name: "Free", Scope: "installation",
		Description: "One project", PaymentMethodRequired: new(false),
	}
	teamPlan = billing.Plan{
		ID: "team", Type: "subscription", Name: "Team", Scope: "installation",
		Description: "Five projects, shared", PaymentMethodRequired: new(true),
		Cost:               "$20.00/month",
		HighlightedDetails: []billing.Detail{{Label: "Projects", Value: "5"}},
		Details:            []billing.Detail{{Label: "Seats", Value: "10"}},
	}
	oldPlan = billing.Plan{ID: "old", Type: "subscription", Name: "Old",
		Scope: "installation", Disabled: true}
	perResource = billing.Plan{ID: "each", Type: "prepayment", Name: "Each",
		Scope: "resource"}
)

const (
	freeJSON = `{"id":"free","type":"subscription","name":"Free","scope":"installation",` +
		`"description":"One project","paymentMethodRequired":false}`
	teamJSON = `{"id":"team","type":"subscription","name":"Team","scope":"installation",` +
		`"description":"Five projects, shared",` +
		`"paymentMethodRequired":true,"cost":"$20.00/month","details":[{"label":"Seats",` +
		`"value":"10"}],` +
		`"highlightedDetails":[{"label":"Projects","value":"5"}]}`
	oldJSON = `{"id":"old","type":"subscription","name":"Old","scope":"installation",` +
		`"description":"","disabled":true}`
	eachJSON = `{"id":"each","type":"prepayment","name":"Each","scope":"resource",` +
		`"description":""}`
)

func catalogue(t testing.TB) *vercel.Catalogue {
	t.Helper()
	c, err := vercel.NewCatalogue(freePlan, teamPlan, oldPlan, perResource)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request. Headers are given in pairs.
func (w *world) do(t testing.TB, method, path, token, body string, headers ...string) reply {
	t.Helper()
	return send(t, w.server.URL, method, path, token, body, headers...)
}

func send(t testing.TB, base, method, path, token, body string, headers ...string) reply {
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
func (r reply) want(t testing.TB, status int, body ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d; body %s", r.status, status, r.body)
	} else if len(body) > 0 && r.body != body[0] {
		t.Errorf("body is\n%s\nwant\n%s", r.body, body[0])
	}
}

// install puts the installation that most tests are about.
func (w *world) install(t testing.TB) {
	t.Helper()
	w.do(t, http.MethodPut, path, w.issuer.user(icfg), upsertBody).want(t, http.StatusOK, `{}`)
}

// get returns the installation as the host sees it.
func (w *world) get(t testing.TB, id string) *installation.Installation {
	t.Helper()
	inst, err := w.svc.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

// token reveals the access token; "" if the installation has no token.
func (w *world) token(t testing.TB, id string) string {
	t.Helper()
	ref := installation.Ref("credential/access_token")
	out, err := w.svc.Reveal(t.Context(),
		installation.RevealRequest{ID: id, Refs: []installation.Ref{ref}, Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return out[0].Value.RevealString()
}
