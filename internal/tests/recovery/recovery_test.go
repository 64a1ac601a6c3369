// Package recovery tests invariant 22: what the service does after its store went back to an older
// state, and after an operator accepted this.
package recovery

import (
	"context"
	"errors"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// process stands for one process: it has a store, and a service for the host on it.
type process struct {
	*installation.Service
	store installation.Store
}

func newProcess(t *testing.T, store installation.Store) process {
	t.Helper()
	svc, err := installation.New(store, fixture.Ring(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	host := svc.In(fixture.Tenant).As(installation.Actor{Kind: installation.Host})
	return process{host, store}
}

// namespace returns the namespace of the store.
func (p process) namespace(t *testing.T) (installation.Namespace, error) {
	t.Helper()
	return p.store.(installation.Namespacer).Namespace(t.Context())
}

// install creates or changes an installation and returns the result.
func (p process) install(t *testing.T, id, name string, g installation.Guard) *installation.Result {
	t.Helper()
	res, err := p.upsert(t.Context(), id, name, g)
	if err != nil {
		t.Fatalf("install %s: %v", id, err)
	}
	return res
}

func (p process) upsert(
	ctx context.Context, id, name string, g installation.Guard,
) (*installation.Result, error) {
	parts := installation.Parts{
		Extension: fixture.Parts().Extension, Name: installation.Value(name),
		Account: installation.Value(installation.Account{ID: "ACC-" + id}),
	}
	return p.Upsert(ctx, installation.UpsertRequest{Guard: g, ID: id, Parts: parts})
}

// invite creates an invitation and returns its code.
func (p process) invite(t *testing.T, id, idempotencyKey string) crypto.Secret {
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

// accept redeems a code as a customer.
func (p process) accept(t *testing.T, id, account string, code crypto.Secret) error {
	t.Helper()
	customer := p.As(installation.Actor{Kind: installation.Customer, ID: account})
	_, err := customer.Accept(t.Context(), installation.AcceptRequest{
		ID: id, Code: code, Account: installation.Account{ID: account},
	})
	return err
}

// acceptRestore accepts a restore and returns the new epoch.
func (p process) acceptRestore(t *testing.T) int64 {
	t.Helper()
	in, err := p.AcceptRestore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return in.Epoch
}

// void returns the IDs of all invitations whose code is void.
func (p process) void(t *testing.T) []string {
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

// cursor returns the end of the change log.
func (p process) cursor(t *testing.T) string {
	t.Helper()
	page, err := p.Events(t.Context(), "", installation.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	return page.Next
}

// TestInvariant22NothingOfAnotherEpochIsHonoured accepts a restore and then uses what was given out
// before.
func TestInvariant22NothingOfAnotherEpochIsHonoured(t *testing.T) {
	p := newProcess(t, memstore.New())
	first := p.install(t, "a", "one", installation.Guard{})
	code := p.invite(t, "open", "key")
	cursor := p.cursor(t)
	epoch := p.acceptRestore(t)

	fixture.WantErr(t, "accept", p.accept(t, "open", "ACC-1", code), installation.ErrInvitation)
	_, err := p.Events(t.Context(), cursor, 10)
	fixture.WantErr(t, "events", err, installation.ErrTrimmed)
	again, err := p.Invite(t.Context(), installation.InviteRequest{
		Guard: installation.Guard{IdempotencyKey: "key"}, ID: "open",
		Parts: installation.Parts{Extension: fixture.Parts().Extension},
	})
	if err != nil || !again.Replayed || !again.Code.IsZero() {
		t.Errorf("a repeated invite: %+v, error %v, want a replay without a code", again, err)
	}

	if got := p.void(t); len(got) != 1 || got[0] != "open" {
		t.Errorf("void invitations %v, want the open one", got)
	}
	res, err := p.Resend(t.Context(), installation.ResendRequest{ID: "open"})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.void(t); len(got) != 0 {
		t.Errorf("void invitations %v after a resend", got)
	}
	if err := p.accept(t, "open", "ACC-1", res.Code); err != nil {
		t.Errorf("accept with the new code: %v", err)
	}

	// A guard from before still works. New revisions and generations are not below the epoch.
	second := p.install(t, "a", "two", installation.Guard{Revision: first.Revision})
	if second.Revision < epoch || second.Generation != first.Generation {
		t.Errorf("revision %d of generation %d in epoch %d",
			second.Revision, second.Generation, epoch)
	}
	if _, err := p.Uninstall(t.Context(), installation.UninstallRequest{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if third := p.install(t, "a", "three", installation.Guard{}); third.Generation < epoch {
		t.Errorf("generation %d in epoch %d", third.Generation, epoch)
	}
	if _, err := p.Delete(t.Context(), installation.DeleteRequest{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if fourth := p.install(t, "a", "four", installation.Guard{}); fourth.Revision <= epoch {
		t.Errorf("revision %d of a new record in epoch %d", fourth.Revision, epoch)
	}
	if epoch2 := p.acceptRestore(t); epoch2 <= epoch {
		t.Errorf("epoch %d after %d", epoch2, epoch)
	}
}

// TestRedeemedInvitationStaysRedeemed redeems a code again that was redeemed before a restore was
// accepted.
func TestRedeemedInvitationStaysRedeemed(t *testing.T) {
	p := newProcess(t, memstore.New())
	code := p.invite(t, "i", "")
	if err := p.accept(t, "i", "ACC-1", code); err != nil {
		t.Fatal(err)
	}
	p.acceptRestore(t)
	if err := p.accept(t, "i", "ACC-1", code); err != nil {
		t.Errorf("the same account: %v", err)
	}
	fixture.WantErr(t, "another", p.accept(t, "i", "ACC-2", code), installation.ErrInvitation)
	if got := p.void(t); len(got) != 0 {
		t.Errorf("void invitations %v", got)
	}
}

// interrupted accepts a restore just before a commit, once.
type interrupted struct {
	*memstore.Store
	restored bool
}

func (s *interrupted) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	if !s.restored {
		s.restored = true
		if _, err := s.AcceptRestore(ctx, c.Now); err != nil {
			return installation.Receipt{}, err
		}
	}
	return s.Store.Commit(ctx, c)
}

// TestChangeIsBuiltAgainInTheNewEpoch accepts a restore between a read and its commit.
func TestChangeIsBuiltAgainInTheNewEpoch(t *testing.T) {
	for what, write := range map[string]func(p process) (int64, error){
		"create": func(p process) (int64, error) {
			return revisionOf(p.upsert(t.Context(), "new", "", installation.Guard{}))
		},
		"update": func(p process) (int64, error) {
			return revisionOf(p.upsert(t.Context(), "a", "two", installation.Guard{}))
		},
		"guarded update": func(p process) (int64, error) {
			return revisionOf(p.upsert(t.Context(), "a", "two", installation.Guard{Revision: 1}))
		},
		"delete": func(p process) (int64, error) {
			return revisionOf(p.Delete(t.Context(), installation.DeleteRequest{ID: "a"}))
		},
		"rekey": func(p process) (int64, error) {
			return revisionOf(p.Rekey(t.Context(), installation.RekeyRequest{ID: "a"}))
		},
	} {
		t.Run(what, func(t *testing.T) {
			store := &interrupted{Store: memstore.New(), restored: true}
			p := newProcess(t, store)
			p.install(t, "a", "one", installation.Guard{})
			store.restored = false
			revision, err := write(p)
			in, _ := store.Namespace(t.Context())
			if err != nil || revision < in.Epoch || in.Epoch == 0 {
				t.Errorf("revision %d in epoch %d, error %v", revision, in.Epoch, err)
			}
			page, err := p.Events(t.Context(), "", 10)
			if err != nil || len(page.Events) != 2 {
				t.Errorf("%d events, error %v, want 2", len(page.Events), err)
			}
		})
	}
}

func revisionOf(res *installation.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.Revision, nil
}

// TestRewrapInTheNewEpoch accepts a restore while records get another key.
func TestRewrapInTheNewEpoch(t *testing.T) {
	store := &interrupted{Store: memstore.New(), restored: true}
	p := newProcess(t, store)
	for _, id := range []string{"a", "b", "c"} {
		p.install(t, id, "", installation.Guard{})
	}
	w := fixture.NewWorld(t)
	ring := fixture.RingOf(t, w.K2, w.K1)
	store.restored = false
	report, err := w.On(t, store, ring).Rewrap(t.Context(), installation.RewrapRequest{})
	if err != nil || report.Rewrapped != 3 {
		t.Errorf("report %+v, error %v, want 3 rewrapped", report, err)
	}
	in, _ := store.Namespace(t.Context())
	for _, id := range []string{"a", "b", "c"} {
		r, err := store.Get(t.Context(), fixture.KeyAt(id))
		if err != nil || r.Revision < in.Epoch {
			t.Errorf("%s: %+v, error %v, want a revision of epoch %d", id, r, err, in.Epoch)
		}
	}
}

// hidden hides all optional abilities of a store.
type hidden struct{ installation.Store }

// TestWrapperHidesEpochs wraps a store so that the service cannot read its epoch. A write then ends
// with ErrUnavailable, because building it again would not help.
func TestWrapperHidesEpochs(t *testing.T) {
	store := memstore.New()
	newProcess(t, store).acceptRestore(t)
	p := newProcess(t, hidden{store})
	_, err := p.upsert(t.Context(), "a", "", installation.Guard{})
	fixture.WantErr(t, "upsert", err, installation.ErrUnavailable)
	if errors.Is(err, installation.ErrEpoch) {
		t.Errorf("error %v", err)
	}
	_, err = p.AcceptRestore(t.Context())
	fixture.WantErr(t, "accept restore", err, installation.ErrUnsupported)
}

// TestOnlyTheHostAcceptsRestores calls the methods for restores as every other kind of actor.
func TestOnlyTheHostAcceptsRestores(t *testing.T) {
	p := newProcess(t, memstore.New())
	for _, kind := range []installation.ActorKind{
		"", installation.ExtensionActor, installation.Vendor, installation.Customer,
		installation.Platform,
	} {
		svc := p.As(installation.Actor{Kind: kind, ID: "x"})
		_, err := svc.AcceptRestore(t.Context())
		fixture.WantErr(t, "accept restore", err, installation.ErrForbidden)
		_, err = svc.VoidInvitations(t.Context(), "")
		fixture.WantErr(t, "void invitations", err, installation.ErrForbidden)
	}
}
