package vercel_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// checkHeaders holds what is true of every answer.
func checkHeaders(t *testing.T, r reply) {
	t.Helper()
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if r.header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if r.status >= 400 && !strings.HasPrefix(r.body, `{"error":{"code":"`) {
		t.Errorf("an error without the error object: %s", r.body)
	}
	if r.status != 400 && strings.Contains(r.body, `"fields"`) {
		t.Errorf("fields beside %d", r.status)
	}
}

func TestAllow(t *testing.T) {
	w := newWorld(t)
	for below, want := range map[string]string{"": "DELETE, GET, HEAD, PATCH, PUT",
		"/plans": "GET, HEAD"} {
		for _, method := range []string{"POST", "OPTIONS", "TRACE", "ODD"} {
			r := w.do(t, method, path+below, "", "")
			r.want(t, http.StatusMethodNotAllowed)
			if got := r.header.Get("Allow"); got != want {
				t.Errorf("%s %s: Allow is %q, want %q", method, below, got, want)
			}
		}
	}
}

func TestETag(t *testing.T) {
	w := newWorld(t)
	put := w.do(t, "PUT", path, w.issuer.user(icfg), upsertBody)
	get := w.do(t, "GET", path, w.issuer.system(icfg), "")
	if put.header.Get("ETag") != `"1"` || get.header.Get("ETag") != `"1"` {
		t.Fatalf("ETags %q and %q, want that of revision 1", put.header.Get("ETag"),
			get.header.Get("ETag"))
	}
	patch := w.do(t, "PATCH", path, w.issuer.user(icfg), `{"billingPlanId":"team"}`, "If-Match",
		get.header.Get("ETag"))
	patch.want(t, http.StatusOK)
	if got := patch.header.Get("ETag"); got != `"2"` {
		t.Errorf("ETag %q after a change", got)
	}
	w.do(t, "DELETE", path, w.issuer.user(icfg), "", "If-Match", `"1"`).
		want(t, http.StatusConflict)
	w.do(t, "DELETE", path, w.issuer.user(icfg), "", "If-Match", `"2"`).want(t, http.StatusOK)
}

// TestUpsertStoresRequest looks at what becomes of each field of PUT, at first and when it is
// sent again with other content.
func TestUpsertStoresRequest(t *testing.T) {
	w := newWorld(t, func(o *choices) {
		o.handler.Extension = installation.Extension{ID: "not this", Name: "Northwind Storage",
			Owner: "partner"}
		o.service.Owner = func(context.Context, string, string) (string, error) {
			return "partner", nil
		}
	})
	w.install(t)
	got := w.get(t, icfg)
	when := time.Date(2026, 3, 4, 9, 15, 0, 0, time.UTC)
	if e := got.Extension; e.ID != clientID || e.Name != "Northwind Storage" ||
		e.Owner != "partner" {
		t.Errorf("extension is %+v", e)
	}
	if a := got.Account; a.ID != account || a.Name != "Northwind Bikes" ||
		a.URL != "https://vercel.com/northwind-bikes" ||
		*a.Contact != (installation.Contact{Name: "Iris Holm", Email: "ops@northwind.example"}) {
		t.Errorf("account is %+v", a)
	}
	if p := got.Consent.Policies; len(p) != 2 || !p["terms"].Equal(when) ||
		!p["privacy"].Equal(when) {
		t.Errorf("policies are %v", p)
	}
	if by := got.Audit.Created; by.Kind != installation.Customer ||
		by.By != (installation.Reference{ID: "9c33de", Name: "Iris Holm"}) {
		t.Errorf("created by %+v", by)
	}
	if token := w.token(t, icfg); token != "c4nary-access" {
		t.Errorf("access token is %q", token)
	}
	w.do(t, "PATCH", path, w.issuer.user(icfg), `{"billingPlanId":"team"}`).want(t, 200)

	w.do(t, "PUT", path, w.issuer.user(icfg),
		`{"scopes":["a","b"],"acceptedPolicies":{},"credentials":{"access_token":"c4nary-2",`+
			`"token_type":"DPoP"}}`).want(t, 200)
	again := w.get(t, icfg)
	if c := again.Consent; len(c.Scopes) != 2 || len(c.Policies) != 0 {
		t.Errorf("consent is %+v, want the new one alone", c)
	}
	if again.Connection.TokenType != "DPoP" || w.token(t, icfg) != "c4nary-2" {
		t.Error("the credentials were not replaced")
	}
	if again.Account.Name != "Northwind Bikes" || again.BillingPlan == nil ||
		again.Generation != 1 {
		t.Error("account, plan or generation did not stay")
	}
}

// TestAccountURL: any string is accepted, since the contract says no more, and one that is no
// web address is not kept.
func TestAccountURL(t *testing.T) {
	for _, url := range []string{"string", "javascript:alert(1)", "https://u:pw@vercel.com/x"} {
		w := newWorld(t)
		w.do(t, "PUT", path, w.issuer.user(icfg), strings.Replace(upsertBody,
			"https://vercel.com/northwind-bikes", url, 1)).want(t, http.StatusOK)
		if got := w.get(t, icfg).Account.URL; got != "" {
			t.Errorf("kept %q", got)
		}
	}
}

func TestInitialPlan(t *testing.T) {
	w := newWorld(t, func(o *choices) { o.handler.InitialPlan = &freePlan })
	w.do(t, "PUT", path, w.issuer.user(icfg), upsertBody).
		want(t, 200, `{"billingPlan":`+freeJSON+`}`)
	w.do(t, "PATCH", path, w.issuer.user(icfg), `{"billingPlanId":"team"}`).want(t, 200)
	w.do(t, "PUT", path, w.issuer.user(icfg), upsertBody).
		want(t, 200, `{"billingPlan":`+teamJSON+`}`)
}
