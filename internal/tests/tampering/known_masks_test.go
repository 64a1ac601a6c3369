package tampering

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

var maskFailures = []failure{
	{
		"CVE-2022-4342 CVE-2023-0838 keycloak#50964",
		"a changed destination with a kept secret is rejected",
		changedDestination,
	},
	{
		"n8n-io/n8n#35987 casdoor#749 litellm#39878",
		"a mask is never stored as a secret",
		maskNotStored,
	},
	{
		"n8n-io/n8n#12447",
		"a document that was read can be written back",
		readWritesBack,
	},
	{
		"grafana#22552 #70035",
		"absent and null clear a secret",
		absentClears,
	},
	{
		"airbytehq/airbyte JsonSecretsProcessor",
		"secrets in arrays follow their element",
		secretsInArrays,
	},
	{
		"airbytehq/airbyte JsonSecretsProcessor",
		"a flag that is false does not mask",
		falseFlag,
	},
	{
		"airbytehq/airbyte JsonSecretsProcessor",
		"a broken schema hides everything",
		brokenSchema,
	},
	{
		"CVE-2023-27481 CVE-2023-22894 CVE-2019-14351",
		"nothing compares with a secret",
		nothingCompares,
	},
}

func changedDestination(t *testing.T) {
	for _, url := range []string{
		"https://evil.example/hook",
		"https://hook.example/hook?to=evil",
		"http://hook.example/hook",
	} {
		w := fixture.NewWorld(t)
		configure(t, w, `{"url":"https://hook.example/hook","token":"t"}`)
		_, err := w.Configure("i", `{"url":"`+url+`","token":"***"}`)
		fixture.WantViolation(t, err, "configuration/token", validate.RuleDestination)
		if _, err := w.Configure("i", `{"url":"`+url+`","token":"new"}`); err != nil {
			t.Errorf("with a new secret: %v", err)
		}
	}
}

func maskNotStored(t *testing.T) {
	w := fixture.NewWorld(t)
	_, err := w.Configure("i", `{"token":"***"}`)
	fixture.WantViolation(t, err, "configuration/token", validate.RuleMaskWithoutStoredValue)
	configure(t, w, `{"token":"sk-0123456789"}`)
	for _, given := range []string{"sk****89", "****", "*** ", "••••", "<redacted>"} {
		_, err := w.Configure("i", fmt.Sprintf(`{"token":%q}`, given))
		fixture.WantViolation(t, err, "configuration/token", validate.RuleMaskWithoutStoredValue)
		if got := w.Reveal(t, "i", "config/token"); got != "sk-0123456789" {
			t.Errorf("%q: the secret is now %q", given, got)
		}
	}
	mask := func(text string) installation.Token {
		return installation.Token{Value: crypto.NewSecret(text)}
	}
	for path, c := range map[string]installation.Connection{
		"connection/access_token":  {AccessToken: mask("sk****89")},
		"connection/refresh_token": {RefreshToken: mask("••••")},
		"connection/api_key":       {APIKey: crypto.NewSecret("<redacted>")},
	} {
		_, err := w.Host.Patch(t.Context(), installation.PatchRequest{
			ID: "i", Parts: installation.Parts{Connection: installation.Value(c)},
		})
		fixture.WantViolation(t, err, path, validate.RuleMaskWithoutStoredValue)
	}
	_, err = w.Patch(patch.SetSecret("/token", crypto.NewSecret("***")))
	if err != nil || w.Reveal(t, "i", "config/token") != "***" {
		t.Errorf("SetSecret of a mask: %v", err)
	}
}

func readWritesBack(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	parts := installation.Parts{
		Configuration: installation.Value(*w.Get(t, "i").Configuration),
	}
	res, err := w.Host.Patch(t.Context(), installation.PatchRequest{ID: "i", Parts: parts})
	if err != nil || res.Changed || res.Revision != 1 {
		t.Errorf("got %+v, %v", res, err)
	}
}

func absentClears(t *testing.T) {
	for _, document := range []string{`{"n":1}`, `{"n":1,"token":null}`} {
		w := fixture.NewWorld(t)
		configure(t, w, `{"n":1,"token":"t"}`)
		if _, err := w.Configure("i", document); err != nil || len(w.Get(t, "i").Sealed) != 0 {
			t.Errorf("%s leaves %v, %v", document, w.Get(t, "i").Sealed, err)
		}
	}
}

func secretsInArrays(t *testing.T) {
	const two = `{"l":[{"id":1,"token":"A"},{"id":2,"token":"B"}]}`
	w, _ := fixture.NewDescribed(t, `{"properties":{"l":{"x-key":"id"}}}`, two)
	configure(t, w, `{"l":[{"id":2,"token":"***"}]}`)
	if got := w.Reveal(t, "i", "config/l/0/token"); got != "B" {
		t.Errorf("the second element has %q", got)
	}
	plain := fixture.NewWorld(t)
	configure(t, plain, two)
	_, err := plain.Configure("i", `{"l":[{"id":2,"token":"***"}]}`)
	fixture.WantViolation(t, err, "configuration/l/0/token", validate.RuleAmbiguousMask)
}

func falseFlag(t *testing.T) {
	const schema = `{"properties":{"a":{"airbyte_secret":false},"token":{"x-sensitive":false}}}`
	w, _ := fixture.NewDescribed(t, schema, `{"a":"x","token":"y"}`)
	if got := w.Configuration(t); got != `{"a":"x","token":"y"}` {
		t.Errorf("shown as %s", got)
	}
	if res, err := w.Configure("i", w.Configuration(t)); err != nil || res.Changed {
		t.Errorf("written back: %+v, %v", res, err)
	}
}

func brokenSchema(t *testing.T) {
	w, c := fixture.NewDescribed(t, `{}`, `{"a":"x","b":{"c":1}}`)
	c.Set("r2", `{"properties":`)
	if got := w.Configuration(t); got != `{"a":"***","b":{"c":"***"}}` {
		t.Errorf("shown as %s", got)
	}
}

func nothingCompares(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	for _, guess := range []string{`"s3cr3t-config"`, `"wrong"`} {
		_, err := w.Patch(patch.Test("/api_secret", installation.JSON(guess)))
		fixture.WantViolation(t, err, "configuration/api_secret", validate.RuleSealed)
	}
	right, err := w.Patch(patch.Set("/api_secret", installation.JSON(`"s3cr3t-config"`)))
	if err != nil || !right.Changed {
		t.Errorf("a right guess differs from a wrong one: %+v, %v", right, err)
	}
	typ := reflect.TypeFor[installation.ListRequest]()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		if strings.Contains(name, "Config") || strings.Contains(name, "Document") {
			t.Errorf("a list can be filtered by %s", name)
		}
	}
}
