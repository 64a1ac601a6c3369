package refreshing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/health"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
	"github.com/go-installation/installation/refresh"
)

func TestNewRejectsShortLease(t *testing.T) {
	for d, ok := range map[time.Duration]bool{
		-time.Hour: false, 1: false, 30*time.Millisecond - 1: false,
		0: true, 30 * time.Millisecond: true,
	} {
		keys := fixture.RingWith(t, "k1", fixture.KEK)
		_, err := installation.New(memstore.New(), keys, &installation.Options{RefreshLease: d})
		if (err == nil) != ok {
			t.Errorf("%v: error %v", d, err)
		}
	}
}

// A time that a record cannot hold must not make the record unreadable.
func TestTimesOutOfRangeAreRejected(t *testing.T) {
	for name, at := range map[string]time.Time{
		"far future": time.Unix(1<<55, 0),
		"year 10000": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		"year 0":     time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			access, other := token("new"), token("new")
			access.Expires, other.Issued = at, at
			for what, answer := range map[string]installation.Tokens{
				"access expires": {Access: access},
				"refresh issued": {Access: token("new"), Refresh: other},
			} {
				w := newWorld(t, refreshing)
				err := w.call(w.svc, answering(answer))
				var e *refresh.Error
				if !errors.As(err, &e) || e.Reason != "bad-tokens" {
					t.Errorf("%s: got %v", what, err)
				}
				w.get()
			}
		})
	}
}

func TestRunKeepsItsLimit(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t, refreshing)
		for i := range 9 {
			w.install(fmt.Sprint("EXI-", i+2))
		}
		for round := 1; round <= 3; round++ {
			report, err := w.svc.Run(t.Context(), installation.RunOptions{Limit: 4, Rounds: 1})
			if want := min(4, 10-4*(round-1)); err != nil || report.Refreshed != want {
				t.Errorf("round %d: %d refreshed, want %d, error %v",
					round, report.Refreshed, want, err)
			}
		}
	})
}

func TestRunRejectsOptionsBelowZero(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for name, o := range map[string]installation.RunOptions{
			"every": {Every: -1}, "rounds": {Rounds: -1}, "parallel": {Parallel: -1},
			"limit":              {Limit: -1},
			"limit of the sweep": {Sweep: installation.SweepRequest{Limit: -1}},
		} {
			report, err := w.svc.Run(ctx, o)
			if !errors.Is(err, installation.ErrInvalid) || report.Rounds != 0 {
				t.Errorf("%s: %d rounds, error %v", name, report.Rounds, err)
			}
		}
	})
}

// cursorless is a store that has forgotten all cursors.
type cursorless struct{ installation.Decorator }

func (s cursorless) List(
	ctx context.Context, q installation.Query,
) (installation.Page, error) {
	if q.After != "" {
		return installation.Page{}, installation.ErrInvalid
	}
	return s.Store.List(ctx, q)
}

// A store can refuse a cursor of the round before, such as after a change of its layout.
func TestRunBeginsAgainAfterAnInvalidCursor(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t, refreshing, func(w *world) {
			w.store = cursorless{installation.Decorator{Store: w.store}}
		})
		for i := range 5 {
			w.install(fmt.Sprint("EXI-", i+2))
		}
		report, err := w.svc.Run(t.Context(), installation.RunOptions{Limit: 2, Rounds: 5})
		if err != nil || report.Refreshed != 6 {
			t.Errorf("%d refreshed in 5 rounds, error %v", report.Refreshed, err)
		}
	})
}

// More due refreshes than Check reads at once do not hide an end that waits for a key.
func TestCheckFindsEndsBehindDueRefreshes(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t, refreshing)
		for i := range installation.MaxPage {
			w.install(fmt.Sprint("EXI-", i+2))
		}
		w.install("EXI-last")
		locked, err := installation.New(
			w.store, fixture.RingWith(t, "k2", fixture.OtherKEK), &w.options)
		if err != nil {
			t.Fatal(err)
		}
		_, err = locked.As(fixture.HostActor).Uninstall(
			t.Context(), installation.UninstallRequest{ID: "EXI-last"})
		if err != nil {
			t.Fatal(err)
		}
		advance(48 * time.Hour)
		report, err := w.svc.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(report.Findings, func(f health.Finding) bool {
			return f.Rule == "unvouched-ends"
		}) {
			t.Errorf("findings: %v", report.Findings)
		}
	})
}
