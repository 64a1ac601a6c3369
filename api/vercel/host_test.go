package vercel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/billing"
)

// TestNotification: absent, shown, taken away.
func TestNotification(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	answer := func(want string) {
		t.Helper()
		w.do(t, "GET", path, w.issuer.system(icfg), "").want(t, 200, want)
	}
	notify := func(n installation.Optional[installation.Notification]) {
		t.Helper()
		if err := w.handler.Notify(t.Context(), icfg, n); err != nil {
			t.Error(err)
		}
	}
	full := installation.Notification{Level: "warn", Title: "Storage is 90% full",
		Message: "Soon.", Href: "https://northwind.example/usage"}
	const fullJSON = `{"notification":{"level":"warn","title":"Storage is 90% full",` +
		`"message":"Soon.","href":"https://northwind.example/usage"}}`

	answer(`{}`)
	notify(installation.Value(full))
	answer(fullJSON)
	notify(installation.Remove[installation.Notification]())
	answer(`{"notification":null}`)
	w.do(t, "PATCH", path, w.issuer.user(icfg), `{}`).want(t, 200, `{"notification":null}`)
	notify(installation.Value(installation.Notification{Level: "info", Title: "Hi"}))
	answer(`{"notification":{"level":"info","title":"Hi"}}`)
	if extra := w.get(t, icfg).Extra; !extra.IsZero() {
		t.Errorf("a mark stays behind: %s", extra)
	}

	// Other unnamed fields stay, the secret ones too.
	extra := installation.Parts{
		Extra: installation.Value(installation.JSON(`{"plan":"eu","api_key":"k"}`)),
	}
	if _, err := w.svc.Patch(t.Context(),
		installation.PatchRequest{ID: icfg, Parts: extra}); err != nil {
		t.Fatal(err)
	}
	notify(installation.Remove[installation.Notification]())
	answer(`{"notification":null}`)
	refs := []installation.Ref{installation.Ref("extra/api_key")}
	revealed, err := w.svc.Reveal(t.Context(),
		installation.RevealRequest{ID: icfg, Refs: refs, Reason: "test"})
	if err != nil || revealed[0].Value.RevealString() != "k" {
		t.Errorf("the secret beside the mark: %v, %v", revealed, err)
	}
}

func TestNotifyReportsErrors(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	full := installation.Notification{Level: "warn", Title: "Storage is 90% full"}
	if err := w.handler.Notify(t.Context(), icfg,
		installation.Value(installation.Notification{Level: "loud"})); !errors.Is(err,
		installation.ErrInvalid) {
		t.Errorf("a level that is none: %v", err)
	}
	if err := w.handler.Notify(t.Context(), "icfg_0", installation.Value(full)); !errors.Is(err,
		installation.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 200)
	if err := w.handler.Notify(t.Context(), icfg, installation.Value(full)); !errors.Is(err,
		installation.ErrConflict) {
		t.Errorf("of an uninstalled one: %v", err)
	}
}

// TestNotifyDuringWrites: a notification and a plan written at the same time both survive.
func TestNotifyDuringWrites(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	done := make(chan error)
	go func() {
		var err error
		for i := range 20 {
			n := installation.Value(installation.Notification{Level: "info",
				Title: fmt.Sprint(i)})
			err = errors.Join(err, w.handler.Notify(t.Context(), icfg, n))
		}
		done <- err
	}()
	for i := range 20 {
		w.do(t, "PATCH", path, w.issuer.user(icfg),
			`{"billingPlanId":"`+[]string{"team", "free"}[i%2]+`"}`).want(t, 200)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if inst := w.get(t, icfg); inst.BillingPlan.ID != "free" || inst.Notification.Title != "19" {
		t.Errorf("%+v, %+v", inst.BillingPlan, inst.Notification)
	}
}

// TestNotifyKeepsOtherMembers: unnamed fields that another writer put there meanwhile stay.
func TestNotifyKeepsOtherMembers(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	first := func() {
		parts := installation.Parts{Extra: installation.Value(installation.JSON(`{"plan":"eu"}`))}
		if _, err := w.svc.Patch(t.Context(),
			installation.PatchRequest{ID: icfg, Parts: parts}); err != nil {
			t.Error(err)
		}
	}
	w.store.first.Store(&first)
	if err := w.handler.Notify(t.Context(), icfg,
		installation.Remove[installation.Notification]()); err != nil {
		t.Fatal(err)
	}
	if got := w.get(t,
		icfg).Extra.String(); got != `{"plan":"eu","vercelNotificationRemoved":true}` {
		t.Errorf("unnamed fields are %s", got)
	}
}

// TestWirePlan: every field of a plan, in the types that Vercel wants.
func TestWirePlan(t *testing.T) {
	plan := billing.Plan{
		ID: "pro", Type: "prepayment", Name: "Pro", Scope: "installation",
		Description: "Ten <b> & more", PaymentMethodRequired: new(true),
		PreauthorizationAmount: "0123.40", InitialCharge: "20.00", MinimumAmount: "10.00",
		MaximumAmount:                      "500.00",
		MaximumAmountAutoPurchasePerPeriod: "1000.00", Cost: "$20.00/month",
		Details: []billing.Detail{{Label: "Seats", Value: "10"},
			{Label: "Support"}},
		HighlightedDetails: []billing.Detail{{Label: "Projects", Value: "10"}},
		Quote:              []billing.QuoteLine{{Line: "Pro plan", Amount: "20.00"}},
		RequiredPolicies: []billing.Policy{{ID: "toc", Name: "Terms",
			URL: "https://partner.example/toc"}},
		EffectiveDate: time.Date(2026, 4, 1, 2, 0, 0, 0, time.FixedZone("", 7200)),
	}
	const want = `{"billingPlan":{"id":"pro","type":"prepayment","name":"Pro",` +
		`"scope":"installation","description":"Ten <b> & more",` +
		`"paymentMethodRequired":true,"initialCharge":"20.00",` +
		`"minimumAmount":"10.00","maximumAmount":"500.00",` +
		`"maximumAmountAutoPurchasePerPeriod":"1000.00","cost":"$20.00/month",` +
		`"details":[{"label":"Seats","value":"10"},{"label":"Support"}],` +
		`"highlightedDetails":[{"label":"Projects","value":"10"}],"quote":[{"line":"Pro plan",` +
		`"amount":"20.00"}],` +
		`"requiredPolicies":[{"id":"toc","name":"Terms","url":"https://partner.example/toc"}],` +
		`"effectiveDate":"2026-04-01T00:00:00Z","preauthorizationAmount":123.40}}`
	w := newWorld(t, func(o *choices) { o.handler.InitialPlan = &plan })
	w.do(t, "PUT", path, w.issuer.user(icfg), upsertBody).want(t, 200, want)

	for amount, number := range map[string]string{"0": "0", "000": "0", "0.50": "0.50",
		"00.5": "0.5", "12": "12"} {
		plan.PreauthorizationAmount = amount
		w := newWorld(t, func(o *choices) { o.handler.InitialPlan = &plan })
		if r := w.do(t, "PUT", path, w.issuer.user(icfg), upsertBody); !strings.Contains(r.body,
			`"preauthorizationAmount":`+number+`}`) {
			t.Errorf("%s: %d %s", amount, r.status, r.body)
		}
	}
}

func TestNewCatalogue(t *testing.T) {
	change := func(f func(p *billing.Plan)) billing.Plan {
		p := freePlan
		f(&p)
		return p
	}
	for name, plans := range map[string][]billing.Plan{
		"no plans":                {},
		"nothing to choose":       {oldPlan, perResource},
		"no id":                   {change(func(p *billing.Plan) { p.ID = "" })},
		"no name":                 {change(func(p *billing.Plan) { p.Name = "" })},
		"two with one id":         {freePlan, freePlan},
		"a type that is none":     {change(func(p *billing.Plan) { p.Type = "gift" })},
		"a scope that is not set": {change(func(p *billing.Plan) { p.Scope = "" })},
		"an amount that is none": {change(func(p *billing.Plan) {
			p.PreauthorizationAmount = "12,50"
		})},
		"one that is not stored": {freePlan,
			change(func(p *billing.Plan) { p.ID, p.Name = "x", "a\nb" })},
	} {
		if _, err := vercel.NewCatalogue(plans...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	plans := []billing.Plan{freePlan}
	c, err := vercel.NewCatalogue(plans...)
	if err != nil {
		t.Fatal(err)
	}
	plans[0].ID = "changed"
	offered, _ := c.Offered(t.Context(), nil)
	offered[0].ID = "changed too"
	if _, err := c.Plan(t.Context(), nil, "free"); err != nil {
		t.Errorf("the catalogue changed from outside: %v", err)
	}
}

func TestNewHandler(t *testing.T) {
	w := newWorld(t)
	if _, err := vercel.NewHandler(nil, w.verifier, nil); err == nil {
		t.Error("a handler without a service")
	}
	if _, err := vercel.NewHandler(w.svc, nil, nil); err == nil {
		t.Error("a handler without a verifier")
	}
	if _, err := vercel.NewHandler(w.svc, w.verifier,
		&vercel.Options{InitialPlan: &oldPlan}); err == nil {
		t.Error("an initial plan that cannot be chosen")
	}
	wrong := freePlan
	wrong.MinimumAmount = "12,50"
	if _, err := vercel.NewHandler(w.svc, w.verifier,
		&vercel.Options{InitialPlan: &wrong}); err == nil {
		t.Error("an initial plan that cannot be stored")
	}
}

// TestWithoutPlans: a partner who bills by resource offers none.
func TestWithoutPlans(t *testing.T) {
	w := newWorld(t, func(o *choices) { o.handler.Plans = nil })
	w.install(t)
	w.do(t, "GET", path+"/plans", w.issuer.system(icfg), "").want(t, 200, `{"plans":[]}`)
	w.do(t, "PATCH", path, w.issuer.user(icfg), `{"billingPlanId":"team"}`).
		want(t, 400, invalid("billingPlanId", "Unknown plan"))
}

// plansFunc are plans that fail, or worse.
type plansFunc func(id string) (billing.Plan, error)

func (f plansFunc) Offered(context.Context,
	*installation.Installation) ([]billing.Plan, error) {
	p, err := f("")
	return []billing.Plan{p}, err
}

func (f plansFunc) Plan(_ context.Context, _ *installation.Installation,
	id string) (billing.Plan, error) {
	return f(id)
}

// Answers that say nothing of the host's error.
var (
	internal = refusal("internal_error", "The request could not be completed.")
	busy     = refusal("unavailable", "The service cannot answer at the moment.")
)

// TestHostFailures: what the host does wrong is no fault of the client, who gets no detail;
// neither does the log, where it may quote.
func TestHostFailures(t *testing.T) {
	bad := teamPlan
	bad.InitialCharge = "c4nary"
	tests := []struct {
		name   string
		plan   billing.Plan
		err    error
		status int
		body   string
		log    string // part of it
	}{
		{"an error", billing.Plan{}, errors.New("c4nary"), 500, internal,
			"*errors.errorString"},
		{"not found", billing.Plan{}, installation.ErrNotFound, 500, internal,
			"not found"},
		{"invalid", billing.Plan{}, installation.ErrInvalid, 500, internal,
			"invalid"},
		{"out of time", billing.Plan{}, context.DeadlineExceeded, 503, busy,
			"deadline"},
		{"store unavailable", billing.Plan{}, installation.ErrUnavailable, 503, busy,
			"unavailable"},
		{"another plan", freePlan, nil, 500, internal, "another id"},
		{"a plan that cannot be stored", bad, nil, 500, internal, "billingPlan.initialCharge"},
		{"a refusal", billing.Plan{}, &vercel.Refusal{Message: "Pick a plan first",
			URL: "https://northwind.example/help"}, 400,
			`{"error":{"code":"validation_error","message":"The request is not valid.",` +
				`"user":{"message":"Pick a plan first","url":"https://northwind.example/help"},` +
				`"fields":[{"key":"billingPlanId","message":"Unknown plan"}]}}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(o *choices) {
				o.handler.Plans = plansFunc(func(string) (billing.Plan, error) {
					return tt.plan, tt.err
				})
			})
			w.install(t)
			w.do(t, "PATCH", path, w.issuer.user(icfg), `{"billingPlanId":"team"}`).
				want(t, tt.status, tt.body)
			if log := w.log.String(); !strings.Contains(log, tt.log) ||
				strings.Contains(log, "c4nary") || (tt.log == "") != (log == "") {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

func TestFailingOffersAreInternalErrors(t *testing.T) {
	t.Run("panic", func(t *testing.T) {
		w := newWorld(t, func(o *choices) {
			o.handler.Plans = plansFunc(func(string) (billing.Plan, error) {
				panic("c4nary")
			})
		})
		w.install(t)
		w.do(t, "GET", path+"/plans", w.issuer.system(icfg), "").want(t, 500, internal)
		if log := w.log.String(); strings.Contains(log, "c4nary") ||
			!strings.Contains(log, "plansFunc.Offered") {
			t.Errorf("logged: %s", log)
		}
	})
	t.Run("offered plans", func(t *testing.T) {
		w := newWorld(t, func(o *choices) {
			o.handler.Plans = plansFunc(func(string) (billing.Plan, error) {
				return freePlan, installation.ErrForbidden
			})
		})
		w.install(t)
		w.do(t, "GET", path+"/plans", w.issuer.system(icfg), "").want(t, 500, internal)
	})
}

// TestFinalizerFailures: a refusal keeps the installation, and comes too late for one that is
// uninstalled.
func TestFinalizerFailures(t *testing.T) {
	var answer error
	w := newWorld(t, func(o *choices) {
		o.handler.Finalizer = vercel.FinalizerFunc(func(
			context.Context, vercel.Removal,
		) (bool, error) {
			return true, answer
		})
	})
	w.install(t)
	answer = &vercel.Refusal{Message: "Pay first"}
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").
		want(t, 409,
			`{"error":{"code":"conflict","message":"The installation cannot be removed at the `+
				`moment.","user":{"message":"Pay first"}}}`)
	answer = errors.New("c4nary")
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 500)
	answer = installation.ErrForbidden
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 500)
	if inst := w.get(t, icfg); inst.Status != installation.StatusInstalled {
		t.Fatalf("it is %s", inst.Status)
	}
	if _, err := w.svc.Uninstall(t.Context(),
		installation.UninstallRequest{ID: icfg}); err != nil {
		t.Fatal(err)
	}
	answer = &vercel.Refusal{Message: "Pay first"}
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 200, `{"finalized":false}`)
	if strings.Contains(w.log.String(), "c4nary") {
		t.Errorf("logged: %s", w.log)
	}
}

// TestStoreFailures: what could not be looked at is neither missing nor refused.
func TestStoreFailures(t *testing.T) {
	w := newWorld(t)
	w.install(t)
	w.store.fail(installation.ErrUnavailable)
	for _, e := range endpoints {
		token := w.issuer.user(icfg)
		if !e.user {
			token = w.issuer.system(icfg)
		}
		r := w.do(t, e.method, path+e.below, token, e.body)
		r.want(t, http.StatusServiceUnavailable)
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", e.method, e.below)
		}
	}
}

// TestLimits: the options bound the body and the time.
func TestLimits(t *testing.T) {
	w := newWorld(t, func(o *choices) { o.handler.MaxBody = 64 })
	w.do(t, "PUT", path, w.issuer.user(icfg), upsertBody).
		want(t, http.StatusRequestEntityTooLarge)
	w = newWorld(t, func(o *choices) { o.handler.Timeout = 1 })
	w.do(t, "GET", path, w.issuer.system(icfg), "").want(t, http.StatusServiceUnavailable)
}
