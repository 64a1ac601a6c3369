package softwareone_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/softwareone"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/examples/hostapp/static"
	"github.com/go-installation/installation/validate"
)

// TestStaticDirectory: what it refuses to be made of, and that a wrong secret is like an
// unknown one.
func TestStaticDirectory(t *testing.T) {
	for name, spoil := range map[string]func(d *static.Data){
		"an account twice": func(d *static.Data) {
			d.Accounts = append(d.Accounts,
				d.Accounts[0])
		},
		"an account without id":   func(d *static.Data) { d.Accounts[0].ID = "" },
		"an account without type": func(d *static.Data) { d.Accounts[0].Type = "" },
		"an extension twice": func(d *static.Data) {
			d.Extensions = append(d.Extensions,
				d.Extensions[0])
		},
		"no owner":  func(d *static.Data) { d.Extensions[0].Owner = "ACC-0" },
		"no status": func(d *static.Data) { d.Extensions[0].Status = "public" },
		"a token twice": func(d *static.Data) {
			d.Tokens = append(d.Tokens,
				d.Tokens[0])
		},
		"a token of nobody": func(d *static.Data) { d.Tokens[0].Account = "ACC-0" },
		"no secret": func(d *static.Data) {
			delete(d.TokenSecrets,
				d.Tokens[0].ID)
		},
		"a short secret":      func(d *static.Data) { d.ExtensionSecrets[stock] = crypto.NewSecret("fifteen bytes..") },
		"a secret of nothing": func(d *static.Data) { d.ExtensionSecrets["EXT-0"] = crypto.NewSecret("sixteen bytes...") },
		"one secret for two":  func(d *static.Data) { d.ExtensionSecrets[ledger] = d.ExtensionSecrets[stock] },
		"a secret like a token": func(d *static.Data) {
			d.ExtensionSecrets[stock] = crypto.NewSecret("idt:TKN-0001-0001:x")
		},
		"a secret like a JWT": func(d *static.Data) {
			d.ExtensionSecrets[stock] = crypto.NewSecret("eyJhbGciOi.eyJpc3.abc")
		},
	} {
		data := directoryData()
		spoil(&data)
		if d, err := static.New(data); err == nil || d != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := static.New(directoryData())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if token, err := d.Token(ctx, "TKN-0002-0001",
		crypto.NewSecret("c4nary-client-secret")); err != nil || token.Account != clientAccount {
		t.Errorf("%+v, %v", token, err)
	}
	for id, secret := range map[string]string{"TKN-0002-0001": "c4nary-client-secreu",
		"TKN-0": "", "": ""} {
		if token, err := d.Token(ctx, id, crypto.NewSecret(secret)); !errors.Is(err,
			softwareone.ErrUnknown) || token != nil {
			t.Errorf("%s: %+v, %v", id, token, err)
		}
	}
	if id, err := d.Secret(ctx, crypto.NewSecret(stockSecret)); err != nil || id != stock {
		t.Errorf("%s, %v", id, err)
	}
	for account, owned := range map[string][]string{vendorAccount: {stock, pilot, draft, gone,
		paged}, otherVendor: {ledger}, clientAccount: nil, "ACC-0": nil} {
		if got, err := d.Owned(ctx, account); !slices.Equal(got, owned) || err != nil {
			t.Errorf("%s owns %q, %v", account, got, err)
		}
	}
	if _, err := d.Secret(ctx, crypto.Secret{}); !errors.Is(err, softwareone.ErrUnknown) {
		t.Error(err)
	}
}

// TestSchema: what is sensitive is up to the schema of the extension, where it has one.
func TestSchema(t *testing.T) {
	marked := func(data *static.Data) {
		data.Extensions[0].Schema = validate.SchemaText([]byte(`{"type":"object","properties":{"warehouse":{"type":"string","x-sensitive":true}}}`))
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

// newDirectory is the directory that most tests are on, after some changes.
func newDirectory(t testing.TB, change ...func(*static.Data)) *static.Directory {
	t.Helper()
	data := directoryData()
	for _, f := range change {
		f(&data)
	}
	d, err := static.New(data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
