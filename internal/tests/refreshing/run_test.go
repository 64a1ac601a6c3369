package refreshing

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/refresh"
)

// oneRound runs one round.
func (w *world) oneRound() installation.RunReport {
	w.t.Helper()
	report, err := w.svc.Run(w.t.Context(), installation.RunOptions{Rounds: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// log returns all events, the oldest one first.
func (w *world) log() (all []installation.Event) {
	w.t.Helper()
	for after := ""; ; {
		page, err := w.svc.Events(w.t.Context(), after, installation.MaxPage)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(page.Events) == 0 {
			return all
		}
		all, after = append(all, page.Events...), page.Next
	}
}

// events returns how often each type of event is in the log of the installation.
func (w *world) events(id string) map[event.Type]int {
	w.t.Helper()
	counts := make(map[event.Type]int)
	for _, e := range w.log() {
		if e.Key.ID == id {
			counts[e.Type]++
		}
	}
	return counts
}

func TestRunRefreshesWhatIsDue(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t, refreshing)
		if got := w.oneRound(); got.Refreshed != 1 || w.sent != 1 {
			t.Fatalf("first round: %+v", got)
		}
		if got := w.oneRound(); got.Refreshed != 0 || w.sent != 1 {
			t.Fatalf("second round: %+v", got)
		}
		advance(50 * time.Minute)
		if got := w.oneRound(); got.Refreshed != 1 || w.sent != 2 {
			t.Fatalf("third round: %+v", got)
		}
	})
}

func TestRunMarksDeadConnections(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t, refreshing)
		for i := range 20 {
			w.install(fmt.Sprint("EXI-", i+2))
		}
		w.grants[id] = "another"
		got := w.oneRound()
		if got.Refreshed != 20 || got.Failed != 1 || got.Errors != 0 {
			t.Fatalf("first round: %+v", got)
		}
		if got := w.oneRound(); got.Failed != 0 || got.Left != 0 {
			t.Fatalf("second round: %+v", got)
		}
		if got := w.events(id); got[event.Failed] != 1 {
			t.Errorf("events: %v", got)
		}
		w.install(id)
		if got := w.events(id); got[event.Recovered] != 1 || w.get().Connection.Failure != nil {
			t.Errorf("after a new credential: events %v", got)
		}
	})
}

func TestRevokeUntilItSucceeds(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		down, revoked := true, ""
		w := newWorld(t, func(w *world) {
			w.options.Revoke = func(_ context.Context, inst *installation.Opened) error {
				if down {
					return errors.New("down")
				}
				c, err := inst.Credentials()
				revoked = c.RefreshToken.Value.RevealString()
				return err
			}
		})
		req := installation.UninstallRequest{ID: id}
		if _, err := w.svc.Uninstall(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if got := w.oneRound(); got.Revoked != 0 || got.Left != 1 || got.Errors != 0 {
				t.Fatalf("while down: %+v", got)
			}
			advance(time.Minute)
		}
		down = false
		advance(time.Hour)
		if got := w.oneRound(); got.Revoked != 1 || revoked != "refresh-1" {
			t.Fatalf("%+v, revoked %q", got, revoked)
		}
		advance(24 * time.Hour)
		if got := w.oneRound(); got.Sweep.Purged != 1 {
			t.Errorf("%+v", got)
		}
		if got := w.events(id); got[event.Revoked] != 1 || got[event.Unrevoked] != 0 {
			t.Errorf("events: %v", got)
		}
	})
}

// The store goes away after the provider has revoked, for longer than Run waits.
func TestLateRevocationIsCounted(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		var p *pair
		n := 0
		p = newPair(t, func(w *world) {
			w.options.Revoke = func(context.Context, *installation.Opened) error {
				n++
				p.tap.set(away)
				return nil
			}
		})
		req := installation.UninstallRequest{ID: id}
		if _, err := p.a.Uninstall(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		once := installation.RunOptions{Rounds: 1}
		if got, err := p.a.Run(t.Context(), once); err == nil || got.Revoked != 0 {
			t.Errorf("while the store is away: %+v, error %v", got, err)
		}
		p.tap.set(nil)
		got, err := p.a.Run(t.Context(), once)
		if err != nil || got.Revoked != 1 || got.Refreshed != 0 || n != 1 {
			t.Errorf("%d requests, %+v, error %v", n, got, err)
		}
	})
}

func TestUnrevokedAtTheEndOfGrace(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.options.Revoke = func(context.Context, *installation.Opened) error {
				return &refresh.Error{Answer: refresh.Permanent, Reason: "refused"}
			}
		})
		req := installation.UninstallRequest{ID: id}
		if _, err := w.svc.Uninstall(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		w.oneRound()
		advance(25 * time.Hour)
		if got := w.oneRound(); got.Sweep.Purged != 1 {
			t.Errorf("%+v", got)
		}
		if got := w.events(id); got[event.Unrevoked] != 1 || got[event.Failed] != 0 {
			t.Errorf("events: %v", got)
		}
	})
}
