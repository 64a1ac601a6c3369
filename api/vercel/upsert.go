package vercel

import (
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// upsert is the body of PUT.
type upsert struct {
	consent     installation.Consent
	accessToken crypto.Secret
	tokenType   string
	account     *installation.Account // without id; nil = not given
}

// readUpsert reads the body of PUT. Fields that it does not name do not matter.
func readUpsert(body *jsontree.Node) (*upsert, error) {
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	in.Require("scopes", "acceptedPolicies", "credentials")
	u := &upsert{consent: installation.Consent{Scopes: in.Strings("scopes"), Policies: readPolicies(in.Object("acceptedPolicies"))}}
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
	return u, l.Err()
}

func readPolicies(in httpapi.Object) map[string]time.Time {
	policies := make(map[string]time.Time)
	for name := range in.Members() {
		policies[name] = in.Time(name)
	}
	return policies
}

// readAccount reads the customer. The reference of the API says no more of the URL than that it is a string, so one that is no address is no
// reason to refuse a customer; but it is not kept either, since someone may follow it.
func readAccount(in httpapi.Object) *installation.Account {
	a := &installation.Account{Name: in.String("name"), URL: in.String("url")}
	var l validate.List
	if l.OptionalURL("url", a.URL); l.Err() != nil {
		a.URL = ""
	}
	if in.Has("contact") {
		contact := in.Object("contact")
		a.Contact = &installation.Contact{Name: contact.String("name"), Email: contact.String("email")}
	}
	return a
}

// parts is what both creating and updating write: plan, notification and everything else stay. The account id is the token's, since the body
// has none.
func (u *upsert) parts(c *Claims) installation.Parts {
	p := installation.Parts{
		Consent: installation.Value(u.consent),
		Connection: installation.Value(installation.Connection{
			Provider:    "vercel",
			TokenType:   u.tokenType,
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
