// Package recovery tests invariant 22: what the service does after its store went back to an older
// state, and after an operator accepted this.
package recovery

import (
	"context"
	"errors"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/internal/tests/recoverytest"
	"github.com/go-installation/installation/memstore"
)

// acceptRestore accepts a restore and returns the new epoch.
func acceptRestore(t *testing.T, p recoverytest.Process) int64 {
	t.Helper()
	in, err := p.AcceptRestore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return in.Epoch
}

// TestInvariant22NothingOfAnotherEpochIsHonoured accepts a restore and then uses what was given out
// before.
func TestInvariant22NothingOfAnotherEpochIsHonoured(t *testing.T) {
	p := recoverytest.NewProcess(t, memstore.New())
	first := p.Install(t, "a", "one", installation.Guard{})
	code := p.NewCode(t, "open", "key")
	cursor := p.Cursor(t)
	epoch := acceptRestore(t, p)

	fixture.WantErr(t, "accept", p.Redeem(t, "open", "ACC-1", code), installation.ErrInvitation)
	_, err := p.Events(t.Context(), cursor, 10)
	fixture.WantErr(t, "events", err, installation.ErrTrimmed)
	again, err := p.Invite(t.Context(), installation.InviteRequest{
		Guard: installation.Guard{IdempotencyKey: "key"}, ID: "open",
		Parts: installation.Parts{Extension: fixture.Parts().Extension},
	})
	if err != nil || !again.Replayed || !again.Code.IsZero() {
		t.Errorf("a repeated invite: %+v, error %v, want a replay without a code", again, err)
	}

	if got := p.Void(t); len(got) != 1 || got[0] != "open" {
		t.Errorf("void invitations %v, want the open one", got)
	}
	res, err := p.Resend(t.Context(), installation.ResendRequest{ID: "open"})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Void(t); len(got) != 0 {
		t.Errorf("void invitations %v after a resend", got)
	}
	if err := p.Redeem(t, "open", "ACC-1", res.Code); err != nil {
		t.Errorf("accept with the new code: %v", err)
	}

	// A guard from before still works. New revisions and generations are not below the epoch.
	second := p.Install(t, "a", "two", installation.Guard{Revision: first.Revision})
	if second.Revision < epoch || second.Generation != first.Generation {
		t.Errorf("revision %d of generation %d in epoch %d",
			second.Revision, second.Generation, epoch)
	}
	if _, err := p.Uninstall(t.Context(), installation.UninstallRequest{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if third := p.Install(t, "a", "three", installation.Guard{}); third.Generation < epoch {
		t.Errorf("generation %d in epoch %d", third.Generation, epoch)
	}
	if _, err := p.Delete(t.Context(), installation.DeleteRequest{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if fourth := p.Install(t, "a", "four", installation.Guard{}); fourth.Revision <= epoch {
		t.Errorf("revision %d of a new record in epoch %d", fourth.Revision, epoch)
	}
	if epoch2 := acceptRestore(t, p); epoch2 <= epoch {
		t.Errorf("epoch %d after %d", epoch2, epoch)
	}
}

// TestRedeemedInvitationStaysRedeemed redeems a code again that was redeemed before a restore was
// accepted.
func TestRedeemedInvitationStaysRedeemed(t *testing.T) {
	p := recoverytest.NewProcess(t, memstore.New())
	code := p.NewCode(t, "i", "")
	if err := p.Redeem(t, "i", "ACC-1", code); err != nil {
		t.Fatal(err)
	}
	acceptRestore(t, p)
	if err := p.Redeem(t, "i", "ACC-1", code); err != nil {
		t.Errorf("the same account: %v", err)
	}
	fixture.WantErr(t, "another", p.Redeem(t, "i", "ACC-2", code), installation.ErrInvitation)
	if got := p.Void(t); len(got) != 0 {
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
	for what, write := range map[string]func(p recoverytest.Process) (int64, error){
		"create": func(p recoverytest.Process) (int64, error) {
			return revisionOf(p.TryInstall(t.Context(), "new", "", installation.Guard{}))
		},
		"update": func(p recoverytest.Process) (int64, error) {
			return revisionOf(p.TryInstall(t.Context(), "a", "two", installation.Guard{}))
		},
		"guarded update": func(p recoverytest.Process) (int64, error) {
			guard := installation.Guard{Revision: 1}
			return revisionOf(p.TryInstall(t.Context(), "a", "two", guard))
		},
		"delete": func(p recoverytest.Process) (int64, error) {
			return revisionOf(p.Delete(t.Context(), installation.DeleteRequest{ID: "a"}))
		},
		"rekey": func(p recoverytest.Process) (int64, error) {
			return revisionOf(p.Rekey(t.Context(), installation.RekeyRequest{ID: "a"}))
		},
	} {
		t.Run(what, func(t *testing.T) {
			store := &interrupted{Store: memstore.New(), restored: true}
			p := recoverytest.NewProcess(t, store)
			p.Install(t, "a", "one", installation.Guard{})
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
	p := recoverytest.NewProcess(t, store)
	for _, id := range []string{"a", "b", "c"} {
		p.Install(t, id, "", installation.Guard{})
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
	acceptRestore(t, recoverytest.NewProcess(t, store))
	p := recoverytest.NewProcess(t, hidden{store})
	_, err := p.TryInstall(t.Context(), "a", "", installation.Guard{})
	fixture.WantErr(t, "upsert", err, installation.ErrUnavailable)
	if errors.Is(err, installation.ErrEpoch) {
		t.Errorf("error %v", err)
	}
	_, err = p.AcceptRestore(t.Context())
	fixture.WantErr(t, "accept restore", err, installation.ErrUnsupported)
}

// TestOnlyTheHostAcceptsRestores calls the methods for restores as every other kind of actor.
func TestOnlyTheHostAcceptsRestores(t *testing.T) {
	p := recoverytest.NewProcess(t, memstore.New())
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
