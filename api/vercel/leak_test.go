package vercel_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
)

// TestNoSecretInResponsesOrLogs passes secrets through every endpoint, in good and bad
// requests, and looks for them in all answers, headers, logs, errors and printed values.
func TestNoSecretInResponsesOrLogs(t *testing.T) {
	w := newWorld(t)
	post := w.hook(t)
	var seen strings.Builder
	do := func(method, below, token, body string, headers ...string) {
		t.Helper()
		r := w.do(t, method, path+below, token, body, headers...)
		fmt.Fprintln(&seen, r.status, r.header, r.body)
	}
	user, system := w.issuer.user(icfg), w.issuer.system(icfg)
	bad := []string{
		strings.Replace(upsertBody, `"c4nary-access"`, `["c4nary-access"]`, 1),
		strings.Replace(upsertBody, `"access_token":"c4nary-access"`,
			`"access_token":"c4nary-access","access_token":"c4nary-access"`, 1),
		strings.Replace(upsertBody, `"c4nary-access",`, `"c4nary-access" "c4nary-access",`, 1),
		strings.Replace(upsertBody, `"token_type":"Bearer"`, `"token_type":"c4nary\u0000"`, 1),
		strings.Replace(upsertBody, `"Bearer"}`, `"Bearer"`, 1),
	}
	for _, body := range append(bad, upsertBody, upsertBody) {
		do("PUT", "", user, body)
		do("PUT", "", user, body, "Idempotency-Key", "c4nary-key")
		do("PUT", "", user, body, "Content-Type", "c4nary/c4nary")
	}
	do("PUT", "", user,
		`{"scopes":["x"],"acceptedPolicies":{},"credentials":{"access_token":"c4nary-2",`+
			`"token_type":"Bearer"}}`, "Idempotency-Key", "c4nary-key")
	do("GET", "", system, "")
	do("GET", "/plans", system, "")
	do("PATCH", "", user, `{"billingPlanId":"c4nary-plan"}`)
	do("PATCH", "", user, `{"billingPlanId":"team"}`, "If-Match", "c4nary-tag")
	do("GET", "", "c4nary.c4nary.c4nary", "")
	do("GET", "", system, "", "X-Vercel-Auth", "c4nary")
	fmt.Fprintln(&seen, post(removed(icfg, w.Now()), "c4nary"))
	w.store.fail(installation.ErrUnavailable)
	do("PUT", "", user, upsertBody)
	w.store.failing.Store(nil)
	do("DELETE", "", user, `{"reason":"c4nary"`)
	fmt.Fprintln(&seen, post(removed(icfg, w.Now())))
	do("DELETE", "", system, "")

	fmt.Fprintln(&seen, w.log.String())
	hook, err := w.handler.Webhook(crypto.NewSecret(clientSecret))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&seen, "%+v %#v %+v\n", hook, hook, w.handler)
	_, err = w.verifier.Verify(t.Context(),
		w.issuer.user(icfg, claims{"aud": "c4nary", "user_name": "c4nary"}))
	if !errors.Is(err, vercel.ErrToken) {
		t.Error(err)
	}
	fmt.Fprintf(&seen, "%v %+v\n", err, err)
	noSecret(t, seen.String(), user, system)
}

// noSecret fails if the text contains the canary, or a token or its claims.
func noSecret(t *testing.T, text string, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		if strings.Contains(text, token) ||
			strings.Contains(text, strings.Split(token, ".")[1]) {
			t.Error("a token is in the output")
		}
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, "c4nary") {
			t.Errorf("a secret is in the line: %s", line)
		}
	}
}

// TestHostErrorsInLog: what the host's own code fails with may quote its own secrets, also
// where it matches what is passing.
func TestHostErrorsInLog(t *testing.T) {
	trouble := &url.Error{Op: "Get", URL: "https://billing.example/?api_key=c4nary",
		Err: context.DeadlineExceeded}
	w := newWorld(t, func(o *choices) {
		o.handler.Plans = failingPlans{trouble}
		o.handler.Finalizer = vercel.FinalizerFunc(func(
			context.Context, vercel.Removal,
		) (bool, error) {
			return false, trouble
		})
	})
	w.install(t)
	w.do(t, "GET", path+"/plans", w.issuer.system(icfg), "").want(t, 503)
	w.do(t, "PATCH", path, w.issuer.user(icfg), `{"billingPlanId":"team"}`).want(t, 503)
	w.do(t, "DELETE", path, w.issuer.user(icfg), "").want(t, 503)
	if log := w.log.String(); strings.Count(log,
		"context deadline exceeded, by an error of type *url.Error") != 3 ||
		strings.Contains(log, "c4nary") {
		t.Errorf("logged %s", log)
	}
}

// failingPlans are plans that the host cannot find.
type failingPlans struct{ err error }

func (p failingPlans) Offered(context.Context,
	*installation.Installation) ([]billing.Plan, error) {
	return nil, p.err
}

func (p failingPlans) Plan(context.Context, *installation.Installation,
	string) (billing.Plan, error) {
	return billing.Plan{}, p.err
}
