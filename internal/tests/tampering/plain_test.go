package tampering

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// The same for what moved on in plain: invited, expired, uninstalled, purged.
func TestInvariant9PlainLife(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)

	t.Run("a whole move forward", func(t *testing.T) {
		// Whoever can write to the store can do what the host does without a key: end an installation. It shows as that and as
		// nothing else.
		h.Install("EXI-1", "ACC-1")
		x := newTamperTarget(t, h, "EXI-1")
		r := fixture.CopyRecord(x.record)
		r.Revision++
		r.Claims = nil
		r.Index = slices.DeleteFunc(r.Index, func(s string) bool { return strings.HasPrefix(s, "phase=") })
		r.Index = append(r.Index, "phase=uninstalled")
		slices.Sort(r.Index)
		at := fixture.Start.Add(time.Hour)
		r.Deadline = at
		body := fixture.DecodeBody(t, r.Body)
		body.Lifecycle.Status = "uninstalled"
		body.Lifecycle.PurgeAt = at
		body.Lifecycle.Uninstalled = &fixture.AuditEntry{At: at, Kind: "host"}
		r.Body = fixture.EncodeBody(body)
		x.detected(t, "moved forward within one revision", func(same *installation.Record) {
			*same = *fixture.CopyRecord(r)
			same.Revision--
		})
		if got := x.judge(t, "moved forward", r, tamperHarmless{revision: true, status: true, uninstalled: true}); got != tamperSame {
			t.Errorf("got %s: the edit does not do what the host does without a key", got)
		}
	})

	t.Run("uninstalled", func(t *testing.T) {
		h.Install("EXI-2", "ACC-2")
		before := h.Store.Last(fixture.KeyAt("EXI-2"))
		if _, err := h.Host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-2"}); err != nil {
			t.Fatal(err)
		}
		x := newTamperTarget(t, h, "EXI-2")
		x.detected(t, "status back", func(r *installation.Record) {
			revision := r.Revision
			*r = *fixture.CopyRecord(before)
			r.Revision = revision
		})
		x.detected(t, "deadline moved", func(r *installation.Record) { r.Deadline = r.Deadline.Add(time.Hour) })
		x.detected(t, "deadline gone", func(r *installation.Record) { r.Deadline = time.Time{} })
		x.detected(t, "purge time moved", x.edited(t, func(body *fixture.Body) { body.Lifecycle.PurgeAt = fixture.Start }))
		x.detected(t, "purge time gone", x.edited(t, func(body *fixture.Body) { body.Lifecycle.PurgeAt = time.Time{} }))
		for what, state := range refreshStates {
			x.detected(t, "refresh "+what, x.edited(t, func(body *fixture.Body) { body.Lifecycle.Refresh = &state }))
		}
		x.detected(t, "claims", func(r *installation.Record) { r.Claims = []string{"ext+acc=5:EXT-1ACC-2"} })
		x.detected(t, "created", func(r *installation.Record) { r.Created = r.Created.Add(-time.Microsecond) })
		x.detected(t, "index", func(r *installation.Record) { r.Index = r.Index[1:] })
		x.detected(t, "generation", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Generation = 2 }))
		x.detected(t, "no entry of when", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Uninstalled = nil }))
		// The entry was written without the key, so nothing can vouch for it.
		x.everyElement(t, tamperHarmless{uninstalled: true})
	})

	t.Run("invited", func(t *testing.T) {
		h.Invite("EXI-3")
		x := newTamperTarget(t, h, "EXI-3")
		x.detected(t, "deadline moved", func(r *installation.Record) { r.Deadline = r.Deadline.AddDate(1, 0, 0) })
		x.detected(t, "installed", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Status = "installed" }))
		x.detected(t, "installed, index too", func(r *installation.Record) {
			x.edited(t, func(body *fixture.Body) { body.Lifecycle.Status = "installed" })(r)
			r.Index = slices.DeleteFunc(r.Index, func(s string) bool { return strings.HasPrefix(s, "phase=") })
			r.Index = append(r.Index, "phase=installed")
			slices.Sort(r.Index)
			r.Deadline = time.Time{}
		})
		x.everyElement(t, tamperHarmless{})
	})

	t.Run("expired", func(t *testing.T) {
		h.Invite("EXI-4")
		before := h.Store.Last(fixture.KeyAt("EXI-4"))
		if _, err := h.Host().Expire(ctx, installation.ExpireRequest{ID: "EXI-4"}); err != nil {
			t.Fatal(err)
		}
		x := newTamperTarget(t, h, "EXI-4")
		x.detected(t, "status back: the invitation lives again", func(r *installation.Record) {
			revision := r.Revision
			*r = *fixture.CopyRecord(before)
			r.Revision = revision
		})
		x.everyElement(t, tamperHarmless{expired: true})
	})

	t.Run("purged", func(t *testing.T) {
		h.Install("EXI-5", "ACC-5")
		before := h.Store.Last(fixture.KeyAt("EXI-5"))
		if _, err := h.Host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-5", Final: true}); err != nil {
			t.Fatal(err)
		}
		x := newTamperTarget(t, h, "EXI-5")
		x.detected(t, "not purged", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Purged = false }))
		x.detected(t, "old body", func(r *installation.Record) { r.Body = before.Body })
		x.everyElement(t, tamperHarmless{uninstalled: true})
	})
}

// tamperShred leaves of a record what is left of one that was purged without a key.
func tamperShred(t testing.TB, r *installation.Record) {
	body := fixture.DecodeBody(t, r.Body)
	body.Manifest, body.Key, body.Values = nil, crypto.Wrapped{}, nil
	body.Lifecycle.Status, body.Lifecycle.Purged = "uninstalled", true
	body.Lifecycle.Uninstalled = &fixture.AuditEntry{At: fixture.Start, Kind: "host"}
	r.Body = fixture.EncodeBody(body)
	r.Claims, r.Deadline = nil, time.Time{}
	r.Index = slices.DeleteFunc(r.Index, func(s string) bool {
		return strings.HasPrefix(s, "@kek=") || strings.HasPrefix(s, "conn=") || strings.HasPrefix(s, "phase=")
	})
	r.Index = append(r.Index, "phase=uninstalled")
	slices.Sort(r.Index)
}

// A record without a manifest has nothing that vouches for it, so it must not be where a new generation takes its owner from.
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

	// The host installs again and, as documented, leaves out the extension: it outlives a re-install.
	parts := fixture.SecretParts("ACC-1", "fresh secret")
	parts.Extension = installation.Optional[installation.Extension]{}
	_, err := h.Host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: parts})
	if err != nil {
		return // to be told to name the extension is fine
	}
	evil := h.As(installation.Actor{Kind: installation.Vendor, ID: "VEN-EVIL"})
	if got, err := evil.Reveal(ctx, installation.RevealRequest{ID: "EXI-1", Reason: "theft", Refs: []installation.Ref{{Kind: installation.RefConfig, Pointer: "/adobe_secret"}}}); err == nil {
		t.Errorf("an index entry that nothing vouches for made VEN-EVIL the owner of new secrets: it reveals %v", got)
	}
}

// There is no path back to plain text.
func TestInvariant7NoPathBackToPlain(t *testing.T) {
	ctx := t.Context()
	t.Run("no service without keys and store", func(t *testing.T) {
		ring := fixture.RingWith(t, "k1", fixture.KEK)
		var noStore *memstore.Store
		var noRing *crypto.Keyring
		for name, c := range map[string]struct {
			store installation.Store
			keys  crypto.KeyWrapper
		}{
			"no store":        {nil, ring},
			"nil *Store":      {noStore, ring},
			"no keys":         {memstore.New(), nil},
			"nil *Keyring":    {memstore.New(), noRing},
			"zero Keyring":    {memstore.New(), &crypto.Keyring{}},
			"nil in a struct": {memstore.New(), struct{ *crypto.Keyring }{}},
			"neither":         {nil, nil},
		} {
			err := fixture.Call(t, name, func() error {
				svc, err := installation.New(c.store, c.keys, nil)
				if svc != nil {
					t.Errorf("%s: got a service", name)
				}
				return err
			})
			if err == nil {
				t.Errorf("%s: got no error", name)
			}
		}
	})

	t.Run("plain text in place of a sealed value", func(t *testing.T) {
		h := fixture.NewAttack(t)
		h.Install("EXI-1", "ACC-1")
		x := newTamperTarget(t, h, "EXI-1")
		secret := installation.Ref{Kind: installation.RefConfig, Pointer: "/adobe_secret"}
		for _, plain := range []string{
			`"plain"`, "plain", "", "***", "null", strings.Repeat(" ", 110), strings.Repeat("a", 110),
			fixture.SealedText(fixture.DecodeBody(t, x.record.Body).ValueAt(t, secret).Sealed),
		} {
			x.detected(t, "value", x.edited(t, func(body *fixture.Body) { body.ValueAt(t, secret).Sealed = []byte(plain) }))
			x.detected(t, "manifest", x.edited(t, func(body *fixture.Body) { body.Manifest = []byte(plain) }))
			x.detected(t, "key", x.edited(t, func(body *fixture.Body) { body.Key.Bytes = []byte(plain) }))
		}
		m := record.Manifest{
			ID: "EXI-1", Generation: 1, Revision: 1, IndexVersion: record.IndexVersion,
			Lifecycle: fixture.DecodeBody(t, x.record.Body).Body.Lifecycle,
		}
		b := m.Append(nil, func(*record.Coder) {})
		x.detected(t, "a manifest that was never sealed", x.edited(t, func(body *fixture.Body) { body.Manifest = b }))
		x.detected(t, "a JSON body", func(r *installation.Record) { r.Body = installation.BodyFromBytes([]byte(`{"id":"EXI-1"}`)) })
	})

	t.Run("a user's sealed text is a string", func(t *testing.T) {
		h := fixture.NewAttack(t)
		h.Install("EXI-1", "ACC-1")
		stolen := fixture.SealedText(fixture.DecodeBody(t, h.Store.Last(fixture.KeyAt("EXI-1")).Body).ValueAt(t, installation.Ref{Kind: installation.RefConfig, Pointer: "/adobe_secret"}).Sealed)
		parts := fixture.SecretParts("ACC-2", stolen)
		parts.Configuration = installation.Value(installation.Configuration{Document: installation.JSON(`{"note":"` + stolen + `","adobe_secret":"` + stolen + `"}`)})
		res, err := h.Host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-2", Parts: parts})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := res.Configuration.Document.String(), `{"note":"`+stolen+`","adobe_secret":"***"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		revealed, err := h.Host().Reveal(ctx, installation.RevealRequest{ID: "EXI-2", Reason: "test", Refs: res.Sealed})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range revealed {
			if r.Err != nil || r.Value.RevealString() != stolen {
				t.Errorf("%v: got another string, error %v: a sealed value was opened on the way in", r.Ref, r.Err)
			}
		}
	})
}
