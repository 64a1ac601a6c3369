package requests

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// inputCase is bad input, and the violation that the service must report.
type inputCase struct {
	name string
	path string
	rule validate.Rule
	call inputCall
}

// inputCall sends bad input as the host. EXI-1 is installed and EXI-2 is invited.
type inputCall = func(ctx context.Context, s *installation.Service) error

// inputCases returns every case of bad input.
func inputCases() []inputCase {
	return slices.Concat(
		methodIDCases(), partIDCases(), idArgumentCases(),
		guardCases(), listCases(), limitCases(),
		textCases(), longTextCases(), partCases(),
		documentCases(), documentPartCases(), secretCases(),
		operationCases(), revealCases(), emptyRequestCases(),
	)
}

// upsertCase returns the case of a bad upsert of EXI-1.
func upsertCase(
	name, path string, rule validate.Rule, change func(r *installation.UpsertRequest),
) inputCase {
	return inputCase{name, path, rule, inputUpsert(change)}
}

func inputUpsert(change func(r *installation.UpsertRequest)) inputCall {
	return func(ctx context.Context, s *installation.Service) error {
		r := installation.UpsertRequest{ID: "EXI-1"}
		change(&r)
		_, err := s.Upsert(ctx, r)
		return err
	}
}

func inputConfig(document string) inputCall {
	return inputUpsert(func(r *installation.UpsertRequest) {
		r.Configuration = installation.Value(installation.Configuration{
			Document: installation.JSON(document),
		})
	})
}

func inputOps(ops ...installation.Operation) inputCall {
	return func(ctx context.Context, s *installation.Service) error {
		_, err := s.Patch(ctx, installation.PatchRequest{ID: "EXI-1", Operations: ops})
		return err
	}
}

func inputReveal(r installation.RevealRequest) inputCall {
	return func(ctx context.Context, s *installation.Service) error {
		_, err := s.Reveal(ctx, r)
		return err
	}
}

// inputList sends r to List, All and Count, which must all reject it.
func inputList(r installation.ListRequest) inputCall {
	return func(ctx context.Context, s *installation.Service) error {
		_, list := s.List(ctx, r)
		_, count := s.Count(ctx, r)
		var all error
		for _, all = range s.All(ctx, r) {
			break
		}
		if fmt.Sprint(list) != fmt.Sprint(all) || list == nil {
			return fmt.Errorf("List returns %v, All returns %v", list, all)
		}
		if r.Skip == 0 && r.Limit == 0 && count == nil {
			return errors.New("Count accepts the request")
		}
		return list
	}
}

// inputMany returns the results of one for 0 to n-1.
func inputMany[T any](n int, one func(i int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = one(i)
	}
	return out
}

func operationCases() []inputCase {
	const secret = "configuration/adobe_secret"
	setSecret := func(s crypto.Secret) inputCall {
		return inputOps(patch.SetSecret("/adobe_secret", s))
	}
	// 1001 operations are one more than allowed.
	many := func(value string) inputCall {
		return inputOps(inputMany(1001, func(int) installation.Operation {
			return patch.Set("/a", installation.JSON(value))
		})...)
	}
	notUTF8 := crypto.NewSecret("a\xffb")
	large := crypto.NewSecret(strings.Repeat("s", 1<<20))
	return []inputCase{
		{"secret that is not UTF-8", secret, validate.RuleUTF8, setSecret(notUTF8)},
		{"secret of 1 MiB", secret, validate.RuleTooLarge, setSecret(large)},
		{
			"masked secret", secret, validate.RuleMaskWithoutStoredValue,
			setSecret(crypto.Masked()),
		},
		{"no secret", secret, validate.RuleRequired, setSecret(crypto.Secret{})},
		{
			"pointer without slash", "configuration", validate.RuleFormat,
			inputOps(patch.Unset("region")),
		},
		{
			"pointer with a bad escape", "configuration", validate.RuleFormat,
			inputOps(patch.Unset("/~2")),
		},
		{
			"pointer that is not UTF-8", "configuration", validate.RuleFormat,
			inputOps(patch.Unset("/\xff")),
		},
		{
			"pointer of 2 KiB", "configuration", validate.RuleFormat,
			inputOps(patch.Unset("/" + strings.Repeat("p", 2048))),
		},
		{
			"unset of an absent member", "configuration/none", validate.RuleNotFound,
			inputOps(patch.Unset("/none")),
		},
		{
			"set below an absent member", "configuration/none/a", validate.RuleNotFound,
			inputOps(patch.Set("/none/a", installation.JSON(`1`))),
		},
		{
			"zero operation", "configuration", validate.RuleRequired,
			inputOps(installation.Operation{}),
		},
		{
			"set without a value", "configuration/a", validate.RuleRequired,
			inputOps(patch.Set("/a", installation.Document{})),
		},
		{"1001 operations", "configuration", validate.RuleTooMany, many("1")},
		{"1001 bad operations", "configuration", validate.RuleTooMany, many("}")},
	}
}

func revealCases() []inputCase {
	ref := installation.Ref("config/adobe_secret")
	reveal := func(refs ...installation.Ref) inputCall {
		return inputReveal(installation.RevealRequest{ID: "EXI-1", Reason: "r", Refs: refs})
	}
	long := installation.Ref("config" + strings.Repeat("/", 1025))
	notUTF8 := installation.Ref("config/a\xff")
	return []inputCase{
		{
			"no reason", "reason", validate.RuleRequired,
			inputReveal(installation.RevealRequest{
				ID: "EXI-1", Refs: []installation.Ref{ref},
			}),
		},
		{"no refs", "refs", validate.RuleRequired, reveal()},
		{
			"too many refs", "refs", validate.RuleTooMany,
			reveal(slices.Repeat([]installation.Ref{ref}, 256+1)...),
		},
		{"unknown kind", "refs[0].kind", validate.RuleUnknown, reveal("manifest")},
		{"over-long pointer", "refs[0].pointer", validate.RuleTooLong, reveal(long)},
		{
			"pointer of a ref that is not UTF-8", "refs[0].pointer", validate.RuleUTF8,
			reveal(notUTF8),
		},
	}
}

// emptyRequestCases returns requests with nothing in them.
func emptyRequestCases() []inputCase {
	upsert := func(ctx context.Context, s *installation.Service) error {
		_, err := s.Upsert(ctx, installation.UpsertRequest{})
		return err
	}
	invite := func(ctx context.Context, s *installation.Service) error {
		_, err := s.Invite(ctx, installation.InviteRequest{})
		return err
	}
	accept := func(ctx context.Context, s *installation.Service) error {
		_, err := s.Accept(ctx, installation.AcceptRequest{})
		return err
	}
	reveal := inputReveal(installation.RevealRequest{})
	cases := []inputCase{
		{"zero Upsert, extension", "extension.id", validate.RuleRequired, upsert},
		{"zero Upsert, account", "account.id", validate.RuleRequired, upsert},
		{"zero Invite", "extension.id", validate.RuleRequired, invite},
		{"zero Accept", "account.id", validate.RuleRequired, accept},
		{"zero Reveal", "reason", validate.RuleRequired, reveal},
	}
	for _, m := range fixture.Methods("") {
		if m.Name != "Upsert" && m.Name != "Invite" {
			cases = append(cases, inputCase{
				"empty id to " + m.Name, "id", validate.RuleRequired, m.Call,
			})
		}
	}
	return cases
}
