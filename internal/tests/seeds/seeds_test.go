// Package seeds checks that every field of the documents of three platforms has a place
// in an installation.
package seeds

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
)

// The documents in testdata/seeds are what three platforms write, with every field of their
// descriptions. The tables below give the place of each field. A test puts the values of a
// document in the places of its table, stores the installation, reads it back, and compares
// each place with its value.

// seedField is one field of a document and its place.
type seedField struct {
	// wire is a JSON Pointer. "*" is any index or name.
	wire string
	// place is a Go path from seedWorld. "[*]" is the match of "*". A member of a Document
	// follows a "/".
	place string
	// secret, if set, is the ref that Reveal opens. The place has a mask.
	secret installation.Ref
	// derived, if set, is the reason why the place has another value than the document.
	derived string
}

// seedWorld is the start of all paths. It has an installation as it was read, and values
// outside of it.
type seedWorld struct {
	*installation.Installation
	Invited *installation.Result // of Invite
	Actor   installation.Actor
	Guard   installation.Guard
}

var ampersandFields = []seedField{
	{wire: "/id", place: "ID"},
	{wire: "/projectId", place: "Tenant"},
	{wire: "/integrationId", place: "Extension.ID"},
	{wire: "/group/groupRef", place: "Account.ID"},
	{wire: "/group/groupName", place: "Account.Name"},
	{wire: "/group/projectId", place: "Tenant"},
	{wire: "/group/createTime", place: "Account.Created"},
	{wire: "/group/updateTime", place: "Account.Updated"},
	{wire: "/healthStatus", place: "Health"},
	{wire: "/connection/id", place: "Connection.ID"},
	{wire: "/connection/projectId", place: "Tenant"},
	{wire: "/connection/provider", place: "Connection.Provider"},
	{wire: "/connection/providerApp/id", place: "Connection.App.ID"},
	{wire: "/connection/providerApp/projectId", place: "Tenant"},
	{wire: "/connection/providerApp/externalRef", place: "Connection.App.ExternalRef"},
	{wire: "/connection/providerApp/provider", place: "Connection.App.Provider"},
	{wire: "/connection/providerApp/clientId", place: "Connection.App.ClientID"},
	{wire: "/connection/providerApp/scopes/*", place: "Connection.App.Scopes[*]"},
	{wire: "/connection/providerApp/createTime", place: "Connection.App.Created"},
	{wire: "/connection/group/groupRef", place: "Account.ID"},
	{wire: "/connection/group/groupName", place: "Account.Name"},
	{wire: "/connection/group/projectId", place: "Tenant"},
	{wire: "/connection/group/createTime", place: "Account.Created"},
	{wire: "/connection/group/updateTime", place: "Account.Updated"},
	{wire: "/connection/consumer/consumerRef", place: "Connection.Consumer.ID"},
	{wire: "/connection/consumer/consumerName", place: "Connection.Consumer.Name"},
	{wire: "/connection/consumer/projectId", place: "Tenant"},
	{wire: "/connection/consumer/createTime", place: "Connection.Consumer.Created"},
	{wire: "/connection/consumer/updateTime", place: "Connection.Consumer.Updated"},
	{wire: "/connection/providerWorkspaceRef", place: "Connection.WorkspaceRef"},
	{wire: "/connection/providerConsumerRef", place: "Connection.ConsumerRef"},
	{wire: "/connection/createTime", place: "Connection.Created"},
	{wire: "/connection/updateTime", place: "Connection.Updated"},
	{wire: "/connection/authScheme", place: "Connection.Scheme"},
	{wire: "/connection/status", place: "Connection.Status"},
	{
		wire:   "/connection/oauth2AuthorizationCode/accessToken/token",
		place:  "Connection.AccessToken.Value",
		secret: credentialAt("/access_token"),
	},
	{
		wire:  "/connection/oauth2AuthorizationCode/accessToken/issuedAt",
		place: "Connection.AccessToken.Issued",
	},
	{
		wire:  "/connection/oauth2AuthorizationCode/accessToken/expiresAt",
		place: "Connection.AccessToken.Expires",
	},
	{
		wire:   "/connection/oauth2AuthorizationCode/refreshToken/token",
		place:  "Connection.RefreshToken.Value",
		secret: credentialAt("/refresh_token"),
	},
	{
		wire:  "/connection/oauth2AuthorizationCode/refreshToken/issuedAt",
		place: "Connection.RefreshToken.Issued",
	},
	{
		wire:  "/connection/oauth2AuthorizationCode/refreshToken/expiresAt",
		place: "Connection.RefreshToken.Expires",
	},
	{wire: "/connection/apiKey", place: "Connection.APIKey", secret: credentialAt("/api_key")},
	{wire: "/createTime", place: "Audit.Created.At"},
	{wire: "/createdBy", place: "Audit.Created.By.ID"},
	// This is the time of the newest configuration.
	{wire: "/updateTime", place: "Configuration.Created"},
	{wire: "/config/id", place: "Configuration.ID"},
	{wire: "/config/revisionId", place: "Configuration.RevisionID"},
	{wire: "/config/createTime", place: "Configuration.Created"},
	{wire: "/config/createdBy", place: "Configuration.CreatedBy"},
	{wire: "/config/content/provider", place: "Configuration.Document/provider"},
}

var softwareoneFields = []seedField{
	{wire: "/id", place: "ID"},
	{wire: "/extension/id", place: "Extension.ID"},
	{wire: "/extension/name", place: "Extension.Name"},
	{wire: "/status", place: "Status"},
	{
		wire: "/configuration/adobe_secret", place: "Configuration.Document/adobe_secret",
		secret: configAt("/adobe_secret"),
	},
	{
		wire: "/configuration/mpt_token", place: "Configuration.Document/mpt_token",
		secret: configAt("/mpt_token"),
	},
	{wire: "/configuration/vendor", place: "Configuration.Document/vendor"},
	{wire: "/account/id", place: "Account.ID"},
	{wire: "/account/name", place: "Account.Name"},
	{wire: "/account/icon", place: "Account.Icon"},
	{
		wire: "/invitation/url", place: "Invited.AcceptURL",
		derived: "made from Options.AcceptURL and returned once, by Invite",
	},
	{
		wire: "/invitation/code", place: "Invited.Code",
		derived: "made and returned once, by Invite; only a hash is stored",
	},
	{wire: "/invitation/status", place: "Invited.Invitation.Status"},
	{wire: "/modules/*/id", place: "Consent.Modules[*].ID"},
	{wire: "/audit/created/at", place: "Audit.Created.At"},
	{wire: "/audit/created/by/id", place: "Audit.Created.By.ID"},
	{wire: "/audit/created/by/name", place: "Audit.Created.By.Name"},
	{wire: "/audit/updated/at", place: "Audit.Updated.At"},
	{wire: "/audit/updated/by/id", place: "Audit.Updated.By.ID"},
	{wire: "/audit/updated/by/name", place: "Audit.Updated.By.Name"},
}

var vercelFields = []seedField{
	{wire: "/path/installationId", place: "ID"},
	{
		wire: "/headers/Authorization", place: "Actor.ID",
		derived: "the subject of the token, which the host validates; the token is not stored",
	},
	{
		wire: "/headers/X-Vercel-Auth", place: "Actor.Kind",
		derived: "user is a Customer, system is the Platform",
	},
	{wire: "/headers/Idempotency-Key", place: "Guard.IdempotencyKey"},
	{wire: "/request/scopes/*", place: "Consent.Scopes[*]"},
	{wire: "/request/acceptedPolicies/*", place: "Consent.Policies[*]"},
	{
		wire: "/request/credentials/access_token", place: "Connection.AccessToken.Value",
		secret: credentialAt("/access_token"),
	},
	{wire: "/request/credentials/token_type", place: "Connection.TokenType"},
	{wire: "/request/account/name", place: "Account.Name"},
	{wire: "/request/account/url", place: "Account.URL"},
	{wire: "/request/account/contact/email", place: "Account.Contact.Email"},
	{wire: "/request/account/contact/name", place: "Account.Contact.Name"},
	{wire: "/response/billingPlan/id", place: "BillingPlan.ID"},
	{wire: "/response/billingPlan/type", place: "BillingPlan.Type"},
	{wire: "/response/billingPlan/name", place: "BillingPlan.Name"},
	{wire: "/response/billingPlan/scope", place: "BillingPlan.Scope"},
	{wire: "/response/billingPlan/description", place: "BillingPlan.Description"},
	{
		wire:  "/response/billingPlan/paymentMethodRequired",
		place: "BillingPlan.PaymentMethodRequired",
	},
	{
		wire:  "/response/billingPlan/preauthorizationAmount",
		place: "BillingPlan.PreauthorizationAmount",
	},
	{wire: "/response/billingPlan/initialCharge", place: "BillingPlan.InitialCharge"},
	{wire: "/response/billingPlan/minimumAmount", place: "BillingPlan.MinimumAmount"},
	{wire: "/response/billingPlan/maximumAmount", place: "BillingPlan.MaximumAmount"},
	{
		wire:  "/response/billingPlan/maximumAmountAutoPurchasePerPeriod",
		place: "BillingPlan.MaximumAmountAutoPurchasePerPeriod",
	},
	{wire: "/response/billingPlan/cost", place: "BillingPlan.Cost"},
	{wire: "/response/billingPlan/details/*/label", place: "BillingPlan.Details[*].Label"},
	{wire: "/response/billingPlan/details/*/value", place: "BillingPlan.Details[*].Value"},
	{
		wire:  "/response/billingPlan/highlightedDetails/*/label",
		place: "BillingPlan.HighlightedDetails[*].Label",
	},
	{
		wire:  "/response/billingPlan/highlightedDetails/*/value",
		place: "BillingPlan.HighlightedDetails[*].Value",
	},
	{wire: "/response/billingPlan/quote/*/line", place: "BillingPlan.Quote[*].Line"},
	{wire: "/response/billingPlan/quote/*/amount", place: "BillingPlan.Quote[*].Amount"},
	{wire: "/response/billingPlan/effectiveDate", place: "BillingPlan.EffectiveDate"},
	{wire: "/response/billingPlan/disabled", place: "BillingPlan.Disabled"},
	{wire: "/response/notification/level", place: "Notification.Level"},
	{wire: "/response/notification/title", place: "Notification.Title"},
	{wire: "/response/notification/message", place: "Notification.Message"},
	{wire: "/response/notification/href", place: "Notification.Href"},
}

// credentialAt returns the ref of a credential.
func credentialAt(pointer string) installation.Ref {
	return installation.Ref("credential" + pointer)
}

// configAt returns the ref of a secret in the configuration.
func configAt(pointer string) installation.Ref {
	return installation.Ref("config" + pointer)
}

// Every field of the Ampersand document survives an upsert.
func TestSeedAmpersand(t *testing.T) {
	seed := readSeed(t, "ampersand", ampersandFields)
	want := seed.fill(t)
	svc := seedService(t, func() time.Time { return want.Audit.Created.At }, "")
	host := svc.In(want.Tenant).As(installation.Actor{
		Kind: installation.Host, User: want.Audit.Created.By,
	})

	if _, err := host.Upsert(t.Context(), installation.UpsertRequest{
		ID: want.ID, Parts: seedParts(want.Installation),
	}); err != nil {
		t.Fatal(err)
	}
	seed.check(t, host, &seedWorld{Installation: seedGet(t, host, want.ID)})
}

// seedVendor owns the extensions of all documents.
const seedVendor = "ACC-123-123"

// Every field of the SoftwareOne document survives an invite, an accept and a patch.
func TestSeedSoftwareone(t *testing.T) {
	seed := readSeed(t, "softwareone", softwareoneFields)
	want := seed.fill(t)
	acceptURL, _, _ := strings.Cut(seed.values["/invitation/url"].(string), "?")
	now := want.Audit.Created.At
	svc := seedService(t, func() time.Time { return now }, acceptURL)
	vendor := installation.Actor{
		Kind: installation.Vendor, ID: seedVendor, User: want.Audit.Created.By,
	}
	want.Extension.Owner = vendor.ID

	invited, err := svc.As(vendor).Invite(t.Context(), installation.InviteRequest{
		ID: want.ID, Parts: installation.Parts{Extension: installation.Value(want.Extension)},
	})
	if err != nil {
		t.Fatal(err)
	}
	code := invited.Code.RevealString()
	wantURL := acceptURL + "?code=" + code + "&installation=" + invited.ID
	if got := invited.AcceptURL.RevealString(); got != wantURL {
		t.Errorf("AcceptURL is %s, want %s", got, wantURL)
	}
	customer := installation.Actor{Kind: installation.Customer, ID: want.Account.ID}
	if _, err := svc.As(customer).Accept(t.Context(), installation.AcceptRequest{
		ID: want.ID, Code: invited.Code, Account: want.Account,
		Consent: installation.Value(want.Consent),
	}); err != nil {
		t.Fatal(err)
	}
	now, vendor.User = want.Audit.Updated.At, want.Audit.Updated.By
	if _, err := svc.As(vendor).Patch(t.Context(), installation.PatchRequest{
		ID:    want.ID,
		Parts: installation.Parts{Configuration: installation.Value(*want.Configuration)},
	}); err != nil {
		t.Fatal(err)
	}

	got := seedGet(t, svc.As(vendor), want.ID)
	if strings.Contains(fmt.Sprintf("%+v %+v", got, *got.Invitation), code) {
		t.Error("the code of the invitation can be read a second time")
	}
	seed.check(t, svc.As(vendor), &seedWorld{Installation: got, Invited: invited})
}

// Every field of the Vercel document survives an upsert, and a retry gets the first answer.
func TestSeedVercel(t *testing.T) {
	seed := readSeed(t, "vercel", vercelFields)
	want := seed.fill(t)
	// The integration and the account come from the token, not from the body.
	want.Extension.ID, want.Account.ID = "oac_3tRk8QwZ", "5e20d7"
	actor := installation.Actor{Kind: installation.Customer, ID: want.Account.ID}
	svc := seedService(t, nil, "").In(want.Extension.ID)
	request := installation.UpsertRequest{
		ID: want.ID, Guard: want.Guard, Parts: seedParts(want.Installation),
	}

	if _, err := svc.As(actor).Upsert(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	again, err := svc.As(actor).Upsert(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Replayed {
		t.Error("the retry with the same Idempotency-Key did not get the first answer")
	}
	host := svc.As(installation.Actor{Kind: installation.Host})
	seed.check(t, host, &seedWorld{
		Installation: seedGet(t, host, want.ID), Actor: actor, Guard: request.Guard,
	})
}

// placeSeed reports a field without a place, a place without a field, and a field with two.
func TestPlaceSeedReportsDifferences(t *testing.T) {
	values := map[string]any{
		"/id": "1", "/modules/0/id": "2", "/modules/0/name": "3", "/notes": "4",
	}
	places, problems := placeSeed([]seedField{
		{wire: "/id"}, {wire: "/modules/*/id"}, {wire: "/status"}, {wire: "/*"},
	}, values)
	want := []string{
		"/id is in the table twice, as /id and /*",
		"/modules/0/name is not in the table",
		"/status is in the table and not in the document",
	}
	if !slices.Equal(problems, want) {
		t.Errorf("problems are %q, want %q", problems, want)
	}
	if got := len(places); got != 3 {
		t.Errorf("%d fields have a place, want 3", got)
	}
}
