package main

import (
	_ "embed"
	"encoding/json"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
)

var (
	//go:embed payloads/vercel-request.json
	vercelRequestPayload []byte
	//go:embed payloads/vercel-response.json
	vercelResponsePayload []byte
)

// These values come with the request but not in its body: from the path, the
// headers, and the claims of the token that the host has verified.
const (
	vercelID             = "icfg_7Hq2LxV9cPz4WbT1kNd8RyGe"
	vercelIdempotencyKey = "4b0d7a52-upsert"
	vercelClientID       = "oac_3tRk8QwZ"
	vercelAccountID      = "5e20d7"
	vercelUserID         = "user-81f3"
)

// vercelRequest is the body of an upsert.
type vercelRequest struct {
	Scopes           []string             `json:"scopes"`
	AcceptedPolicies map[string]time.Time `json:"acceptedPolicies"`
	Credentials      struct {
		AccessToken crypto.Secret `json:"access_token"`
		TokenType   string        `json:"token_type"`
	} `json:"credentials"`
	Account struct {
		Name    string                `json:"name"`
		URL     string                `json:"url"`
		Contact *installation.Contact `json:"contact"`
	} `json:"account"`
}

// vercelResponse is the body of the response. The partner, which is the host, chooses its content.
// Where field names are the same, types of the library decode the JSON.
type vercelResponse struct {
	BillingPlan vercelPlan `json:"billingPlan"`

	// An absent member leaves the stored notification unchanged, null removes the notification, and
	// an object replaces it.
	Notification installation.Optional[installation.Notification] `json:"notification,omitzero"`
}

// vercelPlan is a billing plan in which one amount is a JSON number. billing.Plan has all amounts
// as text.
type vercelPlan struct {
	billing.Plan
	PreauthorizationAmount json.Number `json:"preauthorizationAmount"`
}

func readVercel() (*vercelRequest, *vercelResponse, error) {
	var in vercelRequest
	var out vercelResponse
	if err := json.Unmarshal(vercelRequestPayload, &in); err != nil {
		return nil, nil, err
	}
	return &in, &out, json.Unmarshal(vercelResponsePayload, &out)
}

// parts maps the body to domain types. The integration becomes the extension. The ID of the account
// comes from the verified token, because the body has none.
func (in *vercelRequest) parts() installation.Parts {
	a := in.Account
	return installation.Parts{
		Extension: installation.Value(installation.Extension{ID: vercelClientID}),
		Account: installation.Value(installation.Account{
			ID: vercelAccountID, Name: a.Name, URL: a.URL, Contact: a.Contact,
		}),
		Consent: installation.Value(installation.Consent{
			Scopes: in.Scopes, Policies: in.AcceptedPolicies,
		}),
		Connection: installation.Value(installation.Connection{
			Provider:    "vercel",
			TokenType:   in.Credentials.TokenType,
			AccessToken: installation.Token{Value: in.Credentials.AccessToken},
		}),
	}
}

// plan maps the billing plan of a response to the domain type.
func (p *vercelPlan) plan() billing.Plan {
	plan := p.Plan
	plan.PreauthorizationAmount = p.PreauthorizationAmount.String()
	return plan
}
