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
		Name    string `json:"name"`
		URL     string `json:"url"`
		Contact struct {
			Email string `json:"email"`
			Name  string `json:"name"`
		} `json:"contact"`
	} `json:"account"`
}

// vercelResponse is the body of the response. The partner chooses its content.
type vercelResponse struct {
	BillingPlan  vercelPlan                                `json:"billingPlan"`
	Notification installation.Optional[vercelNotification] `json:"notification,omitzero"`
}

type vercelPlan struct {
	ID                                 string         `json:"id"`
	Type                               string         `json:"type"`
	Name                               string         `json:"name"`
	Scope                              string         `json:"scope"`
	Description                        string         `json:"description"`
	PaymentMethodRequired              *bool          `json:"paymentMethodRequired"`
	PreauthorizationAmount             json.Number    `json:"preauthorizationAmount"`
	InitialCharge                      string         `json:"initialCharge"`
	MinimumAmount                      string         `json:"minimumAmount"`
	MaximumAmount                      string         `json:"maximumAmount"`
	MaximumAmountAutoPurchasePerPeriod string         `json:"maximumAmountAutoPurchasePerPeriod"`
	Cost                               string         `json:"cost"`
	Details                            []vercelDetail `json:"details"`
	HighlightedDetails                 []vercelDetail `json:"highlightedDetails"`
	Quote                              []vercelQuote  `json:"quote"`
	EffectiveDate                      time.Time      `json:"effectiveDate"`
	Disabled                           bool           `json:"disabled"`
}

type vercelDetail struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

type vercelQuote struct {
	Line   string `json:"line"`
	Amount string `json:"amount"`
}

type vercelNotification struct {
	Level   string `json:"level"`
	Title   string `json:"title"`
	Message string `json:"message,omitzero"`
	Href    string `json:"href,omitzero"`
}

func readVercel() (*vercelRequest, *vercelResponse, error) {
	var in vercelRequest
	var out vercelResponse
	if err := json.Unmarshal(vercelRequestPayload, &in); err != nil {
		return nil, nil, err
	}
	return &in, &out, json.Unmarshal(vercelResponsePayload, &out)
}

// parts maps the body. The integration is the extension. The body has no id of
// the account, so it comes from the verified token.
func (in *vercelRequest) parts() installation.Parts {
	a := in.Account
	return installation.Parts{
		Extension: installation.Value(installation.Extension{ID: vercelClientID}),
		Account: installation.Value(installation.Account{
			ID: vercelAccountID, Name: a.Name, URL: a.URL,
			Contact: &installation.Contact{Name: a.Contact.Name, Email: a.Contact.Email},
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

// plan maps the billing plan of a response.
func (p *vercelPlan) plan() billing.Plan {
	out := billing.Plan{
		ID:                                 p.ID,
		Type:                               p.Type,
		Name:                               p.Name,
		Scope:                              p.Scope,
		Description:                        p.Description,
		PaymentMethodRequired:              p.PaymentMethodRequired,
		PreauthorizationAmount:             p.PreauthorizationAmount.String(),
		InitialCharge:                      p.InitialCharge,
		MinimumAmount:                      p.MinimumAmount,
		MaximumAmount:                      p.MaximumAmount,
		MaximumAmountAutoPurchasePerPeriod: p.MaximumAmountAutoPurchasePerPeriod,
		Cost:                               p.Cost,
		EffectiveDate:                      p.EffectiveDate,
		Disabled:                           p.Disabled,
	}
	for _, d := range p.Details {
		out.Details = append(out.Details, billing.Detail(d))
	}
	for _, d := range p.HighlightedDetails {
		out.HighlightedDetails = append(out.HighlightedDetails, billing.Detail(d))
	}
	for _, q := range p.Quote {
		out.Quote = append(out.Quote, billing.QuoteLine{Line: q.Line, Amount: q.Amount})
	}
	return out
}

// notice maps the notification of a response. Absent leaves the stored one
// unchanged, null removes it, and an object replaces it.
func (out *vercelResponse) notice() installation.Optional[installation.Notification] {
	if n, ok := out.Notification.Get(); ok {
		return installation.Value(installation.Notification{
			Level: n.Level, Title: n.Title, Message: n.Message, Href: n.Href,
		})
	}
	if out.Notification.Removes() {
		return installation.Remove[installation.Notification]()
	}
	return installation.Optional[installation.Notification]{}
}
