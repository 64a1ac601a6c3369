package refreshing

import (
	"errors"
	"sync"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/refresh"
)

func TestRefreshStoresNewTokens(t *testing.T) {
	w := newWorld(t)
	got, err := w.refreshed(w.svc)
	if err != nil || got != "access-2" {
		t.Fatalf("Refresh: token %q, error %v", got, err)
	}
	if got, err = w.refreshed(w.svc); err != nil || got != "access-2" || w.sent != 1 {
		t.Errorf("second Refresh: token %q, error %v, %d sent", got, err, w.sent)
	}
	if f := w.get().Connection.Failure; f != nil {
		t.Errorf("Failure = %+v", f)
	}
}

// TestInvariant20OneRefreshAtATime: a provider that rotates never sees a spent refresh token.
func TestInvariant20OneRefreshAtATime(t *testing.T) {
	fixture.InBubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.life = 0 // each token has expired, so each caller wants another one
		processes := []*installation.Service{w.svc, w.process(w.store), w.process(w.store)}
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				for range 5 {
					_, err := w.refreshed(processes[i%len(processes)])
					if err != nil && !isBusy(err) {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if w.spent != 0 || w.sent < 5 {
			t.Errorf("%d of %d refresh tokens were spent", w.spent, w.sent)
		}
	})
}

func isBusy(err error) bool {
	var e *refresh.Error
	return errors.As(err, &e) && e.Answer == refresh.Passing && e.Reason == refresh.Busy
}

func TestPermanentFailureIsMarkedOnce(t *testing.T) {
	w := newWorld(t)
	w.grants[id] = "another"
	for range 3 {
		_, err := w.refreshed(w.svc)
		if !errors.Is(err, refresh.ErrFailed) {
			t.Fatalf("Refresh: %v, want ErrFailed", err)
		}
	}
	if w.sent != 1 {
		t.Errorf("%d requests, want 1", w.sent)
	}
	f := w.get().Connection.Failure
	if f == nil || f.Reason != "invalid_grant" || f.Attempts != 1 || f.Since.IsZero() {
		t.Errorf("Failure = %+v", f)
	}
}

// TestTokensOutliveTheRightOfTheActor: an actor may lose its rights while the provider answers. The
// tokens are the customer's, and are stored all the same.
func TestTokensOutliveTheRightOfTheActor(t *testing.T) {
	lost := false
	w := newWorld(t, func(w *world) {
		w.options.Policy = func(
			a installation.Actor, do installation.Action, inst *installation.Installation,
		) bool {
			return !(lost && a.Kind == installation.ExtensionActor) &&
				installation.DefaultPolicy(a, do, inst)
		}
	})
	w.after = func() error { lost = true; return nil }
	svc := w.svc.As(installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"})
	if _, err := w.refreshed(svc); !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("Refresh without the right: %v, want ErrNotFound", err)
	}
	if got, err := w.refreshed(w.svc); err != nil || got != "access-2" || w.sent != 1 {
		t.Errorf("afterwards: token %q, error %v, %d requests", got, err, w.sent)
	}
}
