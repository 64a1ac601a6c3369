package tampering

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A value that is moved to another field, record, kind or tenant does not open.
func TestInvariant8SealingBindsPlace(t *testing.T) {
	h := fixture.NewAttack(t)
	h.Install("EXI-1", "ACC-1")
	h.Install("EXI-2", "ACC-2")
	other := h.Service.In("tenant-2").As(fixture.HostActor)
	parts := fixture.SecretParts("ACC-1", "s3cr3t")
	req := installation.UpsertRequest{ID: "EXI-1", Parts: parts}
	if _, err := other.Upsert(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	t.Run("values in the record", func(t *testing.T) { movedValuesAreDetected(t, h) })
	t.Run("parts of other records", func(t *testing.T) { foreignPartsAreDetected(t, h) })
	// The table in the manifest alone would detect most of these moves. So the cipher is tested
	// with the real data key, where nothing but the place differs.
	t.Run("by the cipher alone", func(t *testing.T) {
		for i, id := range []string{"EXI-1", "EXI-2"} {
			cipherBindsPlace(t, h, i, id)
		}
	})
}

// foreignRecord returns a record with the id of the target, in another tenant.
func foreignRecord(h *fixture.Attack) *installation.Record {
	return h.Store.Last(installation.Key{Tenant: "tenant-2", ID: "EXI-1"})
}

// movedValuesAreDetected moves sealed values to other places of a record.
func movedValuesAreDetected(t *testing.T, h *fixture.Attack) {
	const (
		config = installation.Ref("config/adobe_secret")
		nested = installation.Ref("config/nested/clientSecret")
		token  = installation.Ref("credential/access_token")
	)
	x := newTamperTarget(t, h, "EXI-1")
	y := newTamperTarget(t, h, "EXI-2")
	take := func(from installation.Body, a, to installation.Ref) func(body *fixture.Body) {
		sealed := fixture.DecodeBody(t, from).ValueAt(t, a).Sealed
		return func(body *fixture.Body) { body.ValueAt(t, to).Sealed = sealed }
	}
	for what, edit := range map[string]func(body *fixture.Body){
		"other field":  take(x.record.Body, nested, config),
		"other kind":   take(x.record.Body, token, config),
		"other record": take(y.record.Body, config, config),
		"other tenant": take(foreignRecord(h).Body, config, config),
		"two swapped": func(body *fixture.Body) {
			a, b := body.ValueAt(t, config), body.ValueAt(t, nested)
			a.Sealed, b.Sealed = b.Sealed, a.Sealed
		},
		"value as manifest": func(body *fixture.Body) {
			body.Manifest = body.ValueAt(t, config).Sealed
		},
		"manifest as value": func(body *fixture.Body) {
			body.ValueAt(t, config).Sealed = body.Manifest
		},
	} {
		x.bodyDetected(t, what, edit)
	}
}

// foreignPartsAreDetected puts parts of other records into a record.
func foreignPartsAreDetected(t *testing.T, h *fixture.Attack) {
	x := newTamperTarget(t, h, "EXI-1")
	y := newTamperTarget(t, h, "EXI-2")
	foreign := foreignRecord(h)
	for what, edit := range map[string]recordEdit{
		"manifest of another record": x.edited(t, func(body *fixture.Body) {
			body.Manifest = fixture.DecodeBody(t, y.record.Body).Manifest
		}),
		"key of another record": x.edited(t, func(body *fixture.Body) {
			body.Key.Bytes = fixture.DecodeBody(t, y.record.Body).Key.Bytes
		}),
		"body of another id": func(r *installation.Record) { r.Body = y.record.Body },
		"record of another id": func(r *installation.Record) {
			*r = *fixture.CopyRecord(y.record)
		},
		"record of another id under this key": func(r *installation.Record) {
			*r = *fixture.CopyRecord(y.record)
			r.Key = x.key
		},
		"body of another tenant": func(r *installation.Record) { r.Body = foreign.Body },
		"record of another tenant": func(r *installation.Record) {
			*r = *fixture.CopyRecord(foreign)
		},
		"record of another tenant under this key": func(r *installation.Record) {
			*r = *fixture.CopyRecord(foreign)
			r.Key = x.key
		},
	} {
		x.detected(t, what, edit)
	}
}

// cipherBindsPlace opens the values of a record at other places and under another key, and its
// wrapped key for other records. i is the index of its data key.
func cipherBindsPlace(t *testing.T, h *fixture.Attack, i int, id string) {
	t.Helper()
	key, other := h.Keys.Copies()[i], h.Keys.Copies()[1-i]
	body := fixture.DecodeBody(t, h.Store.Last(fixture.KeyAt(id)).Body)
	places := []crypto.Place{{Tenant: fixture.Tenant, Record: id, Kind: "manifest"}}
	for _, v := range body.Values {
		places = append(places, placeOf(id, v.Ref))
	}
	for _, v := range body.Values {
		home := placeOf(id, v.Ref)
		if _, err := key.Open(nil, home, v.Sealed); err != nil {
			t.Errorf("%v does not open at its own place: %v", home, err)
		}
		away := slices.DeleteFunc(slices.Clone(places), func(p crypto.Place) bool {
			return p == home
		})
		for _, p := range append(away, similarPlaces(home, id)...) {
			if _, err := key.Open(nil, p, v.Sealed); !errors.Is(err, installation.ErrSealed) {
				t.Errorf("%v opens at %v, error %v", home, p, err)
			}
		}
		if _, err := other.Open(nil, home, v.Sealed); !errors.Is(err, installation.ErrSealed) {
			t.Errorf("%v opens under the key of another record, error %v", home, err)
		}
	}
	for _, b := range []crypto.Binding{
		{Tenant: "tenant-2", Record: id}, {Record: id},
		{Tenant: fixture.Tenant, Record: "EXI-3"}, {Tenant: fixture.Tenant + id}, {},
	} {
		_, err := h.Keys.Unwrap(t.Context(), body.Key, b)
		if !errors.Is(err, installation.ErrSealed) {
			t.Errorf("the key of %s opens for %+v, error %v", id, b, err)
		}
	}
}

// similarPlaces returns places that differ from a place in one field, or that have the same
// text in all fields together.
func similarPlaces(home crypto.Place, id string) []crypto.Place {
	var places []crypto.Place
	add := func(change func(p *crypto.Place)) {
		p := home
		change(&p)
		places = append(places, p)
	}
	add(func(p *crypto.Place) { p.Tenant = "tenant-2" })
	add(func(p *crypto.Place) { p.Tenant = "" })
	add(func(p *crypto.Place) { p.Tenant, p.Record = fixture.Tenant+id, "" })
	add(func(p *crypto.Place) { p.Tenant, p.Record = "tenant-", "1"+id })
	add(func(p *crypto.Place) { p.Record += "x" })
	add(func(p *crypto.Place) {
		p.Kind, p.Pointer = p.Kind+"/", strings.TrimPrefix(p.Pointer, "/")
	})
	add(func(p *crypto.Place) { p.Pointer = strings.ToUpper(p.Pointer) })
	add(func(p *crypto.Place) { p.Record = strings.ToLower(p.Record) })
	add(func(p *crypto.Place) { p.Extra = "x" })
	for _, kind := range []string{
		"config", "credential", "connection", "extra", "manifest",
		"invitation", "answer", "code", "outcome", "",
	} {
		if kind != home.Kind {
			add(func(p *crypto.Place) { p.Kind = kind })
		}
	}
	return places
}

// placeOf returns the place that a stored secret is sealed for.
func placeOf(id, ref string) crypto.Place {
	kind, pointer, _ := strings.Cut(ref, "/")
	return crypto.Place{Tenant: fixture.Tenant, Record: id, Kind: kind, Pointer: "/" + pointer}
}

// If somebody puts a record in the place of another one, an end without the key of the one at that
// place leaves the record itself alone.
func TestEndOfAMovedRecordLeavesItsOrigin(t *testing.T) {
	for _, final := range []bool{false, true} {
		h := fixture.NewAttack(t)
		h.Install("EXI-1", "ACC-1")
		h.Install("EXI-2", "ACC-2")
		h.Store.Forge(fixture.KeyAt("EXI-1"), h.Store.Last(fixture.KeyAt("EXI-2")))
		_, err := h.Host().Uninstall(t.Context(), installation.UninstallRequest{
			ID: "EXI-1", Final: final,
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.Host().Get(t.Context(), "EXI-2")
		if err != nil || got.Status != installation.StatusInstalled {
			t.Errorf("final %t: EXI-2 is %+v, %v", final, got, err)
		}
		got, _ = h.Host().Get(t.Context(), "EXI-1")
		if got == nil || got.Status != installation.StatusUninstalled {
			t.Errorf("final %t: EXI-1 is %+v", final, got)
		}
	}
}
