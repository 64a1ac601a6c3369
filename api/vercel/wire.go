package vercel

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
)

// Upsert is the JSON body of PUT, by which Vercel installs.
type Upsert struct {
	Scopes           []string             `json:"scopes"`
	AcceptedPolicies map[string]time.Time `json:"acceptedPolicies"` // by ID
	Credentials      Credentials          `json:"credentials"`
	Account          *Account             `json:"account,omitzero"` // nil = not given
}

// Credentials is the access token in an [Upsert], with which the host calls Vercel.
type Credentials struct {
	AccessToken crypto.Secret `json:"access_token"`
	TokenType   string        `json:"token_type"`
}

// Account is the customer in an [Upsert]. The ID of the account is in the token of the request.
type Account struct {
	Name    string   `json:"name,omitzero"`
	URL     string   `json:"url,omitzero"`
	Contact *Contact `json:"contact,omitzero"`
}

// Contact is a person to contact in an [Account].
type Contact struct {
	Name  string `json:"name,omitzero"`
	Email string `json:"email"`
}

// UpsertOf returns the request that would create the installation. The access token is masked, as
// it is in every read. The lists and the map are those of inst.
func UpsertOf(inst *installation.Installation) *Upsert {
	u := &Upsert{Scopes: inst.Consent.Scopes, AcceptedPolicies: inst.Consent.Policies}
	if c := inst.Connection; c != nil {
		u.Credentials = Credentials{AccessToken: c.AccessToken.Value, TokenType: c.TokenType}
	}
	if a := inst.Account; a.Name+a.URL != "" || a.Contact != nil {
		u.Account = &Account{Name: a.Name, URL: a.URL, Contact: (*Contact)(a.Contact)}
	}
	return u
}

// Parts returns what the request sets, for a write to the service. accountID is the ID in
// [Claims]. A request without an account keeps the stored account.
func (u *Upsert) Parts(accountID string) installation.Parts {
	p := installation.Parts{
		Consent: installation.Value(installation.Consent{
			Scopes: u.Scopes, Policies: u.AcceptedPolicies,
		}),
		Connection: installation.Value(installation.Connection{
			Provider: "vercel", TokenType: u.Credentials.TokenType,
			AccessToken: installation.Token{Value: u.Credentials.AccessToken},
		}),
	}
	if a := u.Account; a != nil {
		p.Account = installation.Value(installation.Account{
			ID: accountID, Name: a.Name, URL: a.URL, Contact: (*installation.Contact)(a.Contact),
		})
	}
	return p
}

// Installation is the JSON body of the answers to GET, PUT and PATCH. Null as the notification
// removes the one that Vercel shows; see [Handler.Notify].
type Installation struct {
	BillingPlan  *BillingPlan                        `json:"billingPlan,omitzero"`
	Notification installation.Optional[Notification] `json:"notification,omitzero"`
}

// Notification is a text that Vercel shows to the customer.
type Notification struct {
	Level   string `json:"level"` // "info", "warn" or "error"
	Title   string `json:"title"`
	Message string `json:"message,omitzero"`
	Href    string `json:"href,omitzero"`
}

// BillingPlan is a plan in an [Installation] and in the list of plans. Amounts are decimal strings,
// except that PreauthorizationAmount is a number.
type BillingPlan struct {
	billing.Plan
	PreauthorizationAmount json.Number `json:"preauthorizationAmount,omitzero"`
}

// InstallationOf returns the billing plan and the notification of an installation for an answer.
func InstallationOf(inst *installation.Installation) Installation {
	var w Installation
	if inst.BillingPlan != nil {
		w.BillingPlan = BillingPlanOf(*inst.BillingPlan)
	}
	n := inst.Notification
	switch {
	case n != nil:
		w.Notification = installation.Value(Notification(*n))
	case notificationRemoved(inst):
		w.Notification = installation.Remove[Notification]()
	}
	return w
}

// Parts returns what w sets, for a write to the service. Without a plan, or without a notification,
// the write keeps the stored one. [Handler.Notify] also makes Vercel remove a notification.
func (w *Installation) Parts() (p installation.Parts) {
	if w.BillingPlan != nil {
		plan := w.BillingPlan.Plan
		plan.PreauthorizationAmount = w.BillingPlan.PreauthorizationAmount.String()
		p.BillingPlan = installation.Value(plan)
	}
	if n, ok := w.Notification.Get(); ok {
		p.Notification = installation.Value(installation.Notification(n))
	} else if w.Notification.Removes() {
		p.Notification = installation.Remove[installation.Notification]()
	}
	return p
}

// BillingPlanOf returns Vercel's form of a plan.
func BillingPlanOf(p billing.Plan) *BillingPlan {
	p.EffectiveDate = p.EffectiveDate.UTC()
	return &BillingPlan{Plan: p, PreauthorizationAmount: number(p.PreauthorizationAmount)}
}

// number returns a decimal text as a JSON number, without leading zeros, which JSON forbids.
func number(decimal string) json.Number {
	n := strings.TrimLeft(decimal, "0")
	if decimal != "" && (n == "" || n[0] == '.') {
		n = "0" + n
	}
	return json.Number(n)
}
