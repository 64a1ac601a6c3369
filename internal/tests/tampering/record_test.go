package tampering

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A value that is moved to another field, record, kind or tenant does not open.
func TestInvariant8SealingBindsPlace(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	h.Install("EXI-2", "ACC-2")
	other := h.Service.In("tenant-2").As(fixture.HostActor)
	if _, err := other.Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: fixture.SecretParts("ACC-1", "s3cr3t")}); err != nil {
		t.Fatal(err)
	}
	x := newTamperTarget(t, h, "EXI-1")
	y := newTamperTarget(t, h, "EXI-2")
	foreign := h.Store.Last(installation.Key{Tenant: "tenant-2", ID: "EXI-1"})
	config := installation.Ref{Kind: installation.RefConfig, Pointer: "/adobe_secret"}
	nested := installation.Ref{Kind: installation.RefConfig, Pointer: "/nested/clientSecret"}
	token := installation.Ref{Kind: installation.RefCredential, Pointer: installation.PointerAccessToken}

	t.Run("in the record", func(t *testing.T) {
		take := func(from installation.Body, a installation.Ref, to installation.Ref) func(r *installation.Record) {
			sealed := fixture.DecodeBody(t, from).ValueAt(t, a).Sealed
			return x.edited(t, func(body *fixture.Body) { body.ValueAt(t, to).Sealed = sealed })
		}
		x.detected(t, "other field", take(x.record.Body, nested, config))
		x.detected(t, "other kind", take(x.record.Body, token, config))
		x.detected(t, "other record", take(y.record.Body, config, config))
		x.detected(t, "other tenant", take(foreign.Body, config, config))
		x.detected(t, "two swapped", x.edited(t, func(body *fixture.Body) {
			a, b := body.ValueAt(t, config), body.ValueAt(t, nested)
			a.Sealed, b.Sealed = b.Sealed, a.Sealed
		}))
		x.detected(t, "manifest of another record", x.edited(t, func(body *fixture.Body) {
			body.Manifest = fixture.DecodeBody(t, y.record.Body).Manifest
		}))
		x.detected(t, "key of another record", x.edited(t, func(body *fixture.Body) {
			body.Key.Bytes = fixture.DecodeBody(t, y.record.Body).Key.Bytes
		}))
		x.detected(t, "value as manifest", x.edited(t, func(body *fixture.Body) { body.Manifest = body.ValueAt(t, config).Sealed }))
		x.detected(t, "manifest as value", x.edited(t, func(body *fixture.Body) { body.ValueAt(t, config).Sealed = body.Manifest }))
		x.detected(t, "body of another id", func(r *installation.Record) { r.Body = y.record.Body })
		x.detected(t, "record of another id", func(r *installation.Record) { *r = *fixture.CopyRecord(y.record) })
		x.detected(t, "record of another id under this key", func(r *installation.Record) { *r = *fixture.CopyRecord(y.record); r.Key = x.key })
		x.detected(t, "body of another tenant", func(r *installation.Record) { r.Body = foreign.Body })
		x.detected(t, "record of another tenant", func(r *installation.Record) { *r = *fixture.CopyRecord(foreign) })
		x.detected(t, "record of another tenant under this key", func(r *installation.Record) { *r = *fixture.CopyRecord(foreign); r.Key = x.key })
	})

	// The table in the manifest would notice most of the above by itself. So the same once more with the real data key and nothing
	// but the place that differs.
	t.Run("by the cipher alone", func(t *testing.T) {
		for i, id := range []string{"EXI-1", "EXI-2"} {
			key := h.Keys.Copies()[i]
			body := fixture.DecodeBody(t, h.Store.Last(fixture.KeyAt(id)).Body)
			places := []crypto.Place{{Tenant: fixture.Tenant, Record: id, Kind: "manifest"}}
			for _, v := range body.Values {
				places = append(places, placeOf(id, v.Ref))
			}
			for _, v := range body.Values {
				home := placeOf(id, v.Ref)
				if _, err := key.Open(nil, home, v.Sealed); err != nil {
					t.Errorf("%v does not open where it belongs: %v", home, err)
				}
				away := slices.DeleteFunc(slices.Clone(places), func(p crypto.Place) bool { return p == home })
				away = append(away,
					moved(home, func(p *crypto.Place) { p.Tenant = "tenant-2" }),
					moved(home, func(p *crypto.Place) { p.Tenant = "" }),
					moved(home, func(p *crypto.Place) { p.Tenant, p.Record = fixture.Tenant+id, "" }),
					moved(home, func(p *crypto.Place) { p.Tenant, p.Record = "tenant-", "1"+id }),
					moved(home, func(p *crypto.Place) { p.Record += "x" }),
					moved(home, func(p *crypto.Place) { p.Kind, p.Pointer = p.Kind+"/", strings.TrimPrefix(p.Pointer, "/") }),
					moved(home, func(p *crypto.Place) { p.Pointer = strings.ToUpper(p.Pointer) }),
					moved(home, func(p *crypto.Place) { p.Record = strings.ToLower(p.Record) }),
					moved(home, func(p *crypto.Place) { p.Extra = "x" }),
				)
				for _, kind := range []string{"config", "credential", "connection", "extra", "manifest", "invitation", "answer", "code", "outcome", ""} {
					if kind != home.Kind {
						away = append(away, moved(home, func(p *crypto.Place) { p.Kind = kind }))
					}
				}
				for _, p := range away {
					if _, err := key.Open(nil, p, v.Sealed); !errors.Is(err, installation.ErrSealed) {
						t.Errorf("%v opens at %v, error %v", home, p, err)
					}
				}
				if _, err := h.Keys.Copies()[1-i].Open(nil, home, v.Sealed); !errors.Is(err, installation.ErrSealed) {
					t.Errorf("%v opens under the key of another record, error %v", home, err)
				}
			}
			wrapped := body.Key
			for _, b := range []crypto.Binding{{Tenant: "tenant-2", Record: id}, {Record: id}, {Tenant: fixture.Tenant, Record: "EXI-3"}, {Tenant: fixture.Tenant + id}, {}} {
				if _, err := h.Keys.Unwrap(ctx, wrapped, b); !errors.Is(err, installation.ErrSealed) {
					t.Errorf("the key of %s opens for %+v, error %v", id, b, err)
				}
			}
		}
	})
}

// refreshStates are states of a token refresh that nobody began.
var refreshStates = map[string]fixture.Refresh{
	"empty":    {},
	"sending":  {State: 1, Holder: "process-1", CredentialNumber: 1, Duration: 30_000_000},
	"doubtful": {State: 2, CredentialNumber: 1, Epoch: 1},
	"failed":   {State: 3, CredentialNumber: 1, Reason: "invalid_grant", Since: fixture.Start, Attempts: 2},
	"unknown":  {State: 9},
}

// placeOf returns where a stored secret is sealed for.
func placeOf(id, ref string) crypto.Place {
	kind, pointer, _ := strings.Cut(ref, "/")
	return crypto.Place{Tenant: fixture.Tenant, Record: id, Kind: kind, Pointer: "/" + pointer}
}

func moved(p crypto.Place, change func(p *crypto.Place)) crypto.Place {
	change(&p)
	return p
}

// Removal of a value, rollback of one field, an edited plain value and an index entry that does not follow from the content are all
// ErrSealed.
func TestInvariant9RecordIsSealedAsAWhole(t *testing.T) {
	ctx := t.Context()
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	h.Advance(time.Minute)
	one := h.Store.Last(fixture.KeyAt("EXI-1"))
	change := func(p installation.PatchRequest) {
		t.Helper()
		p.ID = "EXI-1"
		if res, err := h.Host().Patch(ctx, p); err != nil || !res.Changed {
			t.Fatal(res, err)
		}
		h.Advance(time.Minute)
	}
	change(installation.PatchRequest{Parts: installation.Parts{Name: installation.Value("two")}})
	change(installation.PatchRequest{Parts: installation.Parts{Name: installation.Value("three")}})
	secret := installation.Ref{Kind: installation.RefConfig, Pointer: "/adobe_secret"}
	change(installation.PatchRequest{Operations: []installation.Operation{installation.SetSecret(secret.Pointer, crypto.NewSecret("n3w"))}})
	x := newTamperTarget(t, h, "EXI-1")
	history := h.Store.History(x.key)

	t.Run("record", func(t *testing.T) {
		later := func(at time.Time) time.Time { return at.Add(time.Microsecond) }
		for what, edit := range map[string]func(r *installation.Record){
			"revision down":     func(r *installation.Record) { r.Revision-- },
			"revision zero":     func(r *installation.Record) { r.Revision = 0 },
			"revision negative": func(r *installation.Record) { r.Revision = -1 },
			"generation up":     func(r *installation.Record) { r.Generation++ },
			"generation down":   func(r *installation.Record) { r.Generation-- },
			"created later":     func(r *installation.Record) { r.Created = later(r.Created) },
			"created earlier":   func(r *installation.Record) { r.Created = r.Created.Add(-time.Hour) },
			"created gone":      func(r *installation.Record) { r.Created = time.Time{} },
			"deadline set":      func(r *installation.Record) { r.Deadline = fixture.Start },
			"claim removed":     func(r *installation.Record) { r.Claims = nil },
			"claim added":       func(r *installation.Record) { r.Claims = append(r.Claims, "zzz") },
			"claim changed":     func(r *installation.Record) { r.Claims[0] += "x" },
			"claim twice":       func(r *installation.Record) { r.Claims = append(r.Claims, r.Claims[0]) },
			"index gone":        func(r *installation.Record) { r.Index = nil },
			"index reversed":    func(r *installation.Record) { slices.Reverse(r.Index) },
			"owner added":       func(r *installation.Record) { r.Index = append(r.Index, "own=VEN-9"); slices.Sort(r.Index) },
			"unknown term":      func(r *installation.Record) { r.Index = append(r.Index, "zzz") },
			"other key":         func(r *installation.Record) { r.Key.ID = "EXI-9" },
			"other tenant":      func(r *installation.Record) { r.Key.Tenant = "" },
			"body gone":         func(r *installation.Record) { r.Body = installation.Body{} },
			"body empty":        func(r *installation.Record) { r.Body = installation.BodyFromBytes([]byte{}) },
			"body version 0":    func(r *installation.Record) { b := r.Body.Bytes(); b[0] = 0; r.Body = installation.BodyFromBytes(b) },
			"body version 1":    func(r *installation.Record) { b := r.Body.Bytes(); b[0] = 1; r.Body = installation.BodyFromBytes(b) },
			"body version 3":    func(r *installation.Record) { b := r.Body.Bytes(); b[0] = 3; r.Body = installation.BodyFromBytes(b) },
			"body with more":    func(r *installation.Record) { r.Body = installation.BodyFromBytes(append(r.Body.Bytes(), 0)) },
			"body twice": func(r *installation.Record) {
				b := r.Body.Bytes()
				r.Body = installation.BodyFromBytes(append(b, b...))
			},
			"body of 9 MiB": func(r *installation.Record) {
				r.Body = installation.BodyFromBytes(append(r.Body.Bytes(), make([]byte, 9<<20)...))
			},
			"body of one byte":        func(r *installation.Record) { r.Body = installation.BodyFromBytes([]byte{2}) },
			"body of another message": func(r *installation.Record) { r.Body = installation.BodyFromBytes([]byte{2, 0x08, 0x01}) },
			"body without a status":   func(r *installation.Record) { r.Body = installation.BodyFromBytes([]byte{2, 0x0a, 0x00}) },
			"body of a JSON object":   func(r *installation.Record) { r.Body = installation.BodyFromBytes([]byte("{}")) },
		} {
			x.detected(t, what, edit)
		}
		for i, term := range x.record.Index {
			x.detected(t, "removed "+term, func(r *installation.Record) { r.Index = slices.Delete(r.Index, i, i+1) })
			x.detected(t, "changed "+term, func(r *installation.Record) { r.Index[i] += "x" })
			x.detected(t, "cut "+term, func(r *installation.Record) { r.Index[i] = term[:len(term)-1] })
			x.detected(t, "twice "+term, func(r *installation.Record) { r.Index = slices.Insert(r.Index, i, term) })
		}
	})

	t.Run("revision up", func(t *testing.T) {
		// A revision that grew says nothing that is not so of the content: it is how often the record was written.
		r := fixture.CopyRecord(x.record)
		r.Revision += 5
		x.judge(t, "revision up", r, tamperHarmless{revision: true})
	})

	// A tombstone holds nothing that could be sealed: whoever can write to the store can delete. It reads as deleted, not as something
	// else, and putting the record back is noticed only as far as it was changed.
	t.Run("deleted", func(t *testing.T) {
		r := fixture.CopyRecord(x.record)
		r.Deleted = true
		h.Store.Forge(x.key, r)
		defer h.Store.Forge(x.key, nil)
		if i, err := h.Host().Get(ctx, "EXI-1"); i != nil || !errors.Is(err, installation.ErrNotFound) {
			t.Errorf("got %v, %v, want ErrNotFound", i, err)
		}
	})

	t.Run("body", func(t *testing.T) {
		old := fixture.DecodeBody(t, history[len(history)-2].Body) // before the secret changed
		x.detected(t, "secret rolled back", x.edited(t, func(body *fixture.Body) {
			body.ValueAt(t, secret).Sealed = old.ValueAt(t, secret).Sealed
		}))
		x.detected(t, "manifest rolled back over another secret", x.edited(t, func(body *fixture.Body) { body.Manifest = old.Manifest }))
		x.detected(t, "manifest and secret rolled back", x.edited(t, func(body *fixture.Body) {
			body.Manifest = old.Manifest
			body.ValueAt(t, secret).Sealed = old.ValueAt(t, secret).Sealed
		}))
		x.detected(t, "body rolled back", func(r *installation.Record) { r.Body = history[len(history)-2].Body })
		x.detected(t, "first body", func(r *installation.Record) { r.Body = one.Body })
		x.detected(t, "manifest dropped", x.edited(t, func(body *fixture.Body) { body.Manifest = nil }))
		x.detected(t, "manifest, key and values dropped", x.edited(t, func(body *fixture.Body) {
			body.Manifest, body.Key, body.Values = nil, crypto.Wrapped{}, nil
		}))
		x.detected(t, "values reversed", x.edited(t, func(body *fixture.Body) { slices.Reverse(body.Values) }))
		x.detected(t, "values gone", x.edited(t, func(body *fixture.Body) { body.Values = nil }))
		x.detected(t, "key id unknown", x.edited(t, func(body *fixture.Body) { body.Key.KeyID = "k9" }))
		x.detected(t, "key id malformed", x.edited(t, func(body *fixture.Body) { body.Key.KeyID = "../k1\n" }))
		x.detected(t, "status unknown", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Status = "paused" }))
		x.detected(t, "status back to invited", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Status = "invited" }))
		x.detected(t, "status expired", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Status = "expired" }))
		x.detected(t, "status forward, index not", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Status = "uninstalled" }))
		x.detected(t, "purge time set", x.edited(t, func(body *fixture.Body) { body.Lifecycle.PurgeAt = fixture.Start }))
		for what, state := range refreshStates {
			x.detected(t, "refresh "+what, x.edited(t, func(body *fixture.Body) { body.Lifecycle.Refresh = &state }))
		}
		x.detected(t, "purged", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Purged = true }))
	})

	// Like a deletion, destroying a record is in the hands of whoever can write to the store. It shows as destroyed, and with nothing of
	// the content.
	t.Run("shredded", func(t *testing.T) {
		r := fixture.CopyRecord(x.record)
		tamperShred(t, r)
		h.Store.Forge(x.key, r)
		defer h.Store.Forge(x.key, nil)
		if i, err := h.Host().Get(ctx, "EXI-1"); !errors.Is(err, installation.ErrShredded) || i == nil || i.Configuration != nil || i.Name != "" {
			t.Errorf("got %v, %v, want ErrShredded and no content", i, err)
		}
	})

	// What has not happened at this status cannot have an entry.
	t.Run("audit of what never happened", func(t *testing.T) {
		entry := &fixture.AuditEntry{At: fixture.Start, Kind: "customer", By: "USR-EVIL"}
		x.detected(t, "uninstalled entry", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Uninstalled = entry }))
		x.detected(t, "expired entry", x.edited(t, func(body *fixture.Body) { body.Lifecycle.Expired = entry }))
	})

	t.Run("every element", func(t *testing.T) { x.everyElement(t, tamperHarmless{}) })
	t.Run("every byte", func(t *testing.T) { x.everyByte(t, tamperHarmless{}) })

	// Rolling one part back: the manifests of "two" and "three" have the same secrets beside them.
	t.Run("manifest alone", func(t *testing.T) {
		h.Install("EXI-2", "ACC-2")
		for _, name := range []string{"two", "three"} {
			if _, err := h.Host().Patch(ctx, installation.PatchRequest{ID: "EXI-2", Parts: installation.Parts{Name: installation.Value(name)}}); err != nil {
				t.Fatal(err)
			}
		}
		y := newTamperTarget(t, h, "EXI-2")
		older := h.Store.History(y.key)[1]
		y.detected(t, "manifest of an older revision", y.edited(t, func(body *fixture.Body) {
			body.Manifest = fixture.DecodeBody(t, older.Body).Manifest
		}))
		y.detected(t, "body of an older revision", func(r *installation.Record) { r.Body = older.Body })
	})

	// The one exception, which the documentation names: all of an older record at once.
	t.Run("a whole older record", func(t *testing.T) {
		for i, r := range history {
			h.Store.Forge(x.key, r)
			got, err := h.Host().Get(ctx, "EXI-1")
			if err != nil || got.Revision != int64(i+1) {
				t.Errorf("revision %d put back: got %v, %v, want it to be read", i+1, got, err)
			}
		}
		h.Store.Forge(x.key, nil)
	})
}
