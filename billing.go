package installation

import (
	"time"

	"github.com/go-installation/installation/validate"
)

// BillingPlan is the plan an installation is billed under. Amounts are decimal numbers as text, since floats lose cents.
type BillingPlan struct {
	ID                                 string
	Type                               string // "prepayment" or "subscription"
	Name                               string
	Scope                              string // "installation" or "resource"
	Description                        string
	PaymentMethodRequired              *bool // nil = not said
	PreauthorizationAmount             string
	InitialCharge                      string
	MinimumAmount                      string
	MaximumAmount                      string
	MaximumAmountAutoPurchasePerPeriod string
	Cost                               string // for people, such as "$20.00/month"
	Details                            []PlanDetail
	HighlightedDetails                 []PlanDetail
	Quote                              []QuoteLine
	RequiredPolicies                   []PlanPolicy
	EffectiveDate                      time.Time
	Disabled                           bool
}

// Validate checks a plan as every write of it does; the error is a [*validate.Error]. It is for hosts that make plans long before a customer
// chooses one.
func (b BillingPlan) Validate() error {
	var l validate.List
	b.check(&l)
	return l.Err()
}

// PlanDetail is one line of a plan's description.
type PlanDetail struct {
	Label string
	Value string
}

// QuoteLine is one line of a plan's quote.
type QuoteLine struct {
	Line   string
	Amount string
}

// PlanPolicy is a policy that the customer must accept for a plan.
type PlanPolicy struct {
	ID   string
	Name string
	URL  string
}

// Notification is what the customer is shown about the installation at the moment.
type Notification struct {
	Level   string // "info", "warn" or "error"
	Title   string
	Message string
	Href    string
}
