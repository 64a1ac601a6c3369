package installation

import (
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/go-installation/installation/crypto"
)

// The stored forms of the domain types, version 1. A key number is never used again for something else, and a decoder for every version
// ever written stays. Types without times or nested parts convert directly, so that a field forgotten here does not compile.

// stamp is a time as it is stored: microseconds since year 1, so that no time and 0 are the same.
type stamp int64

const yearOne = -62135596800_000_000 // in Unix microseconds

func stampOf(t time.Time) stamp {
	if t.IsZero() {
		return 0
	}
	return stamp(t.UnixMicro() - yearOne)
}

func (s stamp) time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(s) + yearOne).UTC()
}

type referenceV1 struct {
	ID   string `cbor:"1,keyasint,omitempty"`
	Name string `cbor:"2,keyasint,omitempty"`
	Icon string `cbor:"3,keyasint,omitempty"`
}

type extensionV1 struct {
	ID       string `cbor:"1,keyasint,omitempty"`
	Name     string `cbor:"2,keyasint,omitempty"`
	Icon     string `cbor:"3,keyasint,omitempty"`
	Href     string `cbor:"4,keyasint,omitempty"`
	Owner    string `cbor:"5,keyasint,omitempty"`
	Revision int64  `cbor:"6,keyasint,omitempty"`
}

type contactV1 struct {
	Name  string `cbor:"1,keyasint,omitempty"`
	Email string `cbor:"2,keyasint,omitempty"`
}

type accountV1 struct {
	ID       string     `cbor:"1,keyasint,omitempty"`
	Name     string     `cbor:"2,keyasint,omitempty"`
	Icon     string     `cbor:"3,keyasint,omitempty"`
	Type     string     `cbor:"4,keyasint,omitempty"`
	Status   string     `cbor:"5,keyasint,omitempty"`
	URL      string     `cbor:"6,keyasint,omitempty"`
	Contact  *contactV1 `cbor:"7,keyasint,omitempty"`
	Revision int64      `cbor:"8,keyasint,omitempty"`
	Created  stamp      `cbor:"9,keyasint,omitempty"`
	Updated  stamp      `cbor:"10,keyasint,omitempty"`
}

func accountToV1(a Account) accountV1 {
	return accountV1{a.ID, a.Name, a.Icon, a.Type, a.Status, a.URL, (*contactV1)(a.Contact), a.Revision, stampOf(a.Created), stampOf(a.Updated)}
}

func (a accountV1) domain() Account {
	return Account{a.ID, a.Name, a.Icon, a.Type, a.Status, a.URL, (*Contact)(a.Contact), a.Revision, a.Created.time(), a.Updated.time()}
}

type consentV1 struct {
	Scopes   []string         `cbor:"1,keyasint,omitempty"`
	Policies map[string]stamp `cbor:"2,keyasint,omitempty"`
	Modules  []referenceV1    `cbor:"3,keyasint,omitempty"`
	Terms    []referenceV1    `cbor:"4,keyasint,omitempty"`
}

func consentToV1(c Consent) consentV1 {
	w := consentV1{
		Scopes:  c.Scopes,
		Modules: convert(c.Modules, func(r Reference) referenceV1 { return referenceV1(r) }),
		Terms:   convert(c.Terms, func(r Reference) referenceV1 { return referenceV1(r) }),
	}
	for name, t := range c.Policies {
		if w.Policies == nil {
			w.Policies = make(map[string]stamp, len(c.Policies))
		}
		w.Policies[name] = stampOf(t)
	}
	return w
}

func (w consentV1) domain() Consent {
	c := Consent{
		Scopes:  w.Scopes,
		Modules: convert(w.Modules, func(r referenceV1) Reference { return Reference(r) }),
		Terms:   convert(w.Terms, func(r referenceV1) Reference { return Reference(r) }),
	}
	if w.Policies != nil {
		c.Policies = make(map[string]time.Time, len(w.Policies))
	}
	for name, t := range w.Policies {
		c.Policies[name] = t.time()
	}
	return c
}

type configurationV1 struct {
	ID         string `cbor:"1,keyasint,omitempty"`
	RevisionID string `cbor:"2,keyasint,omitempty"`
	Created    stamp  `cbor:"3,keyasint,omitempty"`
	CreatedBy  string `cbor:"4,keyasint,omitempty"`
	Masked     []byte `cbor:"5,keyasint,omitempty"` // JSON text
}

func configurationToV1(c *Configuration) *configurationV1 {
	if c == nil {
		return nil
	}
	return &configurationV1{c.ID, c.RevisionID, stampOf(c.Created), c.CreatedBy, c.Document.masked}
}

func (w *configurationV1) domain() *Configuration {
	if w == nil {
		return nil
	}
	return &Configuration{ID: w.ID, RevisionID: w.RevisionID, Created: w.Created.time(), CreatedBy: w.CreatedBy, Document: maskedDocument(w.Masked)}
}

type providerAppV1 struct {
	ID          string   `cbor:"1,keyasint,omitempty"`
	ExternalRef string   `cbor:"2,keyasint,omitempty"`
	Provider    string   `cbor:"3,keyasint,omitempty"`
	ClientID    string   `cbor:"4,keyasint,omitempty"`
	Scopes      []string `cbor:"5,keyasint,omitempty"`
	Created     stamp    `cbor:"6,keyasint,omitempty"`
	Updated     stamp    `cbor:"7,keyasint,omitempty"`
}

type consumerV1 struct {
	ID      string `cbor:"1,keyasint,omitempty"`
	Name    string `cbor:"2,keyasint,omitempty"`
	Created stamp  `cbor:"3,keyasint,omitempty"`
	Updated stamp  `cbor:"4,keyasint,omitempty"`
}

// tokenV1 says whether there is a token, never which.
type tokenV1 struct {
	Present bool  `cbor:"1,keyasint,omitempty"`
	Issued  stamp `cbor:"2,keyasint,omitempty"`
	Expires stamp `cbor:"3,keyasint,omitempty"`
}

func tokenToV1(t Token) tokenV1 {
	return tokenV1{!t.Value.IsZero(), stampOf(t.Issued), stampOf(t.Expires)}
}

func (w tokenV1) domain() Token {
	return Token{maskIf(w.Present), w.Issued.time(), w.Expires.time()}
}

func maskIf(present bool) crypto.Secret {
	if present {
		return crypto.Masked()
	}
	return crypto.Secret{}
}

type connectionV1 struct {
	ID           string         `cbor:"1,keyasint,omitempty"`
	Provider     string         `cbor:"2,keyasint,omitempty"`
	Scheme       string         `cbor:"3,keyasint,omitempty"`
	Status       string         `cbor:"4,keyasint,omitempty"`
	App          *providerAppV1 `cbor:"5,keyasint,omitempty"`
	Consumer     *consumerV1    `cbor:"6,keyasint,omitempty"`
	WorkspaceRef string         `cbor:"7,keyasint,omitempty"`
	ConsumerRef  string         `cbor:"8,keyasint,omitempty"`
	Scopes       []string       `cbor:"9,keyasint,omitempty"`
	TokenType    string         `cbor:"10,keyasint,omitempty"`
	AccessToken  tokenV1        `cbor:"11,keyasint,omitzero"`
	RefreshToken tokenV1        `cbor:"12,keyasint,omitzero"`
	APIKey       bool           `cbor:"13,keyasint,omitempty"` // whether there is one
	Metadata     []byte         `cbor:"14,keyasint,omitempty"` // masked JSON text
	Created      stamp          `cbor:"15,keyasint,omitempty"`
	Updated      stamp          `cbor:"16,keyasint,omitempty"`
}

func connectionToV1(c *Connection) *connectionV1 {
	if c == nil {
		return nil
	}
	w := &connectionV1{
		ID: c.ID, Provider: c.Provider, Scheme: c.Scheme, Status: c.Status,
		WorkspaceRef: c.WorkspaceRef, ConsumerRef: c.ConsumerRef, Scopes: c.Scopes, TokenType: c.TokenType,
		AccessToken: tokenToV1(c.AccessToken), RefreshToken: tokenToV1(c.RefreshToken), APIKey: !c.APIKey.IsZero(),
		Metadata: c.Metadata.masked, Created: stampOf(c.Created), Updated: stampOf(c.Updated),
	}
	if a := c.App; a != nil {
		w.App = &providerAppV1{a.ID, a.ExternalRef, a.Provider, a.ClientID, a.Scopes, stampOf(a.Created), stampOf(a.Updated)}
	}
	if o := c.Consumer; o != nil {
		w.Consumer = &consumerV1{o.ID, o.Name, stampOf(o.Created), stampOf(o.Updated)}
	}
	return w
}

func (w *connectionV1) domain() *Connection {
	if w == nil {
		return nil
	}
	c := &Connection{
		ID: w.ID, Provider: w.Provider, Scheme: w.Scheme, Status: w.Status,
		WorkspaceRef: w.WorkspaceRef, ConsumerRef: w.ConsumerRef, Scopes: w.Scopes, TokenType: w.TokenType,
		AccessToken: w.AccessToken.domain(), RefreshToken: w.RefreshToken.domain(), APIKey: maskIf(w.APIKey),
		Metadata: maskedDocument(w.Metadata), Created: w.Created.time(), Updated: w.Updated.time(),
	}
	if a := w.App; a != nil {
		c.App = &ProviderApp{a.ID, a.ExternalRef, a.Provider, a.ClientID, a.Scopes, a.Created.time(), a.Updated.time()}
	}
	if o := w.Consumer; o != nil {
		c.Consumer = &Consumer{o.ID, o.Name, o.Created.time(), o.Updated.time()}
	}
	return c
}

type planDetailV1 struct {
	Label string `cbor:"1,keyasint,omitempty"`
	Value string `cbor:"2,keyasint,omitempty"`
}

type quoteLineV1 struct {
	Line   string `cbor:"1,keyasint,omitempty"`
	Amount string `cbor:"2,keyasint,omitempty"`
}

type planPolicyV1 struct {
	ID   string `cbor:"1,keyasint,omitempty"`
	Name string `cbor:"2,keyasint,omitempty"`
	URL  string `cbor:"3,keyasint,omitempty"`
}

type billingPlanV1 struct {
	ID                                 string         `cbor:"1,keyasint,omitempty"`
	Type                               string         `cbor:"2,keyasint,omitempty"`
	Name                               string         `cbor:"3,keyasint,omitempty"`
	Scope                              string         `cbor:"4,keyasint,omitempty"`
	Description                        string         `cbor:"5,keyasint,omitempty"`
	PaymentMethodRequired              *bool          `cbor:"6,keyasint,omitempty"`
	PreauthorizationAmount             string         `cbor:"7,keyasint,omitempty"`
	InitialCharge                      string         `cbor:"8,keyasint,omitempty"`
	MinimumAmount                      string         `cbor:"9,keyasint,omitempty"`
	MaximumAmount                      string         `cbor:"10,keyasint,omitempty"`
	MaximumAmountAutoPurchasePerPeriod string         `cbor:"11,keyasint,omitempty"`
	Cost                               string         `cbor:"12,keyasint,omitempty"`
	Details                            []planDetailV1 `cbor:"13,keyasint,omitempty"`
	HighlightedDetails                 []planDetailV1 `cbor:"14,keyasint,omitempty"`
	Quote                              []quoteLineV1  `cbor:"15,keyasint,omitempty"`
	RequiredPolicies                   []planPolicyV1 `cbor:"16,keyasint,omitempty"`
	EffectiveDate                      stamp          `cbor:"17,keyasint,omitempty"`
	Disabled                           bool           `cbor:"18,keyasint,omitempty"`
}

func billingPlanToV1(p *BillingPlan) *billingPlanV1 {
	if p == nil {
		return nil
	}
	detail := func(d PlanDetail) planDetailV1 { return planDetailV1(d) }
	return &billingPlanV1{
		p.ID, p.Type, p.Name, p.Scope, p.Description, p.PaymentMethodRequired, p.PreauthorizationAmount, p.InitialCharge,
		p.MinimumAmount, p.MaximumAmount, p.MaximumAmountAutoPurchasePerPeriod, p.Cost, convert(p.Details, detail),
		convert(p.HighlightedDetails, detail), convert(p.Quote, func(q QuoteLine) quoteLineV1 { return quoteLineV1(q) }),
		convert(p.RequiredPolicies, func(q PlanPolicy) planPolicyV1 { return planPolicyV1(q) }), stampOf(p.EffectiveDate), p.Disabled,
	}
}

func (w *billingPlanV1) domain() *BillingPlan {
	if w == nil {
		return nil
	}
	detail := func(d planDetailV1) PlanDetail { return PlanDetail(d) }
	return &BillingPlan{
		w.ID, w.Type, w.Name, w.Scope, w.Description, w.PaymentMethodRequired, w.PreauthorizationAmount, w.InitialCharge,
		w.MinimumAmount, w.MaximumAmount, w.MaximumAmountAutoPurchasePerPeriod, w.Cost, convert(w.Details, detail),
		convert(w.HighlightedDetails, detail), convert(w.Quote, func(q quoteLineV1) QuoteLine { return QuoteLine(q) }),
		convert(w.RequiredPolicies, func(q planPolicyV1) PlanPolicy { return PlanPolicy(q) }), w.EffectiveDate.time(), w.Disabled,
	}
}

type notificationV1 struct {
	Level   string `cbor:"1,keyasint,omitempty"`
	Title   string `cbor:"2,keyasint,omitempty"`
	Message string `cbor:"3,keyasint,omitempty"`
	Href    string `cbor:"4,keyasint,omitempty"`
}

// auditEntryV1 is flat, since several are read with every record.
type auditEntryV1 struct {
	At     stamp     `cbor:"1,keyasint,omitempty"`
	Kind   ActorKind `cbor:"2,keyasint,omitempty"`
	By     string    `cbor:"3,keyasint,omitempty"`
	ByName string    `cbor:"4,keyasint,omitempty"`
	ByIcon string    `cbor:"5,keyasint,omitempty"`
	Of     string    `cbor:"6,keyasint,omitempty"`
	OfName string    `cbor:"7,keyasint,omitempty"`
	OfIcon string    `cbor:"8,keyasint,omitempty"`
}

func auditEntryToV1(e *AuditEntry) auditEntryV1 {
	if e == nil {
		return auditEntryV1{}
	}
	return auditEntryV1{stampOf(e.At), e.Kind, e.By.ID, e.By.Name, e.By.Icon, e.Of.ID, e.Of.Name, e.Of.Icon}
}

func (w auditEntryV1) domain() *AuditEntry {
	if w == (auditEntryV1{}) {
		return nil
	}
	return &AuditEntry{w.At.time(), w.Kind, Reference{w.By, w.ByName, w.ByIcon}, Reference{w.Of, w.OfName, w.OfIcon}}
}

// convert maps a slice; the result of an empty one is nil, as it is after storing.
func convert[A, B any](in []A, one func(A) B) []B {
	if len(in) == 0 {
		return nil
	}
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = one(v)
	}
	return out
}

// Stored forms are CBOR (RFC 8949): byte strings without base64, and a decoder with hard limits.
var (
	encoding = must(cbor.EncOptions{Sort: cbor.SortBytewiseLexical, NilContainers: cbor.NilContainerAsNull}.EncMode())
	decoding = must(limits.DecMode())
	// decodingAnyText is for what a store may be given with any bytes in its strings.
	decodingAnyText = func() cbor.DecMode {
		lenient := limits
		lenient.UTF8 = cbor.UTF8DecodeInvalid
		return must(lenient.DecMode())
	}()
)

var limits = cbor.DecOptions{
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	IndefLength:       cbor.IndefLengthForbidden,
	TagsMd:            cbor.TagsForbidden,
	UTF8:              cbor.UTF8RejectInvalid,
	MaxNestedLevels:   16,
	MaxArrayElements:  65536,
	MaxMapPairs:       65536,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
}

// must is for options that are constants of this file.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// encode writes a stored form. It cannot fail: the forms are made of strings, numbers, bytes, and slices and maps of these.
func encode(v any) []byte { return must(encoding.Marshal(v)) }

// decode reads a stored form. Its error says nothing of the content.
func decode(b []byte, v any) error {
	if err := decoding.Unmarshal(b, v); err != nil {
		return ErrSealed
	}
	return nil
}
