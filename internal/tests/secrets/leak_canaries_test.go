package secrets

import (
	"encoding/json"
	"fmt"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// leakCanaries are the secrets to look for. Most contain characters that JSON,
// HTML and URLs escape.
var leakCanaries = map[string]string{
	"config":        `CNRY-conf"<&>ü-8Qz1vYx0`,
	"nested":        `CNRY-nest"<&>ü-7Wk2uTb1`,
	"array":         `CNRY-arry"<&>ü-6Ej3tSc2`,
	"element":       `CNRY-elem"<&>ü-5Rh4sRd3`,
	"url":           `CNRYurl5Tg5rQe4`,
	"pem":           `CNRYpem4Yf6qPf5`,
	"pin":           `739204618573920461`,
	"access token":  `CNRY-accs"<&>ü-3Ud7pOg6`,
	"refresh token": `CNRY-rfsh"<&>ü-2Is8oNh7`,
	"api key":       `CNRY-apik"<&>ü-1Oa9nMi8`,
	"metadata":      `CNRY-meta"<&>ü-0Pq0mLj9`,
	"extra":         `CNRY-extr"<&>ü-9Aw1lKk0`,
	"set secret":    `CNRY-sets'&ü-8Se2kJl1`,
	"wrong code":    `inv_CNRYwrong7Dr3jIm2`,
}

const leakIdempotencyKey = "CNRY-idem-6Ft4iHn3"

func leakQuote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// leakDocument returns a document with secrets that names, values or elements of
// a list mark as such.
func leakDocument() string {
	c := leakCanaries
	return `{"region":"eu","adobe_secret":` + leakQuote(c["config"]) + `,` +
		`"nested":{"deep":{"clientSecret":` + leakQuote(c["nested"]) + `}},` +
		`"tokens":[{"x":"a"},{"x":` + leakQuote(c["array"]) + `}],` +
		`"users":[{"name":"n","password":` + leakQuote(c["element"]) + `}],` +
		`"pin":` + c["pin"] + `,` +
		`"endpoint":"https://svc:` + c["url"] + `@host.example/x",` +
		`"note":"-----BEGIN PRIVATE KEY-----\n` + c["pem"] + `\n-----END PRIVATE KEY-----"}`
}

func leakConfiguration(text string) installation.Optional[installation.Configuration] {
	return installation.Value(installation.Configuration{Document: installation.JSON(text)})
}

func leakParts(account string) installation.Parts {
	c := leakCanaries
	token := func(name string) installation.Token {
		return installation.Token{Value: crypto.NewSecret(c[name])}
	}
	p := fixture.SecretParts(account, "unused-here")
	p.Configuration = leakConfiguration(leakDocument())
	p.Connection = installation.Value(installation.Connection{
		ID: "CON-1", AccessToken: token("access token"), RefreshToken: token("refresh token"),
		APIKey:   crypto.NewSecret(c["api key"]),
		Metadata: installation.JSON(`{"tenant_secret":` + leakQuote(c["metadata"]) + `}`),
	})
	p.Extra = installation.Value(installation.JSON(
		`{"webhookSecret":` + leakQuote(c["extra"]) + `}`))
	return p
}

// leakOdd is an error that prints its argument in full.
type leakOdd struct{ Arg any }

func (e *leakOdd) Error() string { return fmt.Sprintf("odd: %v %+v %#v", e.Arg, e.Arg, e.Arg) }
