package vercel

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
)

// wireInstallation is the body of the answers to GET, PUT and PATCH.
type wireInstallation struct {
	BillingPlan  *wirePlan                               `json:"billingPlan,omitzero"`
	Notification installation.Optional[wireNotification] `json:"notification,omitzero"`
}

// wirePlan is a billing plan. Amounts are decimal strings, except that PreauthorizationAmount is a
// number.
type wirePlan struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Name        string `json:"name"`
	Scope       string `json:"scope,omitzero"`
	Description string `json:"description"`

	PaymentMethodRequired  *bool       `json:"paymentMethodRequired,omitzero"`
	PreauthorizationAmount json.Number `json:"preauthorizationAmount,omitzero"`
	InitialCharge          string      `json:"initialCharge,omitzero"`
	MinimumAmount          string      `json:"minimumAmount,omitzero"`
	MaximumAmount          string      `json:"maximumAmount,omitzero"`

	MaximumAmountAutoPurchasePerPeriod string `json:"maximumAmountAutoPurchasePerPeriod,omitzero"`

	Cost               string       `json:"cost,omitzero"`
	Details            []wireDetail `json:"details,omitempty"`
	HighlightedDetails []wireDetail `json:"highlightedDetails,omitempty"`
	Quote              []wireQuote  `json:"quote,omitempty"`
	RequiredPolicies   []wirePolicy `json:"requiredPolicies,omitempty"`
	EffectiveDate      time.Time    `json:"effectiveDate,omitzero"`
	Disabled           bool         `json:"disabled,omitzero"`
}

type wireDetail struct {
	Label string `json:"label"`
	Value string `json:"value,omitzero"`
}

type wireQuote struct {
	Line   string `json:"line"`
	Amount string `json:"amount"`
}

type wirePolicy struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

type wireNotification struct {
	Level   string `json:"level"`
	Title   string `json:"title"`
	Message string `json:"message,omitzero"`
	Href    string `json:"href,omitzero"`
}

// wireOf returns the billing plan and the notification of an installation for an answer.
func wireOf(inst *installation.Installation) wireInstallation {
	var w wireInstallation
	if inst.BillingPlan != nil {
		w.BillingPlan = wirePlanOf(*inst.BillingPlan)
	}
	n := inst.Notification
	switch {
	case n != nil:
		w.Notification = installation.Value(wireNotification(*n))
	case notificationRemoved(inst):
		w.Notification = installation.Remove[wireNotification]()
	}
	return w
}

func wirePlanOf(p billing.Plan) *wirePlan {
	w := &wirePlan{
		ID: p.ID, Type: p.Type, Name: p.Name, Scope: p.Scope, Description: p.Description,
		PaymentMethodRequired:  p.PaymentMethodRequired,
		PreauthorizationAmount: number(p.PreauthorizationAmount), InitialCharge: p.InitialCharge,
		MinimumAmount: p.MinimumAmount, MaximumAmount: p.MaximumAmount,
		MaximumAmountAutoPurchasePerPeriod: p.MaximumAmountAutoPurchasePerPeriod,
		Cost:                               p.Cost,
		EffectiveDate:                      p.EffectiveDate.UTC(), Disabled: p.Disabled,
	}
	for _, d := range p.Details {
		w.Details = append(w.Details, wireDetail(d))
	}
	for _, d := range p.HighlightedDetails {
		w.HighlightedDetails = append(w.HighlightedDetails, wireDetail(d))
	}
	for _, q := range p.Quote {
		w.Quote = append(w.Quote, wireQuote(q))
	}
	for _, r := range p.RequiredPolicies {
		w.RequiredPolicies = append(w.RequiredPolicies, wirePolicy(r))
	}
	return w
}

// number returns a decimal text as a JSON number, without leading zeros, which JSON forbids.
func number(decimal string) json.Number {
	n := strings.TrimLeft(decimal, "0")
	if decimal != "" && (n == "" || n[0] == '.') {
		n = "0" + n
	}
	return json.Number(n)
}
