package installation

import (
	"unicode/utf8"

	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/lease"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/validate"
	"google.golang.org/protobuf/encoding/protowire"
)

// Each stored type has one function that describes its fields, for writing and for reading. The
// field numbers are part of the stored format, and docs/record.proto documents them. A number is
// never reused for another field.

// codeContent describes the fields of an installation that are stored in its manifest. The other
// fields come from the record and its lifecycle.
func codeContent(c *record.Coder, i *Installation) {
	record.String(c, 1, &i.Name)
	record.Message(c, 2, &i.Extension, codeExtension)
	record.Message(c, 3, &i.Account, codeAccount)
	record.String(c, 4, &i.Health)
	record.Message(c, 5, &i.Consent, codeConsent)
	record.Pointer(c, 6, &i.Configuration, codeConfiguration)
	record.Pointer(c, 7, &i.Connection, codeConnection)
	record.Pointer(c, 8, &i.BillingPlan, codeBillingPlan)
	record.Pointer(c, 9, &i.Notification, codeNotification)
	record.Pointer(c, 10, &i.Invitation, codeInvitation)
	record.Pointer(c, 11, &i.Audit.Created, codeAuditEntry)
	record.Pointer(c, 12, &i.Audit.Updated, codeAuditEntry)
	record.Pointer(c, 13, &i.Audit.Invited, codeAuditEntry)
	record.Pointer(c, 14, &i.Audit.Installed, codeAuditEntry)
	record.Raw(c, 15, &i.Extra.masked)
}

func codeReference(c *record.Coder, r *Reference) {
	record.String(c, 1, &r.ID)
	record.String(c, 2, &r.Name)
	record.String(c, 3, &r.Icon)
}

func codeExtension(c *record.Coder, e *Extension) {
	record.String(c, 1, &e.ID)
	record.String(c, 2, &e.Name)
	record.String(c, 3, &e.Icon)
	record.String(c, 4, &e.Href)
	record.String(c, 5, &e.Owner)
	record.Int(c, 6, &e.Revision)
}

func codeAccount(c *record.Coder, a *Account) {
	record.String(c, 1, &a.ID)
	record.String(c, 2, &a.Name)
	record.String(c, 3, &a.Icon)
	record.String(c, 4, &a.Type)
	record.String(c, 5, &a.Status)
	record.String(c, 6, &a.URL)
	record.Pointer(c, 7, &a.Contact, codeContact)
	record.Int(c, 8, &a.Revision)
	record.Time(c, 9, &a.Created)
	record.Time(c, 10, &a.Updated)
}

func codeContact(c *record.Coder, p *Contact) {
	record.String(c, 1, &p.Name)
	record.String(c, 2, &p.Email)
}

func codeConsent(c *record.Coder, v *Consent) {
	record.Strings(c, 1, &v.Scopes)
	record.Times(c, 2, &v.Policies)
	record.Messages(c, 3, &v.Modules, codeReference)
	record.Messages(c, 4, &v.Terms, codeReference)
}

func codeConfiguration(c *record.Coder, v *Configuration) {
	record.String(c, 1, &v.ID)
	record.String(c, 2, &v.RevisionID)
	record.Time(c, 3, &v.Created)
	record.String(c, 4, &v.CreatedBy)
	record.Raw(c, 5, &v.Document.masked)
}

func codeConnection(c *record.Coder, v *Connection) {
	record.String(c, 1, &v.ID)
	record.String(c, 2, &v.Provider)
	record.String(c, 3, &v.Scheme)
	record.String(c, 4, &v.Status)
	record.Pointer(c, 5, &v.App, codeProviderApp)
	record.Pointer(c, 6, &v.Consumer, codeConsumer)
	record.String(c, 7, &v.WorkspaceRef)
	record.String(c, 8, &v.ConsumerRef)
	record.Strings(c, 9, &v.Scopes)
	record.String(c, 10, &v.TokenType)
	record.Message(c, 11, &v.AccessToken, codeToken)
	record.Message(c, 12, &v.RefreshToken, codeToken)
	codePresence(c, 13, &v.APIKey)
	record.Raw(c, 14, &v.Metadata.masked)
	record.Time(c, 15, &v.Created)
	record.Time(c, 16, &v.Updated)
}

func codeProviderApp(c *record.Coder, a *ProviderApp) {
	record.String(c, 1, &a.ID)
	record.String(c, 2, &a.ExternalRef)
	record.String(c, 3, &a.Provider)
	record.String(c, 4, &a.ClientID)
	record.Strings(c, 5, &a.Scopes)
	record.Time(c, 6, &a.Created)
	record.Time(c, 7, &a.Updated)
}

func codeConsumer(c *record.Coder, p *Consumer) {
	record.String(c, 1, &p.ID)
	record.String(c, 2, &p.Name)
	record.Time(c, 3, &p.Created)
	record.Time(c, 4, &p.Updated)
}

func codeToken(c *record.Coder, t *Token) {
	codePresence(c, 1, &t.Value)
	record.Time(c, 2, &t.Issued)
	record.Time(c, 3, &t.Expires)
}

// codePresence stores whether there is a credential, never its value. Reading returns a mask for
// the credential.
func codePresence(c *record.Coder, n protowire.Number, s *crypto.Secret) {
	present := !s.IsZero()
	record.Bool(c, n, &present)
	switch {
	case !present:
		*s = crypto.Secret{}
	case !s.IsMasked():
		*s = crypto.Masked()
	}
}

func codeBillingPlan(c *record.Coder, p *billing.Plan) {
	record.String(c, 1, &p.ID)
	record.String(c, 2, &p.Type)
	record.String(c, 3, &p.Name)
	record.String(c, 4, &p.Scope)
	record.String(c, 5, &p.Description)
	record.OptionalBool(c, 6, &p.PaymentMethodRequired)
	record.String(c, 7, &p.PreauthorizationAmount)
	record.String(c, 8, &p.InitialCharge)
	record.String(c, 9, &p.MinimumAmount)
	record.String(c, 10, &p.MaximumAmount)
	record.String(c, 11, &p.MaximumAmountAutoPurchasePerPeriod)
	record.String(c, 12, &p.Cost)
	record.Messages(c, 13, &p.Details, codePlanDetail)
	record.Messages(c, 14, &p.HighlightedDetails, codePlanDetail)
	record.Messages(c, 15, &p.Quote, codeQuoteLine)
	record.Messages(c, 16, &p.RequiredPolicies, codePlanPolicy)
	record.Time(c, 17, &p.EffectiveDate)
	record.Bool(c, 18, &p.Disabled)
}

func codePlanDetail(c *record.Coder, d *billing.Detail) {
	record.String(c, 1, &d.Label)
	record.String(c, 2, &d.Value)
}

func codeQuoteLine(c *record.Coder, q *billing.QuoteLine) {
	record.String(c, 1, &q.Line)
	record.String(c, 2, &q.Amount)
}

func codePlanPolicy(c *record.Coder, p *billing.Policy) {
	record.String(c, 1, &p.ID)
	record.String(c, 2, &p.Name)
	record.String(c, 3, &p.URL)
}

func codeNotification(c *record.Coder, n *Notification) {
	record.String(c, 1, &n.Level)
	record.String(c, 2, &n.Title)
	record.String(c, 3, &n.Message)
	record.String(c, 4, &n.Href)
}

// codeInvitation leaves the status out, which equals the status of the installation.
func codeInvitation(c *record.Coder, v *Invitation) {
	record.String(c, 1, &v.Message)
	record.String(c, 2, &v.ExternalID)
	record.String(c, 3, &v.Recipient)
	record.String(c, 4, &v.Validity)
	record.Time(c, 5, &v.Expires)
}

func codeAuditEntry(c *record.Coder, e *AuditEntry) {
	record.Time(c, 1, &e.At)
	record.String(c, 2, &e.Kind)
	record.String(c, 3, &e.By.ID)
	record.String(c, 4, &e.By.Name)
	record.String(c, 5, &e.By.Icon)
	record.String(c, 6, &e.Of.ID)
	record.String(c, 7, &e.Of.Name)
	record.String(c, 8, &e.Of.Icon)
	record.Bool(c, 9, &e.Unvouched)
	c.Require(!e.At.IsZero())
}

func codeLifecycle(c *record.Coder, l *lifecycle) {
	record.String(c, 1, &l.status)
	record.Int(c, 2, &l.generation)
	record.Pointer(c, 3, &l.expired, codeAuditEntry)
	record.Pointer(c, 4, &l.uninstalled, codeAuditEntry)
	record.Time(c, 5, &l.purgeAt)
	record.Bool(c, 6, &l.purged)
	record.Pointer(c, 7, &l.refresh, lease.Code)
	record.Time(c, 8, &l.renewAt)
	record.Time(c, 9, &l.revokeAt)
	c.Require(l.status != "" && l.generation > 0)
}

// codeEvent describes an event as a store keeps it. Tenant, IDs and texts can hold any bytes, since
// a store accepts any bytes.
func codeEvent(c *record.Coder, e *Event) {
	record.Raw(c, 1, &e.Type)
	record.Raw(c, 2, &e.Key.Tenant)
	record.Raw(c, 3, &e.Key.ID)
	record.Int(c, 4, &e.Revision)
	record.Int(c, 5, &e.Generation)
	record.Time(c, 6, &e.Time)
	record.Raw(c, 7, &e.Extension)
	record.Raw(c, 8, &e.Account)
	record.Raw(c, 9, &e.Actor.Kind)
	record.Raw(c, 10, &e.Actor.ID)
	record.Raw(c, 11, &e.Actor.User.ID)
	record.Raw(c, 12, &e.Actor.User.Name)
	record.Raw(c, 13, &e.Actor.User.Icon)
	record.Bool(c, 14, &e.Actor.ReadOnly)
	record.Raw(c, 15, &e.Reason)
	record.Raws(c, 16, &e.Changed)
	record.Int(c, 17, &e.Omitted)
}

// MarshalBinary returns the event in the form in which a store may keep it, without its ID. It
// never fails.
func (e Event) MarshalBinary() ([]byte, error) { return record.Stored(&e, codeEvent), nil }

// UnmarshalBinary reads what MarshalBinary wrote, in this release or an earlier one. It leaves ID
// empty. The error matches [ErrSealed].
func (e *Event) UnmarshalBinary(b []byte) error {
	return record.DecodeInto(e, b, "event", codeEvent)
}

// codeRecord describes a record as a store may keep it.
func codeRecord(c *record.Coder, r *Record) {
	record.Raw(c, 1, &r.Key.Tenant)
	record.Raw(c, 2, &r.Key.ID)
	record.Int(c, 3, &r.Revision)
	record.Int(c, 4, &r.Generation)
	record.Bool(c, 5, &r.Deleted)
	record.Time(c, 6, &r.Created)
	record.Time(c, 7, &r.Deadline)
	record.Raws(c, 8, &r.Index)
	record.Raws(c, 9, &r.Claims)
	record.Bytes(c, 10, &r.Body.raw)
}

func codeOutcome(c *record.Coder, o *Outcome) {
	record.Fixed(c, 1, o.Digest[:])
	record.Time(c, 2, &o.Until)
	record.Bytes(c, 3, &o.Data)
}

func codeRow(c *record.Coder, r *Row) {
	record.Pointer(c, 1, &r.Record, codeRecord)
	record.Messages(c, 2, &r.Ops, codeOp)
	record.Pointer(c, 3, &r.Outcome, codeOutcome)
	record.Raw(c, 4, &r.Tenant)
}

// codeRecordOfRow describes the record in a row, for reading.
func codeRecordOfRow(c *record.Coder, r *Record) {
	record.Message(c, 1, r, codeRecord)
	c.Require(r.Key != Key{})
	c.SkipRest()
}

func codeOp(c *record.Coder, o *Op) {
	record.Fixed(c, 1, o.Token[:])
	record.Int(c, 2, &o.Revision)
	record.Bool(c, 3, &o.WithRecord)
}

// MarshalBinary returns the record in a form in which a store may keep it. It never fails.
func (r Record) MarshalBinary() ([]byte, error) { return record.Stored(&r, codeRecord), nil }

// UnmarshalBinary reads what MarshalBinary wrote, in this release or an earlier one. It copies b.
// The error matches [ErrSealed].
func (r *Record) UnmarshalBinary(b []byte) error {
	return record.DecodeInto(r, b, "record", codeRecord)
}

// MarshalBinary returns the outcome in a form in which a store may keep it. It never fails.
func (o Outcome) MarshalBinary() ([]byte, error) { return record.Stored(&o, codeOutcome), nil }

// UnmarshalBinary reads what MarshalBinary wrote, in this release or an earlier one. It copies b.
// The error matches [ErrSealed].
func (o *Outcome) UnmarshalBinary(b []byte) error {
	return record.DecodeInto(o, b, "outcome", codeOutcome)
}

// MarshalBinary returns the row in a form in which a store may keep it. It never fails.
func (r Row) MarshalBinary() ([]byte, error) { return record.Stored(&r, codeRow), nil }

// UnmarshalBinary reads what MarshalBinary wrote, in this release or an earlier one. It copies b.
// The error matches [ErrSealed].
func (r *Row) UnmarshalBinary(b []byte) error { return record.DecodeInto(r, b, "row", codeRow) }

// Lengths in bytes to which fit cuts texts. The other strings are the type and six IDs of at most
// [validate.MaxID] bytes. All of them fit into [MaxEvent] together.
const (
	cutKind   = 32
	cutName   = 128
	cutReason = 256
)

// fit shortens e to [MaxEvent] bytes. It takes each step only if e is still too long. It sets the
// names of Changed aside before it cuts Reason, and at the end puts back as many as fit.
func (e *Event) fit() {
	long := func() bool {
		b, _ := e.MarshalBinary() // never fails
		return len(b) > MaxEvent
	}
	if !long() {
		return
	}
	e.Actor.User.Icon = ""
	if long() {
		e.Actor.User.Name = cut(e.Actor.User.Name, cutName)
	}
	names := e.Changed
	e.Changed, e.Omitted = nil, int64(len(names))
	if long() {
		e.Reason = cut(e.Reason, cutReason)
	}
	if long() {
		e.Actor.Kind = cut(e.Actor.Kind, cutKind)
		// If the record does not open, these come from the store, which can hold longer ones.
		e.Extension = cut(e.Extension, validate.MaxID)
		e.Account = cut(e.Account, validate.MaxID)
	}
	for n := range names {
		fits := *e
		e.Changed, e.Omitted = names[:n+1], int64(len(names)-n-1)
		if long() {
			*e = fits
			return
		}
	}
}

// cut returns the beginning of s, at most n bytes of whole characters.
func cut[T ~string](s T, n int) T {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func (e *AuditEntry) clone() *AuditEntry {
	if e == nil {
		return nil
	}
	return new(*e)
}
