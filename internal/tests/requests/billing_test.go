package requests

import (
	"errors"
	"testing"

	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/validate"
)

// TestBillingPlanValidate: a plan is checked alone as it is when it is written.
func TestBillingPlanValidate(t *testing.T) {
	good := billing.Plan{ID: "team", Type: "subscription", Name: "Team", Scope: "installation", MinimumAmount: "12.50"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := good
	bad.Type, bad.MinimumAmount = "gift", "12,50"
	invalid, ok := errors.AsType[*validate.Error](bad.Validate())
	if !ok || len(invalid.Violations) != 2 {
		t.Errorf("%v", bad.Validate())
	}
}
