package installation_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// Parts of an encoded body, by the numbers of the stored format.
const (
	bodyLife     = uint64(1)
	bodyKeyID    = uint64(2)
	bodyKey      = uint64(3)
	bodyManifest = uint64(4)
	bodyValues   = uint64(5)

	lifeStatus      = uint64(1)
	lifeGeneration  = uint64(2)
	lifeExpired     = uint64(3)
	lifeUninstalled = uint64(4)
	lifePurgeAt     = uint64(5)
	lifePurged      = uint64(6)
)

// tamperBody decodes an encoded body as anyone could who reads the store.
func tamperBody(t testing.TB, b installation.Body) map[any]any {
	t.Helper()
	raw := b.Bytes()
	var body map[any]any
	if err := cbor.Unmarshal(raw[1:], &body); err != nil {
		t.Fatal(err)
	}
	return body
}

func tamperEncode(t testing.TB, body map[any]any) installation.Body {
	t.Helper()
	raw, err := cbor.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return installation.BodyFromBytes(append([]byte{1}, raw...))
}

func tamperLife(body map[any]any) map[any]any { return body[bodyLife].(map[any]any) }

// tamperValue returns the stored value at a place of a body: kind, pointer and sealed bytes.
func tamperValue(t testing.TB, body map[any]any, ref installation.Ref) []any {
	t.Helper()
	for _, v := range body[bodyValues].([]any) {
		if v := v.([]any); v[0] == string(ref.Kind) && v[1] == ref.Pointer {
			return v
		}
	}
	t.Fatalf("no value at %v", ref)
	return nil
}

// tamperTarget is an untouched record and everything that the host can read of it.
type tamperTarget struct {
	h      *attackHarness
	key    installation.Key
	record *installation.Record
	inst   *installation.Installation
	plain  map[installation.Ref]string
}

func newTamperTarget(t testing.TB, h *attackHarness, id string) *tamperTarget {
	t.Helper()
	h.store.forge(attackKey(id), nil)
	x := &tamperTarget{h: h, key: attackKey(id), record: h.store.stored(attackKey(id)), plain: make(map[installation.Ref]string)}
	var err error
	if x.inst, err = h.host().Get(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	for _, r := range x.reveal(t) {
		if r.Err != nil {
			t.Fatal(r.Ref, r.Err)
		}
		x.plain[r.Ref] = r.Value.RevealString()
	}
	return x
}

func (x *tamperTarget) reveal(t testing.TB) []installation.Revealed {
	t.Helper()
	if len(x.inst.Sealed) == 0 {
		return nil
	}
	// The event of a Reveal changes no record, so it is as good as a read here.
	all, err := x.h.host().Reveal(context.Background(), installation.RevealRequest{ID: x.key.ID, Reason: "test", Refs: x.inst.Sealed})
	if err != nil {
		t.Errorf("Reveal: %v", err)
	}
	return all
}

// tamperHarmless lists the fields of an installation that an edit may change. Everything else is compared. Each use says why.
type tamperHarmless struct {
	revision    bool // Installation.Revision
	status      bool // Installation.Status
	uninstalled bool // Installation.Audit.Uninstalled
	expired     bool // Installation.Audit.Expired
}

func (may tamperHarmless) apply(from, to *installation.Installation) {
	if may.revision {
		to.Revision = from.Revision
	}
	if may.status {
		to.Status = from.Status
		if to.Invitation != nil && from.Invitation != nil {
			inv := *to.Invitation
			inv.Status = from.Invitation.Status
			to.Invitation = &inv
		}
	}
	if may.uninstalled {
		to.Audit.Uninstalled = from.Audit.Uninstalled
	}
	if may.expired {
		to.Audit.Expired = from.Audit.Expired
	}
}

// outcome of an edit.
type tamperOutcome string

const (
	tamperDetected tamperOutcome = "detected" // Get and List say ErrSealed or ErrUnknownKey
	tamperSame     tamperOutcome = "same"     // reads as before, but for what may differ, and every secret opens as before or not at all
)

// judge puts a record in place of the stored one and fails unless the edit is detected, or harmless by the definition of tamperSame.
// It returns which.
func (x *tamperTarget) judge(t testing.TB, what string, r *installation.Record, may tamperHarmless) tamperOutcome {
	t.Helper()
	x.h.store.forge(x.key, r)
	defer x.h.store.forge(x.key, nil)
	var got *installation.Installation
	err := attackCall(t, what, func() (err error) {
		got, err = x.h.host().Get(context.Background(), x.key.ID)
		return err
	})
	listed := x.list(t, what)
	switch {
	case errors.Is(err, installation.ErrSealed), errors.Is(err, installation.ErrUnknownKey):
		if r.Key == x.key && (listed == nil || errors.Is(listed.Err, installation.ErrSealed) != errors.Is(err, installation.ErrSealed)) {
			t.Errorf("%s: Get says %v, List another thing", what, err)
		}
		if got != nil && (got.Configuration != nil || got.Connection != nil || !got.Extra.IsZero() || got.Err == nil) {
			t.Errorf("%s: a closed record shows content", what)
		}
		return tamperDetected
	case err != nil:
		t.Errorf("%s: got error %v, want ErrSealed, ErrUnknownKey or none", what, err)
		return ""
	}
	for how, read := range map[string]*installation.Installation{"Get": got, "List": listed} {
		if read == nil {
			t.Errorf("%s: %s has no row", what, how)
			continue
		}
		want := *x.inst
		may.apply(read, &want)
		if d := attackEqual(&want, read); d != "" {
			t.Errorf("%s: not detected, and %s differs (-original +edited):\n%.600s", what, how, d)
		}
	}
	for _, s := range x.reveal(t) {
		if s.Err != nil && !errors.Is(s.Err, installation.ErrSealed) || s.Err == nil && s.Value.RevealString() != x.plain[s.Ref] {
			t.Errorf("%s: %v reveals something else, error %v", what, s.Ref, s.Err)
		}
	}
	return tamperSame
}

func (x *tamperTarget) list(t testing.TB, what string) (found *installation.Installation) {
	t.Helper()
	err := attackCall(t, what, func() error {
		list, err := x.h.host().List(context.Background(), installation.ListRequest{})
		if err != nil {
			return err
		}
		for _, i := range list.Installations {
			if i.ID == x.key.ID {
				found = i
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: List: %v", what, err)
	}
	return found
}

// detected is judge for an edit that has to be noticed.
func (x *tamperTarget) detected(t testing.TB, what string, edit func(r *installation.Record)) {
	t.Helper()
	r := attackCopy(x.record)
	edit(r)
	x.h.store.forge(x.key, r)
	_, err := x.h.host().Get(t.Context(), x.key.ID)
	if err == nil {
		x.h.store.forge(x.key, nil)
		t.Errorf("%s: not detected", what)
		return
	}
	x.judge(t, what, r, tamperHarmless{})
}

// edited returns an edit of the decoded body.
func (x *tamperTarget) edited(t testing.TB, edit func(body map[any]any)) func(r *installation.Record) {
	return func(r *installation.Record) {
		body := tamperBody(t, r.Body)
		edit(body)
		r.Body = tamperEncode(t, body)
	}
}

// A value that is moved to another field, record, kind or tenant does not open.
func TestInvariant8SealingBindsPlace(t *testing.T) {
	ctx := t.Context()
	h := newAttack(t)
	h.install("EXI-1", "ACC-1")
	h.install("EXI-2", "ACC-2")
	other := h.svc.In("tenant-2").As(attackHost)
	if _, err := other.Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: attackParts("ACC-1", "s3cr3t")}); err != nil {
		t.Fatal(err)
	}
	x := newTamperTarget(t, h, "EXI-1")
	y := newTamperTarget(t, h, "EXI-2")
	foreign := h.store.stored(installation.Key{Tenant: "tenant-2", ID: "EXI-1"})
	config := installation.Ref{Kind: installation.RefConfig, Pointer: "/adobe_secret"}
	nested := installation.Ref{Kind: installation.RefConfig, Pointer: "/nested/clientSecret"}
	token := installation.Ref{Kind: installation.RefCredential, Pointer: installation.PointerAccessToken}

	t.Run("in the record", func(t *testing.T) {
		take := func(from installation.Body, a installation.Ref, to installation.Ref) func(r *installation.Record) {
			sealed := tamperValue(t, tamperBody(t, from), a)[2]
			return x.edited(t, func(body map[any]any) { tamperValue(t, body, to)[2] = sealed })
		}
		x.detected(t, "other field", take(x.record.Body, nested, config))
		x.detected(t, "other kind", take(x.record.Body, token, config))
		x.detected(t, "other record", take(y.record.Body, config, config))
		x.detected(t, "other tenant", take(foreign.Body, config, config))
		x.detected(t, "two swapped", x.edited(t, func(body map[any]any) {
			a, b := tamperValue(t, body, config), tamperValue(t, body, nested)
			a[2], b[2] = b[2], a[2]
		}))
		x.detected(t, "manifest of another record", x.edited(t, func(body map[any]any) {
			body[bodyManifest] = tamperBody(t, y.record.Body)[bodyManifest]
		}))
		x.detected(t, "key of another record", x.edited(t, func(body map[any]any) {
			body[bodyKey] = tamperBody(t, y.record.Body)[bodyKey]
		}))
		x.detected(t, "value as manifest", x.edited(t, func(body map[any]any) { body[bodyManifest] = tamperValue(t, body, config)[2] }))
		x.detected(t, "manifest as value", x.edited(t, func(body map[any]any) { tamperValue(t, body, config)[2] = body[bodyManifest] }))
		x.detected(t, "body of another id", func(r *installation.Record) { r.Body = y.record.Body })
		x.detected(t, "record of another id", func(r *installation.Record) { *r = *attackCopy(y.record) })
		x.detected(t, "record of another id under this key", func(r *installation.Record) { *r = *attackCopy(y.record); r.Key = x.key })
		x.detected(t, "body of another tenant", func(r *installation.Record) { r.Body = foreign.Body })
		x.detected(t, "record of another tenant", func(r *installation.Record) { *r = *attackCopy(foreign) })
		x.detected(t, "record of another tenant under this key", func(r *installation.Record) { *r = *attackCopy(foreign); r.Key = x.key })
	})

	// The table in the manifest would notice most of the above by itself. So the same once more with the real data key and nothing
	// but the place that differs.
	t.Run("by the cipher alone", func(t *testing.T) {
		for i, id := range []string{"EXI-1", "EXI-2"} {
			key := h.keys.keys[i]
			body := tamperBody(t, h.store.stored(attackKey(id)).Body)
			values := body[bodyValues].([]any)
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
				if _, err := h.keys.keys[1-i].Open(nil, home, v[2].([]byte)); !errors.Is(err, installation.ErrSealed) {
					t.Errorf("%v opens under the key of another record, error %v", home, err)
				}
			}
			wrapped := crypto.Wrapped{KeyID: body[bodyKeyID].(string), Bytes: body[bodyKey].([]byte)}
			for _, b := range []crypto.Binding{{Tenant: "tenant-2", Record: id}, {Record: id}, {Tenant: attackTenant, Record: "EXI-3"}, {Tenant: attackTenant + id}, {}} {
				if _, err := h.keys.Unwrap(ctx, wrapped, b); !errors.Is(err, installation.ErrSealed) {
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
	h := newAttack(t)
	h.install("EXI-1", "ACC-1")
	h.pass(time.Minute)
	one := h.store.stored(attackKey("EXI-1"))
	change := func(p installation.PatchRequest) {
		t.Helper()
		p.ID = "EXI-1"
		if res, err := h.host().Patch(ctx, p); err != nil || !res.Changed {
			t.Fatal(res, err)
		}
		h.pass(time.Minute)
	}
	change(installation.PatchRequest{Parts: installation.Parts{Name: installation.Value("two")}})
	change(installation.PatchRequest{Parts: installation.Parts{Name: installation.Value("three")}})
	secret := installation.Ref{Kind: installation.RefConfig, Pointer: "/adobe_secret"}
	change(installation.PatchRequest{Operations: []installation.Operation{installation.SetSecret(secret.Pointer, crypto.NewSecret("n3w"))}})
	x := newTamperTarget(t, h, "EXI-1")
	history := slices.Clone(h.store.history[x.key])

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
			"deadline set":      func(r *installation.Record) { r.Deadline = attackStart },
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
		r := attackCopy(x.record)
		r.Revision += 5
		x.judge(t, "revision up", r, tamperHarmless{revision: true})
	})

	// A tombstone holds nothing that could be sealed: whoever can write to the store can delete. It reads as deleted, not as something
	// else, and putting the record back is noticed only as far as it was changed.
	t.Run("deleted", func(t *testing.T) {
		r := attackCopy(x.record)
		r.Deleted = true
		h.store.forge(x.key, r)
		defer h.store.forge(x.key, nil)
		if i, err := h.host().Get(ctx, "EXI-1"); i != nil || !errors.Is(err, installation.ErrNotFound) {
			t.Errorf("got %v, %v, want ErrNotFound", i, err)
		}
	})

	t.Run("body", func(t *testing.T) {
		old := tamperBody(t, history[len(history)-2].Body) // before the secret changed
		x.detected(t, "secret rolled back", x.edited(t, func(body map[any]any) { tamperValue(t, body, secret)[2] = tamperValue(t, old, secret)[2] }))
		x.detected(t, "manifest rolled back over another secret", x.edited(t, func(body map[any]any) { body[bodyManifest] = old[bodyManifest] }))
		x.detected(t, "manifest and secret rolled back", x.edited(t, func(body map[any]any) {
			body[bodyManifest] = old[bodyManifest]
			tamperValue(t, body, secret)[2] = tamperValue(t, old, secret)[2]
		}))
		x.detected(t, "body rolled back", func(r *installation.Record) { r.Body = history[len(history)-2].Body })
		x.detected(t, "first body", func(r *installation.Record) { r.Body = one.Body })
		x.detected(t, "manifest dropped", x.edited(t, func(body map[any]any) { delete(body, bodyManifest) }))
		x.detected(t, "manifest, key and values dropped", x.edited(t, func(body map[any]any) {
			for _, part := range []uint64{bodyManifest, bodyKey, bodyKeyID, bodyValues} {
				delete(body, part)
			}
		}))
		x.detected(t, "values reversed", x.edited(t, func(body map[any]any) { slices.Reverse(body[bodyValues].([]any)) }))
		x.detected(t, "values gone", x.edited(t, func(body map[any]any) { delete(body, bodyValues) }))
		x.detected(t, "key id unknown", x.edited(t, func(body map[any]any) { body[bodyKeyID] = "k9" }))
		x.detected(t, "key id malformed", x.edited(t, func(body map[any]any) { body[bodyKeyID] = "../k1\n" }))
		x.detected(t, "status unknown", x.edited(t, func(body map[any]any) { tamperLife(body)[lifeStatus] = "paused" }))
		x.detected(t, "status back to invited", x.edited(t, func(body map[any]any) { tamperLife(body)[lifeStatus] = "invited" }))
		x.detected(t, "status expired", x.edited(t, func(body map[any]any) { tamperLife(body)[lifeStatus] = "expired" }))
		x.detected(t, "status forward, index not", x.edited(t, func(body map[any]any) { tamperLife(body)[lifeStatus] = "uninstalled" }))
		x.detected(t, "purged", x.edited(t, func(body map[any]any) { tamperLife(body)[lifePurged] = true }))
	})

	// Like a deletion, destroying a record is in the hands of whoever can write to the store. It shows as destroyed, and with nothing of
	// the content.
	t.Run("shredded", func(t *testing.T) {
		r := attackCopy(x.record)
		tamperShred(t, r)
		h.store.forge(x.key, r)
		defer h.store.forge(x.key, nil)
		if i, err := h.host().Get(ctx, "EXI-1"); !errors.Is(err, installation.ErrShredded) || i == nil || i.Configuration != nil || i.Name != "" {
			t.Errorf("got %v, %v, want ErrShredded and no content", i, err)
		}
	})

	// What has not happened at this status cannot have an entry.
	t.Run("audit of what never happened", func(t *testing.T) {
		entry := map[any]any{uint64(1): int64(63_900_000_000_000_000), uint64(2): "customer", uint64(3): map[any]any{uint64(1): "USR-EVIL"}}
		x.detected(t, "uninstalled entry", x.edited(t, func(body map[any]any) { tamperLife(body)[lifeUninstalled] = entry }))
		x.detected(t, "expired entry", x.edited(t, func(body map[any]any) { tamperLife(body)[lifeExpired] = entry }))
	})

	t.Run("every element", func(t *testing.T) { x.everyElement(t, tamperHarmless{}) })
	t.Run("every byte", func(t *testing.T) { x.everyByte(t, tamperHarmless{}) })

	// Rolling one part back: the manifests of "two" and "three" have the same secrets beside them.
	t.Run("manifest alone", func(t *testing.T) {
		h.install("EXI-2", "ACC-2")
		for _, name := range []string{"two", "three"} {
			if _, err := h.host().Patch(ctx, installation.PatchRequest{ID: "EXI-2", Parts: installation.Parts{Name: installation.Value(name)}}); err != nil {
				t.Fatal(err)
			}
		}
		y := newTamperTarget(t, h, "EXI-2")
		older := h.store.history[y.key][1]
		y.detected(t, "manifest of an older revision", y.edited(t, func(body map[any]any) {
			body[bodyManifest] = tamperBody(t, older.Body)[bodyManifest]
		}))
		y.detected(t, "body of an older revision", func(r *installation.Record) { r.Body = older.Body })
	})

	// The one exception, which the documentation names: all of an older record at once.
	t.Run("a whole older record", func(t *testing.T) {
		for i, r := range history {
			h.store.forge(x.key, r)
			got, err := h.host().Get(ctx, "EXI-1")
			if err != nil || got.Revision != int64(i+1) {
				t.Errorf("revision %d put back: got %v, %v, want it to be read", i+1, got, err)
			}
		}
		h.store.forge(x.key, nil)
	})
}

// everyElement edits each element of the decoded body in every way that makes sense for its type.
func (x *tamperTarget) everyElement(t *testing.T, may tamperHarmless) {
	count := make(map[tamperOutcome]int)
	try := func(what string, edit func(body map[any]any)) {
		body := tamperBody(t, x.record.Body)
		edit(body)
		r := attackCopy(x.record)
		r.Body = tamperEncode(t, body)
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
	body := tamperBody(t, x.record.Body)
	for _, part := range slices.Sorted(maps.Keys(map[uint64]bool{bodyLife: true, bodyKeyID: true, bodyKey: true, bodyManifest: true, bodyValues: true})) {
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
			r := attackCopy(x.record)
			r.Body = installation.BodyFromBytes(b)
			count[x.judge(t, fmt.Sprintf("byte %d of %d ^ %02x", i, len(raw), mask), r, may)]++
		}
		r := attackCopy(x.record)
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

// The same for what moved on in plain: invited, expired, uninstalled, purged.
func TestInvariant9PlainLife(t *testing.T) {
	ctx := t.Context()
	h := newAttack(t)

	t.Run("a whole move forward", func(t *testing.T) {
		// Whoever can write to the store can do what the host does without a key: end an installation. It shows as that and as
		// nothing else.
		h.install("EXI-1", "ACC-1")
		x := newTamperTarget(t, h, "EXI-1")
		r := attackCopy(x.record)
		r.Revision++
		r.Claims = nil
		r.Index = slices.DeleteFunc(r.Index, func(s string) bool { return strings.HasPrefix(s, "phase=") })
		r.Index = append(r.Index, "phase=uninstalled")
		slices.Sort(r.Index)
		at := attackStart.Add(time.Hour)
		r.Deadline = at
		body := tamperBody(t, r.Body)
		tamperLife(body)[lifeStatus] = "uninstalled"
		tamperLife(body)[lifePurgeAt] = at.UnixMicro() + 62135596800_000_000
		tamperLife(body)[lifeUninstalled] = map[any]any{uint64(1): at.UnixMicro() + 62135596800_000_000, uint64(2): "host"}
		r.Body = tamperEncode(t, body)
		x.detected(t, "moved forward within one revision", func(same *installation.Record) {
			*same = *attackCopy(r)
			same.Revision--
		})
		if got := x.judge(t, "moved forward", r, tamperHarmless{revision: true, status: true, uninstalled: true}); got != tamperSame {
			t.Errorf("got %s: the edit does not do what the host does without a key", got)
		}
	})

	t.Run("uninstalled", func(t *testing.T) {
		h.install("EXI-2", "ACC-2")
		before := h.store.stored(attackKey("EXI-2"))
		if _, err := h.host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-2"}); err != nil {
			t.Fatal(err)
		}
		x := newTamperTarget(t, h, "EXI-2")
		x.detected(t, "status back", func(r *installation.Record) {
			revision := r.Revision
			*r = *attackCopy(before)
			r.Revision = revision
		})
		x.detected(t, "deadline moved", func(r *installation.Record) { r.Deadline = r.Deadline.Add(time.Hour) })
		x.detected(t, "deadline gone", func(r *installation.Record) { r.Deadline = time.Time{} })
		x.detected(t, "purge time moved", x.edited(t, func(body map[any]any) { tamperLife(body)[lifePurgeAt] = uint64(1) }))
		x.detected(t, "generation", x.edited(t, func(body map[any]any) { tamperLife(body)[lifeGeneration] = uint64(2) }))
		x.detected(t, "no entry of when", x.edited(t, func(body map[any]any) { delete(tamperLife(body), lifeUninstalled) }))
		// The entry was written without the key, so nothing can vouch for it.
		x.everyElement(t, tamperHarmless{uninstalled: true})
	})

	t.Run("invited", func(t *testing.T) {
		h.invite("EXI-3")
		x := newTamperTarget(t, h, "EXI-3")
		x.detected(t, "deadline moved", func(r *installation.Record) { r.Deadline = r.Deadline.AddDate(1, 0, 0) })
		x.detected(t, "installed", x.edited(t, func(body map[any]any) { tamperLife(body)[lifeStatus] = "installed" }))
		x.detected(t, "installed, index too", func(r *installation.Record) {
			x.edited(t, func(body map[any]any) { tamperLife(body)[lifeStatus] = "installed" })(r)
			r.Index = slices.DeleteFunc(r.Index, func(s string) bool { return strings.HasPrefix(s, "phase=") })
			r.Index = append(r.Index, "phase=installed")
			slices.Sort(r.Index)
			r.Deadline = time.Time{}
		})
		x.everyElement(t, tamperHarmless{})
	})

	t.Run("expired", func(t *testing.T) {
		h.invite("EXI-4")
		before := h.store.stored(attackKey("EXI-4"))
		if _, err := h.host().Expire(ctx, installation.ExpireRequest{ID: "EXI-4"}); err != nil {
			t.Fatal(err)
		}
		x := newTamperTarget(t, h, "EXI-4")
		x.detected(t, "status back: the invitation lives again", func(r *installation.Record) {
			revision := r.Revision
			*r = *attackCopy(before)
			r.Revision = revision
		})
		x.everyElement(t, tamperHarmless{expired: true})
	})

	t.Run("purged", func(t *testing.T) {
		h.install("EXI-5", "ACC-5")
		before := h.store.stored(attackKey("EXI-5"))
		if _, err := h.host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-5", Final: true}); err != nil {
			t.Fatal(err)
		}
		x := newTamperTarget(t, h, "EXI-5")
		x.detected(t, "not purged", x.edited(t, func(body map[any]any) { delete(tamperLife(body), lifePurged) }))
		x.detected(t, "old body", func(r *installation.Record) { r.Body = before.Body })
		x.everyElement(t, tamperHarmless{uninstalled: true})
	})
}

// tamperShred leaves of a record what is left of one that was purged without a key.
func tamperShred(t testing.TB, r *installation.Record) {
	body := tamperBody(t, r.Body)
	for _, part := range []uint64{bodyManifest, bodyKey, bodyKeyID, bodyValues} {
		delete(body, part)
	}
	life := tamperLife(body)
	life[lifeStatus], life[lifePurged] = "uninstalled", true
	life[lifeUninstalled] = map[any]any{uint64(1): uint64(63_900_000_000_000_000), uint64(2): "host"}
	r.Body = tamperEncode(t, body)
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
	h := newAttack(t)
	h.install("EXI-1", "ACC-1")
	r := h.store.stored(attackKey("EXI-1"))
	tamperShred(t, r)
	for i, term := range r.Index {
		if strings.HasPrefix(term, "own=") {
			r.Index[i] = "own=VEN-EVIL"
		}
	}
	h.store.forge(r.Key, r)

	// The host installs again and, as documented, leaves out the extension: it outlives a re-install.
	parts := attackParts("ACC-1", "fresh secret")
	parts.Extension = installation.Optional[installation.Extension]{}
	_, err := h.host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: parts})
	if err != nil {
		return // to be told to name the extension is fine
	}
	evil := h.as(installation.Actor{Kind: installation.Vendor, ID: "VEN-EVIL"})
	if got, err := evil.Reveal(ctx, installation.RevealRequest{ID: "EXI-1", Reason: "theft", Refs: []installation.Ref{{Kind: installation.RefConfig, Pointer: "/adobe_secret"}}}); err == nil {
		t.Errorf("an index entry that nothing vouches for made VEN-EVIL the owner of new secrets: it reveals %v", got)
	}
}

// There is no path back to plain text.
func TestInvariant7NoPathBackToPlain(t *testing.T) {
	ctx := t.Context()
	t.Run("no service without keys and store", func(t *testing.T) {
		ring := attackRing(t, "k1", attackKEK)
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
			err := attackCall(t, name, func() error {
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
		h := newAttack(t)
		h.install("EXI-1", "ACC-1")
		x := newTamperTarget(t, h, "EXI-1")
		secret := installation.Ref{Kind: installation.RefConfig, Pointer: "/adobe_secret"}
		for _, plain := range []string{
			`"plain"`, "plain", "", "***", "null", strings.Repeat(" ", 110), strings.Repeat("a", 110),
			crypto.EncodeText(tamperValue(t, tamperBody(t, x.record.Body), secret)[2].([]byte)),
		} {
			x.detected(t, "value", x.edited(t, func(body map[any]any) { tamperValue(t, body, secret)[2] = []byte(plain) }))
			x.detected(t, "manifest", x.edited(t, func(body map[any]any) { body[bodyManifest] = []byte(plain) }))
			x.detected(t, "key", x.edited(t, func(body map[any]any) { body[bodyKey] = []byte(plain) }))
		}
		manifest := map[any]any{uint64(1): "EXI-1", uint64(2): uint64(1), uint64(3): uint64(1), uint64(4): "installed", uint64(9): map[any]any{}}
		b, err := cbor.Marshal(manifest)
		if err != nil {
			t.Fatal(err)
		}
		x.detected(t, "a manifest that was never sealed", x.edited(t, func(body map[any]any) { body[bodyManifest] = b }))
		x.detected(t, "a JSON body", func(r *installation.Record) { r.Body = installation.BodyFromBytes([]byte(`{"id":"EXI-1"}`)) })
	})

	t.Run("a user's isv1 string is a string", func(t *testing.T) {
		h := newAttack(t)
		h.install("EXI-1", "ACC-1")
		stolen := crypto.EncodeText(tamperValue(t, tamperBody(t, h.store.stored(attackKey("EXI-1")).Body), installation.Ref{Kind: installation.RefConfig, Pointer: "/adobe_secret"})[2].([]byte))
		parts := attackParts("ACC-2", stolen)
		parts.Configuration = installation.Value(installation.Configuration{Document: installation.JSON(`{"note":"` + stolen + `","adobe_secret":"` + stolen + `"}`)})
		res, err := h.host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-2", Parts: parts})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := res.Configuration.Document.String(), `{"note":"`+stolen+`","adobe_secret":"***"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		revealed, err := h.host().Reveal(ctx, installation.RevealRequest{ID: "EXI-2", Reason: "test", Refs: res.Sealed})
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
