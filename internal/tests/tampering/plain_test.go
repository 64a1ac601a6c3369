package tampering

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// The host ends an installation without a key, so parts of an ended record are plain. Edits of
// an invited, expired, uninstalled or purged record are detected as well.
func TestInvariant9PlainLife(t *testing.T) {
	h := fixture.NewAttack(t)
	t.Run("a whole move forward", func(t *testing.T) { wholeMoveIsHarmless(t, h) })
	t.Run("uninstalled", func(t *testing.T) { editsOfUninstalledAreDetected(t, h) })
	t.Run("invited", func(t *testing.T) { editsOfInvitedAreDetected(t, h) })
	t.Run("expired", func(t *testing.T) { editsOfExpiredAreDetected(t, h) })
	t.Run("purged", func(t *testing.T) { editsOfPurgedAreDetected(t, h) })
}

// setPhase replaces the phase in the index of a record.
func setPhase(r *installation.Record, phase string) {
	r.Index = slices.DeleteFunc(r.Index, func(s string) bool {
		return strings.HasPrefix(s, "phase=")
	})
	r.Index = append(r.Index, "phase="+phase)
	slices.Sort(r.Index)
}

// rolledBack returns an edit that restores an older record but keeps the revision.
func rolledBack(before *installation.Record) recordEdit {
	return func(r *installation.Record) {
		revision := r.Revision
		*r = *fixture.CopyRecord(before)
		r.Revision = revision
	}
}

// wholeMoveIsHarmless ends an installation as the host does without a key. Anyone who can write
// to the store can do that, and it shows as an uninstalled installation.
func wholeMoveIsHarmless(t *testing.T, h *fixture.Attack) {
	h.Install("EXI-1", "ACC-1")
	x := newTamperTarget(t, h, "EXI-1")
	r := fixture.CopyRecord(x.record)
	at := fixture.Start.Add(time.Hour)
	r.Revision++
	r.Claims = nil
	setPhase(r, "uninstalled")
	r.Deadline = r.Created
	body := fixture.DecodeBody(t, r.Body)
	body.Lifecycle.Status = "uninstalled"
	body.Lifecycle.PurgeAt = r.Created
	body.Lifecycle.Uninstalled = &fixture.AuditEntry{At: at, Kind: "host"}
	r.Body = fixture.EncodeBody(body)
	x.detected(t, "moved forward within one revision", func(same *installation.Record) {
		*same = *fixture.CopyRecord(r)
		same.Revision--
	})
	may := tamperHarmless{revision: true, status: true, uninstalled: true}
	if got := x.judge(t, "moved forward", r, may); got != tamperSame {
		t.Errorf("got %s: the edit does not do what the host does without a key", got)
	}
}

func editsOfUninstalledAreDetected(t *testing.T, h *fixture.Attack) {
	h.Install("EXI-2", "ACC-2")
	before := h.Store.Last(fixture.KeyAt("EXI-2"))
	req := installation.UninstallRequest{ID: "EXI-2"}
	if _, err := h.Host().Uninstall(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	x := newTamperTarget(t, h, "EXI-2")
	for what, edit := range map[string]recordEdit{
		"status back":    rolledBack(before),
		"deadline moved": func(r *installation.Record) { r.Deadline = r.Deadline.Add(time.Hour) },
		"deadline gone":  func(r *installation.Record) { r.Deadline = time.Time{} },
		"claims": func(r *installation.Record) {
			r.Claims = []string{"ext+acc=5:EXT-1ACC-2"}
		},
		"created": func(r *installation.Record) {
			r.Created = r.Created.Add(-time.Microsecond)
		},
		"index": func(r *installation.Record) { r.Index = r.Index[1:] },
	} {
		x.detected(t, what, edit)
	}
	for what, edit := range map[string]func(body *fixture.Body){
		"purge time moved": func(b *fixture.Body) { b.Lifecycle.PurgeAt = fixture.Start },
		"purge time gone":  func(b *fixture.Body) { b.Lifecycle.PurgeAt = time.Time{} },
		"generation":       func(b *fixture.Body) { b.Lifecycle.Generation = 2 },
		"no entry of when": func(b *fixture.Body) { b.Lifecycle.Uninstalled = nil },
	} {
		x.bodyDetected(t, what, edit)
	}
	for what, state := range refreshStates {
		x.bodyDetected(t, "refresh "+what, func(body *fixture.Body) {
			body.Lifecycle.Refresh = &state
		})
	}
	// The host wrote the audit entry without the key, so nothing authenticates it.
	x.everyElement(t, tamperHarmless{uninstalled: true})
}

func editsOfInvitedAreDetected(t *testing.T, h *fixture.Attack) {
	h.Invite("EXI-3")
	x := newTamperTarget(t, h, "EXI-3")
	installed := x.edited(t, func(body *fixture.Body) { body.Lifecycle.Status = "installed" })
	x.detected(t, "deadline moved", func(r *installation.Record) {
		r.Deadline = r.Deadline.AddDate(1, 0, 0)
	})
	x.detected(t, "installed", installed)
	x.detected(t, "installed, index too", func(r *installation.Record) {
		installed(r)
		setPhase(r, "installed")
		r.Deadline = time.Time{}
	})
	x.everyElement(t, tamperHarmless{})
}

func editsOfExpiredAreDetected(t *testing.T, h *fixture.Attack) {
	h.Invite("EXI-4")
	before := h.Store.Last(fixture.KeyAt("EXI-4"))
	req := installation.ExpireRequest{ID: "EXI-4"}
	if _, err := h.Host().Expire(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	x := newTamperTarget(t, h, "EXI-4")
	x.detected(t, "status back to invited", rolledBack(before))
	x.everyElement(t, tamperHarmless{expired: true})
}

func editsOfPurgedAreDetected(t *testing.T, h *fixture.Attack) {
	h.Install("EXI-5", "ACC-5")
	before := h.Store.Last(fixture.KeyAt("EXI-5"))
	req := installation.UninstallRequest{ID: "EXI-5", Final: true}
	if _, err := h.Host().Uninstall(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	x := newTamperTarget(t, h, "EXI-5")
	x.bodyDetected(t, "not purged", func(body *fixture.Body) { body.Lifecycle.Purged = false })
	x.detected(t, "old body", func(r *installation.Record) { r.Body = before.Body })
	x.everyElement(t, tamperHarmless{uninstalled: true})
}

// tamperShred turns a record into one that was purged without a key.
func tamperShred(t testing.TB, r *installation.Record) {
	body := fixture.DecodeBody(t, r.Body)
	body.Manifest, body.Key, body.Values = nil, crypto.Wrapped{}, nil
	body.Lifecycle.Status, body.Lifecycle.Purged = "uninstalled", true
	body.Lifecycle.Uninstalled = &fixture.AuditEntry{At: fixture.Start, Kind: "host"}
	r.Body = fixture.EncodeBody(body)
	r.Claims, r.Deadline = nil, time.Time{}
	r.Index = slices.DeleteFunc(r.Index, func(s string) bool {
		return strings.HasPrefix(s, "@kek=") || strings.HasPrefix(s, "conn=")
	})
	setPhase(r, "uninstalled")
}

// Nothing authenticates a record without a manifest, so a new generation must not take its owner
// from such a record.
func TestShreddedRecordVouchesForNothing(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	r := h.Store.Last(fixture.KeyAt("EXI-1"))
	tamperShred(t, r)
	for i, term := range r.Index {
		if strings.HasPrefix(term, "own=") {
			r.Index[i] = "own=VEN-EVIL"
		}
	}
	h.Store.Forge(r.Key, r)

	// The host installs again without the extension, which by contract survives a re-install.
	parts := fixture.SecretParts("ACC-1", "fresh secret")
	parts.Extension = installation.Optional[installation.Extension]{}
	_, err := h.Host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: parts})
	if err != nil {
		return // the service may require the extension
	}
	evil := h.As(installation.Actor{Kind: installation.Vendor, ID: "VEN-EVIL"})
	got, err := evil.Reveal(ctx, installation.RevealRequest{
		ID: "EXI-1", Reason: "theft", Refs: []installation.Ref{"config/adobe_secret"},
	})
	if err == nil {
		t.Errorf("VEN-EVIL owns new secrets by a forged index entry: it reveals %v", got)
	}
}
