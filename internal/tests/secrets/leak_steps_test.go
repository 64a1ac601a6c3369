package secrets

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
)

// The steps of [TestInvariant13NothingLeaks]. They run in the order of this file.

func (s *leakScenario) writesThatSucceed() {
	create := installation.UpsertRequest{
		ID: "EXI-1", Guard: leakGuard(""), Parts: leakParts("ACC-1"),
	}
	s.wantErr("create", s.upsert("create", s.host, create), nil)
	s.wantErr("again", s.upsert("the same again", s.host, create), nil)
	other := create
	other.Name = installation.Value("other")
	err := s.upsert("another under one key", s.host, other)
	s.wantErr("other", err, installation.ErrIdempotencyMismatch)

	inst, err := s.host.Get(s.ctx, "EXI-1")
	if err != nil {
		s.t.Fatal(err)
	}
	putBack := installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{
		Configuration: installation.Value(*inst.Configuration),
		Connection:    installation.Value(*inst.Connection),
		Extra:         installation.Value(inst.Extra),
	}}
	s.wantErr("put back", s.upsert("put back", s.host, putBack), nil)
	s.wantErr("set", s.patch("patch", leakGuard("2"),
		patch.SetSecret("/plain_name", crypto.NewSecret(leakCanaries["set secret"])),
		patch.Set("/nested/deep/clientSecret",
			installation.JSON(leakQuote(leakCanaries["nested"]))),
		patch.Test("/region", installation.JSON(`"eu"`)),
		patch.Unset("/tokens/0"),
		patch.SetCredential(refreshToken, tokenOf(leakCanaries["refresh token"], time.Time{})),
		patch.SetSecret("/pin", crypto.NewSecret(leakCanaries["set secret"])).InMetadata(),
	), nil)
	s.wantErr("reveal", s.reveal("reveal", s.host), nil)
}

func (s *leakScenario) invitations() {
	invite := func() (*installation.Result, error) {
		return s.host.Invite(s.ctx, installation.InviteRequest{
			ID: "EXI-2", Guard: leakGuard("3"), Parts: leakParts(""),
		})
	}
	s.issue("invite", nil, invite)
	s.issue("invite again", nil, invite)
	resend := installation.ResendRequest{ID: "EXI-2"}
	res := s.issue("resend", resend, func() (*installation.Result, error) {
		return s.host.Resend(s.ctx, installation.ResendRequest{ID: "EXI-2", Guard: leakGuard("")})
	})
	if res == nil {
		res = s.issue("resend", nil, func() (*installation.Result, error) {
			return s.host.Resend(s.ctx, resend)
		})
	}
	s.code = res.Code
}

// leakBadDocuments returns documents with canaries in them that are not valid.
func leakBadDocuments() map[string]string {
	c := leakCanaries
	config := leakQuote(c["config"])
	long := leakQuote(c["config"] + strings.Repeat("x", 300<<10))
	return map[string]string{
		"no end":       `{"adobe_secret":` + config,
		"no colon":     `{"a":{` + config + `}}`,
		"no comma":     `{"a_secret":"b" ` + config + `:1}`,
		"bare":         c["config"],
		"string":       config,
		"array":        `[` + config + `]`,
		"twice":        `{"adobe_secret":` + config + `,"adobe_secret":` + config + `}`,
		"bad UTF-8":    `{"adobe_secret":"` + c["nested"][:4] + c["url"] + "\xff\"}",
		"deep":         `{"a":` + strings.Repeat(`[`, 70) + config,
		"large":        `{"adobe_secret":` + long + `}`,
		"mask":         `{"adobe_secret":` + config + `,"new_secret":"***"}`,
		"bad number":   `{"pin":` + c["pin"] + `x}`,
		"bad escape":   `{"adobe_secret":"` + c["url"] + `\x"}`,
		"shadow":       `{"status":` + leakQuote(c["extra"]) + `}`,
		"mask in mask": `{"nested":"***","adobe_secret":` + config + `}`,
		"moved masks": `{"users":[{"password":` + leakQuote(c["element"]) + `},` +
			`{"name":"n","password":"***"}]}`,
		"empty secret":  `{"adobe_secret":"","x_secret":` + config + `,"token":` + config + `}`,
		"long pointers": `{"` + strings.Repeat("n", 2000) + `":` + config + `}`,
	}
}

func (s *leakScenario) badDocuments() {
	for name, document := range leakBadDocuments() {
		for id, account := range map[string]string{"EXI-1": "ACC-1", "": "ACC-8"} {
			s.badDocument(name, document, id, account)
		}
		s.wantErr(name, s.patch("operation "+name, installation.Guard{},
			patch.SetSecret("/none/x", crypto.NewSecret(leakCanaries["set secret"])),
			patch.Set("/adobe_secret", installation.JSON(document)),
		), installation.ErrInvalid)
		_, err := installation.DocumentOf(func() { _ = document })
		s.log.see("DocumentOf", err)
		var wrong int
		s.log.see("Decode", installation.JSON(document).Decode(&wrong))
		s.log.see("Document", installation.JSON(document))
	}
}

// badDocument writes a document as the unnamed fields and as the configuration.
func (s *leakScenario) badDocument(name, document, id, account string) {
	p := leakParts(account)
	p.Extra = installation.Value(installation.JSON(document))
	p.Configuration = leakConfiguration(`{}`)
	guard := leakGuard("4")
	guard.Revision = 99
	_ = s.upsert("extra "+name, s.host,
		installation.UpsertRequest{ID: id, Guard: guard, Parts: p})
	if name == "shadow" {
		return // a configuration has no fields to shadow
	}
	p.Configuration = leakConfiguration(document)
	p.Extra = installation.Optional[installation.Document]{}
	err := s.upsert("configuration "+name, s.host, installation.UpsertRequest{ID: id, Parts: p})
	// In a new record a mask is an ordinary string, unless its name is sensitive.
	if id != "" {
		s.wantErr(name, err, installation.ErrInvalid)
	}
}

func (s *leakScenario) badOperations() {
	c := leakCanaries
	secret := crypto.NewSecret(c["set secret"])
	nested := `{"deep":{"clientSecret":` + leakQuote(c["nested"]) + `}}`
	for name, op := range map[string]installation.Operation{
		"test at":    patch.Test("/adobe_secret", installation.JSON(leakQuote(c["config"]))),
		"test above": patch.Test("/nested", installation.JSON(nested)),
		"below":      patch.SetSecret("/adobe_secret/x", secret),
		"format":     patch.SetSecret("x", secret),
		"not found":  patch.SetSecret("/q/w/e", secret),
	} {
		err := s.patch("operation "+name, installation.Guard{}, op)
		s.wantErr(name, err, installation.ErrInvalid)
	}
}

func (s *leakScenario) badValues() {
	c := leakCanaries
	bad := leakParts("ACC-1")
	bad.Connection = installation.Value(installation.Connection{
		APIKey:       crypto.NewSecret(c["api key"] + strings.Repeat("x", 100<<10)),
		AccessToken:  installation.Token{Value: crypto.NewSecret(c["access token"] + "\xff")},
		RefreshToken: installation.Token{Value: crypto.Masked()},
	})
	request := installation.UpsertRequest{ID: "EXI-1", Parts: bad}
	s.wantErr("bad", s.upsert("bad secrets", s.host, request), installation.ErrInvalid)

	const plain = "CNRYplain5Gy5hGo4"
	s.log.finder.add("plain field", plain)
	bad.Account = installation.Value(installation.Account{
		ID: "ACC-1", URL: "https://u:" + plain + "@[bad",
	})
	bad.Notification = installation.Value(installation.Notification{
		Level: plain, Href: "javascript:" + plain,
	})
	bad.BillingPlan = installation.Value(billing.Plan{ID: "p", Type: plain, InitialCharge: plain})
	bad.Health = installation.Value(installation.Health(plain))
	request = installation.UpsertRequest{ID: "EXI-1", Parts: bad}
	s.wantErr("bad", s.upsert("bad values", s.host, request), installation.ErrInvalid)
}

func (s *leakScenario) failingGuards() {
	for name, g := range map[string]installation.Guard{
		"absent":     {Absent: true},
		"present":    {Present: true, Revision: 99},
		"generation": {Generation: 99},
		"before":     {InstalledBefore: fixture.Start.AddDate(-1, 0, 0)},
	} {
		g.IdempotencyKey = leakIdempotencyKey + name
		_ = s.upsert("guard "+name, s.host, installation.UpsertRequest{
			ID: "EXI-1", Guard: g, Parts: leakParts("ACC-1"),
		})
	}
	err := s.upsert("claim", s.host, installation.UpsertRequest{
		ID: "EXI-3", Guard: leakGuard("5"), Parts: leakParts("ACC-1"),
	})
	s.wantErr("exists", err, installation.ErrExists)
}

func (s *leakScenario) refusedCodes() {
	account := installation.Account{ID: "ACC-1"}
	for name, code := range map[string]crypto.Secret{
		"wrong": crypto.NewSecret(leakCanaries["wrong code"]),
		"old":   s.codes[0],
	} {
		err := s.accept("accept "+name, installation.AcceptRequest{
			ID: "EXI-2", Code: code, Account: account, Guard: leakGuard("6"),
		})
		s.wantErr(name, err, installation.ErrInvitation)
	}
	err := s.accept("accept for a taken account", installation.AcceptRequest{
		ID: "EXI-2", Code: s.code, Account: account,
	})
	s.wantErr("accept taken", err, installation.ErrExists)
}

// everyActor calls every method as every kind of actor. Methods that would end
// the installation run in later steps.
func (s *leakScenario) everyActor() {
	methods := append(fixture.Methods("EXI-1"), fixture.WideMethods()...)
	for _, a := range []installation.Actor{
		fixture.HostActor, fixture.PlatformActor, fixture.VendorActor, fixture.ExtensionActor,
		fixture.CustomerActor, fixture.StrangerActor, {},
	} {
		svc := s.h.As(a)
		for _, m := range methods {
			writes := slices.Contains([]string{"Delete", "Upsert", "Patch"}, m.Name)
			if m.Name == "Uninstall" || writes && a.Kind != installation.Customer {
				continue
			}
			s.log.see(m.Name+" by "+string(a.Kind), m.Call(s.ctx, svc))
		}
		_ = s.log.call("get", nil, func() (any, error) { return svc.Get(s.ctx, "EXI-1") })
		s.list("list", svc)
		s.events(svc)
		_ = s.reveal("reveal", svc)
	}
}

// failingStore makes one method of the store fail at a time, with an error that
// prints its argument.
func (s *leakScenario) failingStore() {
	for _, method := range []string{"Get", "List", "Commit", "Outcome", "Events", "Count"} {
		s.h.Store.FailWith(func(m string, arg any) error {
			if m == method {
				return &leakOdd{arg}
			}
			return nil
		})
		name := "failing " + method
		guard := leakGuard("7" + method)
		guard.Revision = 77
		_ = s.upsert(name, s.host, installation.UpsertRequest{
			ID: "EXI-1", Guard: guard, Parts: leakParts("ACC-1"),
		})
		_ = s.upsert(name, s.host, installation.UpsertRequest{
			Guard: leakGuard("8" + method), Parts: leakParts("ACC-7" + method),
		})
		_ = s.patch(name, installation.Guard{},
			patch.SetSecret("/plain_name", crypto.NewSecret(leakCanaries["set secret"])))
		_ = s.reveal(name, s.host)
		_ = s.accept(name, installation.AcceptRequest{
			ID: "EXI-2", Code: s.code,
			Account: installation.Account{ID: "ACC-6"}, Guard: leakGuard("9"),
		})
		for _, m := range fixture.WideMethods() {
			s.log.see(name+" "+m.Name, m.Call(s.ctx, s.host))
		}
		s.h.Store.FailWith(nil)
	}
}

func (s *leakScenario) cancelledContext() {
	cancelled, cancel := context.WithCancel(s.ctx)
	cancel()
	for _, m := range append(fixture.Methods("EXI-1"), fixture.WideMethods()...) {
		s.log.see("cancelled "+m.Name, m.Call(cancelled, s.host))
	}
}

// unknownKey reads and writes without the key of the records.
func (s *leakScenario) unknownKey() {
	svc := s.h.ServiceWith(fixture.RingWith(s.t, "k2", fixture.OtherKEK))
	blind := svc.In(fixture.Tenant).As(fixture.HostActor)
	s.log.finder.add("other key", fixture.OtherKEK)
	err := s.upsert("unknown key", blind, installation.UpsertRequest{
		ID: "EXI-1", Parts: leakParts("ACC-1"),
	})
	s.wantErr("unknown key", err, installation.ErrUnknownKey)
	_ = s.log.call("unknown key get", nil, func() (any, error) { return blind.Get(s.ctx, "EXI-1") })
	s.list("unknown key list", blind)
	_ = s.reveal("unknown key", blind)
}

func (s *leakScenario) tamperedRecords() {
	for name, edit := range map[string]func(body *fixture.Body){
		"manifest": func(body *fixture.Body) { body.Manifest[40] ^= 1 },
		"secret":   func(body *fixture.Body) { body.ValueAt(s.t, s.refs[0]).Sealed[40] ^= 1 },
		"key":      func(body *fixture.Body) { body.Key.Bytes[100] ^= 1 },
	} {
		r := s.h.Store.Last(fixture.KeyAt("EXI-1"))
		body := fixture.DecodeBody(s.t, r.Body)
		edit(body)
		r.Body = fixture.EncodeBody(body)
		s.h.Store.Forge(r.Key, r)
		guard := leakGuard("A")
		guard.Revision = 1
		_ = s.upsert("tampered "+name, s.host, installation.UpsertRequest{
			ID: "EXI-1", Guard: guard, Parts: leakParts("ACC-1"),
		})
		_ = s.reveal("tampered "+name, s.host)
		s.list("tampered list", s.host)
		s.h.Store.Forge(r.Key, nil)
	}
}

// panickingOptions lets the host's own functions panic with an installation.
func (s *leakScenario) panickingOptions() {
	for name, change := range map[string]func(o *installation.Options){
		"policy": func(o *installation.Options) {
			n := 0
			o.Policy = func(
				_ installation.Actor, do installation.Action, i *installation.Installation,
			) bool {
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
		svc := s.h.ServiceWith(s.h.Keys, change).In(fixture.Tenant).As(fixture.HostActor)
		for _, f := range s.callsThatPanic(svc) {
			func() {
				defer func() {
					if p := recover(); p != nil {
						s.log.see("panic in "+name, p)
						s.log.text("stack of "+name, string(debug.Stack()))
					}
				}()
				f()
			}()
		}
	}
}

func (s *leakScenario) callsThatPanic(svc *installation.Service) []func() {
	return []func(){
		func() {
			_, _ = svc.Upsert(s.ctx, installation.UpsertRequest{
				ID: "EXI-1", Parts: leakParts("ACC-1"),
			})
		},
		func() { _, _ = svc.Upsert(s.ctx, installation.UpsertRequest{Parts: leakParts("ACC-5")}) },
		func() {
			_, _ = svc.Reveal(s.ctx, installation.RevealRequest{
				ID: "EXI-1", Reason: "test", Refs: s.refs,
			})
		},
		func() {
			_, _ = svc.Accept(s.ctx, installation.AcceptRequest{
				ID: "EXI-2", Code: s.code, Account: installation.Account{ID: "ACC-6"},
			})
		},
	}
}

// endOfLife accepts, uninstalls, expires, installs again and deletes.
func (s *leakScenario) endOfLife() {
	call := func(name string, f func() (any, error)) { _ = s.log.call(name, nil, f) }
	account := installation.Account{ID: "ACC-2"}
	accept := installation.AcceptRequest{ID: "EXI-2", Code: s.code, Account: account}
	withConsent := accept
	withConsent.Consent = installation.Value(installation.Consent{})
	s.wantErr("accept", s.accept("accept", withConsent), installation.ErrForbidden)
	customer := s.h.As(installation.Actor{Kind: installation.Customer, ID: "ACC-2"})
	call("accept", func() (any, error) { return customer.Accept(s.ctx, accept) })
	call("uninstall", func() (any, error) {
		return s.host.Uninstall(s.ctx, installation.UninstallRequest{ID: "EXI-1"})
	})
	call("uninstall final", func() (any, error) {
		return s.host.Uninstall(s.ctx, installation.UninstallRequest{ID: "EXI-2", Final: true})
	})
	s.issue("invite", nil, func() (*installation.Result, error) {
		return s.host.Invite(s.ctx, installation.InviteRequest{ID: "EXI-4", Parts: leakParts("")})
	})
	s.h.Advance(60 * 24 * time.Hour)
	call("sweep", func() (any, error) { return s.host.Sweep(s.ctx, installation.SweepRequest{}) })
	err := s.upsert("re-install", s.host, installation.UpsertRequest{
		ID: "EXI-1", Parts: leakParts("ACC-1"),
	})
	s.wantErr("reinstall", err, nil)
	call("delete", func() (any, error) {
		return s.host.Delete(s.ctx, installation.DeleteRequest{ID: "EXI-4"})
	})
	s.events(s.host)
}
