package requests

import (
	"errors"
	"testing"

	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/validate"
)

// Validate reports the violations of a plan that a write of it would report.
func TestBillingPlanValidate(t *testing.T) {
	good := billing.Plan{
		ID: "team", Type: "subscription", Name: "Team", Scope: "installation",
		MinimumAmount: "12.50",
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := good
	bad.Type, bad.MinimumAmount = "gift", "12,50"
	invalid, ok := errors.AsType[*validate.Error](bad.Validate())
	if !ok || len(invalid.Violations) != 2 {
		t.Errorf("got %v, want two violations", bad.Validate())
	}
}
