package installation_test

import (
	"context"
	"crypto/fips140"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// clock is a clock that tests move by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
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

// world is a service on a fresh memstore with a clock, and the actors that tests speak as.
type world struct {
	*clock
	store *watched
	svc   *installation.Service

	host, extension, vendor, customer, platform *installation.Service
}

func newWorld(t testing.TB, opts ...func(*installation.Options)) *world {
	t.Helper()
	w := &world{clock: newClock(), store: &watched{Store: memstore.New()}}
	o := &installation.Options{Now: w.Now, AcceptURL: "https://portal.example/accept?lang=en"}
	for _, f := range opts {
		f(o)
	}
	svc, err := installation.New(w.store, testRing(t), o)
	if err != nil {
		t.Fatal(err)
	}
	w.svc = svc.In("tenant-1")
	w.host = w.svc.As(installation.Actor{Kind: installation.Host})
	w.extension = w.svc.As(installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"})
	w.vendor = w.svc.As(installation.Actor{Kind: installation.Vendor, ID: "ACC-vendor"})
	w.customer = w.as("ACC-1")
	w.platform = w.svc.As(installation.Actor{Kind: installation.Platform})
	return w
}

// as is a customer account.
func (w *world) as(account string) *installation.Service {
	return w.svc.As(installation.Actor{Kind: installation.Customer, ID: account, User: installation.Reference{ID: "USR-" + account}})
}

func testRing(t testing.TB) *crypto.Keyring {
	t.Helper()
	key, err := crypto.NewKey("k1", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return testRingOf(t, key)
}

// testRingOf is a keyring with the suite that this process may use, which is the second one under GODEBUG=fips140=only.
func testRingOf(t testing.TB, primary crypto.Key, others ...crypto.Key) *crypto.Keyring {
	t.Helper()
	ring, err := crypto.NewKeyring(primary, others...)
	if err == nil && fips140.Enforced() {
		ring, err = ring.WithSuite(crypto.SuiteAES256GCM)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// watched counts what reaches the store.
type watched struct {
	installation.Store
	mu      sync.Mutex
	gets    int
	commits []installation.Change
}

func (s *watched) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	s.mu.Lock()
	s.gets++
	s.mu.Unlock()
	return s.Store.Get(ctx, key)
}

func (s *watched) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	s.mu.Lock()
	s.commits = append(s.commits, c)
	s.mu.Unlock()
	return s.Store.Commit(ctx, c)
}

// Events lets the service read the log of the store beneath.
func (s *watched) Events(ctx context.Context, q installation.EventQuery) (installation.EventPage, error) {
	return s.Store.(installation.EventReader).Events(ctx, q)
}

// sample are the parts of a complete installation with four secrets.
func sample() installation.Parts {
	return installation.Parts{
		Name:      installation.Value("Stock Sync"),
		Extension: installation.Value(installation.Extension{ID: "EXT-1", Name: "Stock Sync", Owner: "ACC-vendor"}),
		Account:   installation.Value(installation.Account{ID: "ACC-1", Name: "Harbor Foods"}),
		Health:    installation.Value(installation.Healthy),
		Consent: installation.Value(installation.Consent{
			Scopes:   []string{"read"},
			Policies: map[string]time.Time{"terms": time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)},
			Modules:  []installation.Reference{{ID: "MOD-1"}},
		}),
		Configuration: installation.Value(installation.Configuration{
			Document: installation.JSON(`{"api_secret":"s3cr3t-config","warehouse":"EU-2","nested":{"token":"t0ken-nested","depth":2}}`),
		}),
		Connection: installation.Value(installation.Connection{
			ID: "connection-1", Provider: "salesforce", Scheme: "oauth2/authorizationCode",
			AccessToken:  installation.Token{Value: crypto.NewSecret("acc3ss-token"), Expires: time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)},
			RefreshToken: installation.Token{Value: crypto.NewSecret("r3fresh-token")},
		}),
	}
}

// install makes an installation of the sample parts with an id.
func (w *world) install(t testing.TB, id string) *installation.Result {
	t.Helper()
	res, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: id, Parts: sample()})
	if err != nil {
		t.Fatalf("install %s: %v", id, err)
	}
	return res
}

// invite makes an invitation to the sample extension with an id.
func (w *world) invite(t testing.TB, id string) *installation.Result {
	t.Helper()
	parts := installation.Parts{Extension: sample().Extension}
	res, err := w.host.Invite(t.Context(), installation.InviteRequest{ID: id, Parts: parts, Message: "Join the pilot"})
	if err != nil {
		t.Fatalf("invite %s: %v", id, err)
	}
	return res
}

// get reads an installation as the host.
func (w *world) get(t testing.TB, id string) *installation.Installation {
	t.Helper()
	i, err := w.host.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("get %s: %v", id, err)
	}
	return i
}

// reveal opens one secret as the host.
func (w *world) reveal(t testing.TB, id string, ref installation.Ref) string {
	t.Helper()
	answers, err := w.host.Reveal(t.Context(), installation.RevealRequest{ID: id, Refs: []installation.Ref{ref}, Reason: "test"})
	if err == nil {
		err = answers[0].Err
	}
	if err != nil {
		t.Fatalf("reveal %s of %s: %v", ref, id, err)
	}
	return answers[0].Value.RevealString()
}

// events reads the whole change log of the tenant.
func (w *world) events(t testing.TB) []installation.Event {
	t.Helper()
	page, err := w.host.Events(t.Context(), "", installation.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	return page.Events
}

// wantErr demands an error of a kind.
func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want one that matches %q", what, got, want)
	}
}
