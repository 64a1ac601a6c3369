package outcomes

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/internal/tests/fixture"
)

// A write ignores Configuration.Err, and so does the comparison of its repeats.
func TestRepeatIgnoresErrOfConfiguration(t *testing.T) {
	w := fixture.NewWorld(t)
	w.Install(t, "i")
	c := *w.Get(t, "i").Configuration
	for _, err := range []error{nil, errors.New("schema out of reach")} {
		c.Err = err
		res, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{
			Guard: installation.Guard{IdempotencyKey: "k"}, ID: "i",
			Parts: installation.Parts{Configuration: installation.Value(c)},
		})
		if err != nil || res.Replayed != (c.Err != nil) {
			t.Errorf("Err %v: %+v, %v", c.Err, res, err)
		}
	}
}

// An outcome may live longer than the tombstone of its record. If the record was created again by
// then, a repeat returns the present state.
func TestRepeatAfterRecordWasCreatedAgain(t *testing.T) {
	w := fixture.NewWorld(t, func(o *installation.Options) { o.TombstoneTTL = time.Minute })
	first := installation.UpsertRequest{
		Guard: installation.Guard{IdempotencyKey: "k"}, ID: "i", Parts: fixture.Parts(),
	}
	again := first
	again.Guard = installation.Guard{}
	other := installation.UpsertRequest{ID: "j", Parts: fixture.Parts()}
	other.Account = installation.Value(installation.Account{ID: "ACC-other"})
	for _, step := range []func() error{
		func() error { _, err := w.Host.Upsert(t.Context(), first); return err },
		func() error {
			_, err := w.Host.Delete(t.Context(), installation.DeleteRequest{ID: "i"})
			w.Advance(2 * time.Minute)
			return err
		},
		// The store drops the tombstone with this write.
		func() error { _, err := w.Host.Upsert(t.Context(), other); return err },
		func() error { _, err := w.Host.Upsert(t.Context(), again); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	res, err := w.Host.Upsert(t.Context(), first)
	if err != nil || !res.Replayed || res.Account.ID == "" {
		t.Errorf("got %+v, %v", res, err)
	}
}

// Parts that are valid each, and too large together, are bad input.
func TestPartsTooLargeTogetherAreInvalid(t *testing.T) {
	w := fixture.NewWorld(t)
	parts := fixture.Parts()
	long, text := strings.Repeat("n", 256), strings.Repeat("v", 4096)
	var plan billing.Plan
	plan.ID, plan.Type = "p", "prepayment"
	for range 900 {
		plan.Details = append(plan.Details, billing.Detail{Label: long, Value: text})
	}
	var modules []installation.Reference
	for range 900 {
		modules = append(modules, installation.Reference{ID: "m", Name: long, Icon: text[:2000]})
	}
	parts.BillingPlan = installation.Value(plan)
	parts.Consent = installation.Value(installation.Consent{Modules: modules})
	_, err := w.Host.Upsert(t.Context(), installation.UpsertRequest{ID: "i", Parts: parts})
	fixture.WantErr(t, "upsert", err, installation.ErrInvalid)
}
