package vercel

import (
	"time"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// readUpsert reads the body of PUT.
func readUpsert(in httpapi.Object) *Upsert {
	l := in.Violations()
	in.Require("scopes", "acceptedPolicies", "credentials")
	u := &Upsert{Scopes: in.Strings("scopes"), AcceptedPolicies: make(map[string]time.Time)}
	policies := in.Object("acceptedPolicies")
	for name := range policies.Members() {
		u.AcceptedPolicies[name] = policies.Time(name)
	}
	if credentials := in.Object("credentials"); in.Has("credentials") {
		token := credentials.String("access_token")
		l.Required(credentials.Path("access_token"), token != "")
		u.Credentials.AccessToken = crypto.NewSecret(token)
		u.Credentials.TokenType = credentials.String("token_type")
		l.Required(credentials.Path("token_type"), u.Credentials.TokenType != "")
	}
	if in := in.NullAsAbsent(); in.Has("account") {
		u.Account = readAccount(in.Object("account"))
	}
	return u
}

// readAccount reads the account of the customer. Vercel's reference says only that the URL is a
// string. So a bad URL is no violation, but readAccount drops it, since someone may open it.
func readAccount(in httpapi.Object) *Account {
	a := &Account{Name: in.String("name"), URL: in.String("url")}
	var l validate.List
	if l.OptionalURL("url", a.URL); l.Err() != nil {
		a.URL = ""
	}
	if in.Has("contact") {
		contact := in.Object("contact")
		a.Contact = &Contact{Name: contact.String("name"), Email: contact.String("email")}
	}
	return a
}
