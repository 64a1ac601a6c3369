package formats

import (
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
)

var (
	everyTime      = time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)
	everyReference = installation.Reference{
		ID: "USR-1", Name: "Ann", Icon: "https://shop.example/ann.png",
	}
)

// everyPart returns parts in which each field has a value.
func everyPart() installation.Parts {
	refs := []installation.Reference{everyReference}
	return installation.Parts{
		Name: installation.Value("name"),
		Extension: installation.Value(installation.Extension{
			ID: "EXT-1", Name: "e", Icon: "https://e.example/i", Href: "https://e.example/",
			Owner: "ACC-2", Revision: 7,
		}),
		Account: installation.Value(installation.Account{
			ID: "ACC-1", Name: "a", Icon: "https://a.example/i",
			Type: "team", Status: "active", URL: "https://a.example/",
			Contact:  &installation.Contact{Name: "Iris", Email: "iris@a.example"},
			Revision: 8, Created: everyTime, Updated: everyTime,
		}),
		Health: installation.Value(installation.Healthy),
		Consent: installation.Value(installation.Consent{
			Scopes: []string{"read"}, Policies: map[string]time.Time{"eula": everyTime},
			Modules: refs, Terms: refs,
		}),
		Configuration: installation.Value(installation.Configuration{
			ID: "c", RevisionID: "r", Created: everyTime, CreatedBy: "Ann",
			Document: installation.JSON(`{"api_secret":"s3cr3t"}`),
		}),
		Connection:  installation.Value(everyConnection()),
		BillingPlan: installation.Value(everyPlan()),
		Notification: installation.Value(installation.Notification{
			Level: "warn", Title: "t", Message: "m", Href: "https://n.example/",
		}),
		Extra: installation.Value(installation.JSON(`{"signature":"s3cr3t"}`)),
	}
}

// everyConnection returns a connection in which each field has a value.
func everyConnection() installation.Connection {
	secret := crypto.NewSecret("s3cr3t")
	token := installation.Token{Value: secret, Issued: everyTime, Expires: everyTime}
	return installation.Connection{
		ID: "n", Provider: "p", Scheme: "oauth2", Status: "working",
		WorkspaceRef: "w", ConsumerRef: "u",
		App: &installation.ProviderApp{
			ID: "app", ExternalRef: "x", Provider: "p", ClientID: "client",
			Scopes: []string{"a"}, Created: everyTime, Updated: everyTime,
		},
		Consumer: &installation.Consumer{
			ID: "u", Name: "n", Created: everyTime, Updated: everyTime,
		},
		Scopes: []string{"b"}, TokenType: "Bearer",
		AccessToken: token, RefreshToken: token, APIKey: secret,
		Metadata: installation.JSON(`{"tenant_secret":"s3cr3t"}`),
		Created:  everyTime, Updated: everyTime,
	}
}

// everyPlan returns a billing plan in which each field has a value.
func everyPlan() billing.Plan {
	required := false
	details := []billing.Detail{{Label: "l", Value: "v"}}
	return billing.Plan{
		ID: "plan", Type: "subscription", Name: "n", Scope: "installation", Description: "d",
		PaymentMethodRequired:              &required,
		PreauthorizationAmount:             "1.00",
		InitialCharge:                      "2.00",
		MinimumAmount:                      "3.00",
		MaximumAmount:                      "4.00",
		MaximumAmountAutoPurchasePerPeriod: "5.00",
		Cost:                               "$6",
		Details:                            details,
		HighlightedDetails:                 details,
		Quote:                              []billing.QuoteLine{{Line: "l", Amount: "1.00"}},
		RequiredPolicies: []billing.Policy{
			{ID: "i", Name: "n", URL: "https://p.example/"},
		},
		EffectiveDate: everyTime,
		Disabled:      true,
	}
}
