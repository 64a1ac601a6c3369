package installation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// inputCase is bad input, and where the answer has to point.
type inputCase struct {
	name string
	call func(ctx context.Context, s *installation.Service) error // as the host, on an installed EXI-1 and an invited EXI-2
	path string
	rule validate.Rule
}

func inputUpsert(change func(r *installation.UpsertRequest)) func(context.Context, *installation.Service) error {
	return func(ctx context.Context, s *installation.Service) error {
		r := installation.UpsertRequest{ID: "EXI-1"}
		change(&r)
		_, err := s.Upsert(ctx, r)
		return err
	}
}

func inputOps(ops ...installation.Operation) func(context.Context, *installation.Service) error {
	return func(ctx context.Context, s *installation.Service) error {
		_, err := s.Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: ops})
		return err
	}
}

func inputReveal(r installation.RevealRequest) func(context.Context, *installation.Service) error {
	return func(ctx context.Context, s *installation.Service) error {
		_, err := s.Reveal(ctx, r)
		return err
	}
}

func inputList(r installation.ListRequest) func(context.Context, *installation.Service) error {
	return func(ctx context.Context, s *installation.Service) error {
		_, list := s.List(ctx, r)
		_, count := s.Count(ctx, r)
		var all error
		for _, all = range s.All(ctx, r) {
			break
		}
		if fmt.Sprint(list) != fmt.Sprint(all) || list == nil {
			return fmt.Errorf("List says %v, All %v", list, all)
		}
		if r.Skip == 0 && r.Limit == 0 && count == nil {
			return errors.New("Count takes it")
		}
		return list
	}
}

func inputConfig(document string) func(context.Context, *installation.Service) error {
	return inputUpsert(func(r *installation.UpsertRequest) {
		r.Configuration = installation.Value(installation.Configuration{Document: installation.JSON(document)})
	})
}

func inputMany[T any](n int, one func(i int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = one(i)
	}
	return out
}

func inputCases() []inputCase {
	long := strings.Repeat("a", 300)
	var cases []inputCase
	add := func(name, path string, rule validate.Rule, call func(context.Context, *installation.Service) error) {
		cases = append(cases, inputCase{name, call, path, rule})
	}
	// Identifiers, in every place that has one.
	for _, bad := range []struct {
		name, text string
		rule       validate.Rule
	}{
		{"invalid UTF-8", "EXI-\xff", validate.RuleUTF8},
		{"NUL", "EXI-\x00", validate.RuleControl},
		{"newline", "EXI-1\n", validate.RuleControl},
		{"DEL", "EXI-1\x7f", validate.RuleControl},
		{"over-long", strings.Repeat("i", 257), validate.RuleTooLong},
	} {
		for _, m := range attackMethods(bad.text) {
			add(m.name+" of an id with "+bad.name, "id", bad.rule, m.call)
		}
		for _, m := range append(attackMethods("EXI-1"), attackWide()...) {
			if m.name == "Sweep" {
				continue // across tenants
			}
			add(m.name+" in a tenant with "+bad.name, "tenant", bad.rule, func(ctx context.Context, s *installation.Service) error {
				return m.call(ctx, s.In(bad.text))
			})
			add(m.name+" by an actor with "+bad.name, "actor.id", bad.rule, func(ctx context.Context, s *installation.Service) error {
				return m.call(ctx, s.As(installation.Actor{Kind: installation.Host, ID: bad.text}))
			})
		}
		add("user with "+bad.name, "actor.user.id", bad.rule, func(ctx context.Context, s *installation.Service) error {
			_, err := s.As(installation.Actor{Kind: installation.Host, User: installation.Reference{ID: bad.text}}).Delete(ctx, installation.DeleteRequest{ID: "EXI-1"})
			return err
		})
		add("extension with "+bad.name, "extension.id", bad.rule, inputUpsert(func(r *installation.UpsertRequest) {
			r.Extension = installation.Value(installation.Extension{ID: bad.text})
		}))
		add("owner with "+bad.name, "extension.owner", bad.rule, inputUpsert(func(r *installation.UpsertRequest) {
			r.Extension = installation.Value(installation.Extension{ID: "EXT-1", Owner: bad.text})
		}))
		add("account with "+bad.name, "account.id", bad.rule, inputUpsert(func(r *installation.UpsertRequest) {
			r.Account = installation.Value(installation.Account{ID: bad.text})
		}))
		add("connection with "+bad.name, "connection.id", bad.rule, inputUpsert(func(r *installation.UpsertRequest) {
			r.Connection = installation.Value(installation.Connection{ID: bad.text})
		}))
		add("scope with "+bad.name, "consent.scopes[1]", bad.rule, inputUpsert(func(r *installation.UpsertRequest) {
			r.Consent = installation.Value(installation.Consent{Scopes: []string{"ok", bad.text}})
		}))
		add("accepting account with "+bad.name, "account.id", bad.rule, func(ctx context.Context, s *installation.Service) error {
			_, err := s.Accept(ctx, installation.AcceptRequest{ID: "EXI-2", Account: installation.Account{ID: bad.text}})
			return err
		})
		add("recipient with "+bad.name, "recipient", bad.rule, func(ctx context.Context, s *installation.Service) error {
			_, err := s.Invite(ctx, installation.InviteRequest{Parts: attackParts("ACC-3", "x"), Recipient: bad.text})
			return err
		})
		for path, req := range map[string]installation.ListRequest{
			"extension": {Extension: bad.text}, "account": {Account: bad.text}, "owner": {Owner: bad.text}, "connection": {Connection: bad.text},
		} {
			add("list of "+path+" with "+bad.name, path, bad.rule, inputList(req))
		}
	}
	add("actor kind with invalid UTF-8", "actor.kind", validate.RuleUTF8, func(ctx context.Context, s *installation.Service) error {
		_, err := s.As(installation.Actor{Kind: "host\xff"}).Delete(ctx, installation.DeleteRequest{ID: "EXI-1"})
		return err
	})

	// Numbers and times.
	add("negative revision", "revision", validate.RuleRange, inputUpsert(func(r *installation.UpsertRequest) { r.Revision = -1 }))
	add("negative generation", "generation", validate.RuleRange, inputUpsert(func(r *installation.UpsertRequest) { r.Generation = -1 }))
	add("negative extension revision", "extension.revision", validate.RuleRange, inputUpsert(func(r *installation.UpsertRequest) {
		r.Extension = installation.Value(installation.Extension{ID: "EXT-1", Revision: -1})
	}))
	add("year 10000", "installedBefore", validate.RuleRange, inputUpsert(func(r *installation.UpsertRequest) {
		r.InstalledBefore = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	}))
	add("absent and present", "absent", validate.RuleExclusive, inputUpsert(func(r *installation.UpsertRequest) { r.Absent, r.Present = true, true }))
	add("negative skip", "skip", validate.RuleRange, inputList(installation.ListRequest{Skip: -1}))
	add("skip over the limit", "skip", validate.RuleRange, inputList(installation.ListRequest{Skip: installation.MaxSkip + 1}))
	add("negative limit", "limit", validate.RuleRange, inputList(installation.ListRequest{Limit: -1}))
	add("limit over the limit", "limit", validate.RuleRange, inputList(installation.ListRequest{Limit: installation.MaxPage + 1}))
	add("unknown status filter", "status[1]", validate.RuleUnknown, inputList(installation.ListRequest{Status: []installation.Status{"installed", "paused"}}))
	add("empty status filter", "status[0]", validate.RuleUnknown, inputList(installation.ListRequest{Status: []installation.Status{""}}))
	for _, limit := range []int{-1, installation.MaxPage + 1} {
		add(fmt.Sprintf("%d events", limit), "limit", validate.RuleRange, func(ctx context.Context, s *installation.Service) error {
			_, err := s.Events(ctx, "", limit)
			return err
		})
	}
	add("negative sweep", "limit", validate.RuleRange, func(ctx context.Context, s *installation.Service) error {
		_, err := s.Sweep(ctx, installation.SweepRequest{Limit: -1})
		return err
	})
	for _, p := range []installation.Period{"0d", "-1d", "7", "d", "1h", "1000d", "100y", " 7d", "7d\n", "٧d", "07d", "+7d", "1e1d", installation.Period(long)} {
		add(fmt.Sprintf("validity %.10q", p), "validity", validate.RuleFormat, func(ctx context.Context, s *installation.Service) error {
			_, err := s.Resend(ctx, installation.ResendRequest{ID: "EXI-2", Validity: p})
			return err
		})
	}

	// Texts.
	for path, change := range map[string]func(r *installation.UpsertRequest){
		"name": func(r *installation.UpsertRequest) { r.Name = installation.Value(long) },
		"extension.name": func(r *installation.UpsertRequest) {
			r.Extension = installation.Value(installation.Extension{ID: "EXT-1", Name: long})
		},
		"account.name": func(r *installation.UpsertRequest) {
			r.Account = installation.Value(installation.Account{ID: "ACC-1", Name: long})
		},
		"account.contact.email": func(r *installation.UpsertRequest) {
			r.Account = installation.Value(installation.Account{ID: "ACC-1", Contact: &installation.Contact{Email: long}})
		},
		"connection.provider": func(r *installation.UpsertRequest) {
			r.Connection = installation.Value(installation.Connection{Provider: long})
		},
		"billingPlan.cost": func(r *installation.UpsertRequest) {
			r.BillingPlan = installation.Value(installation.BillingPlan{ID: "p", Type: "prepayment", Cost: long})
		},
		"idempotencyKey": func(r *installation.UpsertRequest) { r.IdempotencyKey = long },
		"notification.message": func(r *installation.UpsertRequest) {
			r.Notification = installation.Value(installation.Notification{Level: "info", Title: "t", Message: strings.Repeat(long, 20)})
		},
	} {
		add("over-long "+path, path, validate.RuleTooLong, inputUpsert(change))
	}
	add("over-long url", "account.url", validate.RuleTooLong, inputUpsert(func(r *installation.UpsertRequest) {
		r.Account = installation.Value(installation.Account{ID: "ACC-1", URL: "https://a.example/" + strings.Repeat("a", 2048)})
	}))
	add("over-long reason", "reason", validate.RuleTooLong, func(ctx context.Context, s *installation.Service) error {
		_, err := s.Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1", Reason: strings.Repeat(long, 20)})
		return err
	})
	add("reason with NUL", "reason", validate.RuleControl, func(ctx context.Context, s *installation.Service) error {
		_, err := s.Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1", Reason: "a\x00b"})
		return err
	})
	add("url with a password", "account.url", validate.RuleFormat, inputUpsert(func(r *installation.UpsertRequest) {
		r.Account = installation.Value(installation.Account{ID: "ACC-1", URL: "https://u:p@a.example/"})
	}))
	add("unknown health", "health", validate.RuleUnknown, inputUpsert(func(r *installation.UpsertRequest) { r.Health = installation.Value(installation.Health("meh")) }))
	add("amount", "billingPlan.initialCharge", validate.RuleFormat, inputUpsert(func(r *installation.UpsertRequest) {
		r.BillingPlan = installation.Value(installation.BillingPlan{ID: "p", Type: "prepayment", InitialCharge: "1e9"})
	}))
	add("extension removed", "extension", validate.RuleRequired, inputUpsert(func(r *installation.UpsertRequest) { r.Extension = installation.Remove[installation.Extension]() }))
	add("account emptied", "account.id", validate.RuleRequired, inputUpsert(func(r *installation.UpsertRequest) { r.Account = installation.Remove[installation.Account]() }))
	add("extension changed", "extension.id", validate.RuleImmutable, inputUpsert(func(r *installation.UpsertRequest) {
		r.Extension = installation.Value(installation.Extension{ID: "EXT-2"})
	}))
	add("too many scopes", "consent.scopes", validate.RuleTooMany, inputUpsert(func(r *installation.UpsertRequest) {
		r.Consent = installation.Value(installation.Consent{Scopes: inputMany(1001, func(i int) string { return fmt.Sprint("s", i) })})
	}))
	add("too many policies", "consent.policies", validate.RuleTooMany, inputUpsert(func(r *installation.UpsertRequest) {
		policies := maps.Collect(func(yield func(string, time.Time) bool) {
			for i := range 1001 {
				if !yield(fmt.Sprint("p", i), attackStart) {
					return
				}
			}
		})
		r.Consent = installation.Value(installation.Consent{Policies: policies})
	}))

	// Documents.
	deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	for _, d := range []struct {
		name, text, at string
		rule           validate.Rule
	}{
		{"invalid UTF-8", "{\"a\":{\"b\":\"\xff\"}}", "", validate.RuleUTF8},
		{"half a surrogate pair", `{"a":{"b":"\ud800"}}`, "/a/b", validate.RuleUTF8},
		{"duplicate keys", `{"a":{"b":1,"b":2}}`, "/a/b", validate.RuleDuplicateKey},
		{"duplicate keys by escapes", `{"a":{"b":1,"\u0062":2}}`, "/a/b", validate.RuleDuplicateKey},
		{"depth 10,000", deep, strings.Repeat("/a", 64), validate.RuleTooDeep},
		{"depth 10,000 of arrays", `{"a":` + strings.Repeat("[", 10_000), "/a" + strings.Repeat("/0", 63), validate.RuleTooDeep},
		{"64 MiB", `{"a":"` + strings.Repeat("a", 64<<20) + `"}`, "", validate.RuleTooLarge},
		{"a byte too large", `{"a":"` + strings.Repeat("a", validate.MaxDocument) + `"}`, "", validate.RuleTooLarge},
		{"no JSON", `{"a":}`, "/a", validate.RuleSyntax},
		{"two texts", `{}{}`, "", validate.RuleSyntax},
		{"a NUL", "{\"a\":\"\x00\"}", "/a", validate.RuleSyntax},
		{"a byte order mark", "\ufeff{}", "", validate.RuleSyntax},
		{"an array", `[1]`, "", validate.RuleFormat},
		{"null", `null`, "", validate.RuleFormat},
		{"long names", `{"` + strings.Repeat("n", 1100) + `":1}`, "", validate.RuleTooLong},
		{"many secrets", `{"token":[` + strings.Repeat(`"t",`, 1000) + `"t"]}`, "", validate.RuleTooMany},
	} {
		add("configuration with "+d.name, "configuration"+d.at, d.rule, inputConfig(d.text))
		add("metadata with "+d.name, "connection.metadata"+d.at, d.rule, inputUpsert(func(r *installation.UpsertRequest) {
			r.Connection = installation.Value(installation.Connection{Metadata: installation.JSON(d.text)})
		}))
		add("extra with "+d.name, "extra"+d.at, d.rule, inputUpsert(func(r *installation.UpsertRequest) { r.Extra = installation.Value(installation.JSON(d.text)) }))
		if d.rule != validate.RuleFormat && d.rule != validate.RuleTooMany {
			at := "configuration/x" + d.at
			if d.name == "long names" {
				continue // still fits below a shorter pointer
			}
			add("operation with "+d.name, at, d.rule, inputOps(installation.Set("/x", installation.JSON(d.text))))
		}
	}
	add("no document", "configuration", validate.RuleRequired, inputUpsert(func(r *installation.UpsertRequest) {
		r.Configuration = installation.Value(installation.Configuration{})
	}))
	add("extra that shadows", "extra/status", validate.RuleExclusive, inputUpsert(func(r *installation.UpsertRequest) {
		r.Extra = installation.Value(installation.JSON(`{"status":"installed"}`))
	}))
	add("mask without a stored value", "configuration/new_secret", validate.RuleMaskWithoutStoredValue, inputConfig(`{"new_secret":"***"}`))
	add("masked api key without a stored one", "connection/api_key", validate.RuleMaskWithoutStoredValue, func(ctx context.Context, s *installation.Service) error {
		_, err := s.Upsert(ctx, installation.UpsertRequest{Parts: installation.Parts{
			Extension: installation.Value(installation.Extension{ID: "EXT-1"}), Account: installation.Value(installation.Account{ID: "ACC-5"}),
			Connection: installation.Value(installation.Connection{APIKey: crypto.Masked()}),
		}})
		return err
	})
	add("empty secret", "configuration/adobe_secret", validate.RuleEmptySecret, inputConfig(`{"adobe_secret":""}`))
	for name, secret := range map[string]struct {
		value crypto.Secret
		rule  validate.Rule
	}{
		"not UTF-8": {crypto.NewSecret("a\xffb"), validate.RuleUTF8},
		"too large": {crypto.NewSecret(strings.Repeat("s", 64<<10+1)), validate.RuleTooLarge},
	} {
		add("access token "+name, "connection/access_token", secret.rule, inputUpsert(func(r *installation.UpsertRequest) {
			r.Connection = installation.Value(installation.Connection{AccessToken: installation.Token{Value: secret.value}})
		}))
	}

	// Operations.
	add("secret that is not UTF-8", "configuration/adobe_secret", validate.RuleUTF8, inputOps(installation.SetSecret("/adobe_secret", crypto.NewSecret("a\xffb"))))
	add("secret of 1 MiB", "configuration/adobe_secret", validate.RuleTooLarge, inputOps(installation.SetSecret("/adobe_secret", crypto.NewSecret(strings.Repeat("s", 1<<20)))))
	add("masked secret", "configuration/adobe_secret", validate.RuleMaskWithoutStoredValue, inputOps(installation.SetSecret("/adobe_secret", crypto.Masked())))
	add("no secret", "configuration/adobe_secret", validate.RuleRequired, inputOps(installation.SetSecret("/adobe_secret", crypto.Secret{})))
	add("pointer without slash", "configuration", validate.RuleFormat, inputOps(installation.Unset("region")))
	add("pointer with a bad escape", "configuration", validate.RuleFormat, inputOps(installation.Unset("/~2")))
	add("pointer that is not UTF-8", "configuration", validate.RuleFormat, inputOps(installation.Unset("/\xff")))
	add("pointer of 2 KiB", "configuration", validate.RuleFormat, inputOps(installation.Unset("/"+strings.Repeat("p", 2048))))
	add("unset what is not there", "configuration/none", validate.RuleNotFound, inputOps(installation.Unset("/none")))
	add("set below what is not there", "configuration/none/a", validate.RuleNotFound, inputOps(installation.Set("/none/a", installation.JSON(`1`))))
	add("zero operation", "configuration", validate.RuleRequired, inputOps(installation.Operation{}))
	add("set without a value", "configuration/a", validate.RuleRequired, inputOps(installation.Set("/a", installation.Document{})))
	add("1001 operations", "configuration", validate.RuleTooMany, inputOps(inputMany(1001, func(i int) installation.Operation {
		return installation.Set("/a", installation.JSON("1"))
	})...))
	add("1001 bad operations", "configuration", validate.RuleTooMany, inputOps(inputMany(1001, func(i int) installation.Operation {
		return installation.Set("/a", installation.JSON("}"))
	})...))

	// Reveal.
	ref := []installation.Ref{{Kind: installation.RefConfig, Pointer: "/adobe_secret"}}
	add("no reason", "reason", validate.RuleRequired, inputReveal(installation.RevealRequest{ID: "EXI-1", Refs: ref}))
	add("no refs", "refs", validate.RuleRequired, inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r"}))
	add("too many refs", "refs", validate.RuleTooMany, inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r", Refs: slices.Repeat(ref, installation.MaxReveal+1)}))
	add("unknown kind", "refs[0].kind", validate.RuleUnknown, inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r", Refs: []installation.Ref{{Kind: "manifest"}}}))
	add("over-long pointer", "refs[0].pointer", validate.RuleTooLong, inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r", Refs: []installation.Ref{{Kind: installation.RefConfig, Pointer: strings.Repeat("/", 1025)}}}))
	add("pointer of a ref that is not UTF-8", "refs[0].pointer", validate.RuleUTF8, inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r", Refs: []installation.Ref{{Kind: installation.RefConfig, Pointer: "/a\xff"}}}))

	// Requests with nothing in them.
	add("zero Upsert", "extension.id", validate.RuleRequired, func(ctx context.Context, s *installation.Service) error {
		_, err := s.Upsert(ctx, installation.UpsertRequest{})
		return err
	})
	add("zero Upsert", "account.id", validate.RuleRequired, func(ctx context.Context, s *installation.Service) error {
		_, err := s.Upsert(ctx, installation.UpsertRequest{})
		return err
	})
	add("zero Invite", "extension.id", validate.RuleRequired, func(ctx context.Context, s *installation.Service) error {
		_, err := s.Invite(ctx, installation.InviteRequest{})
		return err
	})
	add("zero Accept", "account.id", validate.RuleRequired, func(ctx context.Context, s *installation.Service) error {
		_, err := s.Accept(ctx, installation.AcceptRequest{})
		return err
	})
	add("zero Reveal", "reason", validate.RuleRequired, inputReveal(installation.RevealRequest{}))
	for _, m := range attackMethods("") {
		if m.name != "Upsert" && m.name != "Invite" {
			add("empty id to "+m.name, "id", validate.RuleRequired, m.call)
		}
	}
	return cases
}

// Bad input gets a typed, located error and changes nothing.
func TestInvariant18Bounded(t *testing.T) {
	h := newAttack(t)
	h.install("EXI-1", "ACC-1")
	h.invite("EXI-2")
	for _, c := range inputCases() {
		t.Run(c.name, func(t *testing.T) {
			before := h.store.commits()
			err := attackCall(t, c.name, func() error { return c.call(t.Context(), h.host()) })
			attackViolation(t, err, c.path, c.rule)
			if n := h.store.commits() - before; n != 0 {
				t.Errorf("%d changes were handed to the store", n)
			}
			if text := fmt.Sprint(err); len(text) > 1<<20 {
				t.Errorf("the error has %d bytes", len(text))
			}
		})
	}
	if i, err := h.host().Get(t.Context(), "EXI-1"); err != nil || i.Revision != 1 {
		t.Errorf("got %+v, %v, want revision 1 after it all", i, err)
	}
}

// All that is wrong is told at once, but not without end.
func TestInvariant18ErrorsAreBounded(t *testing.T) {
	h := newAttack(t)
	_, err := h.host().Upsert(t.Context(), installation.UpsertRequest{ID: "a\nb", Guard: installation.Guard{Revision: -1}, Parts: installation.Parts{
		Extension: installation.Value(installation.Extension{}),
		Consent:   installation.Value(installation.Consent{Scopes: slices.Repeat([]string{"\n"}, 50_000)}),
	}})
	attackViolation(t, err, "id", validate.RuleControl)
	attackViolation(t, err, "revision", validate.RuleRange)
	attackViolation(t, err, "extension.id", validate.RuleRequired)
	attackViolation(t, err, "consent.scopes", validate.RuleTooMany)
	var e *validate.Error
	if errors.As(err, &e) && (len(e.Violations) != validate.MaxViolations || e.Omitted == 0) {
		t.Errorf("got %d violations and %d more, want %d", len(e.Violations), e.Omitted, validate.MaxViolations)
	}
}

// What is taken can be read back from its bytes: a record that no store could give back is refused when it is written.
func TestInvariant18WhatIsStoredCanBeRead(t *testing.T) {
	ctx := t.Context()
	h := newAttack(t)
	wide := strings.Repeat("\U0001F511", 255)
	icon := "https://" + strings.Repeat("\U0001F511", 2000)
	refs := inputMany(1000, func(i int) installation.Reference {
		return installation.Reference{ID: fmt.Sprint("r", i), Name: wide, Icon: icon}
	})
	parts := attackParts("ACC-1", "s3cr3t")
	parts.Consent = installation.Value(installation.Consent{Modules: refs})
	_, err := h.host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: parts})
	if err != nil {
		var e *validate.Error
		if !errors.As(err, &e) {
			t.Errorf("got error %v, want a *validate.Error", err)
		}
		if h.store.commits() != 0 {
			t.Error("refused, and committed")
		}
		return
	}
	if _, err := h.host().Get(ctx, "EXI-1"); err != nil {
		t.Errorf("a write was taken that cannot be read: %v (%d bytes)", err, len(h.store.stored(attackKey("EXI-1")).Body.Bytes()))
	}
}

// The largest document with the most secrets is not too large for what comes after: it can be stored, read, and sent back.
func TestInvariant18TheLargestFits(t *testing.T) {
	ctx := t.Context()
	h := newAttack(t)
	prefix := strings.Repeat("p", 900)
	largest := installation.JSON(`{"` + prefix + `":{"token":[` + strings.TrimSuffix(strings.Repeat(`"`+strings.Repeat("t", 200)+`",`, 1000), ",") + `]}}`)
	parts := attackParts("ACC-1", "s3cr3t")
	parts.Configuration = installation.Value(installation.Configuration{Document: largest})
	parts.Connection = installation.Value(installation.Connection{
		Metadata: largest, APIKey: crypto.NewSecret(strings.Repeat("k", 64<<10)),
	})
	parts.Extra = installation.Value(largest)
	if _, err := h.host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: parts}); err != nil {
		attackViolation(t, err, "", validate.RuleTooLarge) // all three at once may be refused, by name
		return
	}
	i, err := h.host().Get(ctx, "EXI-1")
	if err != nil || len(i.Sealed) != 3001 {
		t.Fatalf("got %v", err)
	}
	page, err := h.host().Events(ctx, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Events {
		b, _ := e.MarshalBinary()
		var back installation.Event
		if err := back.UnmarshalBinary(b); err != nil {
			t.Errorf("the event %s of %d bytes cannot be read back: %v", e.Type, len(b), err)
		}
	}
	res, err := h.host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{Configuration: installation.Value(*i.Configuration)}})
	if err != nil || res.Changed {
		t.Errorf("sent back: got %v, %v, want no change", res, err)
	}
}

// Every event that was committed can be written and read by a store.
func TestEventsOfOddRequestsCanBeRead(t *testing.T) {
	ctx := t.Context()
	h := newAttack(t)
	h.install("EXI-1", "ACC-1")
	for _, pointer := range []string{"/a\xff", "/\x00", "no slash", "/~9", "/\n"} {
		_, _ = h.host().Reveal(ctx, installation.RevealRequest{ID: "EXI-1", Reason: "r", Refs: []installation.Ref{{Kind: installation.RefConfig, Pointer: pointer}}})
	}
	for _, c := range h.store.changes {
		for _, e := range c.Events {
			b, _ := e.MarshalBinary()
			var back installation.Event
			if err := back.UnmarshalBinary(b); err != nil {
				t.Errorf("an event %s with %q cannot be read back: %v", e.Type, e.Changed, err)
			} else if d := cmp.Diff(e, back); d != "" {
				t.Errorf("event (-written +read):\n%s", d)
			}
		}
	}
}

// Without an actor there is nothing to be had, whatever the policy; with a context that is over neither.
func TestInvariant18NoActorNoContext(t *testing.T) {
	h := newAttack(t, func(o *installation.Options) {
		o.Policy = func(installation.Actor, installation.Action, *installation.Installation) bool { return true }
	})
	h.install("EXI-1", "ACC-1")
	h.invite("EXI-2")
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	before := h.store.commits()
	for _, id := range []string{"EXI-1", "EXI-2", "EXI-none"} {
		for _, m := range append(attackMethods(id), attackWide()...) {
			for name, s := range map[string]*installation.Service{"service": h.svc, "tenant": h.svc.In(attackTenant), "zero actor": h.as(installation.Actor{}), "id only": h.as(installation.Actor{ID: "ACC-1"})} {
				if err := attackCall(t, m.name, func() error { return m.call(t.Context(), s) }); !errors.Is(err, installation.ErrForbidden) {
					t.Errorf("%s %s without an actor (%s): got error %v, want ErrForbidden", m.name, id, name, err)
				}
			}
			for ctx, want := range map[context.Context]error{expired: context.DeadlineExceeded, cancelled: context.Canceled} {
				if err := attackCall(t, m.name, func() error { return m.call(ctx, h.host()) }); !errors.Is(err, want) || errors.Is(err, installation.ErrNotFound) {
					t.Errorf("%s %s: got error %v, want %v", m.name, id, err, want)
				}
			}
		}
	}
	if n := h.store.commits() - before; n != 0 {
		t.Errorf("%d changes were handed to the store", n)
	}
}

// What is recorded of an actor can be read again, whatever it calls itself: a host may have a policy with kinds of its own.
func TestOddActorsAreRefusedOrReadable(t *testing.T) {
	ctx := t.Context()
	h := newAttack(t, func(o *installation.Options) {
		o.Policy = func(installation.Actor, installation.Action, *installation.Installation) bool { return true }
	})
	for i, kind := range []installation.ActorKind{"reseller", "a\xff", "a\x00", "a\n", installation.ActorKind(strings.Repeat("k", 1<<20))} {
		id := fmt.Sprint("EXI-", i)
		h.install(id, fmt.Sprint("ACC-", i))
		odd := h.as(installation.Actor{Kind: kind, ID: "X"})
		if _, err := odd.Patch(ctx, installation.PatchRequest{ID: id, Parts: installation.Parts{Name: installation.Value("x")}}); err != nil {
			var e *validate.Error
			if !errors.As(err, &e) || e.Violations[0].Path != "actor.kind" {
				t.Errorf("a %.10q: got error %v, want a violation at actor.kind, or none", kind, err)
			}
		}
		_, err := odd.Uninstall(ctx, installation.UninstallRequest{ID: id})
		if got, read := h.host().Get(ctx, id); read != nil {
			t.Errorf("uninstalled by a %.10q (error %v): cannot be read any more: %v", kind, err, read)
		} else if len(fmt.Sprint(got.Audit.Uninstalled)) > 10_000 {
			t.Errorf("a kind of %d bytes was recorded", len(kind))
		}
	}
	for _, c := range h.store.changes {
		for _, e := range c.Events {
			b, _ := e.MarshalBinary()
			var back installation.Event
			if err := back.UnmarshalBinary(b); err != nil {
				t.Errorf("an event %s by %.10q cannot be read back: %v", e.Type, e.Actor.Kind, err)
			}
		}
	}
}

// A cursor that nobody gave out is bad input, not a way into another list.
func TestForeignCursors(t *testing.T) {
	ctx := t.Context()
	h := newAttack(t)
	for i := range 5 {
		h.install(fmt.Sprint("EXI-", i), fmt.Sprint("ACC-", i))
	}
	list, err := h.host().List(ctx, installation.ListRequest{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []string{"x", "!", strings.Repeat("A", 100_000), "\x00", "AAAA", list.Next + "A", list.Next[1:], list.Next} {
		customer := h.as(installation.Actor{Kind: installation.Customer, ID: "ACC-1"})
		got, err := customer.List(ctx, installation.ListRequest{After: after})
		if err != nil && !errors.Is(err, installation.ErrInvalid) {
			t.Errorf("cursor %.20q: got error %v, want ErrInvalid", after, err)
		}
		if err == nil {
			for _, i := range got.Installations {
				if i.Account.ID != "ACC-1" {
					t.Errorf("cursor %.20q: got a row of %s", after, i.Account.ID)
				}
			}
		}
	}
}

// A refused guess says nothing: not by its text, not by what it leaves behind.
func TestInvariant12NoOracle(t *testing.T) {
	ctx := t.Context()
	h := newAttack(t)
	h.install("EXI-1", "ACC-1")

	t.Run("test", func(t *testing.T) {
		before := h.store.commits()
		guesses := []string{`"s3cr3t"`, `"wrong"`, `"***"`, `""`, `null`, `{}`, `[]`, `0`}
		for pointer, at := range map[string]string{
			"/adobe_secret": "at", "/nested/clientSecret": "at", "/list/0/password": "at", "/list/0": "above", "/list": "above", "/nested": "above",
			"": "above", "/adobe_secret/x": "below", "/adobe_secret/0/x": "below",
		} {
			above := map[string][]string{
				"/list/0": {`{"name":"a","password":"s3cr3t"}`, `{"name":"a","password":"***"}`},
				"/list":   {`[{"name":"a","password":"s3cr3t"}]`, `[{"name":"a","password":"***"}]`},
				"/nested": {`{"clientSecret":"s3cr3t"}`, `{"clientSecret":"***"}`},
				"":        {`{"region":"eu","adobe_secret":"***","nested":{"clientSecret":"***"},"list":[{"name":"a","password":"***"}]}`},
			}
			var first string
			for _, guess := range append(guesses, above[pointer]...) {
				_, err := h.host().Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{installation.Test(pointer, installation.JSON(guess))}})
				attackViolation(t, err, "configuration"+pointer, validate.RuleSealed)
				if first == "" {
					first = fmt.Sprint(err)
				} else if fmt.Sprint(err) != first {
					t.Errorf("%s %q: guesses get two answers: %q and %q", at, pointer, first, err)
				}
			}
		}
		if h.store.commits() != before {
			t.Error("a refused test was committed")
		}
		// In one patch with other operations it is no different.
		for _, guess := range []string{"s3cr3t", "wrong"} {
			for _, c := range []struct {
				first installation.Operation
				at    string
			}{
				{installation.Set("/region", installation.JSON(`"us"`)), "/adobe_secret"},
				{installation.Unset("/list/0/password"), "/nested/clientSecret"},
				{installation.Set("/adobe_secret", installation.JSON(`"***"`)), "/adobe_secret"},
				{installation.SetSecret("/adobe_secret", crypto.NewSecret("s3cr3t")), "/adobe_secret"},
			} {
				_, err := h.host().Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{
					c.first, installation.Test(c.at, installation.JSON(`"`+guess+`"`)),
				}})
				attackViolation(t, err, "configuration"+c.at, validate.RuleSealed)
			}
		}
	})

	t.Run("equal values are sealed anew", func(t *testing.T) {
		type trace struct {
			changed  bool
			revision int64
			event    string
			size     int
			document string
		}
		leave := func(guess string, write func(guess string) (*installation.Result, error)) trace {
			t.Helper()
			before := h.store.stored(attackKey("EXI-1"))
			res, err := write(guess)
			if err != nil {
				t.Fatal(err)
			}
			after := h.store.stored(attackKey("EXI-1"))
			c := h.store.changes[len(h.store.changes)-1]
			body, old := tamperBody(t, after.Body), tamperBody(t, before.Body)
			for i, v := range body[bodyValues].([]any) {
				was := old[bodyValues].([]any)[i].([]any)
				if v := v.([]any); v[1] == "/adobe_secret" || v[1] == "/access_token" {
					if fmt.Sprint(v) == fmt.Sprint(was) && slices.Contains(c.Events[0].Changed, v[0].(string)+v[1].(string)) {
						t.Errorf("%v: said to be changed, and kept byte for byte", v[:2])
					}
				}
			}
			// What the first write to a place leaves behind may differ from that of later ones, so the revision is counted from before.
			return trace{res.Changed, after.Revision - before.Revision, fmt.Sprint(c.Events[0].Type, c.Events[0].Changed), len(after.Body.Bytes()), res.Configuration.Document.String()}
		}
		for name, write := range map[string]func(guess string) (*installation.Result, error){
			"set": func(guess string) (*installation.Result, error) {
				return h.host().Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{installation.Set("/adobe_secret", installation.JSON(`"`+guess+`"`))}})
			},
			"set secret": func(guess string) (*installation.Result, error) {
				return h.host().Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: []installation.Operation{installation.SetSecret("/adobe_secret", crypto.NewSecret(guess))}})
			},
			"put": func(guess string) (*installation.Result, error) {
				return h.host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{Configuration: installation.Value(installation.Configuration{
					Document: installation.JSON(`{"region":"eu","adobe_secret":"` + guess + `","nested":{"clientSecret":"***"},"list":[{"name":"a","password":"***"}]}`),
				})}})
			},
			"access token": func(guess string) (*installation.Result, error) {
				i, err := h.host().Get(ctx, "EXI-1")
				if err != nil {
					return nil, err
				}
				c := *i.Connection
				c.AccessToken.Value = crypto.NewSecret(guess)
				return h.host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{Connection: installation.Value(c)}})
			},
			"extra": func(guess string) (*installation.Result, error) {
				return h.host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: installation.Parts{Extra: installation.Value(installation.JSON(`{"webhookSecret":"` + guess + `","beta":true}`))}})
			},
		} {
			_ = leave("s3cr3t", write)
			same := leave("s3cr3t", write)
			other := leave("wr0ng!", write)
			if same != other || !same.changed || same.revision != 1 {
				t.Errorf("%s: the right guess leaves %+v, a wrong one %+v, want the same and a new revision", name, same, other)
			}
			_ = leave("s3cr3t", write)
		}
	})

	t.Run("refusals are one", func(t *testing.T) {
		code := h.invite("EXI-2")
		h.invite("EXI-3")
		if _, err := h.host().Expire(ctx, installation.ExpireRequest{ID: "EXI-3"}); err != nil {
			t.Fatal(err)
		}
		account := installation.Account{ID: "ACC-1"}
		before, first := h.store.commits(), ""
		for name, req := range map[string]installation.AcceptRequest{
			"unknown id":         {ID: "EXI-none", Code: code, Account: account},
			"wrong code":         {ID: "EXI-2", Code: crypto.NewSecret("inv_00000000000000000000000000000000"), Account: account},
			"no code":            {ID: "EXI-2", Account: account},
			"masked code":        {ID: "EXI-2", Code: crypto.Masked(), Account: account},
			"empty code":         {ID: "EXI-2", Code: crypto.NewSecret(""), Account: account},
			"code of another":    {ID: "EXI-3", Code: code, Account: account},
			"installed":          {ID: "EXI-1", Code: code, Account: account},
			"code cut":           {ID: "EXI-2", Code: crypto.NewSecret(code.RevealString()[:35]), Account: account},
			"code and more":      {ID: "EXI-2", Code: crypto.NewSecret(code.RevealString() + "0"), Account: account},
			"a guard that fails": {ID: "EXI-2", Code: crypto.NewSecret("inv_x"), Account: account, Guard: installation.Guard{Revision: 77, Generation: 5}},
			"a guard of absence": {ID: "EXI-2", Code: crypto.NewSecret("inv_x"), Account: account, Guard: installation.Guard{Absent: true}},
			"another account":    {ID: "EXI-2", Code: crypto.NewSecret("inv_x"), Account: installation.Account{ID: "ACC-2"}},
			"idempotency key":    {ID: "EXI-2", Code: crypto.NewSecret("inv_x"), Account: account, Guard: installation.Guard{IdempotencyKey: "k"}},
		} {
			_, err := h.as(attackCustomer).Accept(ctx, req)
			text := strings.ReplaceAll(fmt.Sprint(err), req.ID, "ID")
			if first == "" {
				first = text
			}
			if !errors.Is(err, installation.ErrInvitation) || text != first {
				t.Errorf("%s: got error %q, want ErrInvitation and nothing more, as in %q", name, text, first)
			}
		}
		if h.store.commits() != before {
			t.Error("a refused code was committed")
		}
		// A row that does not exist and one of somebody else are the same.
		for _, m := range attackMethods("EXI-1") {
			other := slices.IndexFunc(attackMethods("EXI-none"), func(o attackMethod) bool { return o.name == m.name })
			if m.name == "Upsert" || m.name == "Invite" || m.name == "Accept" {
				continue
			}
			a := m.call(ctx, h.as(attackStranger))
			b := attackMethods("EXI-none")[other].call(ctx, h.as(attackStranger))
			if strings.ReplaceAll(fmt.Sprint(a), "EXI-1", "") != strings.ReplaceAll(fmt.Sprint(b), "EXI-none", "") {
				t.Errorf("%s: a stranger gets %v for what is there, %v for what is not", m.name, a, b)
			}
		}
	})
}

// An idempotency key does not give a former owner what the row has become since.
func TestReplayAsksThePolicy(t *testing.T) {
	ctx := t.Context()
	h := newAttack(t)
	parts := attackParts("ACC-1", "s3cr3t")
	parts.Configuration = installation.Optional[installation.Configuration]{}
	first := installation.UpsertRequest{ID: "EXI-1", Parts: parts, Guard: installation.Guard{IdempotencyKey: "mine"}}
	if _, err := h.as(attackCustomer).Upsert(ctx, first); err != nil {
		t.Fatal(err)
	}
	if _, err := h.host().Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1", Final: true}); err != nil {
		t.Fatal(err)
	}
	next := attackParts("ACC-2", "s3cr3t")
	next.Account = installation.Value(installation.Account{ID: "ACC-2", Name: "Someone Else", Contact: &installation.Contact{Email: "else@example.com"}})
	if _, err := h.host().Upsert(ctx, installation.UpsertRequest{ID: "EXI-1", Parts: next}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.as(attackCustomer).Get(ctx, "EXI-1"); !errors.Is(err, installation.ErrNotFound) {
		t.Fatalf("got error %v, want ErrNotFound", err)
	}
	for name, call := range map[string]func() (*installation.Result, error){
		"the same request": func() (*installation.Result, error) { return h.as(attackCustomer).Upsert(ctx, first) },
		"another request": func() (*installation.Result, error) {
			return h.as(attackCustomer).Uninstall(ctx, installation.UninstallRequest{ID: "EXI-1", Guard: installation.Guard{IdempotencyKey: "mine"}})
		},
	} {
		res, err := call()
		if err == nil && (res.Account.ID == "ACC-2" || res.Connection != nil || res.Name != "") {
			t.Errorf("%s: the row of ACC-2 was shown to ACC-1: %+v", name, res.Account)
		}
	}
}
