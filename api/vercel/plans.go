package vercel

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
)

// Plans are the billing plans that the host offers. Methods must not change the installation that
// they get. Its secrets are masked.
//
// A customer can choose a plan for an installation if the Scope of the plan is "installation" and
// the plan is not Disabled. A host can offer other plans too, which Vercel only shows.
type Plans interface {
	// Offered returns the plans for an installation in the order in which Vercel shows them.
	Offered(ctx context.Context, inst *installation.Installation) ([]billing.Plan, error)
	// Plan returns the offered plan with an ID. The error matches [ErrUnknownPlan] if the
	// installation cannot have such a plan. A [*Refusal] matches ErrUnknownPlan, and tells the
	// customer why. Any other error is a failure of the server, and its text is not logged.
	Plan(ctx context.Context, inst *installation.Installation, id string) (billing.Plan, error)
}

// ErrUnknownPlan means that a customer cannot choose a plan with this ID.
var ErrUnknownPlan = errors.New("vercel: unknown plan")

// Refusal is an error of the host with a text that Vercel shows to the customer. [Plans] returns it
// to refuse a plan, and [Finalizer] returns it to refuse an uninstall.
type Refusal struct {
	Message string
	URL     string // a page where the customer can read or do more; "" = none
}

// Error implements error. It leaves out the message, which is for the customer and not for logs.
func (r *Refusal) Error() string { return "vercel: refused by the host" }

// Is matches [ErrUnknownPlan].
func (r *Refusal) Is(target error) bool { return target == ErrUnknownPlan }

// Catalogue implements [Plans] with a fixed list that is the same for every installation.
type Catalogue struct {
	plans []billing.Plan
}

// NewCatalogue returns a catalogue of plans. Each plan needs a unique ID, a name, a type and a
// scope, and has to pass billing.Plan.Validate. A customer has to be able to choose at least one of
// the plans; see [Plans].
func NewCatalogue(plans ...billing.Plan) (*Catalogue, error) {
	for i, p := range plans {
		if err := checkPlan(p, plans[:i]); err != nil {
			return nil, fmt.Errorf("vercel: NewCatalogue: plan %d, %q: %w", i, p.ID, err)
		}
	}
	if !slices.ContainsFunc(plans, selectable) {
		return nil, errors.New("vercel: NewCatalogue: no plan of scope installation can be chosen")
	}
	return &Catalogue{plans: slices.Clone(plans)}, nil
}

func checkPlan(p billing.Plan, others []billing.Plan) error {
	switch {
	case p.ID == "" || p.Name == "":
		return errors.New("it has no id or no name")
	case slices.ContainsFunc(others, func(o billing.Plan) bool { return o.ID == p.ID }):
		return errors.New("another plan has the same id")
	case p.Type != "prepayment" && p.Type != "subscription":
		return errors.New("the type is neither prepayment nor subscription")
	case p.Scope != scopeInstallation && p.Scope != scopeResource:
		return errors.New("the scope is neither installation nor resource")
	}
	return p.Validate()
}

// Offered implements [Plans].
func (c *Catalogue) Offered(context.Context, *installation.Installation) ([]billing.Plan, error) {
	return slices.Clone(c.plans), nil
}

// Plan implements [Plans].
func (c *Catalogue) Plan(
	_ context.Context, _ *installation.Installation, id string,
) (billing.Plan, error) {
	for _, p := range c.plans {
		if p.ID == id {
			return p, nil
		}
	}
	return billing.Plan{}, ErrUnknownPlan
}

// Scopes of a plan.
const (
	scopeInstallation = "installation"
	scopeResource     = "resource"
)

// selectable reports whether a customer can choose a plan for an installation.
func selectable(p billing.Plan) bool {
	return p.Scope == scopeInstallation && !p.Disabled
}
