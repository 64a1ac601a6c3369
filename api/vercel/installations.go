package vercel

import (
	"errors"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/validate"
)

// put creates or updates the installation. It fails with 409 if the installation was uninstalled.
func (h *Handler) put(c *call) (*httpapi.Answer, error) {
	guard, err := c.guard()
	if err != nil {
		return nil, err
	}
	in, err := httpapi.Read(c.Request, readUpsert)
	if err != nil {
		return nil, err
	}
	res, err := h.create(c, guard, in)
	if errors.Is(err, errPresent) {
		parts := in.Parts(c.claims.AccountID)
		req := installation.PatchRequest{Guard: guard, ID: c.id, Parts: parts}
		res, err = c.svc.Patch(c.Context(), req)
	}
	if err != nil {
		return nil, err
	}
	return answer(res.Installation), nil
}

// errPresent means that put has to try an update.
var errPresent = errors.New("vercel: present")

// create makes an installation if the ID has none. It returns errPresent if the ID has one. It also
// returns errPresent if the idempotency key was used for another request, because the first request
// with the key may have been an update.
func (h *Handler) create(
	c *call, guard installation.Guard, in *Upsert,
) (*installation.Result, error) {
	if guard.Present || guard.Revision != 0 {
		return nil, errPresent // without an installation, the update fails
	}
	guard.Absent = true
	parts := in.Parts(c.claims.AccountID)
	parts.Extension = installation.Value(h.opts.Extension)
	if parts.Account.IsZero() {
		parts.Account = installation.Value(installation.Account{ID: c.claims.AccountID})
	}
	if p := h.opts.InitialPlan; p != nil {
		parts.BillingPlan = installation.Value(*p)
	}
	req := installation.UpsertRequest{Guard: guard, ID: c.id, Parts: parts}
	res, err := c.svc.Upsert(c.Context(), req)
	exists, ok := errors.AsType[*installation.ExistsError](err)
	if ok && exists.Holder == c.id || errors.Is(err, installation.ErrIdempotencyMismatch) {
		return nil, errPresent
	}
	return res, err
}

// get returns the billing plan and the notification.
func (h *Handler) get(c *call) (*httpapi.Answer, error) {
	inst, err := c.installed()
	if err != nil {
		return nil, err
	}
	return answer(inst), nil
}

// plans returns the plans that the host offers.
func (h *Handler) plans(c *call) (*httpapi.Answer, error) {
	inst, err := c.installed()
	if err != nil {
		return nil, err
	}
	offered, err := h.opts.Plans.Offered(c.Context(), inst)
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	plans := make([]*BillingPlan, 0, len(offered))
	for _, p := range offered {
		plans = append(plans, BillingPlanOf(p))
	}
	return &httpapi.Answer{Body: map[string]any{"plans": plans}}, nil
}

// patch chooses a billing plan. It changes nothing if the body names none.
func (h *Handler) patch(c *call) (*httpapi.Answer, error) {
	guard, err := c.guard()
	if err != nil {
		return nil, err
	}
	id, err := httpapi.Read(c.Request, readPlanID)
	if err != nil {
		return nil, err
	}
	var parts installation.Parts
	if id != nil {
		plan, err := h.choose(c, *id)
		if err != nil {
			return nil, err
		}
		parts.BillingPlan = installation.Value(plan)
	}
	req := installation.PatchRequest{Guard: guard, ID: c.id, Parts: parts}
	res, err := c.svc.Patch(c.Context(), req)
	switch {
	case errors.Is(err, installation.ErrInvalid) && id != nil:
		return nil, httpapi.Internal(err) // the plan of the host is invalid, not its ID
	case err != nil:
		return nil, err
	}
	return answer(res.Installation), nil
}

// readPlanID reads the body of PATCH. It returns nil if the body names no plan.
func readPlanID(in httpapi.Object) *string {
	if !in.Has("billingPlanId") {
		return nil
	}
	return new(in.String("billingPlanId"))
}

// choose returns the plan with an ID, if a customer can choose it for the installation.
func (h *Handler) choose(c *call, id string) (billing.Plan, error) {
	inst, err := c.svc.Get(c.Context(), c.id)
	if err != nil {
		return billing.Plan{}, err
	}
	plan, err := h.opts.Plans.Plan(c.Context(), inst, id)
	const field = "billingPlanId"
	switch {
	case errors.Is(err, ErrUnknownPlan):
		unknown := httpapi.Invalid(field, validate.RuleUnknown, "Unknown plan")
		unknown.Cause = err // may be a [*Refusal] for the customer
		return plan, unknown
	case err != nil:
		return plan, httpapi.HostFailure(err)
	case !selectable(plan):
		return plan, httpapi.Invalid(field, validate.RuleUnknown, "This plan cannot be chosen")
	case plan.ID != id:
		return plan, httpapi.Internal(errOtherPlan)
	}
	return plan, nil
}

// installed returns the installation for reading. It fails with 404 if the installation belongs to
// another account or was uninstalled.
func (c *call) installed() (*installation.Installation, error) {
	inst, err := c.svc.Get(c.Context(), c.id)
	switch {
	case inst == nil:
		return nil, err
	case !c.owns(inst), err == nil && inst.Status != installation.StatusInstalled:
		return nil, installation.ErrNotFound
	}
	return inst, err
}

func answer(inst *installation.Installation) *httpapi.Answer {
	return &httpapi.Answer{Body: InstallationOf(inst), Revision: inst.Revision}
}
