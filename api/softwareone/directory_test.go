package softwareone_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/examples/hostapp/static"
	"github.com/go-installation/installation/validate"
)

// TestSchema: what is sensitive is up to the schema of the extension, where it has one.
func TestSchema(t *testing.T) {
	marked := func(data *static.Data) {
		data.Extensions[0].Schema = validate.SchemaText([]byte(
			`{"type":"object","properties":{"warehouse":{"type":"string","x-sensitive":true}}}`))
	}
	w := newWorld(t, newMemory(), marked)
	path := "/installations/" + w.install(t, clientToken, stock).ID
	r := w.do(t, "PUT", path, vendorToken,
		`{"configuration":{"warehouse":"EU-2","mode":"fast"}}`).want(t, 200)
	if got := r.row(t).Configuration; got["warehouse"] != "***" || got["mode"] != "fast" {
		t.Errorf("configuration %v", got)
	}
	w.do(t, "PUT", path, vendorToken, `{"configuration":{"warehouse":7}}`).want(t, 400)

	data := directoryData()
	marked(&data)
	d, err := static.New(data)
	if err != nil {
		t.Fatal(err)
	}
	schemas := softwareone.Schemas(d)
	for id, has := range map[string]bool{stock: true, ledger: false, "EXT-0": false} {
		source, err := schemas(t.Context(), "", installation.Extension{ID: id})
		if err != nil || (source.Revision != "") != has {
			t.Errorf("%s: %q, %v", id, source.Revision, err)
		}
	}
	if _, err := softwareone.Schemas(broken{d, errBroken})(t.Context(), "",
		installation.Extension{ID: stock}); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

var errBroken = errors.New("c4nary")

// broken is a directory that cannot look.
type broken struct {
	softwareone.Directory
	err error
}

func (b broken) Extension(context.Context, string) (*softwareone.Extension, error) {
	return nil,
		b.err
}
func (b broken) Owned(context.Context, string) ([]string, error) {
	return nil,
		b.err
}

// TestHostFailures: a directory that cannot look is a failure, and never "not there"; neither
// is a store.
func TestHostFailures(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
	}{{errBroken, 500}, {installation.ErrUnavailable, 503}, {installation.ErrNotFound,
		500}, {installation.ErrInvalid, 500}, {context.DeadlineExceeded, 503}} {
		w := newWorld(t, newMemory())
		inst := w.install(t, clientToken, stock)
		invited, code := w.invite(t, stock)
		directory, err := static.New(directoryData())
		if err != nil {
			t.Fatal(err)
		}
		options := &softwareone.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
		handler, err := softwareone.NewHandler(w.svc, broken{directory, tt.err}, w.issuer,
			options)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(method, path, token, body string) {
			t.Helper()
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, r)
			if rec.Code != tt.status || strings.Contains(rec.Body.String(), "c4nary") {
				t.Errorf("%v: %s %s: status %d, want %d; %s", tt.err, method, path, rec.Code,
					tt.status, rec.Body)
			}
		}
		ask("POST", "/installations", clientToken, installBody)
		ask("POST", "/installations/"+invited.ID+"/redeem", clientToken, redeemBody(code))
		ask("GET", "/installations/"+inst.ID, stockSecret, "")
		ask("GET", "/installations/"+inst.ID, w.mint(t, stockSecret, clientAccount), "")
		for _, path := range []string{"/installations", "/installations?extension.id=" + stock,
			"/installations/" + inst.ID} {
			ask("GET", path, vendorToken, "")
		}
		ask("PUT", "/installations/"+inst.ID, vendorToken, configuredBody)
		ask("DELETE", "/installations/"+inst.ID, vendorToken, "")

		w.store.err.Store(&tt.err)
		for _, e := range []struct{ method, path, body string }{
			{"GET", "", ""}, {"PUT", "", configuredBody}, {"DELETE", "", ""},
			{"POST", "/redeem", redeemBody("x")},
		} {
			if tt.err == errBroken || errors.Is(tt.err, installation.ErrUnavailable) {
				w.do(t, e.method, "/installations/"+inst.ID+e.path, vendorToken, e.body).
					want(t, tt.status)
			}
		}
	}
}

func TestNewHandler(t *testing.T) {
	w := newWorld(t, newMemory())
	directory, err := static.New(directoryData())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := softwareone.NewHandler(nil, directory, w.issuer, nil); err == nil {
		t.Error("without a service")
	}
	if _, err := softwareone.NewHandler(w.svc, nil, w.issuer, nil); err == nil {
		t.Error("without a directory")
	}
	if _, err := softwareone.NewHandler(w.svc, directory, nil, nil); err == nil {
		t.Error("without an issuer")
	}
	h, err := softwareone.NewHandler(w.svc, directory, w.issuer,
		&softwareone.Options{Tenant: "other", MaxBody: 100})
	if err != nil {
		t.Fatal(err)
	}
	for body, status := range map[string]int{installBody: http.StatusCreated,
		strings.Repeat(" ", 101) + installBody: http.StatusRequestEntityTooLarge} {
		r := httptest.NewRequest("POST", "/installations", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+clientToken)
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		if h.ServeHTTP(rec, r); rec.Code != status {
			t.Errorf("status %d, want %d: %s", rec.Code, status, rec.Body)
		}
	}
	if n, err := w.svc.Count(t.Context(), installation.ListRequest{}); n != 0 || err != nil {
		t.Errorf("%d in the default tenant, %v", n, err)
	}
	if n, err := w.svc.In("other").Count(t.Context(), installation.ListRequest{}); n != 1 ||
		err != nil {
		t.Errorf("%d in the tenant, %v", n, err)
	}
}

// TestPolicy: what the platform's rules take away from the library's.
func TestPolicy(t *testing.T) {
	row := &installation.Installation{
		Extension: installation.Extension{ID: stock, Owner: vendorAccount},
		Account:   installation.Account{ID: clientAccount},
	}
	tests := []struct {
		actor installation.Actor
		do    installation.Action
		may   bool
	}{
		{installation.Actor{Kind: installation.Customer, ID: clientAccount},
			installation.ActionSee, true},
		{installation.Actor{Kind: installation.Customer, ID: clientAccount},
			installation.ActionUpsert, true},
		{installation.Actor{Kind: installation.Customer, ID: clientAccount},
			installation.ActionUninstall, false},
		{installation.Actor{Kind: installation.Customer, ID: clientAccount},
			installation.ActionSeeConfiguration, false},
		{installation.Actor{Kind: installation.Customer, ID: otherClient}, installation.ActionSee,
			false},
		{installation.Actor{Kind: installation.ExtensionActor, ID: stock},
			installation.ActionSeeConfiguration, true},
		{installation.Actor{Kind: installation.ExtensionActor, ID: stock},
			installation.ActionConfigure, false},
		{installation.Actor{Kind: installation.ExtensionActor, ID: stock},
			installation.ActionUpsert, false},
		{installation.Actor{Kind: installation.ExtensionActor, ID: stock},
			installation.ActionUninstall, false},
		{installation.Actor{Kind: installation.Platform}, installation.ActionUninstall, true},
		{installation.Actor{Kind: installation.Platform}, installation.ActionSeeConfiguration,
			false},
		{installation.Actor{Kind: installation.Platform}, installation.ActionDelete, false},
		{installation.Actor{Kind: installation.Vendor, ID: vendorAccount},
			installation.ActionConfigure, true},
		{installation.Actor{Kind: installation.Host}, installation.ActionDelete, true},
		{installation.Actor{}, installation.ActionSee, false},
	}
	for _, tt := range tests {
		if got := softwareone.Policy(tt.actor, tt.do, row); got != tt.may {
			t.Errorf("%s may %s: %t", tt.actor.Kind, tt.do, got)
		}
	}
}
