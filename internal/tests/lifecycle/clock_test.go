package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
	// gap is how far the clock of a sweep may be ahead of the newest stored time.
	gap = 400 * day
)

// clockWorld is a host whose clock a test moves, on a store that records what reaches it.
type clockWorld struct {
	*fixture.World
	store *fixture.Store
	host  *installation.Service // in tenant-1
}

// onStores runs a test on one store and on a store that is split in parts.
func onStores(t *testing.T, test func(t *testing.T, w *clockWorld)) {
	for name, beneath := range map[string]func() installation.Store{
		"whole":    func() installation.Store { return memstore.New() },
		"in parts": func() installation.Store { return fixture.NewSplitStore(3) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &clockWorld{World: fixture.NewWorld(t), store: fixture.NewStore(beneath())}
			w.host = w.On(t, w.store, fixture.Ring(t))
			test(t, w)
		})
	}
}

func (w *clockWorld) invite(t *testing.T, id string, validity installation.Period) {
	t.Helper()
	if _, err := w.host.Invite(t.Context(), installation.InviteRequest{
		ID: id, Validity: validity,
		Parts: installation.Parts{Extension: fixture.Parts().Extension},
	}); err != nil {
		t.Fatal(err)
	}
}

func (w *clockWorld) uninstall(t *testing.T, id string) {
	t.Helper()
	if _, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{ID: id}); err != nil {
		t.Fatal(err)
	}
}

// rejects checks that a sweep returns want and changes nothing. It returns the error.
func (w *clockWorld) rejects(t *testing.T, ctx context.Context, want error) error {
	t.Helper()
	before := len(w.store.Changes())
	report, err := w.host.Sweep(ctx, installation.SweepRequest{})
	fixture.WantErr(t, "sweep", err, want)
	if n := len(w.store.Changes()) - before; n > 0 || report != (installation.SweepReport{}) {
		t.Errorf("report %+v and %d changes, want none", report, n)
	}
	return err
}

// sweeps checks what a sweep does.
func (w *clockWorld) sweeps(
	t *testing.T, req installation.SweepRequest, want installation.SweepReport,
) {
	t.Helper()
	if got, err := w.host.Sweep(t.Context(), req); err != nil || got != want {
		t.Errorf("sweep: %+v, %v, want %+v", got, err, want)
	}
}

// A sweep by a clock that is years ahead changes nothing and says what to do. With TrustClock it
// sweeps, and so it does after the clock was corrected.
func TestSweepRejectsClockFarAhead(t *testing.T) {
	onStores(t, func(t *testing.T, w *clockWorld) {
		w.invite(t, "i", "")
		w.Add(t, w.host, "u")
		w.uninstall(t, "u")
		w.Add(t, w.host, "live")
		due := installation.SweepReport{Expired: 1, Purged: 1}

		w.Advance(5 * year)
		err := w.rejects(t, t.Context(), installation.ErrClock)
		for _, want := range []string{
			"sweep: ", "now is 2031-03-01T10:00:00Z", "time is 2026-03-02T10:00:00Z",
			"correct the clock", "TrustClock",
		} {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("error %q does not contain %q", err, want)
			}
		}
		w.rejects(t, t.Context(), installation.ErrClock) // the first call left no trace
		w.sweeps(t, installation.SweepRequest{TrustClock: true}, due)

		w.invite(t, "i2", "")
		w.Add(t, w.host, "u2")
		w.uninstall(t, "u2")
		w.Advance(5 * year)
		w.rejects(t, t.Context(), installation.ErrClock)
		w.Advance(8*day - 5*year)
		w.sweeps(t, installation.SweepRequest{}, due)
	})
}

// A host that wrote nothing for the longest allowed time still sweeps. A microsecond later it does
// not. Each case leaves one due record.
func TestSweepOfQuietHost(t *testing.T) {
	cases := map[string]func(t *testing.T, w *clockWorld){
		"created": func(t *testing.T, w *clockWorld) { w.invite(t, "i", "1y") },
		"uninstalled": func(t *testing.T, w *clockWorld) {
			w.Add(t, w.host, "i")
			w.Advance(5 * year)
			w.uninstall(t, "i")
		},
		"another created": func(t *testing.T, w *clockWorld) {
			w.invite(t, "i", "")
			w.Advance(5 * year)
			w.Add(t, w.host, "live")
		},
		"another uninstalled": func(t *testing.T, w *clockWorld) {
			w.invite(t, "i", "")
			w.Add(t, w.host, "live")
			w.Advance(5 * year)
			if _, err := w.host.Uninstall(t.Context(), installation.UninstallRequest{
				ID: "live", Final: true,
			}); err != nil {
				t.Fatal(err)
			}
		},
		"another expired": func(t *testing.T, w *clockWorld) {
			w.invite(t, "other", "99y")
			w.invite(t, "i", "")
			w.Advance(5 * year)
			if _, err := w.host.Expire(t.Context(), installation.ExpireRequest{
				ID: "other",
			}); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			onStores(t, func(t *testing.T, w *clockWorld) {
				prepare(t, w)
				w.Advance(gap + time.Microsecond)
				w.rejects(t, t.Context(), installation.ErrClock)
				w.Advance(-time.Microsecond)
				got, err := w.host.Sweep(t.Context(), installation.SweepRequest{})
				if err != nil || got.Expired+got.Purged != 1 {
					t.Errorf("sweep: %+v, %v, want one change", got, err)
				}
			})
		})
	}
}

// One new record is enough, on whatever page and in whatever part it is.
func TestSweepFindsNewestRecordAnywhere(t *testing.T) {
	onStores(t, func(t *testing.T, w *clockWorld) {
		w.invite(t, "due-0", "")
		for n := range 60 { // pages of a part have 10
			w.Add(t, w.host.In(fmt.Sprint("tenant-", n%3)), fmt.Sprint("old-", n))
			w.Advance(time.Minute)
		}
		for part := range 3 {
			w.Advance(5 * year)
			w.rejects(t, t.Context(), installation.ErrClock)
			w.Add(t, w.host.In(fmt.Sprint("tenant-", part)), fmt.Sprint("new-", part))
			w.sweeps(t, installation.SweepRequest{}, installation.SweepReport{Expired: 1})
			w.invite(t, fmt.Sprint("due-", part+1), "")
		}
	})
}

// An old record that was uninstalled a short time ago shows that the clock is right, in each part
// and on each of its pages.
func TestSweepFindsOldRecordUninstalledLately(t *testing.T) {
	onStores(t, func(t *testing.T, w *clockWorld) {
		w.invite(t, "due", "")
		for n := range 60 {
			w.Add(t, w.host.In(fmt.Sprint("tenant-", n%3)), fmt.Sprint("old-", n))
		}
		for n := 0; n < 60; n += 13 {
			w.Advance(5 * year)
			w.rejects(t, t.Context(), installation.ErrClock)
			if _, err := w.host.In(fmt.Sprint("tenant-", n%3)).Uninstall(t.Context(),
				installation.UninstallRequest{ID: fmt.Sprint("old-", n), Final: true}); err != nil {
				t.Fatal(err)
			}
			w.sweeps(t, installation.SweepRequest{}, installation.SweepReport{Expired: 1})
			w.invite(t, fmt.Sprint("due-", n), "")
		}
	})
}

// A record from the future is no reason to reject: the clock is not ahead of it.
func TestSweepAcceptsTimesFromTheFuture(t *testing.T) {
	onStores(t, func(t *testing.T, w *clockWorld) {
		w.invite(t, "i", "")
		w.Set(fixture.Start.AddDate(400, 0, 0)) // more than a time.Duration can count
		w.Add(t, w.host, "future")
		w.Set(fixture.Start.AddDate(10, 0, 0))
		w.sweeps(t, installation.SweepRequest{}, installation.SweepReport{Expired: 1})
	})
}

// termLists makes f run before each list of a term, and counts these lists.
func (w *clockWorld) termLists(f func(n int) error) *int {
	n := new(int)
	w.store.FailWith(func(method string, arg any) error {
		q, ok := arg.(installation.Query)
		if method != "List" || !ok || q.Term == "" {
			return nil
		}
		*n++
		return f(*n)
	})
	return n
}

// A sweep lists all records only if what is due does not show that the clock is right. With
// nothing due it does not look at the clock at all.
func TestSweepUsuallyReadsOnlyWhatIsDue(t *testing.T) {
	onStores(t, func(t *testing.T, w *clockWorld) {
		lists := w.termLists(func(int) error { return nil })
		w.Add(t, w.host, "live")
		w.Advance(5 * year)
		w.sweeps(t, installation.SweepRequest{}, installation.SweepReport{})
		w.invite(t, "i", "")
		w.Advance(8 * day)
		w.sweeps(t, installation.SweepRequest{}, installation.SweepReport{Expired: 1})
		w.invite(t, "i2", "")
		w.Advance(5 * year)
		w.sweeps(t, installation.SweepRequest{TrustClock: true}, installation.SweepReport{
			Expired: 1,
		})
		if *lists > 0 {
			t.Errorf("%d lists of a term, want none", *lists)
		}
	})
}

// If the store fails, or the context ends, while a sweep looks for a recent time, the sweep returns
// that error and changes nothing.
func TestSweepStopsWhileItChecksTheClock(t *testing.T) {
	w := &clockWorld{World: fixture.NewWorld(t), store: fixture.NewStore(fixture.NewSplitStore(3))}
	w.host = w.On(t, w.store, fixture.Ring(t))
	for n := range 60 {
		w.invite(t, fmt.Sprint("i-", n), "")
	}
	w.Advance(5 * year)
	broken := errors.New("broken")
	w.termLists(func(n int) error {
		if n == 2 {
			return broken
		}
		return nil
	})
	if err := w.rejects(t, t.Context(), broken); errors.Is(err, installation.ErrClock) {
		t.Errorf("error %v blames the clock", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	lists := w.termLists(func(n int) error {
		if n == 2 {
			cancel()
		}
		return nil
	})
	w.rejects(t, ctx, context.Canceled)
	if *lists != 2 {
		t.Errorf("%d lists, want 2: none after the context ended", *lists)
	}
}
