package secrets

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

func revealRequest(reason string, refs ...installation.Ref) installation.RevealRequest {
	return installation.RevealRequest{ID: "i", Reason: reason, Refs: refs}
}

// When the grace period ends, secrets cannot be revealed, even before a sweep
// purges them.
func TestRevealFailsAfterGrace(t *testing.T) {
	w := fixture.NewWorld(t)
	w.MakeInStatus(t, installation.StatusUninstalled)
	w.Advance(24 * time.Hour)
	_, err := w.Host.Reveal(t.Context(), revealRequest("r", "config/api_secret"))
	fixture.WantErr(t, "reveal after the grace", err, installation.ErrShredded)
}

// Each secret has its own answer, and the event is committed before a value is
// returned.
func TestRevealCommitsEventFirst(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	answers, err := w.Extension.Reveal(t.Context(),
		revealRequest("sync", "config/api_secret", "config/warehouse"))
	if err != nil {
		t.Fatal(err)
	}
	if got := answers[0].Value.RevealString(); got != "s3cr3t-config" || answers[0].Err != nil {
		t.Errorf("revealed %q, %v", got, answers[0].Err)
	}
	fixture.WantErr(t, "a place without a secret", answers[1].Err, installation.ErrNotFound)
	events := w.Events(t)
	last := events[len(events)-1]
	want := installation.Event{
		ID: last.ID, Type: event.Revealed, Time: w.Now(),
		Key:      installation.Key{Tenant: "tenant-1", ID: "i"},
		Revision: 1, Generation: 1,
		Extension: "EXT-1", Account: "ACC-1",
		Actor:  installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"},
		Reason: "sync", Changed: []string{"config/api_secret"},
	}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if got := w.Get(t, "i").Revision; got != 1 {
		t.Errorf("revision %d after a reveal, want 1", got)
	}

	full := w.FailCommits(t, fmt.Errorf("log full: %w", installation.ErrUnavailable))
	host := full.As(installation.Actor{Kind: installation.Host})
	answers, err = host.Reveal(t.Context(), revealRequest("r", "config/api_secret"))
	if answers != nil || !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("a value was returned without an event: %v, %v", answers, err)
	}
}

// Reveal returns JSON other than strings as its text.
func TestRevealOfNumberReturnsItsText(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	if _, err := w.Patch(
		patch.Set("/pin", installation.JSON(`12345678901234567890`)),
		patch.Set("/label", installation.JSON(`"a"`)),
	); err != nil {
		t.Fatal(err)
	}
	if got := w.Reveal(t, "i", "config/pin"); got != "12345678901234567890" {
		t.Errorf("the number came back as %s", got)
	}
}
