package installation

import (
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// Installation is the fact that an extension is installed in a customer's account, or was, or was offered to be. One model
// serves every platform: fields a platform does not have stay empty.
//
// What the service returns is the caller's own copy, with secrets masked. To change something, send the changed part back in
// an [UpsertRequest]: a mask keeps what is stored.
type Installation struct {
	ID     string
	Tenant string // the project, client or platform it belongs to; "" = the default tenant
	Name   string

	Extension     Extension
	Account       Account
	Status        Status // at the time of reading: an invitation past its time reads as expired
	Health        Health
	Consent       Consent
	Configuration *Configuration // nil if there is none, or the actor may not see it
	Connection    *Connection
	BillingPlan   *BillingPlan
	Notification  *Notification
	Invitation    *Invitation // nil if it was installed directly
	Audit         Audit

	Generation int64 // which install this is, from 1
	Revision   int64 // which state this is, from 1; grows with every commit
	Purged     bool  // uninstalled for good: configuration, connection and invitation are gone with their key

	Extra  Document // fields of the wire that the model does not name
	Sealed []Ref    // where secrets are stored, for Reveal; sorted

	// Err says why the record could not be opened: [ErrSealed], [ErrUnknownKey], [ErrKeyUnavailable] or [ErrShredded]. The
	// fields then hold what is stored in plain: id, tenant, status, generation, revision and the ids of extension, owner and account.
	Err error
}

// Status is where an installation stands in its life. Unknown values survive reading and writing.
type Status string

// The four states.
const (
	StatusInvited     Status = "invited"
	StatusInstalled   Status = "installed"
	StatusExpired     Status = "expired"
	StatusUninstalled Status = "uninstalled"
)

// Phase groups states for lists: an invitation that ran out is still pending.
type Phase string

// The phases an installation is listed under.
const (
	PhasePending     Phase = "pending" // invited or expired
	PhaseInstalled   Phase = "installed"
	PhaseUninstalled Phase = "uninstalled"
)

func (s Status) phase() Phase {
	switch s {
	case StatusInvited, StatusExpired:
		return PhasePending
	default:
		return Phase(s)
	}
}

// Health is whether the installation works, as the host sees it. Unknown values survive reading and writing.
type Health string

// Known values of Health.
const (
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
)

// Extension is what is installed. Its ID is fixed for the life of an installation id.
type Extension struct {
	ID       string
	Name     string
	Icon     string
	Href     string
	Owner    string // account id of the vendor
	Revision int64
}

// Account is the customer: the account, team or group that the extension is installed in.
type Account struct {
	ID       string
	Name     string
	Icon     string
	Type     string
	Status   string
	URL      string
	Contact  *Contact
	Revision int64
	Created  time.Time
	Updated  time.Time
}

// Contact is a person to talk to.
type Contact struct {
	Name  string
	Email string
}

// Consent is what the customer agreed to.
type Consent struct {
	Scopes   []string             // permissions granted
	Policies map[string]time.Time // accepted policy to when
	Modules  []Reference          // areas of the platform the extension may use
	Terms    []Reference          // terms accepted
}

// Audit keeps the last time each thing happened; nil = never in this life of the installation.
type Audit struct {
	Created     *AuditEntry // survives a re-install
	Updated     *AuditEntry
	Invited     *AuditEntry
	Installed   *AuditEntry
	Expired     *AuditEntry
	Uninstalled *AuditEntry
}

// AuditEntry says when, by whom and for which account.
type AuditEntry struct {
	At   time.Time // UTC, microseconds
	Kind ActorKind
	By   Reference
	Of   Reference // the account
}

func (e *AuditEntry) clone() *AuditEntry {
	if e == nil {
		return nil
	}
	c := *e
	return &c
}

func (e *AuditEntry) equal(o *AuditEntry) bool {
	if e == nil || o == nil {
		return e == o
	}
	return e.At.Equal(o.At) && e.Kind == o.Kind && e.By == o.By && e.Of == o.Of
}

// Ref points at one stored secret.
type Ref struct {
	Kind    RefKind
	Pointer string // RFC 6901, within what the kind names
}

// ConfigRef points at a secret in the configuration.
func ConfigRef(pointer string) Ref { return Ref{RefConfig, pointer} }

// CredentialRef points at a credential of the connection: [PointerAccessToken] and its kin.
func CredentialRef(pointer string) Ref { return Ref{RefCredential, pointer} }

// RefKind says which part of an installation a secret belongs to.
type RefKind string

// Kinds of secrets.
const (
	RefConfig     RefKind = "config"     // in Configuration.Document
	RefCredential RefKind = "credential" // of the Connection: /access_token, /refresh_token, /api_key
	RefConnection RefKind = "connection" // in Connection.Metadata
	RefExtra      RefKind = "extra"      // in Extra
)

// Configuration is the set of parameters an extension runs with. On writing, only Document is needed: the service keeps or mints
// ID, mints a RevisionID whenever the document changes, and fills in who and when. The host and the platform may give these themselves.
type Configuration struct {
	ID         string
	RevisionID string
	Created    time.Time // of this revision
	CreatedBy  string
	Document   Document // a JSON object

	// Err says why every value in Document is masked: the schema cannot be used. It matches [ErrSchema]; on writing it is ignored.
	Err error
}

// Connection is how the host reaches the customer: the provider's side with its credentials. A host that shares connections
// between installations keeps them itself and stores here the ID and the public part.
//
// It is written as a whole. The secrets in it are masked on reading; sent back masked they keep what is stored, while the zero
// [crypto.Secret] removes it. So to change one token, start from the connection that was read, not from an empty one.
type Connection struct {
	ID           string
	Provider     string
	Scheme       string // such as "oauth2/authorizationCode", "apiKey"
	Status       string // such as "created", "working", "bad_credentials"
	App          *ProviderApp
	Consumer     *Consumer
	WorkspaceRef string // the provider's name for the workspace
	ConsumerRef  string // the provider's name for the consumer
	Scopes       []string
	TokenType    string // such as "Bearer"
	AccessToken  Token
	RefreshToken Token
	APIKey       crypto.Secret
	Metadata     Document // what the provider needs beside; may hold secrets
	Created      time.Time
	Updated      time.Time
}

// ProviderApp is the application registered with the provider.
type ProviderApp struct {
	ID          string
	ExternalRef string
	Provider    string
	ClientID    string
	Scopes      []string
	Created     time.Time
	Updated     time.Time
}

// Consumer is the person of the account who made the connection.
type Consumer struct {
	ID      string
	Name    string
	Created time.Time
	Updated time.Time
}

// Token is a credential with its times.
type Token struct {
	Value   crypto.Secret
	Issued  time.Time
	Expires time.Time
}

// Pointers of the credentials, for [Ref] with [RefCredential].
const (
	PointerAccessToken  = "/access_token"
	PointerRefreshToken = "/refresh_token"
	PointerAPIKey       = "/api_key"
)

// credential is one secret field of a connection.
type credential struct {
	pointer string
	value   *crypto.Secret
}

// credentials lists the secret fields of c in bytewise order of their pointers; none for nil.
func (c *Connection) credentials() []credential {
	if c == nil {
		return nil
	}
	return []credential{
		{PointerAccessToken, &c.AccessToken.Value},
		{PointerAPIKey, &c.APIKey},
		{PointerRefreshToken, &c.RefreshToken.Value},
	}
}

// BillingPlan is the plan an installation is billed under. Amounts are decimal numbers as text, since floats lose cents.
type BillingPlan struct {
	ID                                 string
	Type                               string // "prepayment" or "subscription"
	Name                               string
	Scope                              string // "installation" or "resource"
	Description                        string
	PaymentMethodRequired              *bool // nil = not said
	PreauthorizationAmount             string
	InitialCharge                      string
	MinimumAmount                      string
	MaximumAmount                      string
	MaximumAmountAutoPurchasePerPeriod string
	Cost                               string // for people, such as "$20.00/month"
	Details                            []PlanDetail
	HighlightedDetails                 []PlanDetail
	Quote                              []QuoteLine
	RequiredPolicies                   []PlanPolicy
	EffectiveDate                      time.Time
	Disabled                           bool
}

// Validate checks a plan as every write of it does; the error is a [*validate.Error]. It is for hosts that make plans long before a customer
// chooses one.
func (b BillingPlan) Validate() error {
	var l validate.List
	b.check(&l)
	return l.Err()
}

// PlanDetail is one line of a plan's description.
type PlanDetail struct {
	Label string
	Value string
}

// QuoteLine is one line of a plan's quote.
type QuoteLine struct {
	Line   string
	Amount string
}

// PlanPolicy is a policy that the customer must accept for a plan.
type PlanPolicy struct {
	ID   string
	Name string
	URL  string
}

// Notification is what the customer is shown about the installation at the moment.
type Notification struct {
	Level   string // "info", "warn" or "error"
	Title   string
	Message string
	Href    string
}
