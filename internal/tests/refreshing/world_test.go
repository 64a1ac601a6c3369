package refreshing

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/refresh"
)

// provider hands out tokens and takes each refresh token once.
type provider struct {
	mu     sync.Mutex
	grants map[string]string // the valid refresh token of each installation
	issued int
	sent   int // refresh requests
	spent  int // of these, with a token that was used before

	before func() error // fails the request before the provider sees it; nil = never
	after  func() error // loses the answer; nil = never
	life   time.Duration
}

func newProvider() *provider {
	return &provider{grants: make(map[string]string), life: time.Hour}
}

// refresh is a [installation.RefreshFunc].
func (p *provider) refresh(
	ctx context.Context, inst *installation.Opened,
) (installation.Tokens, error) {
	if err := run(p.before); err != nil {
		return installation.Tokens{}, err
	}
	tokens, err := p.rotate(inst)
	if err == nil {
		err = run(p.after)
	}
	return tokens, err
}

func run(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

func (p *provider) rotate(inst *installation.Opened) (installation.Tokens, error) {
	c, err := inst.Credentials()
	if err != nil {
		return installation.Tokens{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent++
	if p.grants[inst.ID] != c.RefreshToken.Value.RevealString() {
		p.spent++
		return installation.Tokens{}, &refresh.Error{
			Answer: refresh.Permanent, Reason: "invalid_grant",
		}
	}
	return p.issue(inst.ID), nil
}

// issue returns new tokens of a grant. The caller holds the mutex.
func (p *provider) issue(id string) installation.Tokens {
	p.issued++
	p.grants[id] = fmt.Sprintf("refresh-%d", p.issued)
	return installation.Tokens{
		Access: installation.Token{
			Value:   crypto.NewSecret(fmt.Sprintf("access-%d", p.issued)),
			Expires: time.Now().Add(p.life),
		},
		Refresh: installation.Token{Value: crypto.NewSecret(p.grants[id])},
	}
}

// connection is a connection with new tokens, whose access token has expired.
func (p *provider) connection(id string) installation.Connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.issue(id)
	t.Access.Expires = time.Now().Add(-time.Second)
	return installation.Connection{
		ID: "conn-" + id, Provider: "crm", AccessToken: t.Access, RefreshToken: t.Refresh,
	}
}

// world is a service on a store in memory, with one installation.
type world struct {
	*provider
	t       *testing.T
	store   installation.Store
	options installation.Options
	svc     *installation.Service
}

const id = "EXI-1"

func newWorld(t *testing.T, change ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, provider: newProvider(), store: memstore.New()}
	for _, f := range change {
		f(w)
	}
	w.svc = w.process(w.store)
	w.install(id)
	return w
}

// process returns the service of another process on a store.
func (w *world) process(store installation.Store) *installation.Service {
	w.t.Helper()
	keys := fixture.RingWith(w.t, "k1", fixture.KEK)
	svc, err := installation.New(store, keys, &w.options)
	if err != nil {
		w.t.Fatal(err)
	}
	return svc.As(fixture.HostActor)
}

func (w *world) install(id string) {
	w.t.Helper()
	_, err := w.svc.Upsert(w.t.Context(), installation.UpsertRequest{
		ID: id,
		Parts: installation.Parts{
			Extension:  installation.Value(installation.Extension{ID: "EXT-1"}),
			Account:    installation.Value(installation.Account{ID: "ACC-" + id}),
			Connection: installation.Value(w.connection(id)),
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// refreshed refreshes and returns the access token.
func (w *world) refreshed(svc *installation.Service) (string, error) {
	o, err := svc.Refresh(w.t.Context(), installation.RefreshRequest{ID: id}, w.refresh)
	if err != nil {
		return "", err
	}
	defer o.Close()
	c, err := o.Credentials()
	if err != nil {
		return "", err
	}
	return c.AccessToken.Value.RevealString(), nil
}

// get returns the installation, masked.
func (w *world) get() *installation.Installation {
	w.t.Helper()
	inst, err := w.svc.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return inst
}

// advance moves the fake clock of a bubble. The test itself does not wait.
func advance(d time.Duration) { time.Sleep(d) } // all callers are in a bubble

// refreshing gives Run the provider of the world.
func refreshing(w *world) { w.options.Refresh = w.refresh }
