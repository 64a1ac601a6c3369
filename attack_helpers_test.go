package installation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/validate"
)

// What the attack tests share: a service on a store that an attacker can read, edit and break.

const attackTenant = "tenant-1"

var attackStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// attackStore is a memstore in the hands of an attacker. Bodies pass through it as bytes, as they do in a store that outlives
// the process.
type attackStore struct {
	*memstore.Store

	mu      sync.Mutex
	changes []installation.Change
	history map[installation.Key][]*installation.Record
	forged  map[installation.Key]*installation.Record // what Get and List give in place of the stored record
	fail    func(method string, arg any) error        // called first by every method
}

func newAttackStore() *attackStore {
	return &attackStore{
		Store:   memstore.New(),
		history: make(map[installation.Key][]*installation.Record),
		forged:  make(map[installation.Key]*installation.Record),
	}
}

// attackCopy is r with its own slices and its body as bytes.
func attackCopy(r *installation.Record) *installation.Record {
	c := *r
	c.Index, c.Claims = slices.Clone(r.Index), slices.Clone(r.Claims)
	c.Body = installation.BodyFromBytes(r.Body.Bytes())
	return &c
}

func (s *attackStore) failing(method string, arg any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		return nil
	}
	return s.fail(method, arg)
}

func (s *attackStore) failWith(f func(method string, arg any) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// given returns the forged record at a key, or r.
func (s *attackStore) given(key installation.Key, r *installation.Record) *installation.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.forged[key]; f != nil {
		return attackCopy(f)
	}
	return r
}

func (s *attackStore) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if err := s.failing("Get", key); err != nil {
		return nil, err
	}
	r, err := s.Store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return s.given(key, r), nil
}

func (s *attackStore) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	if err := s.failing("List", q); err != nil {
		return installation.Page{}, err
	}
	page, err := s.Store.List(ctx, q)
	for i, r := range page.Records {
		page.Records[i] = s.given(r.Key, r)
	}
	return page, err
}

func (s *attackStore) Outcome(ctx context.Context, tenant string, d installation.Digest) (*installation.Outcome, error) {
	if err := s.failing("Outcome", d); err != nil {
		return nil, err
	}
	return s.Store.Outcome(ctx, tenant, d)
}

func (s *attackStore) Events(ctx context.Context, q installation.EventQuery) (installation.EventPage, error) {
	if err := s.failing("Events", q); err != nil {
		return installation.EventPage{}, err
	}
	return s.Store.Events(ctx, q)
}

func (s *attackStore) Count(ctx context.Context, q installation.Query) (int64, error) {
	if err := s.failing("Count", q); err != nil {
		return 0, err
	}
	return s.Store.Count(ctx, q)
}

func (s *attackStore) Commit(ctx context.Context, c installation.Change) (installation.Receipt, error) {
	if c.Record != nil {
		c.Record = attackCopy(c.Record)
	}
	s.mu.Lock()
	s.changes = append(s.changes, c) // a try counts, even if it fails
	s.mu.Unlock()
	if err := s.failing("Commit", c); err != nil {
		return installation.Receipt{}, err
	}
	if f := s.given(c.Key, nil); f != nil && c.Record == nil && c.If == f.Revision {
		return installation.Receipt{Revision: c.If}, nil // an event about a forged record, which the memstore does not have
	}
	receipt, err := s.Store.Commit(ctx, c)
	if err == nil && c.Record != nil && receipt.Outcome == nil {
		s.mu.Lock()
		s.history[c.Key] = append(s.history[c.Key], attackCopy(c.Record))
		delete(s.forged, c.Key)
		s.mu.Unlock()
	}
	return receipt, err
}

// commits returns how many changes were handed to the store so far.
func (s *attackStore) commits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.changes)
}

// forge makes the store give r for what stands at key; nil ends that.
func (s *attackStore) forge(key installation.Key, r *installation.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r == nil {
		delete(s.forged, key)
		return
	}
	s.forged[key] = attackCopy(r)
}

// stored returns a copy of the last record committed at key.
func (s *attackStore) stored(key installation.Key) *installation.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.history[key]
	return attackCopy(h[len(h)-1])
}

// attackRing is a keyring with one key of known bytes.
func attackRing(t testing.TB, id, secret string) *crypto.Keyring {
	t.Helper()
	key, err := crypto.NewKey(id, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return testRingOf(t, key)
}

const (
	attackKEK      = "KEKcanary0KEKcanary1KEKcanary2KE"
	attackOtherKEK = "other-key-of-32-bytes-0123456789"
)

// attackWrapper is a key wrapper that keeps copies of the data keys which pass through it; the service destroys its own.
type attackWrapper struct {
	crypto.KeyWrapper

	mu   sync.Mutex
	keys []*crypto.DataKey
}

func (w *attackWrapper) Wrap(ctx context.Context, k *crypto.DataKey, b crypto.Binding) (crypto.Wrapped, error) {
	raw, err := k.Reveal()
	if err != nil {
		return crypto.Wrapped{}, err
	}
	kept, err := crypto.DataKeyFromBytes(raw, k.Generation(), k.Suite())
	if err != nil {
		return crypto.Wrapped{}, err
	}
	w.mu.Lock()
	w.keys = append(w.keys, kept)
	w.mu.Unlock()
	return w.KeyWrapper.Wrap(ctx, k, b)
}

// attackHarness is a service on an attackStore, with a clock that stands still until it is moved.
type attackHarness struct {
	t     testing.TB
	store *attackStore
	keys  *attackWrapper
	svc   *installation.Service

	mu  sync.Mutex
	now time.Time
}

func newAttack(t testing.TB, change ...func(*installation.Options)) *attackHarness {
	t.Helper()
	h := &attackHarness{t: t, store: newAttackStore(), now: attackStart, keys: &attackWrapper{KeyWrapper: attackRing(t, "k1", attackKEK)}}
	h.svc = h.service(h.keys, change...)
	return h
}

// service returns another service on the same store and clock.
func (h *attackHarness) service(keys crypto.KeyWrapper, change ...func(*installation.Options)) *installation.Service {
	h.t.Helper()
	opts := installation.Options{Now: h.clock, AcceptURL: "https://portal.example/accept?lang=en"}
	for _, f := range change {
		f(&opts)
	}
	svc, err := installation.New(h.store, keys, &opts)
	if err != nil {
		h.t.Fatal(err)
	}
	return svc
}

func (h *attackHarness) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *attackHarness) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

var (
	attackHost      = installation.Actor{Kind: installation.Host}
	attackPlatform  = installation.Actor{Kind: installation.Platform}
	attackExtension = installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"}
	attackVendor    = installation.Actor{Kind: installation.Vendor, ID: "VEN-1"}
	attackCustomer  = installation.Actor{Kind: installation.Customer, ID: "ACC-1"}
	attackStranger  = installation.Actor{Kind: installation.Customer, ID: "ACC-9"}
)

func (h *attackHarness) as(a installation.Actor) *installation.Service {
	return h.svc.In(attackTenant).As(a)
}

func (h *attackHarness) host() *installation.Service { return h.as(attackHost) }

func attackKey(id string) installation.Key {
	return installation.Key{Tenant: attackTenant, ID: id}
}

// attackParts are parts with a secret of every kind, each of them value.
func attackParts(account, value string) installation.Parts {
	return installation.Parts{
		Name:      installation.Value("one"),
		Extension: installation.Value(installation.Extension{ID: "EXT-1", Name: "Extension", Owner: "VEN-1"}),
		Account:   installation.Value(installation.Account{ID: account, Name: "Account", Contact: &installation.Contact{Name: "Ann"}}),
		Consent: installation.Value(installation.Consent{
			Scopes: []string{"read"}, Policies: map[string]time.Time{"eula": attackStart}, Modules: []installation.Reference{{ID: "MOD-1"}},
		}),
		Configuration: installation.Value(installation.Configuration{
			Document: installation.JSON(fmt.Sprintf(`{"region":"eu","adobe_secret":%q,"nested":{"clientSecret":%q},"list":[{"name":"a","password":%q}]}`, value, value, value)),
		}),
		Connection: installation.Value(installation.Connection{
			ID: "CON-1", Provider: "hubspot", Scopes: []string{"crm"},
			AccessToken:  installation.Token{Value: crypto.NewSecret(value), Expires: attackStart.Add(time.Hour)},
			RefreshToken: installation.Token{Value: crypto.NewSecret(value)},
			APIKey:       crypto.NewSecret(value),
			Metadata:     installation.JSON(fmt.Sprintf(`{"tenant_secret":%q,"shard":3}`, value)),
		}),
		Extra: installation.Value(installation.JSON(fmt.Sprintf(`{"webhookSecret":%q,"beta":true}`, value))),
	}
}

// install makes an installed one with all secrets and returns it as the host sees it.
func (h *attackHarness) install(id, account string) *installation.Installation {
	h.t.Helper()
	res, err := h.host().Upsert(context.Background(), installation.UpsertRequest{ID: id, Parts: attackParts(account, "s3cr3t")})
	if err != nil {
		h.t.Fatal(err)
	}
	return res.Installation
}

// invite makes an invited one for the account of attackCustomer and returns its code.
func (h *attackHarness) invite(id string) crypto.Secret {
	h.t.Helper()
	p := attackParts("", "s3cr3t")
	p.Account = installation.Optional[installation.Account]{}
	res, err := h.host().Invite(context.Background(), installation.InviteRequest{ID: id, Parts: p, Message: "welcome"})
	if err != nil {
		h.t.Fatal(err)
	}
	return res.Code
}

// attackEqual compares installations whole; "" if they are equal.
func attackEqual(want, got *installation.Installation) string {
	return cmp.Diff(want, got,
		cmp.Comparer(func(a, b installation.Document) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b crypto.Secret) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) || errors.Is(b, a) }),
	)
}

// attackCall runs one call of the service; a panic fails the test and counts as an error.
func attackCall(t testing.TB, name string, call func() error) (err error) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: panic: %v", name, p)
			err = fmt.Errorf("panic in %s", name)
		}
	}()
	return call()
}

// attackViolation fails unless err is a *validate.Error with a violation of this path and rule.
func attackViolation(t testing.TB, err error, path string, rule validate.Rule) {
	t.Helper()
	var e *validate.Error
	if !errors.As(err, &e) || !errors.Is(err, installation.ErrInvalid) {
		t.Errorf("got error %.300v, want a validation error at %q (%s)", err, path, rule)
		return
	}
	for _, v := range e.Violations {
		if v.Path == path && v.Rule == rule {
			return
		}
	}
	t.Errorf("got violations %.500v, want one at %q (%s)", err, path, rule)
}

// attackMethod is one method of the service, called with a request that is good for the installed "EXI-1" or as bad as the test makes it.
type attackMethod struct {
	name string
	call func(ctx context.Context, s *installation.Service) error
}

// attackMethods calls every method that takes a context, with an id.
func attackMethods(id string) []attackMethod {
	return []attackMethod{
		{"Upsert", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Upsert(ctx, installation.UpsertRequest{ID: id, Parts: attackParts("ACC-1", "other")})
			return err
		}},
		{"Patch", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Patch(ctx, installation.PatchRequest{ID: id, Operations: []installation.Operation{installation.Set("/region", installation.JSON(`"us"`))}})
			return err
		}},
		{"Get", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Get(ctx, id)
			return err
		}},
		{"Reveal", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Reveal(ctx, installation.RevealRequest{ID: id, Reason: "test", Refs: []installation.Ref{{Kind: installation.RefConfig, Pointer: "/adobe_secret"}}})
			return err
		}},
		{"Invite", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Invite(ctx, installation.InviteRequest{ID: id, Parts: attackParts("ACC-1", "other")})
			return err
		}},
		{"Resend", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Resend(ctx, installation.ResendRequest{ID: id})
			return err
		}},
		{"Accept", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Accept(ctx, installation.AcceptRequest{ID: id, Code: crypto.NewSecret("inv_wrong"), Account: installation.Account{ID: "ACC-1"}})
			return err
		}},
		{"Expire", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Expire(ctx, installation.ExpireRequest{ID: id})
			return err
		}},
		{"Uninstall", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Uninstall(ctx, installation.UninstallRequest{ID: id})
			return err
		}},
		{"Rekey", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Rekey(ctx, installation.RekeyRequest{ID: id})
			return err
		}},
		{"Delete", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Delete(ctx, installation.DeleteRequest{ID: id})
			return err
		}},
	}
}

// attackWide are the methods that take no id.
func attackWide() []attackMethod {
	return []attackMethod{
		{"List", func(ctx context.Context, s *installation.Service) error {
			_, err := s.List(ctx, installation.ListRequest{})
			return err
		}},
		{"All", func(ctx context.Context, s *installation.Service) error {
			for _, err := range s.All(ctx, installation.ListRequest{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"Count", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Count(ctx, installation.ListRequest{})
			return err
		}},
		{"Sweep", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Sweep(ctx, installation.SweepRequest{})
			return err
		}},
		{"Events", func(ctx context.Context, s *installation.Service) error {
			_, err := s.Events(ctx, "", 0)
			return err
		}},
	}
}
