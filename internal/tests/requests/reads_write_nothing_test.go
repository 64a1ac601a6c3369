package requests

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Reads never write, and nothing a caller holds aliases what a store holds.
func TestInvariant16ReadsNeverWrite(t *testing.T) {
	w := fixture.NewWorld(t)
	parts := fixture.Parts()
	account, _ := parts.Account.Get()
	account.Contact = &installation.Contact{Name: "Iris"}
	parts.Account = installation.Value(account)
	if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "live", Parts: parts}); err != nil {
		t.Fatal(err)
	}
	other := fixture.Parts()
	other.Account = installation.Value(installation.Account{ID: "ACC-2"})
	if _, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "ended", Parts: other}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Host.Uninstall(t.Context(), installation.UninstallRequest{ID: "ended"}); err != nil {
		t.Fatal(err)
	}
	w.Invite(t, "expired")
	if _, err := w.Host.Expire(t.Context(), installation.ExpireRequest{ID: "expired"}); err != nil {
		t.Fatal(err)
	}
	w.Invite(t, "expiring")
	w.Advance(30 * 24 * time.Hour)

	commits := len(w.Store.Changes())
	consent, _ := parts.Consent.Get()
	for _, id := range []string{"live", "ended", "expired", "expiring"} {
		before := w.Get(t, id)
		spoil(reflect.ValueOf(w.Get(t, id)))
		account.Contact.Name, consent.Scopes[0], consent.Policies["terms"] = "spoilt", "spoilt", time.Time{}
		if diff := cmp.Diff(before, w.Get(t, id)); diff != "" {
			t.Errorf("%s: what a caller holds changed what is stored:\n%s", id, diff)
		}
	}
	for _, svc := range []*installation.Service{w.Host, w.Vendor, w.Extension, w.Customer, w.Platform} {
		for range svc.All(t.Context(), installation.ListRequest{Status: []installation.Status{installation.StatusExpired, installation.StatusInstalled}}) {
		}
		if _, err := svc.Count(t.Context(), installation.ListRequest{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.Host.Events(t.Context(), "", 0); err != nil {
		t.Error(err)
	}
	if n := len(w.Store.Changes()); n != commits {
		t.Errorf("reading made %d commits", n-commits)
	}
}

// spoil overwrites everything that can be reached from v.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			spoil(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				spoil(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.Zero(v.Type().Elem()))
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString("spoilt")
		}
	case reflect.Int64:
		if v.CanSet() {
			v.SetInt(-1)
		}
	}
}
