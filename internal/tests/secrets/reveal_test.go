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

// Secrets that are due to be purged are out of reach before anything sweeps.
func TestRevealFailsAfterGrace(t *testing.T) {
	w := fixture.NewWorld(t)
	w.MakeInStatus(t, installation.StatusUninstalled)
	w.Advance(24 * time.Hour)
	_, err := w.Host.Reveal(t.Context(), installation.RevealRequest{ID: "i", Reason: "r", Refs: []installation.Ref{installation.Ref("config/api_secret")}})
	fixture.WantErr(t, "reveal after the grace", err, installation.ErrShredded)
}

// Reveal needs a right, a reason and names; its event is committed before a value leaves; each secret has its own answer.
func TestReveal(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	ref := installation.Ref("config/api_secret")
	wrong := installation.Ref("config/warehouse")
	answers, err := w.Extension.Reveal(t.Context(), installation.RevealRequest{ID: "i", Reason: "sync", Refs: []installation.Ref{ref, wrong}})
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
		ID: last.ID, Type: event.Revealed, Key: installation.Key{Tenant: "tenant-1", ID: "i"}, Revision: 1, Generation: 1,
		Time: w.Now(), Extension: "EXT-1", Account: "ACC-1", Actor: installation.Actor{Kind: installation.ExtensionActor, ID: "EXT-1"},
		Reason: "sync", Changed: []string{"config/api_secret"},
	}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if got := w.Get(t, "i").Revision; got != 1 {
		t.Errorf("a reveal made revision %d", got)
	}

	svc := w.FailCommits(t, fmt.Errorf("log full: %w", installation.ErrUnavailable)).As(installation.Actor{Kind: installation.Host})
	answers, err = svc.Reveal(t.Context(), installation.RevealRequest{ID: "i", Reason: "r", Refs: []installation.Ref{ref}})
	if answers != nil || !errors.Is(err, installation.ErrUnavailable) {
		t.Errorf("without its event a value left: %v, %v", answers, err)
	}
}

// Other JSON than strings is revealed as its text.
func TestRevealOfOtherTypes(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	if _, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Operations: []installation.Operation{
		patch.Set("/pin", installation.JSON(`12345678901234567890`)),
		patch.Set("/label", installation.JSON(`"a"`)),
	}}); err != nil {
		t.Fatal(err)
	}
	if got := w.Reveal(t, "i", installation.Ref("config/pin")); got != "12345678901234567890" {
		t.Errorf("the number came back as %s", got)
	}
}
