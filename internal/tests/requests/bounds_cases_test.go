package requests

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
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
		for _, m := range fixture.Methods(bad.text) {
			add(m.Name+" of an id with "+bad.name, "id", bad.rule, m.Call)
		}
		for _, m := range append(fixture.Methods("EXI-1"), fixture.WideMethods()...) {
			if m.Name == "Sweep" {
				continue // across tenants
			}
			add(m.Name+" in a tenant with "+bad.name, "tenant", bad.rule, func(ctx context.Context, s *installation.Service) error {
				return m.Call(ctx, s.In(bad.text))
			})
			add(m.Name+" by an actor with "+bad.name, "actor.id", bad.rule, func(ctx context.Context, s *installation.Service) error {
				return m.Call(ctx, s.As(installation.Actor{Kind: installation.Host, ID: bad.text}))
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
			_, err := s.Invite(ctx, installation.InviteRequest{Parts: fixture.SecretParts("ACC-3", "x"), Recipient: bad.text})
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
		_, err := s.Sweep(ctx, -1)
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
			r.BillingPlan = installation.Value(billing.Plan{ID: "p", Type: "prepayment", Cost: long})
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
		r.BillingPlan = installation.Value(billing.Plan{ID: "p", Type: "prepayment", InitialCharge: "1e9"})
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
				if !yield(fmt.Sprint("p", i), fixture.Start) {
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
			add("operation with "+d.name, at, d.rule, inputOps(patch.Set("/x", installation.JSON(d.text))))
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
	add("secret that is not UTF-8", "configuration/adobe_secret", validate.RuleUTF8, inputOps(patch.SetSecret("/adobe_secret", crypto.NewSecret("a\xffb"))))
	add("secret of 1 MiB", "configuration/adobe_secret", validate.RuleTooLarge, inputOps(patch.SetSecret("/adobe_secret", crypto.NewSecret(strings.Repeat("s", 1<<20)))))
	add("masked secret", "configuration/adobe_secret", validate.RuleMaskWithoutStoredValue, inputOps(patch.SetSecret("/adobe_secret", crypto.Masked())))
	add("no secret", "configuration/adobe_secret", validate.RuleRequired, inputOps(patch.SetSecret("/adobe_secret", crypto.Secret{})))
	add("pointer without slash", "configuration", validate.RuleFormat, inputOps(patch.Unset("region")))
	add("pointer with a bad escape", "configuration", validate.RuleFormat, inputOps(patch.Unset("/~2")))
	add("pointer that is not UTF-8", "configuration", validate.RuleFormat, inputOps(patch.Unset("/\xff")))
	add("pointer of 2 KiB", "configuration", validate.RuleFormat, inputOps(patch.Unset("/"+strings.Repeat("p", 2048))))
	add("unset what is not there", "configuration/none", validate.RuleNotFound, inputOps(patch.Unset("/none")))
	add("set below what is not there", "configuration/none/a", validate.RuleNotFound, inputOps(patch.Set("/none/a", installation.JSON(`1`))))
	add("zero operation", "configuration", validate.RuleRequired, inputOps(installation.Operation{}))
	add("set without a value", "configuration/a", validate.RuleRequired, inputOps(patch.Set("/a", installation.Document{})))
	add("1001 operations", "configuration", validate.RuleTooMany, inputOps(inputMany(1001, func(i int) installation.Operation {
		return patch.Set("/a", installation.JSON("1"))
	})...))
	add("1001 bad operations", "configuration", validate.RuleTooMany, inputOps(inputMany(1001, func(i int) installation.Operation {
		return patch.Set("/a", installation.JSON("}"))
	})...))

	// Reveal.
	ref := []installation.Ref{installation.Ref("config/adobe_secret")}
	add("no reason", "reason", validate.RuleRequired, inputReveal(installation.RevealRequest{ID: "EXI-1", Refs: ref}))
	add("no refs", "refs", validate.RuleRequired, inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r"}))
	add("too many refs", "refs", validate.RuleTooMany, inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r", Refs: slices.Repeat(ref, 256+1)}))
	add("unknown kind", "refs[0].kind", validate.RuleUnknown, inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r", Refs: []installation.Ref{"manifest"}}))
	add("over-long pointer", "refs[0].pointer", validate.RuleTooLong, inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r", Refs: []installation.Ref{installation.Ref("config" + strings.Repeat("/", 1025))}}))
	add("pointer of a ref that is not UTF-8", "refs[0].pointer", validate.RuleUTF8, inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r", Refs: []installation.Ref{installation.Ref("config/a\xff")}}))

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
	for _, m := range fixture.Methods("") {
		if m.Name != "Upsert" && m.Name != "Invite" {
			add("empty id to "+m.Name, "id", validate.RuleRequired, m.Call)
		}
	}
	return cases
}
