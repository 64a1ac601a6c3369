package requests

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/validate"
)

// longText is over the limit of every short text.
var longText = strings.Repeat("a", 300)

// guardCases returns bad numbers, times and combinations in an upsert.
func guardCases() []inputCase {
	return []inputCase{
		upsertCase("negative revision", "revision", validate.RuleRange,
			func(r *installation.UpsertRequest) { r.Revision = -1 }),
		upsertCase("negative generation", "generation", validate.RuleRange,
			func(r *installation.UpsertRequest) { r.Generation = -1 }),
		upsertCase("negative extension revision", "extension.revision", validate.RuleRange,
			func(r *installation.UpsertRequest) {
				r.Extension = installation.Value(installation.Extension{ID: "EXT-1", Revision: -1})
			}),
		upsertCase("year 10000", "installedBefore", validate.RuleRange,
			func(r *installation.UpsertRequest) {
				r.InstalledBefore = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
			}),
		upsertCase("absent and present", "absent", validate.RuleExclusive,
			func(r *installation.UpsertRequest) { r.Absent, r.Present = true, true }),
	}
}

func listCases() []inputCase {
	withStatus := func(s ...installation.Status) inputCall {
		return inputList(installation.ListRequest{Status: s})
	}
	return []inputCase{
		{
			"negative skip", "skip", validate.RuleRange,
			inputList(installation.ListRequest{Skip: -1}),
		},
		{
			"skip over the limit", "skip", validate.RuleRange,
			inputList(installation.ListRequest{Skip: installation.MaxSkip + 1}),
		},
		{
			"negative limit", "limit", validate.RuleRange,
			inputList(installation.ListRequest{Limit: -1}),
		},
		{
			"limit over the limit", "limit", validate.RuleRange,
			inputList(installation.ListRequest{Limit: installation.MaxPage + 1}),
		},
		{
			"unknown status filter", "status[1]", validate.RuleUnknown,
			withStatus("installed", "paused"),
		},
		{"empty status filter", "status[0]", validate.RuleUnknown, withStatus("")},
	}
}

// limitCases returns bad limits of Events and Sweep, and bad periods.
func limitCases() []inputCase {
	cases := []inputCase{{
		"negative sweep", "limit", validate.RuleRange,
		func(ctx context.Context, s *installation.Service) error {
			_, err := s.Sweep(ctx, installation.SweepRequest{Limit: -1})
			return err
		},
	}}
	for _, limit := range []int{-1, installation.MaxPage + 1} {
		cases = append(cases, inputCase{
			fmt.Sprintf("%d events", limit), "limit", validate.RuleRange,
			func(ctx context.Context, s *installation.Service) error {
				_, err := s.Events(ctx, "", limit)
				return err
			},
		})
	}
	for _, p := range []installation.Period{
		"0d", "-1d", "7", "d", "1h", "1000d", "100y", " 7d", "7d\n", "٧d", "07d", "+7d", "1e1d",
		installation.Period(longText),
	} {
		cases = append(cases, inputCase{
			fmt.Sprintf("validity %.10q", p), "validity", validate.RuleFormat,
			func(ctx context.Context, s *installation.Service) error {
				_, err := s.Resend(ctx, installation.ResendRequest{ID: "EXI-2", Validity: p})
				return err
			},
		})
	}
	return cases
}

// textCases returns texts that are too long for their part.
func textCases() []inputCase {
	var cases []inputCase
	for path, change := range map[string]func(r *installation.UpsertRequest){
		"name": func(r *installation.UpsertRequest) { r.Name = installation.Value(longText) },
		"extension.name": func(r *installation.UpsertRequest) {
			r.Extension = installation.Value(installation.Extension{ID: "EXT-1", Name: longText})
		},
		"account.name": func(r *installation.UpsertRequest) {
			r.Account = installation.Value(installation.Account{ID: "ACC-1", Name: longText})
		},
		"account.contact.email": func(r *installation.UpsertRequest) {
			r.Account = installation.Value(installation.Account{
				ID: "ACC-1", Contact: &installation.Contact{Email: longText},
			})
		},
		"connection.provider": func(r *installation.UpsertRequest) {
			r.Connection = installation.Value(installation.Connection{Provider: longText})
		},
		"billingPlan.cost": func(r *installation.UpsertRequest) {
			r.BillingPlan = installation.Value(billing.Plan{
				ID: "p", Type: "prepayment", Cost: longText,
			})
		},
		"idempotencyKey": func(r *installation.UpsertRequest) { r.IdempotencyKey = longText },
		"notification.message": func(r *installation.UpsertRequest) {
			r.Notification = installation.Value(installation.Notification{
				Level: "info", Title: "t", Message: strings.Repeat(longText, 20),
			})
		},
	} {
		cases = append(cases, upsertCase("over-long "+path, path, validate.RuleTooLong, change))
	}
	return cases
}

// longTextCases returns bad URLs and reasons.
func longTextCases() []inputCase {
	withURL := func(url string) inputCall {
		return inputUpsert(func(r *installation.UpsertRequest) {
			r.Account = installation.Value(installation.Account{ID: "ACC-1", URL: url})
		})
	}
	uninstall := func(reason string) inputCall {
		return func(ctx context.Context, s *installation.Service) error {
			_, err := s.Uninstall(ctx, installation.UninstallRequest{
				ID: "EXI-1", Reason: reason,
			})
			return err
		}
	}
	longURL := "https://a.example/" + strings.Repeat("a", 2048)
	longReason := strings.Repeat(longText, 20)
	return []inputCase{
		{"over-long url", "account.url", validate.RuleTooLong, withURL(longURL)},
		{
			"url with a password", "account.url", validate.RuleFormat,
			withURL("https://u:p@a.example/"),
		},
		{"over-long reason", "reason", validate.RuleTooLong, uninstall(longReason)},
		{"reason with NUL", "reason", validate.RuleControl, uninstall("a\x00b")},
	}
}

// partCases returns parts that the service must reject for other reasons than their texts.
func partCases() []inputCase {
	policies := maps.Collect(func(yield func(string, time.Time) bool) {
		for i := range 1001 {
			if !yield(fmt.Sprint("p", i), fixture.Start) {
				return
			}
		}
	})
	return []inputCase{
		upsertCase("unknown health", "health", validate.RuleUnknown,
			func(r *installation.UpsertRequest) {
				r.Health = installation.Value(installation.Health("meh"))
			}),
		upsertCase("amount", "billingPlan.initialCharge", validate.RuleFormat,
			func(r *installation.UpsertRequest) {
				r.BillingPlan = installation.Value(billing.Plan{
					ID: "p", Type: "prepayment", InitialCharge: "1e9",
				})
			}),
		upsertCase("extension removed", "extension", validate.RuleRequired,
			func(r *installation.UpsertRequest) {
				r.Extension = installation.Remove[installation.Extension]()
			}),
		upsertCase("account emptied", "account.id", validate.RuleRequired,
			func(r *installation.UpsertRequest) {
				r.Account = installation.Remove[installation.Account]()
			}),
		upsertCase("extension changed", "extension.id", validate.RuleImmutable,
			func(r *installation.UpsertRequest) {
				r.Extension = installation.Value(installation.Extension{ID: "EXT-2"})
			}),
		upsertCase("too many scopes", "consent.scopes", validate.RuleTooMany,
			func(r *installation.UpsertRequest) {
				r.Consent = installation.Value(installation.Consent{
					Scopes: inputMany(1001, func(i int) string { return fmt.Sprint("s", i) }),
				})
			}),
		upsertCase("too many policies", "consent.policies", validate.RuleTooMany,
			func(r *installation.UpsertRequest) {
				r.Consent = installation.Value(installation.Consent{Policies: policies})
			}),
	}
}
