package requests

import (
	"context"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// badDocument is a document that the service must reject in every place for a document. at
// is the pointer to the violation in it.
type badDocument struct {
	name, text, at string
	rule           validate.Rule
}

func badDocuments() []badDocument {
	deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	deepArrays := `{"a":` + strings.Repeat("[", 10_000)
	textOf := func(n int) string { return `{"a":"` + strings.Repeat("a", n) + `"}` }
	return []badDocument{
		{"invalid UTF-8", "{\"a\":{\"b\":\"\xff\"}}", "", validate.RuleUTF8},
		{"half a surrogate pair", `{"a":{"b":"\ud800"}}`, "/a/b", validate.RuleUTF8},
		{"duplicate keys", `{"a":{"b":1,"b":2}}`, "/a/b", validate.RuleDuplicateKey},
		{
			"duplicate keys by escapes", `{"a":{"b":1,"\u0062":2}}`, "/a/b",
			validate.RuleDuplicateKey,
		},
		{"depth 10,000", deep, strings.Repeat("/a", 64), validate.RuleTooDeep},
		{
			"depth 10,000 of arrays", deepArrays, "/a" + strings.Repeat("/0", 63),
			validate.RuleTooDeep,
		},
		{"64 MiB", textOf(64 << 20), "", validate.RuleTooLarge},
		{"a byte too large", textOf(validate.MaxDocument), "", validate.RuleTooLarge},
		{"no JSON", `{"a":}`, "/a", validate.RuleSyntax},
		{"two texts", `{}{}`, "", validate.RuleSyntax},
		{"a NUL", "{\"a\":\"\x00\"}", "/a", validate.RuleSyntax},
		{"a byte order mark", "\ufeff{}", "", validate.RuleSyntax},
		{"an array", `[1]`, "", validate.RuleFormat},
		{"null", `null`, "", validate.RuleFormat},
		{"long names", `{"` + strings.Repeat("n", 1100) + `":1}`, "", validate.RuleTooLong},
		{
			"many secrets", `{"token":[` + strings.Repeat(`"t",`, 1000) + `"t"]}`, "",
			validate.RuleTooMany,
		},
	}
}

// documentCases puts every bad document into every place for a document.
func documentCases() []inputCase {
	var cases []inputCase
	for _, d := range badDocuments() {
		metadata := func(r *installation.UpsertRequest) {
			r.Connection = installation.Value(installation.Connection{
				Metadata: installation.JSON(d.text),
			})
		}
		extra := func(r *installation.UpsertRequest) {
			r.Extra = installation.Value(installation.JSON(d.text))
		}
		cases = append(cases,
			inputCase{
				"configuration with " + d.name, "configuration" + d.at, d.rule,
				inputConfig(d.text),
			},
			upsertCase("metadata with "+d.name, "connection.metadata"+d.at, d.rule, metadata),
			upsertCase("extra with "+d.name, "extra"+d.at, d.rule, extra),
		)
		switch {
		case d.rule == validate.RuleFormat || d.rule == validate.RuleTooMany:
			// a single value may be an array or null, and have this many items
		case d.name == "long names":
			// still fits below a shorter pointer
		default:
			cases = append(cases, inputCase{
				"operation with " + d.name, "configuration/x" + d.at, d.rule,
				inputOps(patch.Set("/x", installation.JSON(d.text))),
			})
		}
	}
	return cases
}

func documentPartCases() []inputCase {
	return []inputCase{
		upsertCase("no document", "configuration", validate.RuleRequired,
			func(r *installation.UpsertRequest) {
				r.Configuration = installation.Value(installation.Configuration{})
			}),
		upsertCase("extra that shadows", "extra/status", validate.RuleExclusive,
			func(r *installation.UpsertRequest) {
				r.Extra = installation.Value(installation.JSON(`{"status":"installed"}`))
			}),
	}
}

// secretCases returns secrets that cannot be stored.
func secretCases() []inputCase {
	maskedKey := func(ctx context.Context, s *installation.Service) error {
		_, err := s.Upsert(ctx, installation.UpsertRequest{Parts: installation.Parts{
			Extension:  installation.Value(installation.Extension{ID: "EXT-1"}),
			Account:    installation.Value(installation.Account{ID: "ACC-5"}),
			Connection: installation.Value(installation.Connection{APIKey: crypto.Masked()}),
		}})
		return err
	}
	accessToken := func(value string) func(r *installation.UpsertRequest) {
		return func(r *installation.UpsertRequest) {
			r.Connection = installation.Value(installation.Connection{
				AccessToken: installation.Token{Value: crypto.NewSecret(value)},
			})
		}
	}
	const token = "connection/access_token"
	return []inputCase{
		{
			"mask without a stored value", "configuration/new_secret",
			validate.RuleMaskWithoutStoredValue, inputConfig(`{"new_secret":"***"}`),
		},
		{
			"masked api key without a stored one", "connection/api_key",
			validate.RuleMaskWithoutStoredValue, maskedKey,
		},
		{
			"empty secret", "configuration/adobe_secret",
			validate.RuleEmptySecret, inputConfig(`{"adobe_secret":""}`),
		},
		upsertCase("access token not UTF-8", token, validate.RuleUTF8, accessToken("a\xffb")),
		upsertCase("access token too large", token, validate.RuleTooLarge,
			accessToken(strings.Repeat("s", 64<<10+1))),
	}
}
