package lifecycle

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/internal/tests/races"
)

// One commit has the record, its index, claims and deadline, the idempotency outcome and the
// event. A failed commit changes nothing.
func TestInvariant1OneCommit(t *testing.T) {
	w := fixture.NewWorld(t)
	parts := installation.Parts{
		Extension: fixture.Parts().Extension, Account: fixture.Parts().Account,
	}
	_, err := w.Host.Invite(t.Context(), installation.InviteRequest{
		Guard: installation.Guard{IdempotencyKey: "k"}, ID: "i", Parts: parts, Validity: "7d",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Store.Changes()) != 1 {
		t.Fatalf("an invite made %d commits, want 1", len(w.Store.Changes()))
	}
	c := w.Store.Changes()[0]
	switch {
	case c.Record == nil || len(c.Record.Index) == 0 ||
		!c.Record.Deadline.Equal(w.Now().AddDate(0, 0, 7)):
		t.Errorf("record, index or deadline missing: %+v", c.Record)
	case c.Idempotency == nil:
		t.Error("idempotency outcome missing")
	case len(c.Events) != 1 || c.Events[0].Type != event.Invited:
		t.Errorf("events: %+v", c.Events)
	}

	before := w.Get(t, "i")
	w.Service = w.FailCommits(t, errors.New("disk full"))
	host := w.Service.As(installation.Actor{Kind: installation.Host})
	_, err = host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: installation.Parts{Name: installation.Value("new")},
	})
	if err == nil {
		t.Fatal("a failing store gave no error")
	}
	if diff := cmp.Diff(before, w.Get(t, "i")); diff != "" {
		t.Errorf("a failed write changed the installation:\n%s", diff)
	}
	if n := len(w.Events(t)); n != 1 {
		t.Errorf("%d events after a failed write, want 1", n)
	}
}

// Revisions and generations never go back, so a stale write cannot restore a record.
func TestInvariant3RevisionsNeverGoBack(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{
		ID: "i", Parts: installation.Parts{Name: installation.Value("a")},
	}); err != nil {
		t.Fatal(err)
	}
	gone, err := w.Host.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
	if err != nil || gone.Revision != 3 || gone.Generation != 1 {
		t.Fatalf("delete: %+v, %v; want revision 3, generation 1", gone, err)
	}
	_, err = w.Host.Get(t.Context(), "i")
	fixture.WantErr(t, "get after delete", err, installation.ErrNotFound)
	_, err = w.Host.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
	fixture.WantErr(t, "second delete", err, installation.ErrNotFound)

	stale := installation.UpsertRequest{
		ID: "i", Parts: fixture.Parts(), Guard: installation.Guard{Revision: 2},
	}
	_, err = w.Host.Upsert(t.Context(), stale)
	fixture.WantErr(t, "write at a deleted revision", err, installation.ErrConflict)
	stale.Guard = installation.Guard{Present: true}
	_, err = w.Host.Upsert(t.Context(), stale)
	fixture.WantErr(t, "write that requires a present record", err, installation.ErrNotFound)

	for name, guard := range map[string]installation.Guard{
		"at the deleted generation":     {Generation: 1},
		"of an event before the delete": {InstalledBefore: w.Now().Add(time.Hour)},
	} {
		_, err = w.Host.Upsert(t.Context(),
			installation.UpsertRequest{ID: "i", Parts: fixture.Parts(), Guard: guard})
		fixture.WantErr(t, "write "+name, err, installation.ErrStale)
	}

	back := w.Install(t, "i")
	if back.Revision != 4 || back.Generation != 2 || !back.Created {
		t.Errorf("installed again: revision %d, generation %d, created %v; want 4, 2, true",
			back.Revision, back.Generation, back.Created)
	}
	_, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", Parts: fixture.Parts(), Guard: installation.Guard{Generation: 1},
	})
	fixture.WantErr(t, "write at the earlier generation", err, installation.ErrStale)
}

// A delete or uninstall of an older generation changes nothing.
func TestInvariant4LateEventsAreHarmless(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	event := w.Now().Add(time.Hour) // of an uninstall whose message arrives late
	w.Advance(2 * time.Hour)
	_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"})
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Minute)
	again := w.Install(t, "i")
	if again.Generation != 2 {
		t.Fatalf("generation %d after a re-install, want 2", again.Generation)
	}
	before := w.Get(t, "i")
	late := map[string]installation.Guard{
		"older generation":         {Generation: 1},
		"event before the install": {InstalledBefore: event},
		"event at the same time":   {InstalledBefore: w.Now()},
	}
	for name, guard := range late {
		uninstall := installation.UninstallRequest{ID: "i", Guard: guard}
		_, err := w.Host.Uninstall(t.Context(), uninstall)
		fixture.WantErr(t, "uninstall, "+name, err, installation.ErrStale)
		uninstall.Final = true
		_, err = w.Host.Uninstall(t.Context(), uninstall)
		fixture.WantErr(t, "final uninstall, "+name, err, installation.ErrStale)
		_, err = w.Host.Delete(t.Context(), installation.DeleteRequest{ID: "i", Guard: guard})
		fixture.WantErr(t, "delete, "+name, err, installation.ErrStale)
		if errors.Is(err, installation.ErrConflict) || errors.Is(err, installation.ErrNotFound) {
			t.Errorf("%s: ErrStale matches another sentinel", name)
		}
	}
	if diff := cmp.Diff(before, w.Get(t, "i")); diff != "" {
		t.Errorf("a late event changed the re-install:\n%s", diff)
	}
	_, err = w.Host.Uninstall(t.Context(), installation.UninstallRequest{
		ID:    "i",
		Guard: installation.Guard{Generation: 2, InstalledBefore: w.Now().Add(time.Second)},
	})
	if err != nil {
		t.Errorf("an event of this generation: %v", err)
	}
	_, err = w.Host.Uninstall(t.Context(), installation.UninstallRequest{
		ID: "i", Guard: installation.Guard{Generation: 3},
	})
	fixture.WantErr(t, "a generation in the future", err, installation.ErrConflict)
}

// A late uninstall does not end an invitation that was sent since.
func TestInvariant4LateEventKeepsInvitation(t *testing.T) {
	w := fixture.NewWorld(t)
	w.MakeInStatus(t, installation.StatusUninstalled)
	event := w.Now()
	w.Advance(time.Hour)
	w.Invite(t, "i")
	_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{
		ID: "i", Guard: installation.Guard{InstalledBefore: event},
	})
	fixture.WantErr(t, "late uninstall", err, installation.ErrStale)
}

// Concurrent upserts make at most one live installation per extension and account.
func TestInvariant6OneLiveInstallation(t *testing.T) {
	w := fixture.NewWorld(t)
	winner := races.Upserts(t, w)
	_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: winner})
	if err != nil {
		t.Fatal(err)
	}
	w.Install(t, "next") // an uninstalled one has no claims
	_, err = w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: winner, Parts: fixture.Parts(),
	})
	fixture.WantErr(t, "re-install next to a live one", err, installation.ErrExists)
	otherTenant := w.Service.In("tenant-2").As(installation.Actor{Kind: installation.Host})
	_, err = otherTenant.Upsert(t.Context(), installation.UpsertRequest{
		ID: "x", Parts: fixture.Parts(),
	})
	if err != nil {
		t.Errorf("another tenant: %v", err)
	}

	none := fixture.NewWorld(t, func(o *installation.Options) {
		o.Claims = func(*installation.Installation) []string { return nil }
	})
	none.Install(t, "a")
	none.Install(t, "b")
}

// Concurrent updates of one record without a guard are all stored.
func TestUnguardedUpdatesLoseNothing(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	races.Updates(t, w, "i")
}
