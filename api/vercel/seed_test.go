package vercel_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/internal/jsontree"
)

// documented is the request in Vercel's own page of the upsert.
const documented = `{"scopes":[],"acceptedPolicies":"value",
 "credentials":{"access_token":"string","token_type":"string"},
 "account":{"name":"string","url":"string","contact":{"email":"string","name":"string"}}}`

// TestDocumentedRequest: the placeholders of the page are refused, values in their place are
// accepted.
func TestDocumentedRequest(t *testing.T) {
	w := newWorld(t)
	w.do(t, "PUT", path, w.issuer.user(icfg), documented).
		want(t, 400, invalid("acceptedPolicies", "must be an object"))
	if n := w.store.commits.Load(); n > 0 {
		t.Fatal("it was stored")
	}
	for _, policies := range []string{`{}`, `{"toc":"2024-02-28T10:00:00Z"}`} {
		body := strings.Replace(documented, `"value"`, policies, 1)
		w.do(t, "PUT", path, w.issuer.user(icfg), body).want(t, 200, `{}`)
	}
}

// seedPlan is the plan of the document. It is disabled, so no customer can choose
// it: the host sets it.
var seedPlan = billing.Plan{
	ID: "pro", Type: "prepayment", Name: "Pro", Scope: "installation",
	Description: "Ten projects, shared by the team", PaymentMethodRequired: new(true),
	PreauthorizationAmount: "123", InitialCharge: "20.00", MinimumAmount: "10.00",
	MaximumAmount:                      "500.00",
	MaximumAmountAutoPurchasePerPeriod: "1000.00", Cost: "$20.00/month",
	Details:            []billing.Detail{{Label: "Seats", Value: "10"}},
	HighlightedDetails: []billing.Detail{{Label: "Projects", Value: "10"}},
	Quote:              []billing.QuoteLine{{Line: "Pro plan", Amount: "20.00"}},
	EffectiveDate:      time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Disabled: true,
}

var seedNotice = installation.Notification{
	Level: "info", Title: "Your trial ends soon",
	Message: "Choose a plan before the end of the month.",
	Href:    "https://partner.example/plans",
}

// TestSeedDocument sends the request of testdata/seeds as it stands there, answers with its
// plan and notification, and compares with the answer that stands beside it.
func TestSeedDocument(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "seeds", "vercel.json"))
	if err != nil {
		t.Fatal(err)
	}
	var seed struct {
		Path              map[string]string
		Headers           map[string]string
		Request, Response json.RawMessage
	}
	if err := json.Unmarshal(text, &seed); err != nil {
		t.Fatal(err)
	}
	id := seed.Path["installationId"]
	w := newWorld(t)
	put := func(headers ...string) reply {
		return w.do(t, "PUT", "/v1/installations/"+id, w.issuer.user(id), string(seed.Request),
			headers...)
	}
	put("X-Vercel-Auth", seed.Headers["X-Vercel-Auth"], "Idempotency-Key",
		seed.Headers["Idempotency-Key"]).want(t, 200, `{}`)
	parts := installation.Parts{BillingPlan: installation.Value(seedPlan),
		Notification: installation.Value(seedNotice)}
	if _, err := w.svc.Patch(t.Context(),
		installation.PatchRequest{ID: id, Parts: parts}); err != nil {
		t.Fatal(err)
	}

	for name, r := range map[string]reply{"PUT": put(),
		"GET": w.do(t, "GET", "/v1/installations/"+id, w.issuer.system(id), "")} {
		got, err := jsontree.Parse([]byte(r.body), jsontree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := jsontree.Parse(seed.Response, jsontree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equal(want) {
			t.Errorf("%s answers\n%s\nwant\n%s", name, r.body, seed.Response)
		}
	}
	if inst := w.get(t, id); !slices.Equal(slices.Collect(maps.Keys(inst.Consent.Policies)),
		[]string{"toc"}) || inst.Account.Contact.Email != "ops@tidewater.example" {
		t.Errorf("stored %+v, %+v", inst.Consent, inst.Account)
	}
	if got := w.token(t, id); got != "vct-7a1de83f5b2046c9" {
		t.Errorf("access token %q", got)
	}
}
