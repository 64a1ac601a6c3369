package vercel

import (
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// upsert is the body of PUT.
type upsert struct {
	consent     installation.Consent
	accessToken crypto.Secret
	tokenType   string
	account     *installation.Account // without ID; nil = not given
}

// readUpsert reads the body of PUT.
func readUpsert(in httpapi.Object) *upsert {
	l := in.Violations()
	in.Require("scopes", "acceptedPolicies", "credentials")
	u := &upsert{consent: installation.Consent{
		Scopes: in.Strings("scopes"), Policies: make(map[string]time.Time),
	}}
	policies := in.Object("acceptedPolicies")
	for name := range policies.Members() {
		u.consent.Policies[name] = policies.Time(name)
	}
	if credentials := in.Object("credentials"); in.Has("credentials") {
		token := credentials.String("access_token")
		l.Required(credentials.Path("access_token"), token != "")
		u.accessToken = crypto.NewSecret(token)
		u.tokenType = credentials.String("token_type")
		l.Required(credentials.Path("token_type"), u.tokenType != "")
	}
	if in := in.NullAsAbsent(); in.Has("account") {
		u.account = readAccount(in.Object("account"))
	}
	return u
}

// readAccount reads the account of the customer. Vercel's reference says only that the URL is a
// string. So a bad URL is no violation, but readAccount drops it, since someone may open it.
func readAccount(in httpapi.Object) *installation.Account {
	a := &installation.Account{Name: in.String("name"), URL: in.String("url")}
	var l validate.List
	if l.OptionalURL("url", a.URL); l.Err() != nil {
		a.URL = ""
	}
	if in.Has("contact") {
		contact := in.Object("contact")
		a.Contact = &installation.Contact{
			Name: contact.String("name"), Email: contact.String("email"),
		}
	}
	return a
}

// parts returns the parts that PUT writes, for a new installation and for an update. The account ID
// comes from the token, because the body has none.
func (u *upsert) parts(c *Claims) installation.Parts {
	p := installation.Parts{
		Consent: installation.Value(u.consent),
		Connection: installation.Value(installation.Connection{
			Provider: "vercel", TokenType: u.tokenType,
			AccessToken: installation.Token{Value: u.accessToken},
		}),
	}
	if u.account != nil {
		account := *u.account
		account.ID = c.AccountID
		p.Account = installation.Value(account)
	}
	return p
}
