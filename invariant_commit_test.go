package installation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/google/go-cmp/cmp"
)

// Record, index, claims, deadline, idempotency outcome, audit and event change together or not at all.
func TestInvariant1OneCommit(t *testing.T) {
	w := newWorld(t)
	parts := installation.Parts{Extension: sample().Extension, Account: sample().Account}
	_, err := w.host.Invite(t.Context(), installation.InviteRequest{
		Guard: installation.Guard{IdempotencyKey: "k"}, ID: "i", Parts: parts, Validity: "7d",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(w.store.commits) != 1 {
		t.Fatalf("an invite made %d commits, want 1", len(w.store.commits))
	}
	c := w.store.commits[0]
	switch {
	case c.Record == nil || len(c.Record.Index) == 0 || !c.Record.Deadline.Equal(w.Now().AddDate(0, 0, 7)):
		t.Errorf("record, index or deadline missing: %+v", c.Record)
	case c.Idempotency == nil:
		t.Error("idempotency outcome missing")
	case len(c.Events) != 1 || c.Events[0].Type != installation.EventInvited:
		t.Errorf("events: %+v", c.Events)
	}

	before := w.get(t, "i")
	w.svc = failing(t, w, errors.New("disk full"))
	host := w.svc.As(installation.Actor{Kind: installation.Host})
	_, err = host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("new")}})
	if err == nil {
		t.Fatal("a store that fails gave no error")
	}
	if diff := cmp.Diff(before, w.get(t, "i")); diff != "" {
		t.Errorf("a failed write left something behind:\n%s", diff)
	}
	if n := len(w.events(t)); n != 1 {
		t.Errorf("%d events after a failed write, want 1", n)
	}
}

// failing is the service of w on a store whose Commit fails.
func failing(t testing.TB, w *world, err error) *installation.Service {
	t.Helper()
	svc, newErr := installation.New(&brokenCommit{w.store, err}, testRing(t), &installation.Options{Now: w.Now})
	if newErr != nil {
		t.Fatal(newErr)
	}
	return svc.In("tenant-1")
}

type brokenCommit struct {
	installation.Store
	err error
}

func (s *brokenCommit) Commit(context.Context, installation.Change) (installation.Receipt, error) {
	return installation.Receipt{}, s.err
}

// A request with an idempotency key that is sent again gets the first answer, whatever it was and whatever happened since.
func TestInvariant2ARetryIsNotASecondWrite(t *testing.T) {
	guard := installation.Guard{IdempotencyKey: "retry-1"}
	name := func(s string) installation.Parts { return installation.Parts{Name: installation.Value(s)} }
	requests := []struct {
		name string
		send func(*world) (*installation.Result, error)
	}{
		{"create with minted id", func(w *world) (*installation.Result, error) {
			return w.host.Upsert(context.Background(), installation.UpsertRequest{Guard: guard, Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-2"}), Account: sample().Account,
			}})
		}},
		{"update", func(w *world) (*installation.Result, error) {
			return w.host.Upsert(context.Background(), installation.UpsertRequest{Guard: guard, ID: "i", Parts: name("first")})
		}},
		{"update that changes nothing", func(w *world) (*installation.Result, error) {
			return w.host.Upsert(context.Background(), installation.UpsertRequest{Guard: guard, ID: "i", Parts: name("Stock Sync")})
		}},
		{"guarded patch", func(w *world) (*installation.Result, error) {
			g := guard
			g.Revision = 1
			return w.host.Patch(context.Background(), installation.PatchRequest{Guard: g, ID: "i", Parts: name("first")})
		}},
		{"guarded create", func(w *world) (*installation.Result, error) {
			g := guard
			g.Absent = true
			return w.host.Upsert(context.Background(), installation.UpsertRequest{Guard: g, ID: "j", Parts: installation.Parts{
				Extension: installation.Value(installation.Extension{ID: "EXT-2"}), Account: sample().Account,
			}})
		}},
		{"invite", func(w *world) (*installation.Result, error) {
			return w.host.Invite(context.Background(), installation.InviteRequest{Guard: guard, Parts: installation.Parts{Extension: sample().Extension}})
		}},
		{"uninstall", func(w *world) (*installation.Result, error) {
			return w.host.Uninstall(context.Background(), installation.UninstallRequest{Guard: guard, ID: "i"})
		}},
		{"final uninstall", func(w *world) (*installation.Result, error) {
			return w.host.Uninstall(context.Background(), installation.UninstallRequest{Guard: guard, ID: "i", Final: true})
		}},
		{"delete", func(w *world) (*installation.Result, error) {
			return w.host.Delete(context.Background(), installation.DeleteRequest{Guard: guard, ID: "i"})
		}},
	}
	for _, r := range requests {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t)
			w.install(t, "i")
			first, err := r.send(w)
			if err != nil {
				t.Fatal(err)
			}
			events := len(w.events(t))
			w.advance(time.Minute)
			again, err := r.send(w)
			if err != nil {
				t.Fatalf("second try: %v", err)
			}
			if !again.Replayed {
				t.Error("the second try is not marked Replayed")
			}
			same := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Replayed" }, cmp.Ignore())
			if diff := cmp.Diff(first, again, same); diff != "" {
				t.Errorf("the second try got another answer:\n%s", diff)
			}
			if !first.Code.Equal(again.Code) {
				t.Error("the second try got another code")
			}
			if n := len(w.events(t)); n != events {
				t.Errorf("the second try made %d events", n-events)
			}
		})
	}

	t.Run("accept", func(t *testing.T) {
		w := newWorld(t)
		code := w.invite(t, "i").Code
		req := installation.AcceptRequest{Guard: guard, ID: "i", Code: code, Account: installation.Account{ID: "ACC-1"}}
		first, err := w.customer.Accept(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: name("later")}); err != nil {
			t.Fatal(err)
		}
		again, err := w.customer.Accept(t.Context(), req)
		if err != nil || !again.Replayed || again.Revision != first.Revision || again.Name != first.Name {
			t.Errorf("second accept: %+v, %v; want the first answer %+v", again, err, first)
		}
	})

	t.Run("another request with the key", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "i")
		if _, err := w.host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: name("a")}); err != nil {
			t.Fatal(err)
		}
		_, err := w.host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: name("b")})
		wantErr(t, "other name", err, installation.ErrIdempotencyMismatch)
		_, err = w.host.Delete(t.Context(), installation.DeleteRequest{Guard: guard, ID: "i"})
		wantErr(t, "other method", err, installation.ErrIdempotencyMismatch)
		_, err = w.host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "none", Parts: name("a")})
		wantErr(t, "other id", err, installation.ErrIdempotencyMismatch)
		secret := installation.Parts{Configuration: installation.Value(installation.Configuration{Document: installation.JSON(`{"api_secret":"other"}`)})}
		_, err = w.host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: secret})
		wantErr(t, "other secret", err, installation.ErrIdempotencyMismatch)
		if got := w.get(t, "i"); got.Revision != 2 || got.Name != "a" {
			t.Errorf("a refused request changed the installation: %+v", got)
		}
	})

	t.Run("another request after the first answer is lost", func(t *testing.T) {
		for name, lose := range map[string]func(*world) error{
			"deleted": func(w *world) error {
				_, err := w.host.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
				return err
			},
			"installed again": func(w *world) error {
				if _, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"}); err != nil {
					return err
				}
				_, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: sample()})
				return err
			},
		} {
			w := newWorld(t)
			w.install(t, "i")
			if _, err := w.host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: installation.Parts{Name: installation.Value("a")}}); err != nil {
				t.Fatal(err)
			}
			if err := lose(w); err != nil {
				t.Fatal(err)
			}
			_, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{Guard: guard, ID: "i"})
			wantErr(t, name+", other method", err, installation.ErrIdempotencyMismatch)
			_, err = w.host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "j", Parts: installation.Parts{Name: installation.Value("a")}})
			wantErr(t, name+", other id", err, installation.ErrIdempotencyMismatch)
		}
	})

	t.Run("each actor has keys of its own", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "i")
		if _, err := w.host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: name("a")}); err != nil {
			t.Fatal(err)
		}
		res, err := w.vendor.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: name("b")})
		if err != nil || res.Replayed {
			t.Errorf("the vendor met the host's key: %+v, %v", res, err)
		}
	})

	t.Run("the key is forgotten after its time", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "i")
		for _, n := range []string{"a", "b"} {
			if _, err := w.host.Patch(t.Context(), installation.PatchRequest{Guard: guard, ID: "i", Parts: name(n)}); err != nil {
				t.Fatal(err)
			}
			w.advance(25 * time.Hour)
		}
	})

	t.Run("racers with one key converge", func(t *testing.T) {
		w := newWorld(t)
		ids := make([]string, 16)
		parallel(len(ids), func(n int) {
			res, err := w.host.Upsert(context.Background(), installation.UpsertRequest{Guard: guard, Parts: installation.Parts{
				Extension: sample().Extension, Account: sample().Account,
			}})
			if err != nil {
				t.Errorf("racer %d: %v", n, err)
				return
			}
			ids[n] = res.ID
		})
		if slices.Sort(ids); ids[0] != ids[len(ids)-1] {
			t.Errorf("racers made several installations: %v", ids)
		}
		if n := len(w.events(t)); n != 1 {
			t.Errorf("racers made %d events, want 1", n)
		}
	})

	t.Run("an unknown outcome stays one", func(t *testing.T) {
		w := newWorld(t)
		w.install(t, "i")
		svc := failing(t, w, fmt.Errorf("connection reset: %w", installation.ErrUnknownOutcome))
		_, err := svc.As(installation.Actor{Kind: installation.Host}).Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: name("a")})
		wantErr(t, "patch", err, installation.ErrUnknownOutcome)
		if errors.Is(err, installation.ErrConflict) {
			t.Error("an unknown outcome reads as a conflict")
		}
	})
}

// parallel runs f for 0..n-1 at once and waits.
func parallel(n int, f func(int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// Revisions and generations never go back, so a stale save cannot resurrect a record.
func TestInvariant3RevisionsNeverGoBack(t *testing.T) {
	w := newWorld(t)
	w.install(t, "i")
	if _, err := w.host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: installation.Parts{Name: installation.Value("a")}}); err != nil {
		t.Fatal(err)
	}
	gone, err := w.host.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
	if err != nil || gone.Revision != 3 || gone.Generation != 1 {
		t.Fatalf("delete: %+v, %v; want revision 3, generation 1", gone, err)
	}
	_, err = w.host.Get(t.Context(), "i")
	wantErr(t, "get of a deleted one", err, installation.ErrNotFound)
	_, err = w.host.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
	wantErr(t, "second delete", err, installation.ErrNotFound)

	stale := installation.UpsertRequest{ID: "i", Parts: sample(), Guard: installation.Guard{Revision: 2}}
	_, err = w.host.Upsert(t.Context(), stale)
	wantErr(t, "save of a revision that was deleted", err, installation.ErrConflict)
	stale.Guard = installation.Guard{Present: true}
	_, err = w.host.Upsert(t.Context(), stale)
	wantErr(t, "save of what must be there", err, installation.ErrNotFound)

	for name, guard := range map[string]installation.Guard{
		"the generation that was deleted": {Generation: 1}, "an event before": {InstalledBefore: w.Now().Add(time.Hour)},
	} {
		_, err = w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: sample(), Guard: guard})
		wantErr(t, "save of "+name, err, installation.ErrStale)
	}

	back := w.install(t, "i")
	if back.Revision != 4 || back.Generation != 2 || !back.Created {
		t.Errorf("made again: revision %d, generation %d, created %v; want 4, 2, true", back.Revision, back.Generation, back.Created)
	}
	_, err = w.host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: sample(), Guard: installation.Guard{Generation: 1}})
	wantErr(t, "save of the generation before", err, installation.ErrStale)
}

// A delete or uninstall of an older generation changes nothing.
func TestInvariant4LateEventsAreHarmless(t *testing.T) {
	w := newWorld(t)
	w.install(t, "i")
	event := w.Now().Add(time.Hour) // the customer uninstalls; the message is late
	w.advance(2 * time.Hour)
	if _, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"}); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Minute)
	again := w.install(t, "i")
	if again.Generation != 2 {
		t.Fatalf("generation %d after a re-install, want 2", again.Generation)
	}
	before := w.get(t, "i")
	late := map[string]installation.Guard{
		"older generation":               {Generation: 1},
		"event before the install":       {InstalledBefore: event},
		"event at the very same instant": {InstalledBefore: w.Now()},
	}
	for name, guard := range late {
		_, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i", Guard: guard})
		wantErr(t, "uninstall, "+name, err, installation.ErrStale)
		_, err = w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i", Guard: guard, Final: true})
		wantErr(t, "final uninstall, "+name, err, installation.ErrStale)
		_, err = w.host.Delete(t.Context(), installation.DeleteRequest{ID: "i", Guard: guard})
		wantErr(t, "delete, "+name, err, installation.ErrStale)
		if errors.Is(err, installation.ErrConflict) || errors.Is(err, installation.ErrNotFound) {
			t.Errorf("%s: ErrStale matches another sentinel", name)
		}
	}
	if diff := cmp.Diff(before, w.get(t, "i")); diff != "" {
		t.Errorf("a late event changed the re-install:\n%s", diff)
	}
	reinvited := newWorld(t)
	reinvited.in(t, installation.StatusUninstalled)
	before2 := reinvited.Now()
	reinvited.advance(time.Hour)
	reinvited.invite(t, "i")
	_, err := reinvited.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i", Guard: installation.Guard{InstalledBefore: before2}})
	wantErr(t, "uninstall of what was invited since", err, installation.ErrStale)

	_, err = w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i", Guard: installation.Guard{Generation: 2, InstalledBefore: w.Now().Add(time.Second)}})
	if err != nil {
		t.Errorf("an event of this generation: %v", err)
	}
	_, err = w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i", Guard: installation.Guard{Generation: 3}})
	wantErr(t, "a generation that is not there yet", err, installation.ErrConflict)
}

// At most one live installation per extension and account, under concurrent first upserts.
func TestInvariant6OneLiveInstallation(t *testing.T) {
	w := newWorld(t)
	const racers = 64
	results := make([]*installation.Result, racers)
	errs := make([]error, racers)
	parallel(racers, func(n int) {
		results[n], errs[n] = w.host.Upsert(context.Background(), installation.UpsertRequest{ID: fmt.Sprintf("i-%d", n), Parts: sample()})
	})
	var winner string
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
		if exists, ok := errors.AsType[*installation.ExistsError](err); !ok || exists.Holder != winner {
			t.Errorf("racer %d: %v, want ErrExists naming %s", n, err, winner)
		}
	}
	if n, err := w.host.Count(t.Context(), installation.ListRequest{}); n != 1 || err != nil {
		t.Errorf("%d installations, %v; want 1", n, err)
	}

	if _, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: winner}); err != nil {
		t.Fatal(err)
	}
	w.install(t, "next") // an ended one claims nothing
	_, err := w.host.Upsert(t.Context(), installation.UpsertRequest{ID: winner, Parts: sample()})
	wantErr(t, "re-install beside a live one", err, installation.ErrExists)
	if _, err := w.svc.In("tenant-2").As(installation.Actor{Kind: installation.Host}).Upsert(t.Context(), installation.UpsertRequest{ID: "x", Parts: sample()}); err != nil {
		t.Errorf("another tenant: %v", err)
	}

	none := newWorld(t, func(o *installation.Options) {
		o.Claims = func(*installation.Installation) []string { return nil }
	})
	none.install(t, "a")
	none.install(t, "b")
}

// 64 unguarded updates of one record lose none.
func TestUnguardedUpdatesLoseNothing(t *testing.T) {
	w := newWorld(t)
	w.install(t, "i")
	const writers = 64
	parallel(writers, func(n int) {
		_, err := w.host.Patch(context.Background(), installation.PatchRequest{ID: "i", Operations: []installation.Operation{
			installation.Set(fmt.Sprintf("/writer-%d", n), installation.JSON(`true`)),
		}})
		if err != nil {
			t.Errorf("writer %d: %v", n, err)
		}
	})
	got := w.get(t, "i")
	if got.Revision != 1+writers {
		t.Errorf("revision %d after %d updates, want %d", got.Revision, writers, 1+writers)
	}
	var document map[string]any
	if err := got.Configuration.Document.Decode(&document); err != nil {
		t.Fatal(err)
	}
	if len(document) != 3+writers {
		t.Errorf("%d members, want %d", len(document), 3+writers)
	}
	if n := len(w.events(t)); n != 1+writers {
		t.Errorf("%d events, want %d", n, 1+writers)
	}
}
