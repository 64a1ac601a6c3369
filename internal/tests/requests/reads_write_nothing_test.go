package requests

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// Reads never write. A caller that changes a request or an answer changes nothing stored.
func TestInvariant16ReadsNeverWrite(t *testing.T) {
	w := fixture.NewWorld(t)
	parts := fixture.Parts()
	account, _ := parts.Account.Get()
	account.Contact = &installation.Contact{Name: "Iris"}
	parts.Account = installation.Value(account)
	installInEachStatus(t, w, parts)

	commits := len(w.Store.Changes())
	consent, _ := parts.Consent.Get()
	for _, id := range []string{"live", "ended", "expired", "expiring"} {
		before := w.Get(t, id)
		spoil(reflect.ValueOf(w.Get(t, id)))
		account.Contact.Name, consent.Scopes[0] = "spoilt", "spoilt"
		consent.Policies["terms"] = time.Time{}
		if diff := cmp.Diff(before, w.Get(t, id)); diff != "" {
			t.Errorf("%s: a change by the caller changed the stored record:\n%s", id, diff)
		}
	}
	statuses := []installation.Status{
		installation.StatusExpired, installation.StatusInstalled,
	}
	for _, svc := range []*installation.Service{
		w.Host, w.Vendor, w.Extension, w.Customer, w.Platform,
	} {
		for range svc.All(t.Context(), installation.ListRequest{Status: statuses}) {
		}
		if _, err := svc.Count(t.Context(), installation.ListRequest{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.Host.Events(t.Context(), "", 0); err != nil {
		t.Error(err)
	}
	if n := len(w.Store.Changes()); n != commits {
		t.Errorf("the reads made %d commits", n-commits)
	}
}

// installInEachStatus makes "live" with these parts, "ended", "expired" and "expiring". The
// last is an invitation whose deadline has passed.
func installInEachStatus(t *testing.T, w *fixture.World, parts installation.Parts) {
	t.Helper()
	ctx := t.Context()
	other := fixture.Parts()
	other.Account = installation.Value(installation.Account{ID: "ACC-2"})
	for id, p := range map[string]installation.Parts{"live": parts, "ended": other} {
		_, err := w.Host.Upsert(ctx, installation.UpsertRequest{ID: id, Parts: p})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.Host.Uninstall(ctx, installation.UninstallRequest{ID: "ended"})
	if err != nil {
		t.Fatal(err)
	}
	w.Invite(t, "expired")
	_, err = w.Host.Expire(ctx, installation.ExpireRequest{ID: "expired"})
	if err != nil {
		t.Fatal(err)
	}
	w.Invite(t, "expiring")
	w.Advance(30 * 24 * time.Hour)
}

// spoil overwrites everything within v.
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
