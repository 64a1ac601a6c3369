package secrets

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A canary secret passed through every operation appears in no error, log, dump, JSON, event, audit entry, panic text or stored byte.
func TestInvariant13NothingLeaks(t *testing.T) {
	ctx := t.Context()
	l := newLeakLog(t)
	for name, secret := range leakCanaries {
		l.finder.add(name, secret)
	}
	l.finder.add("idempotency key", leakIdempotencyKey)
	l.finder.add("key-encryption key", fixture.KEK)
	h := fixture.NewAttack(t)
	host := h.Host()
	key := installation.Guard{IdempotencyKey: leakIdempotencyKey}
	refs := []installation.Ref{
		{Kind: installation.RefConfig, Pointer: "/adobe_secret"}, {Kind: installation.RefConfig, Pointer: "/none"},
		{Kind: installation.RefCredential, Pointer: installation.PointerAccessToken},
	}
	var codes []crypto.Secret

	upsert := func(name string, s *installation.Service, r installation.UpsertRequest) error {
		return l.call(name, r, func() (any, error) { return s.Upsert(ctx, r) })
	}
	patch := func(name string, s *installation.Service, r installation.PatchRequest) error {
		return l.call(name, r, func() (any, error) { return s.Patch(ctx, r) })
	}
	reveal := func(name string, s *installation.Service, r installation.RevealRequest) error {
		return l.call(name, r, func() (any, error) { return s.Reveal(ctx, r) })
	}
	invited := func(name string, r any, f func() (*installation.Result, error)) *installation.Result {
		var res *installation.Result
		_ = l.call(name, r, func() (any, error) {
			var err error
			if res, err = f(); err == nil {
				codes = append(codes, res.Code)
			}
			return res, err
		})
		return res
	}
	wantErr := func(name string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got error %v, want %v", name, err, want)
		}
	}

	// What succeeds.
	create := installation.UpsertRequest{ID: "EXI-1", Guard: key, Parts: leakParts("ACC-1")}
	wantErr("create", upsert("create", host, create), nil)
	wantErr("again", upsert("the same again", host, create), nil)
	other := create
	other.Name = installation.Value("other")
	wantErr("other", upsert("another under one key", host, other), installation.ErrIdempotencyMismatch)
	inst, err := host.Get(ctx, "EXI-1")
	if err != nil {
		t.Fatal(err)
	}
	wantErr("echo", upsert("echo", host, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{
		Configuration: installation.Value(*inst.Configuration), Connection: installation.Value(*inst.Connection), Extra: installation.Value(inst.Extra),
	}}), nil)
	wantErr("set", patch("patch", host, installation.PatchRequest{ID: "EXI-1", Guard: installation.Guard{IdempotencyKey: leakIdempotencyKey + "2"}, Operations: []installation.Operation{
		installation.SetSecret("/plain_name", crypto.NewSecret(leakCanaries["set secret"])),
		installation.Set("/nested/deep/clientSecret", installation.JSON(leakQuote(leakCanaries["nested"]))),
		installation.Test("/region", installation.JSON(`"eu"`)), installation.Unset("/tokens/0"),
	}}), nil)
	wantErr("reveal", reveal("reveal", host, installation.RevealRequest{ID: "EXI-1", Reason: "test", Refs: refs}), nil)
	invited("invite", nil, func() (*installation.Result, error) {
		return host.Invite(ctx, installation.InviteRequest{ID: "EXI-2", Guard: installation.Guard{IdempotencyKey: leakIdempotencyKey + "3"}, Parts: leakParts("")})
	})
	invited("invite again", nil, func() (*installation.Result, error) {
		return host.Invite(ctx, installation.InviteRequest{ID: "EXI-2", Guard: installation.Guard{IdempotencyKey: leakIdempotencyKey + "3"}, Parts: leakParts("")})
	})
	res := invited("resend", installation.ResendRequest{ID: "EXI-2"}, func() (*installation.Result, error) {
		return host.Resend(ctx, installation.ResendRequest{ID: "EXI-2", Guard: key})
	})
	if res == nil {
		res = invited("resend", nil, func() (*installation.Result, error) { return host.Resend(ctx, installation.ResendRequest{ID: "EXI-2"}) })
	}

	// Bad documents and values.
	c := leakCanaries
	for name, document := range map[string]string{
		"no end":        `{"adobe_secret":` + leakQuote(c["config"]),
		"no colon":      `{"a":{` + leakQuote(c["config"]) + `}}`,
		"no comma":      `{"a_secret":"b" ` + leakQuote(c["config"]) + `:1}`,
		"bare":          c["config"],
		"string":        leakQuote(c["config"]),
		"array":         `[` + leakQuote(c["config"]) + `]`,
		"twice":         `{"adobe_secret":` + leakQuote(c["config"]) + `,"adobe_secret":` + leakQuote(c["config"]) + `}`,
		"bad UTF-8":     `{"adobe_secret":"` + c["nested"][:4] + c["url"] + "\xff\"}",
		"deep":          `{"a":` + strings.Repeat(`[`, 70) + leakQuote(c["config"]),
		"large":         `{"adobe_secret":` + leakQuote(c["config"]+strings.Repeat("x", 300<<10)) + `}`,
		"mask":          `{"adobe_secret":` + leakQuote(c["config"]) + `,"new_secret":"***"}`,
		"bad number":    `{"pin":` + c["pin"] + `x}`,
		"bad escape":    `{"adobe_secret":"` + c["url"] + `\x"}`,
		"shadow":        `{"status":` + leakQuote(c["extra"]) + `}`,
		"moved masks":   `{"users":[{"password":` + leakQuote(c["element"]) + `},{"name":"n","password":"***"}]}`,
		"mask in mask":  `{"nested":"***","adobe_secret":` + leakQuote(c["config"]) + `}`,
		"empty secret":  `{"adobe_secret":"","x_secret":` + leakQuote(c["config"]) + `,"token":` + leakQuote(c["config"]) + `}`,
		"long pointers": `{"` + strings.Repeat("n", 2000) + `":` + leakQuote(c["config"]) + `}`,
	} {
		for id, account := range map[string]string{"EXI-1": "ACC-1", "": "ACC-8"} {
			p := leakParts(account)
			p.Extra = installation.Value(installation.JSON(document))
			p.Configuration = installation.Value(installation.Configuration{Document: installation.JSON(`{}`)})
			_ = upsert("extra "+name, host, installation.UpsertRequest{ID: id, Guard: installation.Guard{Revision: 99, IdempotencyKey: leakIdempotencyKey + "4"}, Parts: p})
			if name == "shadow" {
				continue // nothing that a configuration could shadow
			}
			p.Configuration = installation.Value(installation.Configuration{Document: installation.JSON(document)})
			p.Extra = installation.Optional[installation.Document]{}
			err := upsert("configuration "+name, host, installation.UpsertRequest{ID: id, Parts: p})
			if id != "" { // a mask is an ordinary string where nothing is stored and the name says nothing
				wantErr(name, err, installation.ErrInvalid)
			}
		}
		wantErr(name, patch("operation "+name, host, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{
			installation.SetSecret("/none/x", crypto.NewSecret(c["set secret"])), installation.Set("/adobe_secret", installation.JSON(document)),
		}}), installation.ErrInvalid)
		_, err := installation.DocumentOf(func() { _ = document })
		l.see("DocumentOf", err)
		var wrong int
		l.see("Decode", installation.JSON(document).Decode(&wrong))
		l.see("Document", installation.JSON(document))
	}
	for name, op := range map[string]installation.Operation{
		"test at":    installation.Test("/adobe_secret", installation.JSON(leakQuote(c["config"]))),
		"test above": installation.Test("/nested", installation.JSON(`{"deep":{"clientSecret":`+leakQuote(c["nested"])+`}}`)),
		"below":      installation.SetSecret("/adobe_secret/x", crypto.NewSecret(c["set secret"])),
		"format":     installation.SetSecret("x", crypto.NewSecret(c["set secret"])),
		"not found":  installation.SetSecret("/q/w/e", crypto.NewSecret(c["set secret"])),
	} {
		wantErr(name, patch("operation "+name, host, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{op}}), installation.ErrInvalid)
	}
	bad := leakParts("ACC-1")
	bad.Connection = installation.Value(installation.Connection{
		APIKey: crypto.NewSecret(c["api key"] + strings.Repeat("x", 100<<10)), AccessToken: installation.Token{Value: crypto.NewSecret(c["access token"] + "\xff")},
		RefreshToken: installation.Token{Value: crypto.Masked()},
	})
	wantErr("bad", upsert("bad secrets", host, installation.UpsertRequest{ID: "EXI-1", Parts: bad}), installation.ErrInvalid)
	l.finder.add("plain field", "CNRYplain5Gy5hGo4")
	bad.Account = installation.Value(installation.Account{ID: "ACC-1", URL: "https://u:CNRYplain5Gy5hGo4@[bad"})
	bad.Notification = installation.Value(installation.Notification{Level: "CNRYplain5Gy5hGo4", Href: "javascript:CNRYplain5Gy5hGo4"})
	bad.BillingPlan = installation.Value(installation.BillingPlan{ID: "p", Type: "CNRYplain5Gy5hGo4", InitialCharge: "CNRYplain5Gy5hGo4"})
	bad.Health = installation.Value(installation.Health("CNRYplain5Gy5hGo4"))
	wantErr("bad", upsert("bad values", host, installation.UpsertRequest{ID: "EXI-1", Parts: bad}), installation.ErrInvalid)

	// Guards, codes and rights.
	for name, g := range map[string]installation.Guard{
		"absent": {Absent: true}, "present": {Present: true, Revision: 99}, "generation": {Generation: 99}, "before": {InstalledBefore: fixture.Start.AddDate(-1, 0, 0)},
	} {
		g.IdempotencyKey = leakIdempotencyKey + name
		_ = upsert("guard "+name, host, installation.UpsertRequest{ID: "EXI-1", Guard: g, Parts: leakParts("ACC-1")})
	}
	wantErr("exists", upsert("claim", host, installation.UpsertRequest{ID: "EXI-3", Guard: installation.Guard{IdempotencyKey: leakIdempotencyKey + "5"}, Parts: leakParts("ACC-1")}), installation.ErrExists)
	accept := func(name string, r installation.AcceptRequest) error {
		return l.call(name, r, func() (any, error) { return h.As(fixture.CustomerActor).Accept(ctx, r) })
	}
	for name, code := range map[string]crypto.Secret{"wrong": crypto.NewSecret(c["wrong code"]), "old": codes[0]} {
		wantErr(name, accept("accept "+name, installation.AcceptRequest{ID: "EXI-2", Code: code, Account: installation.Account{ID: "ACC-1"}, Guard: installation.Guard{IdempotencyKey: leakIdempotencyKey + "6"}}), installation.ErrInvitation)
	}
	wantErr("accept taken", accept("accept for a taken account", installation.AcceptRequest{ID: "EXI-2", Code: res.Code, Account: installation.Account{ID: "ACC-1"}}), installation.ErrExists)
	for _, a := range []installation.Actor{fixture.HostActor, fixture.PlatformActor, fixture.VendorActor, fixture.ExtensionActor, fixture.CustomerActor, fixture.StrangerActor, {}} {
		s := h.As(a)
		for _, m := range append(fixture.Methods("EXI-1"), fixture.WideMethods()...) {
			if slices.Contains([]string{"Uninstall", "Delete", "Upsert", "Patch"}, m.Name) && a.Kind != installation.Customer {
				continue // later
			}
			if m.Name == "Uninstall" {
				continue
			}
			l.see(m.Name+" by "+string(a.Kind), m.Call(ctx, s))
		}
		_ = l.call("get", nil, func() (any, error) { return s.Get(ctx, "EXI-1") })
		_ = l.call("list", nil, func() (any, error) { return s.List(ctx, installation.ListRequest{}) })
		_ = l.call("events", nil, func() (any, error) { return s.Events(ctx, "", 0) })
		_ = reveal("reveal", s, installation.RevealRequest{ID: "EXI-1", Reason: "test", Refs: refs})
	}

	// A store that fails and tells all it knows.
	for _, method := range []string{"Get", "List", "Commit", "Outcome", "Events", "Count"} {
		h.Store.FailWith(func(m string, arg any) error {
			if m == method {
				return &leakOdd{arg}
			}
			return nil
		})
		_ = upsert("failing "+method, host, installation.UpsertRequest{ID: "EXI-1", Guard: installation.Guard{IdempotencyKey: leakIdempotencyKey + "7" + method, Revision: 77}, Parts: leakParts("ACC-1")})
		_ = upsert("failing "+method, host, installation.UpsertRequest{Guard: installation.Guard{IdempotencyKey: leakIdempotencyKey + "8" + method}, Parts: leakParts("ACC-7" + method)})
		_ = patch("failing "+method, host, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{installation.SetSecret("/plain_name", crypto.NewSecret(c["set secret"]))}})
		_ = reveal("failing "+method, host, installation.RevealRequest{ID: "EXI-1", Reason: "test", Refs: refs})
		_ = accept("failing "+method, installation.AcceptRequest{ID: "EXI-2", Code: res.Code, Account: installation.Account{ID: "ACC-6"}, Guard: installation.Guard{IdempotencyKey: leakIdempotencyKey + "9"}})
		for _, m := range fixture.WideMethods() {
			l.see("failing "+method+" "+m.Name, m.Call(ctx, host))
		}
		h.Store.FailWith(nil)
	}

	// Contexts that are over.
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, m := range append(fixture.Methods("EXI-1"), fixture.WideMethods()...) {
		l.see("cancelled "+m.Name, m.Call(cancelled, host))
	}

	// A key that is not there, a record that is not as it was.
	blind := h.ServiceWith(fixture.RingWith(t, "k2", fixture.OtherKEK)).In(fixture.Tenant).As(fixture.HostActor)
	l.finder.add("other key", fixture.OtherKEK)
	wantErr("unknown key", upsert("unknown key", blind, installation.UpsertRequest{ID: "EXI-1", Parts: leakParts("ACC-1")}), installation.ErrUnknownKey)
	_ = l.call("unknown key get", nil, func() (any, error) { return blind.Get(ctx, "EXI-1") })
	_ = l.call("unknown key list", nil, func() (any, error) { return blind.List(ctx, installation.ListRequest{}) })
	_ = reveal("unknown key", blind, installation.RevealRequest{ID: "EXI-1", Reason: "test", Refs: refs})
	for name, edit := range map[string]func(body *fixture.Body){
		"manifest": func(body *fixture.Body) { body.Manifest[40] ^= 1 },
		"secret":   func(body *fixture.Body) { body.ValueAt(t, refs[0]).Sealed[40] ^= 1 },
		"key":      func(body *fixture.Body) { body.Key.Bytes[100] ^= 1 },
	} {
		r := h.Store.Last(fixture.KeyAt("EXI-1"))
		body := fixture.DecodeBody(t, r.Body)
		edit(body)
		r.Body = fixture.EncodeBody(body)
		h.Store.Forge(r.Key, r)
		_ = upsert("tampered "+name, host, installation.UpsertRequest{ID: "EXI-1", Guard: installation.Guard{Revision: 1, IdempotencyKey: leakIdempotencyKey + "A"}, Parts: leakParts("ACC-1")})
		_ = reveal("tampered "+name, host, installation.RevealRequest{ID: "EXI-1", Reason: "test", Refs: refs})
		_ = l.call("tampered list", nil, func() (any, error) { return host.List(ctx, installation.ListRequest{}) })
		h.Store.Forge(r.Key, nil)
	}

	// A policy and a list of claims that panic, in the middle of it all.
	for name, change := range map[string]func(o *installation.Options){
		"policy": func(o *installation.Options) {
			n := 0
			o.Policy = func(_ installation.Actor, do installation.Action, i *installation.Installation) bool {
				if n++; n > 1 || do != installation.ActionSee {
					panic(fmt.Sprintf("policy: %+v %#v", i, i))
				}
				return true
			}
		},
		"claims": func(o *installation.Options) {
			o.Claims = func(i *installation.Installation) []string { panic(i) }
		},
	} {
		s := h.ServiceWith(h.Keys, change).In(fixture.Tenant).As(fixture.HostActor)
		for _, f := range []func(){
			func() { _, _ = s.Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: leakParts("ACC-1")}) },
			func() { _, _ = s.Upsert(ctx, installation.UpsertRequest{Parts: leakParts("ACC-5")}) },
			func() { _, _ = s.Reveal(ctx, installation.RevealRequest{ID: "EXI-1", Reason: "test", Refs: refs}) },
			func() {
				_, _ = s.Accept(ctx, installation.AcceptRequest{ID: "EXI-2", Code: res.Code, Account: installation.Account{ID: "ACC-6"}})
			},
		} {
			func() {
				defer func() {
					if p := recover(); p != nil {
						l.see("panic in "+name, p)
						l.text("stack of "+name, string(debug.Stack()))
					}
				}()
				f()
			}()
		}
	}

	// To the end of its life.
	wantErr("accept", accept("accept", installation.AcceptRequest{ID: "EXI-2", Code: res.Code, Account: installation.Account{ID: "ACC-2"}, Consent: installation.Value(installation.Consent{})}), installation.ErrForbidden)
	_ = l.call("accept", nil, func() (any, error) {
		return h.As(installation.Actor{Kind: installation.Customer, ID: "ACC-2"}).Accept(ctx, installation.AcceptRequest{ID: "EXI-2", Code: res.Code, Account: installation.Account{ID: "ACC-2"}})
	})
	_ = l.call("uninstall", nil, func() (any, error) { return host.Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1"}) })
	_ = l.call("uninstall final", nil, func() (any, error) {
		return host.Uninstall(ctx, installation.UninstallRequest{ID: "EXI-2", Final: true})
	})
	invited("invite", nil, func() (*installation.Result, error) {
		return host.Invite(ctx, installation.InviteRequest{ID: "EXI-4", Parts: leakParts("")})
	})
	h.Advance(60 * 24 * time.Hour)
	_ = l.call("sweep", nil, func() (any, error) { return host.Sweep(ctx, installation.SweepRequest{}) })
	wantErr("reinstall", upsert("re-install", host, installation.UpsertRequest{ID: "EXI-1", Parts: leakParts("ACC-1")}), nil)
	_ = l.call("delete", nil, func() (any, error) { return host.Delete(ctx, installation.DeleteRequest{ID: "EXI-4"}) })
	_ = l.call("events", nil, func() (any, error) { return host.Events(ctx, "", 0) })

	// What is left: all that a store was ever given, and the service itself with its store and keys.
	for _, k := range append(h.Keys.Copies(), h.Keys.OutcomeKeys()...) {
		raw, err := k.Reveal()
		if err != nil {
			t.Fatal(err)
		}
		l.finder.add("data key", string(raw))
	}
	for i, code := range codes {
		l.finder.add(fmt.Sprintf("invitation code %d", i), strings.TrimPrefix(code.RevealString(), "inv_"))
	}
	if len(codes) < 4 || len(h.Keys.Copies()) < 4 {
		t.Errorf("only %d codes and %d data keys were made: the scenario has lost its way", len(codes), len(h.Keys.Copies()))
	}
	for i, change := range h.Store.Changes() {
		where := fmt.Sprintf("stored change %d", i)
		l.text(where, fmt.Sprintf("%+v", change))
		var d leakDumper
		d.dump(reflect.ValueOf(change), 0)
		l.text(where+" dump", d.out.String())
		if r := change.Record; r != nil {
			l.text(where+" body", string(r.Body.Bytes()))
			l.see(where+" index", r.Index)
		}
		if o := change.Idempotency; o != nil {
			l.text(where+" outcome", string(o.Data))
		}
		for _, e := range change.Events {
			b, _ := e.MarshalBinary()
			l.text(where+" event", string(b))
			l.see(where+" event", e)
		}
	}
	l.see("service", h.Service)
	l.see("store", h.Store.Store)
	l.see("keys", h.Keys)
	l.search()
}
