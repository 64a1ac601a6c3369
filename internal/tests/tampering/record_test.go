package tampering

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
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
	config := installation.Ref("config/adobe_secret")
	nested := installation.Ref("config/nested/clientSecret")
	token := installation.Ref("credential/access_token")

	t.Run("in the record", func(t *testing.T) {
		take := func(from installation.Body, a installation.Ref, to installation.Ref) func(r *installation.Record) {
			sealed := fixture.StoredValue(t, fixture.DecodeBody(t, from), a)[2]
			return x.edited(t, func(body map[any]any) { fixture.StoredValue(t, body, to)[2] = sealed })
		}
		x.detected(t, "other field", take(x.record.Body, nested, config))
		x.detected(t, "other kind", take(x.record.Body, token, config))
		x.detected(t, "other record", take(y.record.Body, config, config))
		x.detected(t, "other tenant", take(foreign.Body, config, config))
		x.detected(t, "two swapped", x.edited(t, func(body map[any]any) {
			a, b := fixture.StoredValue(t, body, config), fixture.StoredValue(t, body, nested)
			a[2], b[2] = b[2], a[2]
		}))
		x.detected(t, "manifest of another record", x.edited(t, func(body map[any]any) {
			body[fixture.BodyManifest] = fixture.DecodeBody(t, y.record.Body)[fixture.BodyManifest]
		}))
		x.detected(t, "key of another record", x.edited(t, func(body map[any]any) {
			body[fixture.BodyKey] = fixture.DecodeBody(t, y.record.Body)[fixture.BodyKey]
		}))
		x.detected(t, "value as manifest", x.edited(t, func(body map[any]any) { body[fixture.BodyManifest] = fixture.StoredValue(t, body, config)[2] }))
		x.detected(t, "manifest as value", x.edited(t, func(body map[any]any) { fixture.StoredValue(t, body, config)[2] = body[fixture.BodyManifest] }))
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
			values := body[fixture.BodyValues].([]any)
			places := []crypto.Place{{Record: id, Kind: "manifest"}}
			for _, v := range values {
				v := v.([]any)
				places = append(places, crypto.Place{Record: id, Kind: v[0].(string), Pointer: v[1].(string)})
			}
			for _, v := range values {
				v := v.([]any)
				home := crypto.Place{Record: id, Kind: v[0].(string), Pointer: v[1].(string)}
				if _, err := key.Open(nil, home, v[2].([]byte)); err != nil {
					t.Errorf("%v does not open where it belongs: %v", home, err)
				}
				away := slices.DeleteFunc(slices.Clone(places), func(p crypto.Place) bool { return p == home })
				away = append(away,
					crypto.Place{Record: id + "x", Kind: home.Kind, Pointer: home.Pointer},
					crypto.Place{Record: id, Kind: home.Kind + "/", Pointer: strings.TrimPrefix(home.Pointer, "/")},
					crypto.Place{Record: id, Kind: home.Kind, Pointer: strings.ToUpper(home.Pointer)},
					crypto.Place{Record: strings.ToLower(id), Kind: home.Kind, Pointer: home.Pointer},
				)
				for _, kind := range []string{"config", "credential", "connection", "extra", "manifest", "invitation", ""} {
					if kind != home.Kind {
						away = append(away, crypto.Place{Record: id, Kind: kind, Pointer: home.Pointer})
					}
				}
				for _, p := range away {
					if _, err := key.Open(nil, p, v[2].([]byte)); !errors.Is(err, installation.ErrSealed) {
						t.Errorf("%v opens at %v, error %v", home, p, err)
					}
				}
				if _, err := h.Keys.Copies()[1-i].Open(nil, home, v[2].([]byte)); !errors.Is(err, installation.ErrSealed) {
					t.Errorf("%v opens under the key of another record, error %v", home, err)
				}
			}
			wrapped := crypto.Wrapped{KeyID: body[fixture.BodyKeyID].(string), Bytes: body[fixture.BodyKey].([]byte)}
			for _, b := range []crypto.Binding{{Tenant: "tenant-2", Record: id}, {Record: id}, {Tenant: fixture.Tenant, Record: "EXI-3"}, {Tenant: fixture.Tenant + id}, {}} {
				if _, err := h.Keys.Unwrap(ctx, wrapped, b); !errors.Is(err, installation.ErrSealed) {
					t.Errorf("the key of %s opens for %+v, error %v", id, b, err)
				}
			}
		}
	})
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
	secret := installation.Ref("config/adobe_secret")
	change(installation.PatchRequest{Operations: []installation.Operation{patch.SetSecret(secret.Pointer, crypto.NewSecret("n3w"))}})
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
			"body version 2":    func(r *installation.Record) { b := r.Body.Bytes(); b[0] = 2; r.Body = installation.BodyFromBytes(b) },
			"body with more":    func(r *installation.Record) { r.Body = installation.BodyFromBytes(append(r.Body.Bytes(), 0)) },
			"body twice": func(r *installation.Record) {
				b := r.Body.Bytes()
				r.Body = installation.BodyFromBytes(append(b, b...))
			},
			"body of 9 MiB": func(r *installation.Record) {
				r.Body = installation.BodyFromBytes(append(r.Body.Bytes(), make([]byte, 9<<20)...))
			},
			"body of one byte":     func(r *installation.Record) { r.Body = installation.BodyFromBytes([]byte{1}) },
			"body of other CBOR":   func(r *installation.Record) { r.Body = installation.BodyFromBytes([]byte{1, 0x80}) },
			"body of an empty map": func(r *installation.Record) { r.Body = installation.BodyFromBytes([]byte{1, 0xa0}) },
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
		x.detected(t, "secret rolled back", x.edited(t, func(body map[any]any) {
			fixture.StoredValue(t, body, secret)[2] = fixture.StoredValue(t, old, secret)[2]
		}))
		x.detected(t, "manifest rolled back over another secret", x.edited(t, func(body map[any]any) { body[fixture.BodyManifest] = old[fixture.BodyManifest] }))
		x.detected(t, "manifest and secret rolled back", x.edited(t, func(body map[any]any) {
			body[fixture.BodyManifest] = old[fixture.BodyManifest]
			fixture.StoredValue(t, body, secret)[2] = fixture.StoredValue(t, old, secret)[2]
		}))
		x.detected(t, "body rolled back", func(r *installation.Record) { r.Body = history[len(history)-2].Body })
		x.detected(t, "first body", func(r *installation.Record) { r.Body = one.Body })
		x.detected(t, "manifest dropped", x.edited(t, func(body map[any]any) { delete(body, fixture.BodyManifest) }))
		x.detected(t, "manifest, key and values dropped", x.edited(t, func(body map[any]any) {
			for _, part := range []uint64{fixture.BodyManifest, fixture.BodyKey, fixture.BodyKeyID, fixture.BodyValues} {
				delete(body, part)
			}
		}))
		x.detected(t, "values reversed", x.edited(t, func(body map[any]any) { slices.Reverse(body[fixture.BodyValues].([]any)) }))
		x.detected(t, "values gone", x.edited(t, func(body map[any]any) { delete(body, fixture.BodyValues) }))
		x.detected(t, "key id unknown", x.edited(t, func(body map[any]any) { body[fixture.BodyKeyID] = "k9" }))
		x.detected(t, "key id malformed", x.edited(t, func(body map[any]any) { body[fixture.BodyKeyID] = "../k1\n" }))
		x.detected(t, "status unknown", x.edited(t, func(body map[any]any) { fixture.Lifecycle(body)[fixture.LifecycleStatus] = "paused" }))
		x.detected(t, "status back to invited", x.edited(t, func(body map[any]any) { fixture.Lifecycle(body)[fixture.LifecycleStatus] = "invited" }))
		x.detected(t, "status expired", x.edited(t, func(body map[any]any) { fixture.Lifecycle(body)[fixture.LifecycleStatus] = "expired" }))
		x.detected(t, "status forward, index not", x.edited(t, func(body map[any]any) { fixture.Lifecycle(body)[fixture.LifecycleStatus] = "uninstalled" }))
		x.detected(t, "purged", x.edited(t, func(body map[any]any) { fixture.Lifecycle(body)[fixture.LifecyclePurged] = true }))
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
		entry := map[any]any{uint64(1): int64(63_900_000_000_000_000), uint64(2): "customer", uint64(3): map[any]any{uint64(1): "USR-EVIL"}}
		x.detected(t, "uninstalled entry", x.edited(t, func(body map[any]any) { fixture.Lifecycle(body)[fixture.LifecycleUninstalled] = entry }))
		x.detected(t, "expired entry", x.edited(t, func(body map[any]any) { fixture.Lifecycle(body)[fixture.LifecycleExpired] = entry }))
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
		y.detected(t, "manifest of an older revision", y.edited(t, func(body map[any]any) {
			body[fixture.BodyManifest] = fixture.DecodeBody(t, older.Body)[fixture.BodyManifest]
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

// everyElement edits each element of the decoded body in every way that makes sense for its type.
func (x *tamperTarget) everyElement(t *testing.T, may tamperHarmless) {
	count := make(map[tamperOutcome]int)
	try := func(what string, edit func(body map[any]any)) {
		body := fixture.DecodeBody(t, x.record.Body)
		edit(body)
		r := fixture.CopyRecord(x.record)
		r.Body = fixture.EncodeBody(t, body)
		if bytes.Equal(r.Body.Bytes(), x.record.Body.Bytes()) {
			return // such as the same value twice, swapped
		}
		count[x.judge(t, what, r, may)]++
	}
	var walk func(path string, n any, at func(body map[any]any) any, put func(body map[any]any, v any))
	walk = func(path string, n any, at func(body map[any]any) any, put func(body map[any]any, v any)) {
		replace := func(how string, v any) { try(path+" "+how, func(body map[any]any) { put(body, v) }) }
		replace("null", nil)
		switch n := n.(type) {
		case map[any]any:
			replace("empty", map[any]any{})
			try(path+" unknown member", func(body map[any]any) { at(body).(map[any]any)[uint64(99)] = "x" })
			try(path+" named member", func(body map[any]any) { at(body).(map[any]any)["Status"] = "uninstalled" })
			for _, k := range slices.SortedFunc(maps.Keys(n), func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }) {
				try(fmt.Sprintf("%s/%v removed", path, k), func(body map[any]any) { delete(at(body).(map[any]any), k) })
				walk(fmt.Sprintf("%s/%v", path, k), n[k],
					func(body map[any]any) any { return at(body).(map[any]any)[k] },
					func(body map[any]any, v any) { at(body).(map[any]any)[k] = v })
			}
		case []any:
			replace("empty", []any{})
			for i := range n {
				element := fmt.Sprintf("%s/%d", path, i)
				change := func(how string, f func(s []any) []any) {
					try(element+" "+how, func(body map[any]any) { put(body, f(slices.Clone(at(body).([]any)))) })
				}
				change("removed", func(s []any) []any { return slices.Delete(s, i, i+1) })
				change("twice", func(s []any) []any { return slices.Insert(s, i, s[i]) })
				change("at the end again", func(s []any) []any { return append(s, s[i]) })
				change("swapped with the first", func(s []any) []any { s[0], s[i] = s[i], s[0]; return s })
				walk(element, n[i],
					func(body map[any]any) any { return at(body).([]any)[i] },
					func(body map[any]any, v any) { at(body).([]any)[i] = v })
			}
		case []byte:
			flip := func(i int, mask byte) []byte { b := bytes.Clone(n); b[i] ^= mask; return b }
			for _, i := range []int{0, 1, 2, 5, 6, 29, 30, len(n) / 2, len(n) - 17, len(n) - 16, len(n) - 1} {
				replace(fmt.Sprintf("byte %d", i), flip(i, 0x10))
			}
			replace("empty", []byte{})
			replace("cut at the front", n[1:])
			replace("cut at the end", n[:len(n)-1])
			replace("cut by a block", n[:len(n)-64])
			replace("longer", append(bytes.Clone(n), 0))
			replace("longer by a block", append(bytes.Clone(n), make([]byte, 64)...))
			replace("as text", string(bytes.Repeat([]byte("A"), len(n))))
			replace("plain text", []byte(`"plain"`))
		case string:
			for _, s := range []string{"", n + "x", n[:len(n)-1], strings.ToUpper(n), n + "\x00"} {
				replace(fmt.Sprintf("%q", s), s)
			}
			replace("as bytes", []byte(n))
		case uint64:
			for _, v := range []any{n + 1, n - 1, uint64(0), int64(-1), uint64(1)<<63 - 1, "1"} {
				replace(fmt.Sprint(v), v)
			}
		case bool:
			replace("turned round", !n)
		}
	}
	body := fixture.DecodeBody(t, x.record.Body)
	for _, part := range slices.Sorted(maps.Keys(map[uint64]bool{fixture.BodyLifecycle: true, fixture.BodyKeyID: true, fixture.BodyKey: true, fixture.BodyManifest: true, fixture.BodyValues: true})) {
		if body[part] == nil {
			continue
		}
		walk(fmt.Sprint(part), body[part],
			func(body map[any]any) any { return body[part] },
			func(body map[any]any, v any) { body[part] = v })
	}
	if count[tamperDetected] < 50 {
		t.Errorf("only %d edits were detected: the walk has lost its way", count[tamperDetected])
	}
	t.Logf("%d edits detected, %d harmless", count[tamperDetected], count[tamperSame])
}

// everyByte flips bits in each byte of the body, and cuts it at each.
func (x *tamperTarget) everyByte(t *testing.T, may tamperHarmless) {
	raw := x.record.Body.Bytes()
	count := make(map[tamperOutcome]int)
	for i := range raw {
		for _, mask := range []byte{0x01, 0x80} {
			b := bytes.Clone(raw)
			b[i] ^= mask
			r := fixture.CopyRecord(x.record)
			r.Body = installation.BodyFromBytes(b)
			count[x.judge(t, fmt.Sprintf("byte %d of %d ^ %02x", i, len(raw), mask), r, may)]++
		}
		r := fixture.CopyRecord(x.record)
		r.Body = installation.BodyFromBytes(raw[:i])
		if got := x.judge(t, fmt.Sprintf("cut at byte %d of %d", i, len(raw)), r, may); got != tamperDetected {
			t.Errorf("cut at byte %d of %d: not detected", i, len(raw))
		}
	}
	if count[tamperDetected] < len(raw)/2 {
		t.Errorf("only %d of %d flips were detected", count[tamperDetected], 2*len(raw))
	}
	t.Logf("%d flips detected, %d harmless", count[tamperDetected], count[tamperSame])
}
