package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// at is the time of a platform's event, n minutes before the clock of a new world.
func at(n int) time.Time {
	return fixture.Start.Add(-time.Hour).Add(time.Duration(n) * time.Minute)
}

// platformEvent is what a platform reports, in the order in which it arrives.
type platformEvent struct {
	uninstall bool
	at        time.Time
	final     bool // an uninstall that purges
	err       error
	unchanged bool
}

// deliver applies an event as a host does.
func deliver(
	ctx context.Context, host *installation.Service, e platformEvent, guard installation.Guard,
) (*installation.Result, error) {
	if e.uninstall {
		guard.InstalledBefore = e.at
		return host.Uninstall(ctx, installation.UninstallRequest{
			ID: "i", Guard: guard, Final: e.final,
		})
	}
	parts := fixture.Parts()
	parts.Name = installation.Value("at " + e.at.Format(time.TimeOnly))
	return host.Upsert(ctx, installation.UpsertRequest{
		ID: "i", Guard: guard, InstalledAt: e.at, Parts: parts,
	})
}

// Events in the order in which they arrive: in is an install, out an uninstall.
func in(n int) platformEvent { return platformEvent{at: at(n)} }

func out(n int) platformEvent { return platformEvent{uninstall: true, at: at(n)} }

func (e platformEvent) stale() platformEvent {
	e.err = installation.ErrStale
	return e
}

func (e platformEvent) again() platformEvent {
	e.unchanged = true
	return e
}

func (e platformEvent) purging() platformEvent {
	e.final = true
	return e
}

// orders are events, and what is left at the end.
var orders = map[string]struct {
	events     []platformEvent
	status     installation.Status
	generation int64
	installed  time.Time
}{
	"the re-install overtakes the uninstall": {
		[]platformEvent{in(1), in(3), out(2).stale()}, installed, 2, at(3)},
	"in order": {
		[]platformEvent{in(1), out(2), in(3)}, installed, 2, at(3)},
	"the uninstall comes twice": {
		[]platformEvent{in(1), out(2), in(3), out(2).stale()}, installed, 2, at(3)},
	"the uninstall of the re-install": {
		[]platformEvent{in(1), in(3), out(2).stale(), out(4)}, uninstalled, 2, at(3)},
	"the install comes twice": {
		[]platformEvent{in(1), in(1).again()}, installed, 1, at(1)},
	"the re-install comes twice": {
		[]platformEvent{in(1), in(3), in(3).again(), out(2).stale(), in(3).again()},
		installed, 2, at(3)},
	"the first install comes again, late": {
		[]platformEvent{in(1), in(3), in(1).stale()}, installed, 2, at(3)},
	"the re-install comes first": {
		[]platformEvent{in(3), in(1).stale(), out(2).stale()},
		installed, 1, at(3)},
	"the install comes again after its uninstall": {
		[]platformEvent{in(1), out(2), in(1).stale()}, uninstalled, 1, at(1)},
	"the install comes again after its purge": {
		[]platformEvent{in(1), out(2).purging(), in(1).stale()}, uninstalled, 1, at(1)},
	"three installs": {
		[]platformEvent{in(1), in(2), in(3), in(2).stale()}, installed, 3, at(3)},
}

// Whatever the order in which installs and uninstalls of one ID arrive, the newest install is live,
// unless it was uninstalled.
func TestInvariant4NewInstallInAnyOrder(t *testing.T) {
	for name, tt := range orders {
		for _, keyed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, with keys %t", name, keyed), func(t *testing.T) {
				w := fixture.NewWorld(t)
				for n, e := range tt.events {
					var guard installation.Guard
					if keyed { // the host passes on the ID of the delivery
						guard.IdempotencyKey = fmt.Sprintf("delivery-%d", n)
					}
					w.Advance(time.Second)
					res, err := deliver(t.Context(), w.Host, e, guard)
					if e.err != nil {
						fixture.WantErr(t, fmt.Sprintf("event %d", n), err, e.err)
					} else if err != nil || res.Changed == e.unchanged {
						t.Fatalf("event %d: %+v, %v", n, res, err)
					}
				}
				got := w.Get(t, "i")
				if got.Status != tt.status || got.Generation != tt.generation ||
					!got.Audit.Installed.At.Equal(tt.installed) {
					t.Errorf("%s in generation %d, installed %v", got.Status, got.Generation,
						got.Audit.Installed.At)
				}
			})
		}
	}
}

// A repeated delivery with the same idempotency key gets its first answer, also after a newer
// install.
func TestRepeatedInstallIsReplayed(t *testing.T) {
	w := fixture.NewWorld(t)
	first := installation.Guard{IdempotencyKey: "delivery-1"}
	for n, e := range []platformEvent{{at: at(1)}, {at: at(1)}, {at: at(2)}, {at: at(1)}} {
		guard := first
		if n == 2 {
			guard.IdempotencyKey = "delivery-2"
		}
		res, err := deliver(t.Context(), w.Host, e, guard)
		if err != nil || res.Replayed != (n == 1 || n == 3) {
			t.Errorf("delivery %d: %+v, %v", n, res, err)
		}
	}
	if got := w.Get(t, "i"); got.Generation != 2 || got.Revision != 2 {
		t.Errorf("generation %d, revision %d", got.Generation, got.Revision)
	}
}

// A new install is one commit. It starts empty, under a new data key, and the secrets of the old
// install are gone from the record.
func TestNewInstallStartsEmptyInOneCommit(t *testing.T) {
	w := fixture.NewWorld(t)
	old := w.Install(t, "i")
	claims := w.Store.Last(fixture.KeyAt("i")).Claims
	commits := len(w.Store.Changes())
	res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
		ID: "i", InstalledAt: w.Advance(time.Minute), Parts: installation.Parts{
			Account: installation.Value(installation.Account{ID: "ACC-2"}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Created || res.Generation != 2 || res.Revision != 2 || len(res.Sealed) != 0 ||
		res.Configuration != nil || res.Connection != nil || res.Account.ID != "ACC-2" ||
		res.Extension.ID != "EXT-1" || res.Audit.Uninstalled != nil {
		t.Errorf("got %+v", res.Installation)
	}
	if n := len(w.Store.Changes()); n != commits+1 {
		t.Errorf("%d commits", n-commits)
	}
	next := w.Store.Last(fixture.KeyAt("i"))
	if slices.Equal(next.Claims, claims) || len(next.Claims) != 1 {
		t.Errorf("claims %q", next.Claims)
	}
	events := w.Events(t)
	if last := events[len(events)-1]; len(events) != 2 || last.Type != event.Installed ||
		last.Generation != 2 {
		t.Errorf("events %+v", events)
	}
	answers, err := w.Host.Reveal(t.Context(), installation.RevealRequest{
		ID: "i", Refs: old.Sealed, Reason: "test",
	})
	for _, a := range answers {
		fixture.WantErr(t, "reveal "+string(a.Ref), a.Err, installation.ErrNotFound)
	}
	if err != nil || len(answers) != 4 {
		t.Errorf("%d answers, %v", len(answers), err)
	}
}

// An invitation gives way to an install that is newer, and not to one that is older.
func TestNewInstallOfInvitation(t *testing.T) {
	for _, status := range []installation.Status{invited, expired} {
		w := fixture.NewWorld(t)
		w.MakeInStatus(t, status)
		for _, offset := range []time.Duration{-time.Minute, 0} {
			_, err := deliver(t.Context(), w.Host,
				platformEvent{at: fixture.Start.Add(offset)}, installation.Guard{})
			fixture.WantErr(t, "older than the invitation", err, installation.ErrStale)
		}
		newer := platformEvent{at: fixture.Start.Add(time.Second)}
		res, err := deliver(t.Context(), w.Host, newer, installation.Guard{})
		if err != nil || res.Status != installed || res.Generation != 2 || res.Invitation != nil {
			t.Errorf("%s: %+v, %v", status, res, err)
		}
	}
}

// Deliveries that race begin one generation for each install, and the newest stays.
func TestRacingInstallsBeginEachGenerationOnce(t *testing.T) {
	w := fixture.NewWorld(t)
	const racers = 32
	created := make([]bool, racers)
	errs := make([]error, racers)
	fixture.Parallel(racers, func(n int) {
		e := platformEvent{at: at(1 + n%2*2)} // an install, and a re-install
		if n%4 == 2 {
			e = platformEvent{uninstall: true, at: at(2)}
		}
		res, err := deliver(context.Background(), w.Host, e, installation.Guard{})
		created[n], errs[n] = err == nil && res.Created, err
	})
	begun := 0
	for n, err := range errs {
		if created[n] {
			begun++
		}
		early := errors.Is(err, installation.ErrNotFound) && n%4 == 2
		if err != nil && !errors.Is(err, installation.ErrStale) && !early {
			t.Errorf("racer %d: %v", n, err)
		}
	}
	got := w.Get(t, "i")
	if got.Status != installed || !got.Audit.Installed.At.Equal(at(3)) ||
		got.Generation != int64(begun) || begun > 2 {
		t.Errorf("%s since %v, generation %d after %d installs", got.Status,
			got.Audit.Installed.At, got.Generation, begun)
	}
}

// A time far ahead of the clock would make every later install stale.
func TestNewInstallIsNotAheadOfClock(t *testing.T) {
	w := fixture.NewWorld(t)
	for _, tt := range []struct {
		ahead time.Duration
		err   error
	}{{5*time.Minute + time.Microsecond, installation.ErrInvalid}, {5 * time.Minute, nil}} {
		_, err := deliver(t.Context(), w.Host,
			platformEvent{at: fixture.Start.Add(tt.ahead)}, installation.Guard{})
		fixture.WantErr(t, tt.ahead.String(), err, tt.err)
	}
	_, err := deliver(t.Context(), w.Host, platformEvent{at: w.Now()},
		installation.Guard{Generation: 1})
	fixture.WantErr(t, "with a generation", err, installation.ErrInvalid)
}

// A new install ends the one before, so it needs the right to uninstall.
func TestNewInstallNeedsRightToUninstall(t *testing.T) {
	w := fixture.NewWorld(t, func(o *installation.Options) {
		o.Policy = func(
			a installation.Actor, do installation.Action, i *installation.Installation,
		) bool {
			return do != installation.ActionUninstall && installation.DefaultPolicy(a, do, i)
		}
	})
	w.Install(t, "i")
	_, err := deliver(t.Context(), w.Host, platformEvent{at: w.Advance(time.Second)},
		installation.Guard{})
	fixture.WantErr(t, "new install", err, installation.ErrForbidden)
	if got := w.Get(t, "i"); got.Generation != 1 {
		t.Errorf("generation %d", got.Generation)
	}
}

// A record that was purged without its key does not say when it was installed. An install counts as
// newer if it was made after the end.
func TestNewInstallOfShreddedRecord(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	w.Advance(time.Hour)
	stranger := w.With(t, w.K2)
	_, err := stranger.Uninstall(t.Context(), installation.UninstallRequest{ID: "i", Final: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = deliver(t.Context(), w.Host, platformEvent{at: w.Now()}, installation.Guard{})
	fixture.WantErr(t, "before the end", err, installation.ErrStale)
	newer := platformEvent{at: w.Advance(time.Second)}
	res, err := deliver(t.Context(), w.Host, newer, installation.Guard{})
	if err != nil || res.Generation != 2 {
		t.Errorf("after the end: %+v, %v", res, err)
	}
}

// A guard that names the ended generation is no request to install again. Its revision is one.
func TestGuardOfEndedGenerationDoesNotReinstall(t *testing.T) {
	for _, status := range []installation.Status{uninstalled, expired} {
		w := fixture.NewWorld(t)
		w.MakeInStatus(t, status)
		revision := w.Get(t, "i").Revision
		upsert := func(g installation.Guard) (*installation.Result, error) {
			return w.Host.Upsert(t.Context(), installation.UpsertRequest{
				ID: "i", Guard: g, Parts: fixture.Parts(),
			})
		}
		for _, g := range []installation.Guard{
			{Generation: 1}, {Generation: 1, Revision: revision},
			{Generation: 1, Present: true, IdempotencyKey: "k"},
		} {
			_, err := upsert(g)
			conflict, ok := errors.AsType[*installation.ConflictError](err)
			if !ok || conflict.From != status || conflict.To != installed ||
				!strings.Contains(err.Error(), "leave Generation out") {
				t.Errorf("%s: %v", status, err)
			}
		}
		if got := w.Get(t, "i"); got.Revision != revision {
			t.Error("a rejected write changed the record")
		}
		res, err := upsert(installation.Guard{Revision: revision})
		if err != nil || res.Generation != 2 {
			t.Errorf("%s with its revision: %+v, %v", status, res, err)
		}
	}
}

// Invite never changes a live generation, so a guard that names the ended one is a request for the
// next.
func TestGuardOfEndedGenerationInvitesAgain(t *testing.T) {
	w := fixture.NewWorld(t)
	w.MakeInStatus(t, expired)
	req := installation.InviteRequest{
		ID: "i", Guard: installation.Guard{Generation: 1},
		Parts: installation.Parts{Extension: fixture.Parts().Extension},
	}
	if res, err := w.Host.Invite(t.Context(), req); err != nil || res.Generation != 2 {
		t.Errorf("got %+v, %v", res, err)
	}
	_, err := w.Host.Invite(t.Context(), req)
	fixture.WantErr(t, "again", err, installation.ErrStale)
}

// A revision of a live invitation is no request to install what has expired since.
func TestRevisionOfExpiredInvitationBeginsNoOther(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Invite(t, "i")
	w.Advance(8 * 24 * time.Hour)
	req := installation.UpsertRequest{
		ID: "i", Guard: installation.Guard{Revision: 1}, Parts: fixture.Parts(),
	}
	_, err := w.Host.Upsert(t.Context(), req)
	fixture.WantErr(t, "with the revision", err, installation.ErrConflict)
	if err == nil || !strings.Contains(err.Error(), "leave Revision out") {
		t.Errorf("got %v", err)
	}
	req.Guard = installation.Guard{}
	if res, err := w.Host.Upsert(t.Context(), req); err != nil || res.Status != installed {
		t.Errorf("without the revision: %+v, %v", res, err)
	}
}
