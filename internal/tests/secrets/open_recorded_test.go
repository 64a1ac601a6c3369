package secrets

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// Open answers every actor as Reveal does.
func TestOpenNeedsRightToReveal(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	for _, a := range []installation.Actor{
		{},
		{Kind: installation.Host},
		{Kind: installation.Host, ReadOnly: true},
		{Kind: installation.ExtensionActor, ID: "EXT-1"},
		{Kind: installation.ExtensionActor, ID: "EXT-2"},
		{Kind: installation.Vendor, ID: "ACC-vendor"},
		{Kind: installation.Vendor, ID: "ACC-other"},
		{Kind: installation.Customer, ID: "ACC-1"},
		{Kind: installation.Customer, ID: "ACC-2"},
		{Kind: installation.Platform},
		{Kind: "unknown", ID: "EXT-1"},
	} {
		for _, id := range []string{"i", "i", "none"} { // the second time it is recorded already
			s, open := w.Service.As(a), openRequest()
			open.ID = id
			reveal := revealRequest("sync", "config/api_secret")
			reveal.ID = id
			_, revealErr := s.Reveal(t.Context(), reveal)
			_, openErr := s.Open(t.Context(), open)
			got := strings.Replace(fmt.Sprint(openErr), "open", "reveal", 1)
			if want := fmt.Sprint(revealErr); got != want {
				t.Errorf("%+v opens %s: got %s, want %s", a, id, got, want)
			}
		}
	}
	_, err := w.Host.Open(t.Context(), installation.OpenRequest{ID: "i"})
	fixture.WantViolation(t, err, "reason", "required")
	_, err = w.Host.On(w.Store).Open(t.Context(), openRequest())
	fixture.WantErr(t, "open in a transaction", err, installation.ErrUnsupported)
}

// An actor opens an installation many times and leaves one event in each interval. Reveal leaves
// one each time.
func TestOpenIsRecordedOncePerInterval(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	user := w.Service.As(installation.Actor{
		Kind: installation.Host, User: installation.Reference{ID: "USR-1"},
	})
	for _, step := range []struct {
		what    string
		by      *installation.Service
		advance time.Duration
		want    int // events so far
	}{
		{"first", w.Extension, 0, 1},
		{"again", w.Extension, 0, 1},
		{"another actor", w.Host, 0, 2},
		{"another user", user, 0, 3},
		{"within the interval", w.Extension, time.Hour - time.Microsecond, 3},
		{"after the interval", w.Extension, time.Microsecond, 4},
		{"with a clock that was put back", w.Extension, -2 * time.Hour, 5},
	} {
		w.Advance(step.advance)
		mustOpen(t, step.by)
		if n := eventsOf(t, w, event.Opened); n != step.want {
			t.Errorf("%s: %d events, want %d", step.what, n, step.want)
		}
	}
	for range 3 {
		w.Reveal(t, "i", "config/api_secret")
	}
	if n := eventsOf(t, w, event.Revealed); n != 3 {
		t.Errorf("%d events of three calls of Reveal", n)
	}
}

func eventsOf(t testing.TB, w *fixture.World, kind event.Type) (n int) {
	t.Helper()
	for _, e := range w.Events(t) {
		if e.Type == kind {
			n++
		}
	}
	return n
}

func TestOpenNamesActorInEvent(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	mustOpen(t, w.Extension)
	events := w.Events(t)
	last := events[len(events)-1]
	want := installation.Event{
		ID: last.ID, Type: event.Opened, Time: w.Now(),
		Key:      installation.Key{Tenant: "tenant-1", ID: "i"},
		Revision: 1, Generation: 1,
		Extension: "EXT-1", Account: "ACC-1",
		Actor:  installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"},
		Reason: "sync",
	}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if got := w.Get(t, "i").Revision; got != 1 {
		t.Errorf("revision %d after Open, want 1", got)
	}
}

// A new install and another installation leave an event of their own.
func TestOpenOfNewInstallIsRecorded(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	mustOpen(t, w.Host)
	_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i", Final: true})
	if err != nil {
		t.Fatal(err)
	}
	w.Install(t, "i")
	mustOpen(t, w.Host)
	if n := eventsOf(t, w, event.Opened); n != 2 {
		t.Errorf("%d events of two generations", n)
	}
}

// Many callers at once leave one event too. The first commit waits until all of them have read the
// record twice, which is before any can know that another one records.
func TestOpenAtOnceIsRecordedOnce(t *testing.T) {
	const callers = 32
	store := &waitingStore{
		Decorator: installation.Decorator{Store: memstore.New()}, read: make(chan struct{}),
	}
	store.left.Store(2 * callers)
	w := fixture.NewWorldOn(t, store.Store)
	w.Install(t, "i")
	before := len(w.Events(t))
	host := w.On(t, store, fixture.Ring(t))
	fixture.Parallel(callers, func(int) {
		if _, err := host.Open(context.Background(), openRequest()); err != nil {
			t.Error(err)
		}
	})
	if n := len(w.Events(t)) - before; n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// waitingStore is a store whose commits wait until a number of reads are done.
type waitingStore struct {
	installation.Decorator
	left atomic.Int64
	read chan struct{} // closed when none are left
}

func (s *waitingStore) Get(
	ctx context.Context, key installation.Key,
) (*installation.Record, error) {
	r, err := s.Decorator.Get(ctx, key)
	if s.left.Add(-1) == 0 {
		close(s.read)
	}
	return r, err
}

func (s *waitingStore) Commit(
	ctx context.Context, c installation.Change,
) (installation.Receipt, error) {
	<-s.read
	return s.Decorator.Commit(ctx, c)
}

// What must be recorded and cannot be is not opened. It does not count as recorded.
func TestOpenWithoutRecordFails(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	w.Store.FailWith(func(method string, _ any) error {
		if method == "Commit" {
			return installation.ErrUnavailable
		}
		return nil
	})
	for range 2 {
		o, err := w.Host.Open(t.Context(), openRequest())
		if o != nil || !errors.Is(err, installation.ErrUnavailable) {
			t.Errorf("opened without an event: %v, %v", o, err)
		}
	}
	w.Store.FailWith(nil)
	before := len(w.Events(t))
	mustOpen(t, w.Host)
	if n := len(w.Events(t)) - before; n != 1 {
		t.Errorf("%d events after the store works again, want 1", n)
	}
}
