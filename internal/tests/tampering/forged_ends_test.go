package tampering

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// endFinding is the rule of the finding of Check for ends that wait for a key.
const endFinding = "unvouched-ends"

// endEdit changes a record that forgeEnd has ended.
type endEdit = func(r *installation.Record, body *fixture.Body)

// forgeEnd ends the installation "i" in the store, a day ago and in the name of somebody. edit can
// change more of the record, after it was ended.
func forgeEnd(
	t *testing.T, w *fixture.World, status string, edit endEdit,
) {
	t.Helper()
	at := w.Now().Add(-24 * time.Hour)
	w.EditRecord(t, "i", func(r *installation.Record) {
		body := fixture.DecodeBody(t, r.Body)
		entry := &fixture.AuditEntry{
			At: at, Kind: "customer", By: "USR-1", ByName: "Mallory Forged",
			Of: "ACC-1", OfName: "Harbor Forged",
		}
		body.Lifecycle.Status = status
		r.Claims, r.Deadline = nil, time.Time{}
		if status == "uninstalled" {
			body.Lifecycle.Uninstalled, body.Lifecycle.PurgeAt = entry, r.Created
			r.Deadline = r.Created
		} else {
			body.Lifecycle.Expired = entry
		}
		setPhase(r, phaseTerm(status))
		if edit != nil {
			edit(r, body)
		}
		r.Body = fixture.EncodeBody(body)
	})
}

// phaseTerm returns the phase in the index of a status.
func phaseTerm(status string) string {
	if isInvitation(installation.Status(status)) {
		return "pending"
	}
	return status
}

// unvouched is an entry that no seal vouches for.
func unvouched(at time.Time) *installation.AuditEntry {
	return &installation.AuditEntry{At: at, Unvouched: true}
}

// wantEntry fails the test unless the entry of an end is want.
func wantEntry(
	t *testing.T, what string, i *installation.Installation, want *installation.AuditEntry,
) {
	t.Helper()
	got := i.Audit.Uninstalled
	if isInvitation(i.Status) {
		got = i.Audit.Expired
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: the entry of the end (-want +got):\n%s", what, d)
	}
}

// keyless returns a service for the host on the store of a world, without the key of its records.
func keyless(t *testing.T, w *fixture.World) *installation.Service {
	t.Helper()
	return w.With(t, w.K2)
}

// A forged end of life has nobody's name, with and without the key. Its purge time is not believed,
// so the secrets can still be revealed.
func TestInvariant9ForgedEndIsShownAsUnvouched(t *testing.T) {
	for _, status := range []string{"uninstalled", "expired"} {
		t.Run(status, func(t *testing.T) {
			w := fixture.NewWorld(t)
			at := w.Now().Add(-24 * time.Hour)
			if status == "uninstalled" {
				w.Install(t, "i")
			} else {
				w.Invite(t, "i")
			}
			forgeEnd(t, w, status, nil)
			for what, host := range map[string]*installation.Service{
				"with the key": w.Host, "without the key": keyless(t, w),
			} {
				i, err := host.Get(t.Context(), "i")
				if i == nil || (err != nil) != (what == "without the key") {
					t.Fatalf("%s: %v", what, err)
				}
				if string(i.Status) != status {
					t.Errorf("%s: it is %s", what, i.Status)
				}
				wantEntry(t, what, i, unvouched(at))
				list, err := host.List(t.Context(), installation.ListRequest{})
				if err != nil || len(list.Installations) != 1 {
					t.Fatalf("%s: %+v, %v", what, list, err)
				}
				wantEntry(t, what+", listed", list.Installations[0], unvouched(at))
			}
			if status == "uninstalled" && w.Reveal(t, "i", "config/api_secret") == "" {
				t.Error("a forged purge time ends the grace")
			}
		})
	}
}

// A forged uninstall waits for the key: Sweep leaves it and Check lists it. With the key, Sweep
// seals it without the forged entry, writes an event, and purges only after the whole grace.
func TestInvariant9ForgedEndIsNotPurged(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	forgeEnd(t, w, "uninstalled", nil)
	before := w.Store.Changes()
	sweep := func(host *installation.Service, want installation.SweepReport) {
		t.Helper()
		report, err := host.Sweep(t.Context(), installation.SweepRequest{})
		if err != nil || report != want {
			t.Fatalf("sweep: %+v, %v, want %+v", report, err, want)
		}
	}
	sweep(keyless(t, w), installation.SweepReport{Waiting: 1})
	if n := len(w.Store.Changes()); n != len(before) {
		t.Errorf("a sweep without the key made %d commits", n-len(before))
	}
	wantEndFinding(t, keyless(t, w), true)
	wantEndFinding(t, w.Host, true)

	w.Advance(time.Hour)
	began := w.Now()
	sweep(w.Host, installation.SweepReport{Vouched: 1})
	i := w.Get(t, "i")
	wantEntry(t, "sealed", i, unvouched(began))
	r := w.Store.Last(fixture.KeyAt("i"))
	plain := append(fixture.OpenManifest(t, fixture.Ring(t), r), r.Body.Bytes()...)
	if bytes.Contains(plain, []byte("Forged")) {
		t.Error("the record has the forged names")
	}
	events := w.Events(t)
	last := events[len(events)-1]
	if last.Type != event.Uninstalled || last.Actor.Kind != installation.Host ||
		last.Revision != i.Revision || !strings.Contains(last.Reason, "seal") {
		t.Errorf("the event of the end is %+v", last)
	}
	wantEndFinding(t, w.Host, false)

	w.Advance(24*time.Hour - time.Microsecond)
	sweep(w.Host, installation.SweepReport{})
	w.Advance(time.Microsecond)
	sweep(keyless(t, w), installation.SweepReport{Waiting: 1})
	wantEndFinding(t, keyless(t, w), true)
	sweep(w.Host, installation.SweepReport{Purged: 1})
	if i = w.Get(t, "i"); !i.Purged {
		t.Errorf("not purged: %+v", i)
	}
	wantEntry(t, "purged", i, unvouched(began))
}

// wantEndFinding fails the test unless Check finds that the end of "i" waits, or does not.
func wantEndFinding(t *testing.T, host *installation.Service, want bool) {
	t.Helper()
	report, err := host.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range report.Findings {
		found = found || f.Rule == endFinding && strings.Contains(f.Detail, `"i" of tenant`)
	}
	if found != want {
		t.Errorf("Check finds a waiting end: %v, want %v: %+v", found, want, report.Findings)
	}
}

// A writer without the key can say that an installation ended and when, and nothing else. A move
// that says more is ErrSealed.
func TestInvariant9ForgedEndCanSayNoMore(t *testing.T) {
	other := &fixture.AuditEntry{At: fixture.Start, Kind: "host"}
	lease := &fixture.Refresh{State: 3}
	life := func(edit func(l *fixture.Lifecycle)) endEdit {
		return func(_ *installation.Record, b *fixture.Body) { edit(&b.Lifecycle) }
	}
	due := func(at time.Time) endEdit {
		return func(r *installation.Record, b *fixture.Body) {
			b.Lifecycle.PurgeAt, r.Deadline = at, at
		}
	}
	for what, edit := range map[string]endEdit{
		"no entry":       life(func(l *fixture.Lifecycle) { l.Uninstalled = nil }),
		"an expiry":      life(func(l *fixture.Lifecycle) { l.Expired = other }),
		"a lease":        life(func(l *fixture.Lifecycle) { l.Refresh = lease }),
		"unknown status": life(func(l *fixture.Lifecycle) { l.Status = "gone" }),
		"claims": func(r *installation.Record, _ *fixture.Body) {
			r.Claims = []string{"live=x"}
		},
		"other deadline": func(r *installation.Record, _ *fixture.Body) {
			r.Deadline = fixture.Start.Add(time.Hour)
		},
		"a purge in 70 years": due(fixture.Start.AddDate(70, 0, 0)),
		"a later purge":       due(fixture.Start.Add(time.Microsecond)),
		"an earlier purge":    due(fixture.Start.Add(-time.Hour)),
		"no purge":            due(time.Time{}),
		"other phase": func(r *installation.Record, _ *fixture.Body) {
			setPhase(r, "installed")
		},
		"expiry of a live one": func(r *installation.Record, b *fixture.Body) {
			b.Lifecycle.Status, b.Lifecycle.Expired = "expired", b.Lifecycle.Uninstalled
			b.Lifecycle.Uninstalled, b.Lifecycle.PurgeAt = nil, time.Time{}
			r.Deadline = time.Time{}
			setPhase(r, "pending")
		},
		"generation": func(r *installation.Record, b *fixture.Body) {
			b.Lifecycle.Generation, r.Generation = 2, 2
		},
		"purged": func(r *installation.Record, b *fixture.Body) {
			b.Lifecycle.Purged, b.Lifecycle.PurgeAt = true, time.Time{}
			r.Deadline = time.Time{}
		},
	} {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		forgeEnd(t, w, "uninstalled", edit)
		if _, err := w.Host.Get(t.Context(), "i"); !errors.Is(err, installation.ErrSealed) {
			t.Errorf("%s: got error %v, want ErrSealed", what, err)
		}
		report, err := w.Host.Sweep(t.Context(), installation.SweepRequest{})
		if report.Purged+report.Vouched != 0 {
			t.Errorf("%s: sweep: %+v, %v, want nothing done", what, report, err)
		}
	}
}

// Each write that seals the record again begins the grace and drops the forged entry. Rewrap leaves
// the end unvouched, because it writes no event.
func TestInvariant9NoWriteSealsAForgedEnd(t *testing.T) {
	for what, c := range map[string]struct {
		write func(t *testing.T, w *fixture.World) error
		types []event.Type
	}{
		"Rekey": {func(t *testing.T, w *fixture.World) error {
			_, err := w.Host.Rekey(t.Context(), installation.RekeyRequest{ID: "i", Reason: "leak"})
			return err
		}, []event.Type{event.Uninstalled, event.Rekeyed}},
		"Uninstall": {func(t *testing.T, w *fixture.World) error {
			_, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"})
			return err
		}, []event.Type{event.Uninstalled}},
		"Rewrap": {func(t *testing.T, w *fixture.World) error {
			_, err := w.With(t, w.K2, w.K1).Rewrap(t.Context(), installation.RewrapRequest{})
			w.Host = w.With(t, w.K2)
			return err
		}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			w := fixture.NewWorld(t)
			w.Install(t, "i")
			forgeEnd(t, w, "uninstalled", nil)
			forged, events := w.Now().Add(-24*time.Hour), len(w.Events(t))
			w.Advance(time.Hour)
			if err := c.write(t, w); err != nil {
				t.Fatal(err)
			}
			want := unvouched(w.Now())
			switch what {
			case "Uninstall": // the host vouches for it
				want = &installation.AuditEntry{
					At: w.Now(), Kind: installation.Host,
					Of: installation.Reference{ID: "ACC-1", Name: "Harbor Foods"},
				}
			case "Rewrap":
				want = unvouched(forged)
			}
			i := w.Get(t, "i")
			wantEntry(t, what, i, want)
			var types []event.Type
			for _, e := range w.Events(t)[events:] {
				types = append(types, e.Type)
			}
			if !slices.Equal(types, c.types) {
				t.Errorf("the events are %v, want %v", types, c.types)
			}
			if what == "Rewrap" {
				return
			}
			due := w.Store.Last(fixture.KeyAt("i")).Deadline
			if !due.Equal(w.Now().Add(24 * time.Hour)) {
				t.Errorf("purge at %v, want a day from %v", due, w.Now())
			}
		})
	}
}

// A host that ends an invitation again vouches for its expiry.
func TestExpireVouchesForForgedExpiry(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Invite(t, "i")
	forgeEnd(t, w, "expired", nil)
	events := len(w.Events(t))
	for _, changes := range []bool{true, false} {
		res, err := w.Host.Expire(t.Context(), installation.ExpireRequest{ID: "i"})
		if err != nil || res.Changed != changes {
			t.Fatalf("%+v, %v", res, err)
		}
		wantEntry(t, "expired", res.Installation, &installation.AuditEntry{
			At: w.Now(), Kind: installation.Host,
		})
	}
	if all := w.Events(t); len(all) != events+1 || all[events].Type != event.Expired {
		t.Errorf("the events are %+v", all[events:])
	}
}

// The host can end an installation without the key. Its end is then unvouched too, is due at once,
// and has the grace from when it is sealed. Uninstall with Final and Delete need no key.
func TestEndWithoutKeyHasItsGraceLater(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	host := keyless(t, w)
	res, err := host.Uninstall(t.Context(), installation.UninstallRequest{ID: "i"})
	if err != nil {
		t.Fatal(err)
	}
	wantEntry(t, "the answer", res.Installation, unvouched(w.Now()))
	wantEndFinding(t, host, true)
	w.Advance(48 * time.Hour) // the key service is down for two days
	if got := w.Reveal(t, "i", "config/api_secret"); got != "s3cr3t-config" {
		t.Errorf("the grace ended before it began: %q", got)
	}
	for _, want := range []installation.SweepReport{{Vouched: 1}, {Purged: 1}} {
		report, err := w.Host.Sweep(t.Context(), installation.SweepRequest{})
		if err != nil || report != want {
			t.Errorf("sweep: %+v, %v, want %+v", report, err, want)
		}
		w.Advance(24 * time.Hour)
	}
	for what, end := range map[string]func(host *installation.Service) error{
		"Final": func(host *installation.Service) error {
			req := installation.UninstallRequest{ID: "i", Final: true}
			res, err := host.Uninstall(t.Context(), req)
			if err == nil && !res.Purged {
				t.Error("Final purged nothing")
			}
			return err
		},
		"Delete": func(host *installation.Service) error {
			_, err := host.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
			return err
		},
	} {
		w := fixture.NewWorld(t)
		w.Install(t, "i")
		forgeEnd(t, w, "uninstalled", nil)
		if err := end(keyless(t, w)); err != nil {
			t.Errorf("%s without the key: %v", what, err)
		}
	}
}
