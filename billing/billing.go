// Package billing describes the plan that an installation is billed under. It computes no price and
// charges nobody.
package billing

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-installation/installation/validate"
)

// Plan is a billing plan. Amounts are decimal numbers as text, because floats lose cents. The JSON
// names are those of Vercel's Partner API, which package vercel answers with.
type Plan struct {
	ID                     string `json:"id"`
	Type                   string `json:"type"` // "prepayment" or "subscription"
	Name                   string `json:"name"`
	Scope                  string `json:"scope,omitzero"` // "installation" or "resource"
	Description            string `json:"description"`
	PaymentMethodRequired  *bool  `json:"paymentMethodRequired,omitzero"` // nil = not specified
	PreauthorizationAmount string `json:"preauthorizationAmount,omitzero"`
	InitialCharge          string `json:"initialCharge,omitzero"`
	MinimumAmount          string `json:"minimumAmount,omitzero"`
	MaximumAmount          string `json:"maximumAmount,omitzero"`

	MaximumAmountAutoPurchasePerPeriod string `json:"maximumAmountAutoPurchasePerPeriod,omitzero"`

	Cost               string      `json:"cost,omitzero"` // for people, such as "$20.00/month"
	Details            []Detail    `json:"details,omitempty"`
	HighlightedDetails []Detail    `json:"highlightedDetails,omitempty"`
	Quote              []QuoteLine `json:"quote,omitempty"`
	RequiredPolicies   []Policy    `json:"requiredPolicies,omitempty"`
	EffectiveDate      time.Time   `json:"effectiveDate,omitzero"`
	Disabled           bool        `json:"disabled,omitzero"`
}

// Detail is one line of a plan's description.
type Detail struct {
	Label string `json:"label"`
	Value string `json:"value,omitzero"`
}

// QuoteLine is one line of a plan's quote.
type QuoteLine struct {
	Line   string `json:"line"`
	Amount string `json:"amount"`
}

// Policy is a policy that the customer must accept for a plan.
type Policy struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// maxItems is the maximum number of items in each list of a plan.
const maxItems = 1000

// Validate returns nil if the plan can be stored. Otherwise the error lists all violations and
// matches [validate.ErrInvalid].
func (p Plan) Validate() error {
	var l validate.List
	p.Check(&l)
	return l.Err()
}

// Check adds the violations that Validate would return to l, with paths below "billingPlan".
func (p Plan) Check(l *validate.List) {
	l.ID("billingPlan.id", p.ID)
	validate.Enum(l, "billingPlan.type", p.Type, "prepayment", "subscription")
	l.Name("billingPlan.name", p.Name)
	validate.Enum(l, "billingPlan.scope", p.Scope, "", "installation", "resource")
	l.Text("billingPlan.description", p.Description, validate.MaxMessage)
	l.Name("billingPlan.cost", p.Cost)
	for _, amount := range []struct{ name, value string }{
		{"preauthorizationAmount", p.PreauthorizationAmount},
		{"initialCharge", p.InitialCharge},
		{"minimumAmount", p.MinimumAmount},
		{"maximumAmount", p.MaximumAmount},
		{"maximumAmountAutoPurchasePerPeriod", p.MaximumAmountAutoPurchasePerPeriod},
	} {
		if amount.value != "" && !isDecimal(amount.value) {
			detail := "must be a decimal number such as 12.50"
			l.Add("billingPlan."+amount.name, validate.RuleFormat, detail)
		}
	}
	l.OptionalTime("billingPlan.effectiveDate", p.EffectiveDate)
	checkDetails(l, "billingPlan.details", p.Details)
	checkDetails(l, "billingPlan.highlightedDetails", p.HighlightedDetails)
	l.Count("billingPlan.quote", len(p.Quote), maxItems)
	for i, q := range p.Quote {
		path := fmt.Sprintf("billingPlan.quote[%d]", i)
		l.Name(path+".line", q.Line)
		l.Name(path+".amount", q.Amount)
	}
	l.Count("billingPlan.requiredPolicies", len(p.RequiredPolicies), maxItems)
	for i, policy := range p.RequiredPolicies {
		path := fmt.Sprintf("billingPlan.requiredPolicies[%d]", i)
		l.ID(path+".id", policy.ID)
		l.Name(path+".name", policy.Name)
		l.OptionalURL(path+".url", policy.URL)
	}
}

func checkDetails(l *validate.List, path string, details []Detail) {
	l.Count(path, len(details), maxItems)
	for i, d := range details {
		l.Name(fmt.Sprintf("%s[%d].label", path, i), d.Label)
		l.Text(fmt.Sprintf("%s[%d].value", path, i), d.Value, validate.MaxMessage)
	}
}

// isDecimal reports whether s consists of digits, with or without a fraction.
func isDecimal(s string) bool {
	whole, fraction, dot := strings.Cut(s, ".")
	digits := func(t string) bool { return t != "" && strings.Trim(t, "0123456789") == "" }
	return len(s) <= 64 && digits(whole) && (!dot || digits(fraction))
}
