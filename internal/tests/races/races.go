// Package races has races of many callers of a Service, for every store. Only tests import it.
package races

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// Racers is the number of callers in a race.
const Racers = 64

// Run runs each race on a store of its own.
func Run(t *testing.T, open func(t *testing.T) installation.Store) {
	t.Run("upserts", func(t *testing.T) { Upserts(t, fixture.NewWorldOn(t, open(t))) })
	t.Run("accepts", func(t *testing.T) {
		w := fixture.NewWorldOn(t, open(t))
		Accepts(t, w, "i", w.Invite(t, "i").Code)
	})
	t.Run("updates", func(t *testing.T) {
		w := fixture.NewWorldOn(t, open(t))
		w.Install(t, "i")
		Updates(t, w, "i")
	})
}

// Upserts lets each racer create an installation of the same extension and account. One wins, and
// the others get its ID. Upserts returns that ID.
func Upserts(t testing.TB, w *fixture.World) (winner string) {
	t.Helper()
	results := make([]*installation.Result, Racers)
	errs := make([]error, Racers)
	fixture.Parallel(Racers, func(n int) {
		results[n], errs[n] = w.Host.Upsert(context.Background(), installation.UpsertRequest{
			ID: fmt.Sprintf("i-%d", n), Parts: fixture.Parts(),
		})
	})
	for _, res := range results {
		if res == nil {
			continue
		}
		if winner != "" {
			t.Fatalf("both %s and %s are installed", winner, res.ID)
		}
		winner = res.ID
	}
	for n, err := range errs {
		if results[n] != nil {
			continue
		}
		exists, ok := errors.AsType[*installation.ExistsError](err)
		if !ok || exists.Holder != winner {
			t.Errorf("racer %d: %v, want ErrExists naming %s", n, err, winner)
		}
	}
	if n, err := w.Host.Count(t.Context(), installation.ListRequest{}); n != 1 || err != nil {
		t.Errorf("%d installations, %v; want 1", n, err)
	}
	wantEvents(t, w, 1)
	return winner
}

// Accepts lets customers of different accounts accept the invitation of one installation. One wins.
// Accepts returns its account.
func Accepts(
	t testing.TB, w *fixture.World, id string, code crypto.Secret,
) (winner string) {
	t.Helper()
	results := make([]*installation.Result, Racers)
	account := func(n int) string { return fmt.Sprintf("ACC-%d", n) }
	fixture.Parallel(Racers, func(n int) {
		res, err := w.As(account(n)).Accept(context.Background(), installation.AcceptRequest{
			ID: id, Code: code, Account: installation.Account{ID: account(n)},
		})
		if err != nil && !errors.Is(err, installation.ErrInvitation) {
			t.Errorf("racer %d: %v, want ErrInvitation", n, err)
		}
		results[n] = res
	})
	winners := 0
	for n, res := range results {
		if res != nil && res.Account.ID == account(n) {
			winner = account(n)
			winners++
		}
	}
	if winners != 1 {
		t.Fatalf("%d winners, want 1", winners)
	}
	got := w.Get(t, id)
	if got.Account.ID != winner || got.Status != installation.StatusInstalled {
		t.Errorf("it is %s in %q, want it installed in %q", got.Status, got.Account.ID, winner)
	}
	return winner
}

// Updates lets each racer add a member to the configuration of one installation, without a guard.
// All members are there in the end.
func Updates(t testing.TB, w *fixture.World, id string) {
	t.Helper()
	before, events := w.Get(t, id), len(w.Events(t))
	fixture.Parallel(Racers, func(n int) {
		_, err := w.Host.Patch(context.Background(), installation.PatchRequest{
			ID: id,
			Operations: []installation.Operation{
				patch.Set(fmt.Sprintf("/writer-%d", n), installation.JSON(`true`)),
			},
		})
		if err != nil {
			t.Errorf("racer %d: %v", n, err)
		}
	})
	after := w.Get(t, id)
	if want := before.Revision + Racers; after.Revision != want {
		t.Errorf("revision %d after %d updates, want %d", after.Revision, Racers, want)
	}
	if got, want := members(t, after), members(t, before)+Racers; got != want {
		t.Errorf("%d members, want %d", got, want)
	}
	wantEvents(t, w, events+Racers)
}

func wantEvents(t testing.TB, w *fixture.World, want int) {
	t.Helper()
	if n := len(w.Events(t)); n != want {
		t.Errorf("%d events, want %d", n, want)
	}
}

// members returns how many members the configuration of an installation has.
func members(t testing.TB, i *installation.Installation) int {
	t.Helper()
	var document map[string]any
	if err := i.Configuration.Document.Decode(&document); err != nil {
		t.Fatal(err)
	}
	return len(document)
}
