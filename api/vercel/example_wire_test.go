package vercel_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"regexp"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/vercel"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/memstore"
)

// The objects of testdata/seeds: the request that installed, and the answer to it.
func ExampleInstallationOf() {
	svc := seeded()
	ctx := context.Background()

	inst, err := svc.Get(ctx, "icfg_7Hq2LxV9cPz4WbT1kNd8RyGe")
	if err != nil {
		log.Fatal(err)
	}
	show(vercel.UpsertOf(inst))
	show(vercel.InstallationOf(inst))
	// Output:
	// {
	//   "scopes": [ "read-write:integration-resource" ],
	//   "acceptedPolicies": { "toc": "2024-02-28T10:00:00Z" },
	//   "credentials": { "access_token": "***", "token_type": "Bearer" },
	//   "account": {
	//     "name": "Tidewater Kites",
	//     "url": "https://dashboard.example/tidewater-kites",
	//     "contact": { "name": "Operations", "email": "ops@tidewater.example" }
	//   }
	// }
	// {
	//   "billingPlan": {
	//     "id": "pro",
	//     "type": "prepayment",
	//     "name": "Pro",
	//     "scope": "installation",
	//     "description": "Ten projects, shared by the team",
	//     "paymentMethodRequired": true,
	//     "initialCharge": "20.00",
	//     "minimumAmount": "10.00",
	//     "maximumAmount": "500.00",
	//     "maximumAmountAutoPurchasePerPeriod": "1000.00",
	//     "cost": "$20.00/month",
	//     "details": [
	//       { "label": "Seats", "value": "10" }
	//     ],
	//     "highlightedDetails": [
	//       { "label": "Projects", "value": "10" }
	//     ],
	//     "quote": [
	//       { "line": "Pro plan", "amount": "20.00" }
	//     ],
	//     "effectiveDate": "2026-04-01T00:00:00Z",
	//     "disabled": true,
	//     "preauthorizationAmount": 123
	//   },
	//   "notification": {
	//     "level": "info",
	//     "title": "Your trial ends soon",
	//     "message": "Choose a plan before the end of the month.",
	//     "href": "https://partner.example/plans"
	//   }
	// }
}

var (
	innermost = regexp.MustCompile(`[{\[][^{}\[\]]*[}\]]`)
	newline   = regexp.MustCompile(`\n *`)
)

// show prints a value as JSON, with short objects and arrays on one line.
func show(v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	check(err)
	fmt.Println(innermost.ReplaceAllStringFunc(string(text), func(s string) string {
		if line := newline.ReplaceAllString(s, " "); len(line) < 80 {
			return line
		}
		return s
	}))
}

// seeded returns a service that acts for the host, with the installation of testdata/seeds. It
// takes the parts of the installation from Vercel's objects.
func seeded() *installation.Service {
	text, err := os.ReadFile("../../testdata/seeds/vercel.json")
	check(err)
	var seed struct {
		Path     struct{ InstallationID string }
		Request  vercel.Upsert
		Response vercel.Installation
	}
	check(json.Unmarshal(text, &seed))
	parts, answer := seed.Request.Parts("5e20d7"), seed.Response.Parts()
	parts.Extension = installation.Value(installation.Extension{ID: "oac_3tRk8QwZ"})
	parts.BillingPlan, parts.Notification = answer.BillingPlan, answer.Notification

	key, err := crypto.GenerateKey("k1")
	check(err)
	keys, err := crypto.NewKeyring(key)
	check(err)
	svc, err := installation.New(memstore.New(), keys, nil)
	check(err)
	svc = svc.As(installation.Actor{Kind: installation.Host})
	_, err = svc.Upsert(context.Background(), installation.UpsertRequest{
		ID: seed.Path.InstallationID, Parts: parts,
	})
	check(err)
	return svc
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
