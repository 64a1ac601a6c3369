package lifecycle_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// trimmer is a store that records when it was trimmed.
type trimmer struct {
	installation.Decorator
	times []time.Time
	err   error
}

func (s *trimmer) Trim(_ context.Context, now time.Time) error {
	s.times = append(s.times, now)
	return s.err
}

// TestSweepTrims sweeps a store that can forget without a commit. Its error comes with the report.
func TestSweepTrims(t *testing.T) {
	w := fixture.NewWorld(t)
	store := &trimmer{Decorator: installation.Decorator{Store: memstore.New()}}
	host := w.On(t, store, fixture.Ring(t))
	if _, err := host.Invite(t.Context(), installation.InviteRequest{
		ID: "a", Parts: fixture.SecretParts("ACC-1", "other"),
	}); err != nil {
		t.Fatal(err)
	}
	w.Advance(40 * 24 * time.Hour)
	for range 2 { // the second sweep has nothing else to do
		if _, err := host.Sweep(t.Context(), installation.SweepRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(store.times) != 2 || !store.times[0].Equal(w.Now()) {
		t.Errorf("trimmed at %v, want twice at %v", store.times, w.Now())
	}
	store.err = installation.ErrUnavailable
	_, err := host.Sweep(t.Context(), installation.SweepRequest{})
	if !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("sweep: error %v, want %v", err, installation.ErrUnavailable)
	}
}
