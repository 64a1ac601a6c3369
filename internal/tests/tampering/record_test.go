package tampering

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// rolledSecret is the secret that changes in the last revision of newHistory.
const rolledSecret = installation.Ref("config/adobe_secret")

// newHistory returns "EXI-1" with four revisions. The last one changes a secret.
func newHistory(t *testing.T) *tamperTarget {
	t.Helper()
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	h.Advance(time.Minute)
	change := func(p installation.PatchRequest) {
		t.Helper()
		p.ID = "EXI-1"
		if res, err := h.Host().Patch(t.Context(), p); err != nil || !res.Changed {
			t.Fatal(res, err)
		}
		h.Advance(time.Minute)
	}
	for _, name := range []string{"two", "three"} {
		change(installation.PatchRequest{Parts: installation.Parts{Name: installation.Value(name)}})
	}
	change(installation.PatchRequest{Operations: []installation.Operation{
		patch.SetSecret(rolledSecret.Pointer(), crypto.NewSecret("n3w")),
	}})
	return newTamperTarget(t, h, "EXI-1")
}

// Removal of a value, rollback of one field, an edited plain value, and an index entry that does
// not follow from the content are all ErrSealed.
func TestInvariant9RecordIsSealedAsAWhole(t *testing.T) {
	x := newHistory(t)
	t.Run("record", func(t *testing.T) {
		for what, edit := range recordEdits {
			x.detected(t, what, edit)
		}
	})
	t.Run("index", func(t *testing.T) { editedTermsAreDetected(t, x) })
	t.Run("revision up", func(t *testing.T) {
		// The revision only counts how often the record was written, so a higher one is harmless.
		r := fixture.CopyRecord(x.record)
		r.Revision += 5
		x.judge(t, "revision up", r, tamperHarmless{revision: true})
	})
	t.Run("body", func(t *testing.T) {
		for what, edit := range bodyEdits {
			x.bodyDetected(t, what, edit)
		}
		for what, state := range refreshStates {
			x.bodyDetected(t, "refresh "+what, func(body *fixture.Body) {
				body.Lifecycle.Refresh = &state
			})
		}
	})
	t.Run("rollback", func(t *testing.T) { rolledBackPartsAreDetected(t, x) })
	t.Run("every element", func(t *testing.T) { x.everyElement(t, tamperHarmless{}) })
	t.Run("every byte", func(t *testing.T) { x.everyByte(t, tamperHarmless{}) })
}

// recordEdits are edits of a record outside its body, or of its body as a whole.
var recordEdits = map[string]recordEdit{
	"revision down":     func(r *installation.Record) { r.Revision-- },
	"revision zero":     func(r *installation.Record) { r.Revision = 0 },
	"revision negative": func(r *installation.Record) { r.Revision = -1 },
	"generation up":     func(r *installation.Record) { r.Generation++ },
	"generation down":   func(r *installation.Record) { r.Generation-- },
	"created later": func(r *installation.Record) {
		r.Created = r.Created.Add(time.Microsecond)
	},
	"created earlier": func(r *installation.Record) { r.Created = r.Created.Add(-time.Hour) },
	"created gone":    func(r *installation.Record) { r.Created = time.Time{} },
	"deadline set":    func(r *installation.Record) { r.Deadline = fixture.Start },
	"claim removed":   func(r *installation.Record) { r.Claims = nil },
	"claim added":     func(r *installation.Record) { r.Claims = append(r.Claims, "zzz") },
	"claim changed":   func(r *installation.Record) { r.Claims[0] += "x" },
	"claim twice":     func(r *installation.Record) { r.Claims = append(r.Claims, r.Claims[0]) },
	"index gone":      func(r *installation.Record) { r.Index = nil },
	"index reversed":  func(r *installation.Record) { slices.Reverse(r.Index) },
	"owner added": func(r *installation.Record) {
		r.Index = append(r.Index, "own=VEN-9")
		slices.Sort(r.Index)
	},
	"unknown term":   func(r *installation.Record) { r.Index = append(r.Index, "zzz") },
	"other key":      func(r *installation.Record) { r.Key.ID = "EXI-9" },
	"other tenant":   func(r *installation.Record) { r.Key.Tenant = "" },
	"body gone":      func(r *installation.Record) { r.Body = installation.Body{} },
	"body empty":     rawBody(func([]byte) []byte { return []byte{} }),
	"body version 0": rawBody(set(0, 0)),
	"body version 1": rawBody(set(0, 1)),
	"body version 3": rawBody(set(0, 3)),
	"body with more": rawBody(func(b []byte) []byte { return append(b, 0) }),
	"body twice":     rawBody(func(b []byte) []byte { return append(b, b...) }),
	"body of 9 MiB": rawBody(func(b []byte) []byte {
		return append(b, make([]byte, 9<<20)...)
	}),
	"body of one byte":        rawBody(func([]byte) []byte { return []byte{2} }),
	"body of another message": rawBody(func([]byte) []byte { return []byte{2, 0x08, 0x01} }),
	"body without a status":   rawBody(func([]byte) []byte { return []byte{2, 0x0a, 0x00} }),
	"body of a JSON object":   rawBody(func([]byte) []byte { return []byte("{}") }),
}

// rawBody returns an edit of the encoded body.
func rawBody(edit func(b []byte) []byte) recordEdit {
	return func(r *installation.Record) {
		r.Body = installation.BodyFromBytes(edit(r.Body.Bytes()))
	}
}

// bodyEdits are edits of the decoded body of an installed record.
var bodyEdits = map[string]func(body *fixture.Body){
	"manifest dropped": func(body *fixture.Body) { body.Manifest = nil },
	"manifest, key and values dropped": func(body *fixture.Body) {
		body.Manifest, body.Key, body.Values = nil, crypto.Wrapped{}, nil
	},
	"values reversed":        func(body *fixture.Body) { slices.Reverse(body.Values) },
	"values gone":            func(body *fixture.Body) { body.Values = nil },
	"key id unknown":         func(body *fixture.Body) { body.Key.KeyID = "k9" },
	"key id malformed":       func(body *fixture.Body) { body.Key.KeyID = "../k1\n" },
	"status unknown":         func(body *fixture.Body) { body.Lifecycle.Status = "paused" },
	"status back to invited": func(body *fixture.Body) { body.Lifecycle.Status = "invited" },
	"status expired":         func(body *fixture.Body) { body.Lifecycle.Status = "expired" },
	"status forward, index not": func(body *fixture.Body) {
		body.Lifecycle.Status = "uninstalled"
	},
	"purge time set": func(body *fixture.Body) { body.Lifecycle.PurgeAt = fixture.Start },
	"purged":         func(body *fixture.Body) { body.Lifecycle.Purged = true },
	// An event that has not happened at this status has no entry in the audit.
	"uninstalled entry": func(body *fixture.Body) { body.Lifecycle.Uninstalled = evilEntry() },
	"expired entry":     func(body *fixture.Body) { body.Lifecycle.Expired = evilEntry() },
}

func evilEntry() *fixture.AuditEntry {
	return &fixture.AuditEntry{At: fixture.Start, Kind: "customer", By: "USR-EVIL"}
}

// refreshStates are states of a token refresh that never started.
var refreshStates = map[string]fixture.Refresh{
	"empty":    {},
	"sending":  {State: 1, Holder: "process-1", CredentialNumber: 1, Duration: 30_000_000},
	"doubtful": {State: 2, CredentialNumber: 1, Epoch: 1},
	"failed": {
		State: 3, CredentialNumber: 1, Reason: "invalid_grant", Since: fixture.Start, Attempts: 2,
	},
	"unknown": {State: 9},
}

// editedTermsAreDetected edits each term of the index.
func editedTermsAreDetected(t *testing.T, x *tamperTarget) {
	for i, term := range x.record.Index {
		x.detected(t, "removed "+term, func(r *installation.Record) {
			r.Index = slices.Delete(r.Index, i, i+1)
		})
		x.detected(t, "changed "+term, func(r *installation.Record) { r.Index[i] += "x" })
		x.detected(t, "cut "+term, func(r *installation.Record) {
			r.Index[i] = term[:len(term)-1]
		})
		x.detected(t, "twice "+term, func(r *installation.Record) {
			r.Index = slices.Insert(r.Index, i, term)
		})
	}
}

// rolledBackPartsAreDetected puts parts of older revisions into a record.
func rolledBackPartsAreDetected(t *testing.T, x *tamperTarget) {
	history := x.h.Store.History(x.key)
	before := history[len(history)-2] // before the secret changed
	old := fixture.DecodeBody(t, before.Body)
	x.bodyDetected(t, "secret rolled back", func(body *fixture.Body) {
		body.ValueAt(t, rolledSecret).Sealed = old.ValueAt(t, rolledSecret).Sealed
	})
	x.bodyDetected(t, "manifest rolled back over another secret", func(body *fixture.Body) {
		body.Manifest = old.Manifest
	})
	x.bodyDetected(t, "manifest and secret rolled back", func(body *fixture.Body) {
		body.Manifest = old.Manifest
		body.ValueAt(t, rolledSecret).Sealed = old.ValueAt(t, rolledSecret).Sealed
	})
	x.detected(t, "body rolled back", func(r *installation.Record) { r.Body = before.Body })
	x.detected(t, "first body", func(r *installation.Record) { r.Body = history[0].Body })
}

// A manifest of an older revision is detected, even if both revisions have the same secrets.
func TestInvariant9ManifestAloneIsNotRolledBack(t *testing.T) {
	h := fixture.NewAttack(t)
	h.Install("EXI-2", "ACC-2")
	for _, name := range []string{"two", "three"} {
		parts := installation.Parts{Name: installation.Value(name)}
		req := installation.PatchRequest{ID: "EXI-2", Parts: parts}
		if _, err := h.Host().Patch(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	x := newTamperTarget(t, h, "EXI-2")
	older := h.Store.History(x.key)[1]
	x.bodyDetected(t, "manifest of an older revision", func(body *fixture.Body) {
		body.Manifest = fixture.DecodeBody(t, older.Body).Manifest
	})
	x.detected(t, "body of an older revision", func(r *installation.Record) {
		r.Body = older.Body
	})
}

// The documentation names one exception: a whole older record still opens.
func TestInvariant9WholeOlderRecordOpens(t *testing.T) {
	x := newHistory(t)
	for i, r := range x.h.Store.History(x.key) {
		x.h.Store.Forge(x.key, r)
		got, err := x.h.Host().Get(t.Context(), "EXI-1")
		if err != nil || got.Revision != int64(i+1) {
			t.Errorf("revision %d put back: got %v, %v, want it to be read", i+1, got, err)
		}
	}
}

// Anyone who can write to the store can delete, because a tombstone contains nothing to seal. The
// record reads as deleted.
func TestInvariant9DeletedRecordReadsAsDeleted(t *testing.T) {
	x := newHistory(t)
	r := fixture.CopyRecord(x.record)
	r.Deleted = true
	x.h.Store.Forge(x.key, r)
	i, err := x.h.Host().Get(t.Context(), "EXI-1")
	if i != nil || !errors.Is(err, installation.ErrNotFound) {
		t.Errorf("got %v, %v, want ErrNotFound", i, err)
	}
}

// Anyone who can write to the store can destroy a record. It reads as destroyed, without content.
func TestInvariant9ShreddedRecordReadsAsShredded(t *testing.T) {
	x := newHistory(t)
	r := fixture.CopyRecord(x.record)
	tamperShred(t, r)
	x.h.Store.Forge(x.key, r)
	i, err := x.h.Host().Get(t.Context(), "EXI-1")
	if !errors.Is(err, installation.ErrShredded) || i == nil || i.Configuration != nil ||
		i.Name != "" {
		t.Errorf("got %v, %v, want ErrShredded and no content", i, err)
	}
}
