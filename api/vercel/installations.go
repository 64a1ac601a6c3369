package vercel

import (
	"errors"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

// put creates the installation, or updates it in place. One that was uninstalled is not brought back: the service answers 409.
func (h *Handler) put(c *call) (*httpapi.Answer, error) {
	guard, err := c.guard()
	if err != nil {
		return nil, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	in, err := readUpsert(body)
	if err != nil {
		return nil, err
	}
	res, err := h.create(c, guard, in)
	if errors.Is(err, errPresent) {
		res, err = c.svc.Patch(c.Context(), installation.PatchRequest{Guard: guard, ID: c.id, Parts: in.parts(c.claims)})
	}
	if err != nil {
		return nil, err
	}
	return answer(res.Installation), nil
}

// errPresent says that there is an installation to update.
var errPresent = errors.New("vercel: present")

// create makes an installation where there is none. A key that was used for something else may have been used for the update that
// follows on errPresent, which then finds its own first answer.
func (h *Handler) create(c *call, guard installation.Guard, in *upsert) (*installation.Result, error) {
	if guard.Present || guard.Revision != 0 {
		return nil, errPresent // or the condition of the request does not hold
	}
	guard.Absent = true
	parts := in.parts(c.claims)
	parts.Extension = installation.Value(h.opts.Extension)
	if parts.Account.IsZero() {
		parts.Account = installation.Value(installation.Account{ID: c.claims.AccountID})
	}
	if p := h.opts.InitialPlan; p != nil {
		parts.BillingPlan = installation.Value(*p)
	}
	res, err := c.svc.Upsert(c.Context(), installation.UpsertRequest{Guard: guard, ID: c.id, Parts: parts})
	exists, ok := errors.AsType[*installation.ExistsError](err)
	if ok && exists.Holder == c.id || errors.Is(err, installation.ErrIdempotencyMismatch) {
		return nil, errPresent
	}
	return res, err
}

// get shows billing plan and notification.
func (h *Handler) get(c *call) (*httpapi.Answer, error) {
	inst, err := c.installed()
	if err != nil {
		return nil, err
	}
	return answer(inst), nil
}

// plans lists the plans to choose from.
func (h *Handler) plans(c *call) (*httpapi.Answer, error) {
	inst, err := c.installed()
	if err != nil {
		return nil, err
	}
	offered, err := h.opts.Plans.Offered(c.Context(), inst)
	if err != nil {
		return nil, httpapi.HostFailure(err)
	}
	out := wirePlans{Plans: make([]*wirePlan, 0, len(offered))}
	for _, p := range offered {
		out.Plans = append(out.Plans, wirePlanOf(p))
	}
	return &httpapi.Answer{Body: out}, nil
}

// patch chooses a billing plan. Without one in the body it changes nothing.
func (h *Handler) patch(c *call) (*httpapi.Answer, error) {
	guard, err := c.guard()
	if err != nil {
		return nil, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	id := in.String("billingPlanId")
	if err := l.Err(); err != nil {
		return nil, err
	}
	var parts installation.Parts
	if in.Has("billingPlanId") {
		plan, err := h.choose(c, id)
		if err != nil {
			return nil, err
		}
		parts.BillingPlan = installation.Value(plan)
	}
	res, err := c.svc.Patch(c.Context(), installation.PatchRequest{Guard: guard, ID: c.id, Parts: parts})
	if errors.Is(err, installation.ErrInvalid) && !parts.BillingPlan.IsZero() {
		err = httpapi.Internal(err) // the id was good enough to find the plan by, so it is the plan that the service refuses
	}
	if err != nil {
		return nil, err
	}
	return answer(res.Installation), nil
}

// choose finds the plan that the customer wants.
func (h *Handler) choose(c *call, id string) (installation.BillingPlan, error) {
	inst, err := c.svc.Get(c.Context(), c.id)
	if err != nil {
		return installation.BillingPlan{}, err
	}
	plan, err := h.opts.Plans.Plan(c.Context(), inst, id)
	switch {
	case errors.Is(err, ErrUnknownPlan):
		unknown := httpapi.Invalid("billingPlanId", validate.RuleUnknown, "Unknown plan")
		unknown.Cause = err
		return plan, unknown
	case err != nil:
		return plan, httpapi.HostFailure(err)
	case !selectable(plan):
		return plan, httpapi.Invalid("billingPlanId", validate.RuleUnknown, "This plan cannot be chosen")
	case plan.ID != id:
		return plan, httpapi.Internal(errOtherPlan)
	}
	return plan, nil
}

// installed returns the installation for looking at: 404 for one of another account, and for one that was uninstalled.
func (c *call) installed() (*installation.Installation, error) {
	inst, err := c.svc.Get(c.Context(), c.id)
	switch {
	case err != nil && (inst == nil || c.owns(inst)):
		return nil, err
	case err != nil || !c.owns(inst) || inst.Status != installation.StatusInstalled:
		return nil, installation.ErrNotFound
	}
	return inst, nil
}

func answer(inst *installation.Installation) *httpapi.Answer {
	return &httpapi.Answer{Body: wireOf(inst), Revision: inst.Revision}
}
