package requests

import (
	"context"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/validate"
)

// badIDs are identifiers that every field for an identifier must reject.
var badIDs = []struct {
	name, text string
	rule       validate.Rule
}{
	{"invalid UTF-8", "EXI-\xff", validate.RuleUTF8},
	{"NUL", "EXI-\x00", validate.RuleControl},
	{"newline", "EXI-1\n", validate.RuleControl},
	{"DEL", "EXI-1\x7f", validate.RuleControl},
	{"over-long", strings.Repeat("i", 257), validate.RuleTooLong},
}

// methodIDCases gives every method a bad id, a bad tenant and a bad actor.
func methodIDCases() []inputCase {
	var cases []inputCase
	for _, id := range []string{"@", "@cursor"} {
		for _, m := range fixture.Methods(id) {
			cases = append(cases, inputCase{
				m.Name + " of the reserved id " + id, "id", validate.RuleFormat, m.Call,
			})
		}
	}
	all := slices.Concat(fixture.Methods("EXI-1"), fixture.WideMethods())
	for _, bad := range badIDs {
		for _, m := range fixture.Methods(bad.text) {
			cases = append(cases, inputCase{
				m.Name + " of an id with " + bad.name, "id", bad.rule, m.Call,
			})
		}
		for _, m := range all {
			if m.Name == "Sweep" {
				continue // works across tenants
			}
			inTenant := func(ctx context.Context, s *installation.Service) error {
				return m.Call(ctx, s.In(bad.text))
			}
			byActor := func(ctx context.Context, s *installation.Service) error {
				actor := installation.Actor{Kind: installation.Host, ID: bad.text}
				return m.Call(ctx, s.As(actor))
			}
			cases = append(cases,
				inputCase{m.Name + " in a tenant with " + bad.name, "tenant", bad.rule, inTenant},
				inputCase{m.Name + " by an actor with " + bad.name, "actor.id", bad.rule, byActor},
			)
		}
	}
	return cases
}

// partIDCases puts bad identifiers into the parts of an upsert.
func partIDCases() []inputCase {
	var cases []inputCase
	for _, bad := range badIDs {
		for _, c := range []struct {
			name, path string
			change     func(r *installation.UpsertRequest)
		}{
			{"extension", "extension.id", func(r *installation.UpsertRequest) {
				r.Extension = installation.Value(installation.Extension{ID: bad.text})
			}},
			{"owner", "extension.owner", func(r *installation.UpsertRequest) {
				r.Extension = installation.Value(installation.Extension{
					ID: "EXT-1", Owner: bad.text,
				})
			}},
			{"account", "account.id", func(r *installation.UpsertRequest) {
				r.Account = installation.Value(installation.Account{ID: bad.text})
			}},
			{"connection", "connection.id", func(r *installation.UpsertRequest) {
				r.Connection = installation.Value(installation.Connection{ID: bad.text})
			}},
			{"scope", "consent.scopes[1]", func(r *installation.UpsertRequest) {
				r.Consent = installation.Value(installation.Consent{
					Scopes: []string{"ok", bad.text},
				})
			}},
		} {
			cases = append(cases, upsertCase(c.name+" with "+bad.name, c.path, bad.rule, c.change))
		}
	}
	return cases
}

// idArgumentCases puts bad identifiers into the other requests and into the actor.
func idArgumentCases() []inputCase {
	cases := []inputCase{{
		"actor kind with invalid UTF-8", "actor.kind", validate.RuleUTF8,
		func(ctx context.Context, s *installation.Service) error {
			actor := installation.Actor{Kind: "host\xff"}
			_, err := s.As(actor).Delete(ctx, installation.DeleteRequest{ID: "EXI-1"})
			return err
		},
	}}
	for _, bad := range badIDs {
		user := func(ctx context.Context, s *installation.Service) error {
			actor := installation.Actor{
				Kind: installation.Host, User: installation.Reference{ID: bad.text},
			}
			_, err := s.As(actor).Delete(ctx, installation.DeleteRequest{ID: "EXI-1"})
			return err
		}
		account := func(ctx context.Context, s *installation.Service) error {
			_, err := s.Accept(ctx, installation.AcceptRequest{
				ID: "EXI-2", Account: installation.Account{ID: bad.text},
			})
			return err
		}
		recipient := func(ctx context.Context, s *installation.Service) error {
			_, err := s.Invite(ctx, installation.InviteRequest{
				Parts: fixture.SecretParts("ACC-3", "x"), Recipient: bad.text,
			})
			return err
		}
		cases = append(cases,
			inputCase{"user with " + bad.name, "actor.user.id", bad.rule, user},
			inputCase{"accepting account with " + bad.name, "account.id", bad.rule, account},
			inputCase{"recipient with " + bad.name, "recipient", bad.rule, recipient},
		)
		for path, req := range map[string]installation.ListRequest{
			"extension":  {Extension: bad.text},
			"account":    {Account: bad.text},
			"owner":      {Owner: bad.text},
			"connection": {Connection: bad.text},
		} {
			cases = append(cases, inputCase{
				"list of " + path + " with " + bad.name, path, bad.rule, inputList(req),
			})
		}
	}
	return cases
}
