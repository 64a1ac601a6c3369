package vercel_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// partnerUpsert has the members that a production partner's tests send: the scopes and the policy
// have short names, and the contact has no name.
const partnerUpsert = `{"scopes": ["read", "write"],
 "acceptedPolicies": {"toc": "2026-02-28T10:00:00Z"},
 "credentials": {"access_token": "c4nary-access", "token_type": "Bearer"},
 "account": {"name": "Account", "url": "https://northwind.example",
  "contact": {"email": "ops@northwind.example"}}}`

// TestPartnerRequests sends what a production partner's tests send, with tokens as these have them:
// without iat, and with a fraction of a second in exp.
func TestPartnerRequests(t *testing.T) {
	w := newWorld(t)
	exp := json.RawMessage(fmt.Sprintf("%d.345678", w.Now().Add(time.Hour).Unix()))
	user := w.issuer.user(icfg, claims{
		"iat": nil, "exp": exp, "user_email": nil, "user_name": nil, "globalUserId": nil,
	})
	reader := w.issuer.user(icfg, claims{"iat": nil, "exp": exp, "user_role": "USER"})
	system := w.issuer.system(icfg, claims{"iat": nil, "exp": exp})

	put := func(body string) reply {
		return w.do(t, "PUT", path+"/", user, body, "X-Vercel-Auth", "user")
	}
	patch := func(token, auth string) reply {
		return w.do(t, "PATCH", path+"/", token, `{"billingPlanId": "team"}`,
			"X-Vercel-Auth", auth)
	}
	put(`{"billingPlanId": "team"}`).want(t, http.StatusBadRequest)
	put(partnerUpsert).want(t, http.StatusOK)
	patch(reader, "user").want(t, http.StatusForbidden)
	patch(system, "system").want(t, http.StatusForbidden)
	patch(user, "USER").want(t, http.StatusOK, `{"billingPlan":`+teamJSON+`}`)
	w.do(t, "GET", path+"/", system, "", "X-Vercel-Auth", "system").want(t, http.StatusOK)
	w.do(t, "GET", path+"/plans/", system, "", "X-Vercel-Auth", "system").want(t, http.StatusOK)
	w.do(t, "DELETE", path+"/", user, `{"cascadeResourceDeletion": true}`).
		want(t, http.StatusOK)
}

// TestPartnerEvents posts the events of a production partner's tests. They have no id and no
// createdAt, and a removal names the installation in one of two places.
func TestPartnerEvents(t *testing.T) {
	const (
		ignored = `{"type": %s, "payload": {"installationId": "` + icfg + `"}}`
		removes = `{"type": "integration-configuration.removed", "payload": %s}`
	)
	for name, test := range map[string]struct {
		body    string
		status  int
		removes bool
	}{
		"a deployment": {fmt.Sprintf(ignored, `"deployment.created"`), 200, false},
		"a member":     {fmt.Sprintf(ignored, `"marketplace.member.created"`), 200, false},
		"null":         {fmt.Sprintf(ignored, `null`), 200, false},
		"an invoice": {`{"type": "marketplace.invoice.paid",
			"payload": {"installationId": "` + icfg + `", "invoiceId": "mi_123"}}`, 200, false},
		"an invoice without an installation": {`{"type": "marketplace.invoice.paid",
			"payload": {"invoiceId": "mi_123"}}`, 200, false},
		"removed by installationId": {fmt.Sprintf(removes,
			`{"installationId": "`+icfg+`"}`), 200, true},
		"removed by configuration": {fmt.Sprintf(removes,
			`{"configuration": {"id": "`+icfg+`"}}`), 200, true},
		"removed by both": {fmt.Sprintf(removes,
			`{"installationId": null, "configuration": {"id": "`+icfg+`"}}`), 200, true},
		"removed, nothing": {fmt.Sprintf(removes, `{"configuration": {}}`), 400, false},
		"removed, no ID":   {fmt.Sprintf(removes, `{"user": {"id": "usr_123"}}`), 400, false},
		"removed, unknown": {fmt.Sprintf(removes,
			`{"installationId": "icfg_unknown"}`), 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			post := w.hook(t)
			w.install(t)
			post(test.body).want(t, test.status)
			got := w.get(t, icfg).Status == installation.StatusUninstalled
			if got != test.removes {
				t.Errorf("uninstalled: %t, want %t", got, test.removes)
			}
		})
	}
}
