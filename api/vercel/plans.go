package vercel

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-installation/installation"
)

// Plans is what the host offers to choose from. The installation that a method is given is for reading; its secrets are masked.
//
// A plan can be chosen for an installation if its Scope is "installation" and it is not Disabled. Others may be offered to be shown.
type Plans interface {
	// Offered returns the plans for an installation, in the order of showing.
	Offered(ctx context.Context, inst *installation.Installation) ([]installation.BillingPlan, error)
	// Plan returns one of them. The error matches [ErrUnknownPlan] if this installation cannot have a plan with that id; it may be a [*Refusal]
	// to tell the customer why. Any other error is a failure, of whose text the log has nothing.
	Plan(ctx context.Context, inst *installation.Installation, id string) (installation.BillingPlan, error)
}

// ErrUnknownPlan says that there is no such plan to choose.
var ErrUnknownPlan = errors.New("vercel: unknown plan")

// Refusal is a no of the host with a text for the customer, who sees it at Vercel. It matches [ErrUnknownPlan] when [Plans] returns it.
type Refusal struct {
	Message string
	URL     string // where to go from here; may be empty
}

// Error implements error. The text is for the customer and not for logs.
func (r *Refusal) Error() string { return "vercel: refused by the host" }

// Is matches [ErrUnknownPlan].
func (r *Refusal) Is(target error) bool { return target == ErrUnknownPlan }

// Catalogue is [Plans] that are the same for every installation. It never changes.
type Catalogue struct {
	plans []installation.BillingPlan
}

// NewCatalogue returns a catalogue. Each plan needs an id of its own, a name, a type and a scope and has to be one that a service stores; at least
// one must be there to choose.
func NewCatalogue(plans ...installation.BillingPlan) (*Catalogue, error) {
	choice := false
	for i, p := range plans {
		switch {
		case p.ID == "" || p.Name == "":
			return nil, fmt.Errorf("vercel: NewCatalogue: plan %d has no id or no name", i)
		case slices.ContainsFunc(plans[:i], func(other installation.BillingPlan) bool { return other.ID == p.ID }):
			return nil, fmt.Errorf("vercel: NewCatalogue: two plans have the id %s", p.ID)
		case p.Type != "prepayment" && p.Type != "subscription":
			return nil, fmt.Errorf("vercel: NewCatalogue: the type of plan %s is neither prepayment nor subscription", p.ID)
		case p.Scope != scopeInstallation && p.Scope != scopeResource:
			return nil, fmt.Errorf("vercel: NewCatalogue: the scope of plan %s is neither installation nor resource", p.ID)
		}
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("vercel: NewCatalogue: plan %s: %w", p.ID, err)
		}
		choice = choice || selectable(p)
	}
	if !choice {
		return nil, errors.New("vercel: NewCatalogue: no plan of scope installation can be chosen")
	}
	return &Catalogue{plans: slices.Clone(plans)}, nil
}

// Offered implements [Plans].
func (c *Catalogue) Offered(context.Context, *installation.Installation) ([]installation.BillingPlan, error) {
	return slices.Clone(c.plans), nil
}

// Plan implements [Plans].
func (c *Catalogue) Plan(_ context.Context, _ *installation.Installation, id string) (installation.BillingPlan, error) {
	for _, p := range c.plans {
		if p.ID == id {
			return p, nil
		}
	}
	return installation.BillingPlan{}, ErrUnknownPlan
}

// none offers nothing: the installation is billed by resource.
type none struct{}

func (none) Offered(context.Context, *installation.Installation) ([]installation.BillingPlan, error) {
	return nil, nil
}

func (none) Plan(context.Context, *installation.Installation, string) (installation.BillingPlan, error) {
	return installation.BillingPlan{}, ErrUnknownPlan
}

// Scopes of a plan.
const (
	scopeInstallation = "installation"
	scopeResource     = "resource"
)

// selectable reports whether a plan can be chosen for an installation.
func selectable(p installation.BillingPlan) bool { return p.Scope == scopeInstallation && !p.Disabled }
