package recoverytest

import (
	"context"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Process stands for one process: it has a store, and a service for the host on it.
type Process struct {
	*installation.Service
	store installation.Store
}

// NewProcess returns a process whose store is open.
func NewProcess(t *testing.T, store installation.Store) Process {
	t.Helper()
	svc, err := installation.New(store, fixture.Ring(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	host := svc.In(fixture.Tenant).As(installation.Actor{Kind: installation.Host})
	return Process{host, store}
}

// namespace returns the namespace of the store.
func (p Process) namespace(t *testing.T) installation.Namespace {
	t.Helper()
	in, err := p.store.(installation.Namespacer).Namespace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// Install creates or changes an installation and returns the result.
func (p Process) Install(t *testing.T, id, name string, g installation.Guard) *installation.Result {
	t.Helper()
	res, err := p.TryInstall(t.Context(), id, name, g)
	if err != nil {
		t.Fatalf("install %s: %v", id, err)
	}
	return res
}

// TryInstall is [Process.Install] for a request that may fail.
func (p Process) TryInstall(
	ctx context.Context, id, name string, g installation.Guard,
) (*installation.Result, error) {
	parts := installation.Parts{
		Extension: fixture.Parts().Extension, Name: installation.Value(name),
		Account: installation.Value(installation.Account{ID: "ACC-" + id}),
	}
	return p.Upsert(ctx, installation.UpsertRequest{Guard: g, ID: id, Parts: parts})
}

// NewCode creates an invitation and returns its code.
func (p Process) NewCode(t *testing.T, id, idempotencyKey string) crypto.Secret {
	t.Helper()
	res, err := p.Invite(t.Context(), installation.InviteRequest{
		Guard: installation.Guard{IdempotencyKey: idempotencyKey}, ID: id,
		Parts: installation.Parts{Extension: fixture.Parts().Extension},
	})
	if err != nil {
		t.Fatalf("invite %s: %v", id, err)
	}
	return res.Code
}

// Redeem redeems a code as a customer.
func (p Process) Redeem(t *testing.T, id, account string, code crypto.Secret) error {
	t.Helper()
	customer := p.As(installation.Actor{Kind: installation.Customer, ID: account})
	_, err := customer.Accept(t.Context(), installation.AcceptRequest{
		ID: id, Code: code, Account: installation.Account{ID: account},
	})
	return err
}

// Void returns the IDs of all invitations whose code is void.
func (p Process) Void(t *testing.T) []string {
	t.Helper()
	var ids []string
	for next := ""; ; {
		page, err := p.VoidInvitations(t.Context(), next)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Keys {
			ids = append(ids, k.ID)
		}
		if next = page.Next; next == "" {
			return ids
		}
	}
}

// Cursor returns the end of the change log.
func (p Process) Cursor(t *testing.T) string {
	t.Helper()
	page, err := p.Events(t.Context(), "", installation.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	return page.Next
}
