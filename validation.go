package installation

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation/internal/invite"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/redact"
	"github.com/go-installation/installation/validate"
)

// Limits of requests, in addition to those of package validate.
const (
	maxIdempotencyKey = 256  // bytes
	maxItems          = 1000 // scopes, policies, modules, terms
)

// invalid returns an error with one violation.
func invalid(path string, rule validate.Rule, detail string) error {
	var l validate.List
	l.Add(path, rule, detail)
	return l.Err()
}

// invalidCursor turns a store's refusal of a query into a violation. The cursor is all that can be
// wrong with a query of the service.
func invalidCursor(err error) error {
	if errors.Is(err, ErrInvalid) {
		return invalid("after", validate.RuleFormat, "is not a cursor of this list")
	}
	return err
}

// admit rejects a call without an actor, and a request that is invalid whatever is stored. It runs
// before anything is read.
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

// admitMaintenance is admit for methods that act across installations. Only the host may call
// them, and only outside of its transactions.
func (s *Service) admitMaintenance(checks ...func(*validate.List)) error {
	if err := s.admit(checks...); err != nil {
		return err
	}
	if !s.can(ActionMaintain, nil) {
		return ErrForbidden
	}
	return s.outsideTransaction()
}

// outsideTransaction rejects a call on the service in a transaction of the host; see [Service.On].
func (s *Service) outsideTransaction() error {
	if s.tentative {
		return fmt.Errorf("%w in a transaction of the host: call the method on a service "+
			"without On", ErrUnsupported)
	}
	return nil
}

// checkLimit rejects a limit above high. 0 is the default.
func checkLimit(path string, n, high int) func(*validate.List) {
	return func(l *validate.List) { l.Range(path, int64(n), 0, int64(high)) }
}

// reservedID begins the IDs of records that belong to the library itself, such as the cursor of a
// consumer of events. No release stores such records yet.
const reservedID = "@"

// checkID rejects what cannot be the ID of an installation.
func checkID(id string) func(*validate.List) {
	return func(l *validate.List) {
		l.ID("id", id)
		if strings.HasPrefix(id, reservedID) {
			l.Add("id", validate.RuleFormat,
				"must not begin with @: such IDs are reserved for records of the library")
		}
	}
}

// checkGuard rejects a guard that contradicts itself.
func (g Guard) checkGuard(l *validate.List) {
	checkRevision(l, "revision", g.Revision)
	checkRevision(l, "generation", g.Generation)
	if g.Absent && (g.Present || g.Revision > 0 || g.Generation > 0) {
		l.Add("absent", validate.RuleExclusive, "excludes the other guards")
	}
	l.OptionalTime("installedBefore", g.InstalledBefore)
	if len(g.IdempotencyKey) > maxIdempotencyKey {
		detail := fmt.Sprintf("must have at most %d bytes", maxIdempotencyKey)
		l.Add("idempotencyKey", validate.RuleTooLong, detail)
	}
}

func (req ListRequest) check(l *validate.List) {
	l.Name("provider", req.Provider)
	l.OptionalID("extension", req.Extension)
	l.OptionalID("account", req.Account)
	l.OptionalID("owner", req.Owner)
	l.OptionalID("connection", req.Connection)
	for i, st := range req.Status {
		validate.Enum(l, fmt.Sprintf("status[%d]", i), st,
			StatusInvited, StatusInstalled, StatusExpired, StatusUninstalled)
	}
	l.Range("skip", int64(req.Skip), 0, MaxSkip)
	l.Range("limit", int64(req.Limit), 0, MaxPage)
}

func (req PatchRequest) check(l *validate.List) {
	req.Parts.check(l)
	l.Text("allowDestination", req.AllowDestination, validate.MaxMessage)
}

// maxAhead is how far the time of a new install may be ahead of the clock. A later time would let
// no further install pass until then.
const maxAhead = 5 * time.Minute

func (req UpsertRequest) check(now func() time.Time) func(*validate.List) {
	return func(l *validate.List) {
		req.Parts.check(l)
		l.Text("allowDestination", req.AllowDestination, validate.MaxMessage)
		if req.InstalledAt.IsZero() {
			return
		}
		l.Time("installedAt", req.InstalledAt)
		if req.InstalledAt.After(now().Add(maxAhead)) {
			l.Add("installedAt", validate.RuleRange,
				"must be at most 5 minutes ahead of the clock of the service")
		}
		if req.Generation != 0 {
			l.Add("installedAt", validate.RuleExclusive,
				"excludes a generation in the guard, which names an older install")
		}
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

// check rejects parts that could not be stored. Documents are validated where they are applied.
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
		b.Check(l)
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
		l.Time("consent.policies."+redact.Name(name), c.Policies[name])
	}
	checkReferences(l, "consent.modules", c.Modules)
	checkReferences(l, "consent.terms", c.Terms)
}

func checkReferences(l *validate.List, path string, refs []Reference) {
	l.Count(path, len(refs), maxItems)
	for i, r := range refs {
		at := fmt.Sprintf("%s[%d]", path, i)
		l.Required(at+".id", r.ID != "")
		checkReference(l, at, r)
	}
}

func (c Connection) check(l *validate.List) {
	l.OptionalID("connection.id", c.ID)
	l.Name("connection.provider", c.Provider)
	l.Name("connection.scheme", c.Scheme)
	l.Name("connection.status", c.Status)
	l.Name("connection.workspaceRef", c.WorkspaceRef)
	l.Name("connection.consumerRef", c.ConsumerRef)
	l.Name("connection.tokenType", c.TokenType)
	checkScopes(l, "connection.scopes", c.Scopes)
	l.OptionalTime("connection.accessToken.issued", c.AccessToken.Issued)
	l.OptionalTime("connection.accessToken.expires", c.AccessToken.Expires)
	l.OptionalTime("connection.refreshToken.issued", c.RefreshToken.Issued)
	l.OptionalTime("connection.refreshToken.expires", c.RefreshToken.Expires)
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
		detail := fmt.Sprintf("must have at most %d bytes", validate.MaxPointer)
		l.Add(path, validate.RuleTooLong, detail)
	}
	if _, err := jsontree.ParsePointer(pointer); err != nil {
		l.Add(path, validate.RuleFormat, "must be a JSON Pointer")
	}
	l.Text(path, pointer, validate.MaxPointer)
}

const periodFormat = "must be a number and d, w, m or y, such as 7d"

// checkPeriod rejects a malformed validity. "" is the default.
func checkPeriod(l *validate.List, p Period) {
	if _, ok := invite.AddPeriod(time.Time{}, string(p)); p != "" && !ok {
		l.Add("validity", validate.RuleFormat, periodFormat)
	}
}

// knownNames are the parts of an installation as a wire format would name them.
var knownNames = []string{
	"account", "audit", "billingPlan", "configuration", "connection", "consent", "extension",
	"extra", "generation", "health", "id", "invitation", "name", "notification", "revision",
	"status", "tenant",
}

// rejectKnownNames rejects extra fields with the name of a part, in any letter case, because
// readers such as encoding/json ignore case.
func rejectKnownNames(l *validate.List, extra Document) error {
	var members map[string]json.RawMessage
	if !extra.IsZero() {
		if err := extra.Decode(&members); err != nil {
			return err
		}
	}
	for _, member := range slices.Sorted(maps.Keys(members)) {
		known := func(name string) bool { return strings.EqualFold(name, member) }
		if slices.ContainsFunc(knownNames, known) {
			detail := "is the name of a part of the installation"
			l.Add("extra/"+member, validate.RuleExclusive, detail)
		}
	}
	return nil
}

// DefaultClaims allows one live installation of an extension in an account. An installed
// installation claims the pair of its extension and account. Invitations and ended installations
// claim nothing.
func DefaultClaims(inst *Installation) []string {
	if inst.Status != StatusInstalled || inst.Extension.ID == "" || inst.Account.ID == "" {
		return nil
	}
	return []string{"live=" + record.Pair(inst.Extension.ID, inst.Account.ID)}
}

// claimsOf returns the claims of the draft in the form that a store keeps: sorted, each once. Only
// an installation in status installed has claims: an invitation would keep its claims after it
// expired.
func (s *Service) claimsOf(d *draft) ([]string, error) {
	switch {
	case d.effect == effectKept, d.effect == effectLease:
		return d.stored.Claims, nil
	case d.inst.Status != StatusInstalled:
		return nil, nil
	}
	claims := slices.Sorted(slices.Values(s.opts.Claims(new(*d.inst))))
	for _, c := range claims {
		if c == "" || len(c) > MaxClaim || strings.ContainsRune(c, 0) {
			return nil, fmt.Errorf("installation: Options.Claims returned a claim that is empty, "+
				"longer than %d bytes, or contains NUL", MaxClaim)
		}
	}
	if len(claims) > MaxClaims {
		return nil, fmt.Errorf(
			"installation: Options.Claims returned more than %d claims", MaxClaims)
	}
	return slices.Compact(claims), nil
}
