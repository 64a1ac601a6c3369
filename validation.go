package installation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// Limits of requests beside those of package validate.
const (
	maxIdempotencyKey = 256      // bytes
	maxItems          = 1000     // scopes, policies, modules, terms, lines of a plan
	maxCredential     = 64 << 10 // bytes
)

// invalid is an error with one violation.
func invalid(path string, rule validate.Rule, detail string) error {
	var l validate.List
	l.Add(path, rule, detail)
	return l.Err()
}

// admit refuses a call without an actor, and one that no stored state could make good, before anything is read.
func (s *Service) admit(checks ...func(*validate.List)) error {
	if s.actor.Kind == "" {
		return fmt.Errorf("%w: no actor: name one with Service.As", ErrForbidden)
	}
	var l validate.List
	l.OptionalID("tenant", s.tenant)
	l.Name("actor.kind", string(s.actor.Kind))
	l.OptionalID("actor.id", s.actor.ID)
	checkReference(&l, "actor.user", s.actor.User)
	for _, check := range checks {
		if check != nil {
			check(&l)
		}
	}
	return l.Err()
}

// maintains is admit for what only the host may do, across installations.
func (s *Service) maintains(checks ...func(*validate.List)) error {
	if err := s.admit(checks...); err != nil {
		return err
	}
	if !s.can(ActionMaintain, nil) {
		return ErrForbidden
	}
	return nil
}

// upTo demands a limit that is not above high; 0 is the default.
func upTo(path string, n, high int) func(*validate.List) {
	return func(l *validate.List) { l.Range(path, int64(n), 0, int64(high)) }
}

// anID demands the id of an installation.
func anID(id string) func(*validate.List) {
	return func(l *validate.List) { l.ID("id", id) }
}

func (g Guard) wellFormed(l *validate.List) {
	if g.Revision < 0 {
		l.Add("revision", validate.RuleRange, "must not be negative")
	}
	if g.Generation < 0 {
		l.Add("generation", validate.RuleRange, "must not be negative")
	}
	if g.Absent && (g.Present || g.Revision > 0 || g.Generation > 0) {
		l.Add("absent", validate.RuleExclusive, "excludes the other guards")
	}
	l.OptionalTime("installedBefore", g.InstalledBefore)
	if len(g.IdempotencyKey) > maxIdempotencyKey {
		l.Add("idempotencyKey", validate.RuleTooLong, fmt.Sprintf("must have at most %d bytes", maxIdempotencyKey))
	}
}

func (req ListRequest) check(l *validate.List) {
	l.OptionalID("extension", req.Extension)
	l.OptionalID("account", req.Account)
	l.OptionalID("owner", req.Owner)
	l.OptionalID("connection", req.Connection)
	for i, st := range req.Status {
		validate.Enum(l, fmt.Sprintf("status[%d]", i), st, StatusInvited, StatusInstalled, StatusExpired, StatusUninstalled)
	}
	l.Range("skip", int64(req.Skip), 0, MaxSkip)
	l.Range("limit", int64(req.Limit), 0, MaxPage)
}

func (req RevealRequest) check(l *validate.List) {
	l.Required("reason", req.Reason != "")
	l.Text("reason", req.Reason, validate.MaxMessage)
	l.Required("refs", len(req.Refs) > 0)
	l.Count("refs", len(req.Refs), MaxReveal)
	for i, ref := range req.Refs {
		validate.Enum(l, fmt.Sprintf("refs[%d].kind", i), ref.Kind, RefConfig, RefCredential, RefConnection, RefExtra)
		checkPointer(l, fmt.Sprintf("refs[%d].pointer", i), ref.Pointer)
	}
}

func (req InviteRequest) check(l *validate.List) {
	req.Parts.check(l)
	l.Text("message", req.Message, validate.MaxMessage)
	l.OptionalID("externalId", req.ExternalID)
	l.OptionalID("recipient", req.Recipient)
	checkPeriod(l, req.Validity)
}

func (req AcceptRequest) check(l *validate.List) {
	l.Required("account.id", req.Account.ID != "")
	req.Account.check(l)
	if c, ok := req.Consent.Get(); ok {
		c.check(l)
	}
	l.OptionalID("recipient", req.Recipient)
}

// check refuses parts that could not be stored. Documents are checked where they are applied.
func (p Parts) check(l *validate.List) {
	if name, ok := p.Name.Get(); ok {
		l.Name("name", name)
	}
	if p.Extension.Removes() {
		l.Add("extension", validate.RuleRequired, "cannot be removed")
	}
	if e, ok := p.Extension.Get(); ok {
		e.check(l)
	}
	if a, ok := p.Account.Get(); ok {
		a.check(l)
	}
	if h, ok := p.Health.Get(); ok {
		validate.Enum(l, "health", h, "", Healthy, Unhealthy)
	}
	if c, ok := p.Consent.Get(); ok {
		c.check(l)
	}
	if c, ok := p.Configuration.Get(); ok {
		l.OptionalID("configuration.id", c.ID)
		l.OptionalID("configuration.revisionId", c.RevisionID)
		l.OptionalTime("configuration.created", c.Created)
		l.Name("configuration.createdBy", c.CreatedBy)
	}
	if c, ok := p.Connection.Get(); ok {
		c.check(l)
	}
	if b, ok := p.BillingPlan.Get(); ok {
		b.check(l)
	}
	if n, ok := p.Notification.Get(); ok {
		validate.Enum(l, "notification.level", n.Level, "info", "warn", "error")
		l.Required("notification.title", n.Title != "")
		l.Name("notification.title", n.Title)
		l.Text("notification.message", n.Message, validate.MaxMessage)
		if !strings.HasPrefix(n.Href, "sso:") {
			l.OptionalURL("notification.href", n.Href)
		}
		l.Text("notification.href", n.Href, validate.MaxURL)
	}
}

func (e Extension) check(l *validate.List) {
	l.ID("extension.id", e.ID)
	l.Name("extension.name", e.Name)
	l.Text("extension.icon", e.Icon, validate.MaxURL)
	l.Text("extension.href", e.Href, validate.MaxURL)
	l.OptionalID("extension.owner", e.Owner)
	checkRevision(l, "extension.revision", e.Revision)
}

func (a Account) check(l *validate.List) {
	l.OptionalID("account.id", a.ID)
	l.Name("account.name", a.Name)
	l.Text("account.icon", a.Icon, validate.MaxURL)
	l.Name("account.type", a.Type)
	l.Name("account.status", a.Status)
	l.OptionalURL("account.url", a.URL)
	if a.Contact != nil {
		l.Name("account.contact.name", a.Contact.Name)
		l.Name("account.contact.email", a.Contact.Email)
	}
	checkRevision(l, "account.revision", a.Revision)
	l.OptionalTime("account.created", a.Created)
	l.OptionalTime("account.updated", a.Updated)
}

func (c Consent) check(l *validate.List) {
	checkScopes(l, "consent.scopes", c.Scopes)
	l.Count("consent.policies", len(c.Policies), maxItems)
	for _, name := range slices.Sorted(maps.Keys(c.Policies)) {
		l.ID("consent.policies", name)
		l.Time("consent.policies."+name, c.Policies[name])
	}
	for _, list := range []struct {
		path string
		refs []Reference
	}{{"consent.modules", c.Modules}, {"consent.terms", c.Terms}} {
		l.Count(list.path, len(list.refs), maxItems)
		for i, r := range list.refs {
			path := fmt.Sprintf("%s[%d]", list.path, i)
			l.Required(path+".id", r.ID != "")
			checkReference(l, path, r)
		}
	}
}

func (c Connection) check(l *validate.List) {
	l.OptionalID("connection.id", c.ID)
	for _, f := range []struct{ name, value string }{
		{"provider", c.Provider}, {"scheme", c.Scheme}, {"status", c.Status}, {"workspaceRef", c.WorkspaceRef},
		{"consumerRef", c.ConsumerRef}, {"tokenType", c.TokenType},
	} {
		l.Name("connection."+f.name, f.value)
	}
	checkScopes(l, "connection.scopes", c.Scopes)
	for _, t := range []struct {
		name  string
		token Token
	}{{"accessToken", c.AccessToken}, {"refreshToken", c.RefreshToken}} {
		l.OptionalTime("connection."+t.name+".issued", t.token.Issued)
		l.OptionalTime("connection."+t.name+".expires", t.token.Expires)
	}
	l.OptionalTime("connection.created", c.Created)
	l.OptionalTime("connection.updated", c.Updated)
	if a := c.App; a != nil {
		l.OptionalID("connection.app.id", a.ID)
		l.Name("connection.app.externalRef", a.ExternalRef)
		l.Name("connection.app.provider", a.Provider)
		l.Name("connection.app.clientId", a.ClientID)
		checkScopes(l, "connection.app.scopes", a.Scopes)
		l.OptionalTime("connection.app.created", a.Created)
		l.OptionalTime("connection.app.updated", a.Updated)
	}
	if o := c.Consumer; o != nil {
		l.OptionalID("connection.consumer.id", o.ID)
		l.Name("connection.consumer.name", o.Name)
		l.OptionalTime("connection.consumer.created", o.Created)
		l.OptionalTime("connection.consumer.updated", o.Updated)
	}
}

// checkSecret reports whether a secret string can be stored.
func checkSecret(l *validate.List, path string, secret crypto.Secret) bool {
	b := secret.Reveal()
	defer clear(b)
	switch {
	case len(b) > maxCredential:
		l.Add(path, validate.RuleTooLarge, fmt.Sprintf("must have at most %d bytes", maxCredential))
	case !utf8.Valid(b):
		l.Add(path, validate.RuleUTF8, "must be valid UTF-8")
	default:
		return true
	}
	return false
}

func (b BillingPlan) check(l *validate.List) {
	l.ID("billingPlan.id", b.ID)
	validate.Enum(l, "billingPlan.type", b.Type, "prepayment", "subscription")
	l.Name("billingPlan.name", b.Name)
	validate.Enum(l, "billingPlan.scope", b.Scope, "", "installation", "resource")
	l.Text("billingPlan.description", b.Description, validate.MaxMessage)
	l.Name("billingPlan.cost", b.Cost)
	for _, f := range []struct{ name, value string }{
		{"preauthorizationAmount", b.PreauthorizationAmount}, {"initialCharge", b.InitialCharge}, {"minimumAmount", b.MinimumAmount},
		{"maximumAmount", b.MaximumAmount}, {"maximumAmountAutoPurchasePerPeriod", b.MaximumAmountAutoPurchasePerPeriod},
	} {
		if f.value != "" && !decimal(f.value) {
			l.Add("billingPlan."+f.name, validate.RuleFormat, "must be a decimal number such as 12.50")
		}
	}
	l.OptionalTime("billingPlan.effectiveDate", b.EffectiveDate)
	for _, list := range []struct {
		name string
		n    int
	}{{"details", len(b.Details)}, {"highlightedDetails", len(b.HighlightedDetails)}, {"quote", len(b.Quote)}, {"requiredPolicies", len(b.RequiredPolicies)}} {
		l.Count("billingPlan."+list.name, list.n, maxItems)
	}
	for i, d := range b.Details {
		l.Name(fmt.Sprintf("billingPlan.details[%d].label", i), d.Label)
		l.Text(fmt.Sprintf("billingPlan.details[%d].value", i), d.Value, validate.MaxMessage)
	}
	for i, d := range b.HighlightedDetails {
		l.Name(fmt.Sprintf("billingPlan.highlightedDetails[%d].label", i), d.Label)
		l.Text(fmt.Sprintf("billingPlan.highlightedDetails[%d].value", i), d.Value, validate.MaxMessage)
	}
	for i, q := range b.Quote {
		l.Name(fmt.Sprintf("billingPlan.quote[%d].line", i), q.Line)
		l.Name(fmt.Sprintf("billingPlan.quote[%d].amount", i), q.Amount)
	}
	for i, p := range b.RequiredPolicies {
		l.ID(fmt.Sprintf("billingPlan.requiredPolicies[%d].id", i), p.ID)
		l.Name(fmt.Sprintf("billingPlan.requiredPolicies[%d].name", i), p.Name)
		l.OptionalURL(fmt.Sprintf("billingPlan.requiredPolicies[%d].url", i), p.URL)
	}
}

func checkReference(l *validate.List, path string, r Reference) {
	if r == (Reference{}) {
		return
	}
	l.OptionalID(path+".id", r.ID)
	l.Name(path+".name", r.Name)
	l.Text(path+".icon", r.Icon, validate.MaxURL)
}

func checkScopes(l *validate.List, path string, scopes []string) {
	l.Count(path, len(scopes), maxItems)
	for i, scope := range scopes {
		l.ID(fmt.Sprintf("%s[%d]", path, i), scope)
	}
}

func checkRevision(l *validate.List, path string, n int64) {
	if n < 0 {
		l.Add(path, validate.RuleRange, "must not be negative")
	}
}

func checkPointer(l *validate.List, path, pointer string) {
	if len(pointer) > validate.MaxPointer {
		l.Add(path, validate.RuleTooLong, fmt.Sprintf("must have at most %d bytes", validate.MaxPointer))
	}
	if _, err := jsontree.ParsePointer(pointer); err != nil {
		l.Add(path, validate.RuleFormat, "must be a JSON Pointer")
	}
	l.Text(path, pointer, validate.MaxPointer)
}

// checkPeriod refuses a validity that cannot be counted; "" is the default.
func checkPeriod(l *validate.List, p Period) {
	if _, _, ok := p.parse(); p != "" && !ok {
		l.Add("validity", validate.RuleFormat, "must be a number and d, w, m or y, such as 7d")
	}
}

// decimal reports whether s is digits, with a fraction or not.
func decimal(s string) bool {
	whole, fraction, dot := strings.Cut(s, ".")
	digits := func(t string) bool { return t != "" && strings.Trim(t, "0123456789") == "" }
	return len(s) <= 64 && digits(whole) && (!dot || digits(fraction))
}
