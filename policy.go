package installation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/operation"
	"github.com/go-installation/installation/validate"
)

// Actor is who makes a request. The host application derives the actor from an identity that it has
// verified. The service does not verify the actor.
type Actor struct {
	Kind     ActorKind
	ID       string    // of the extension, vendor or customer; empty for Host and Platform
	User     Reference // the person or token behind the request, for the audit; optional
	ReadOnly bool      // can read, cannot change anything
}

// ActorKind is the role of an actor; see [DefaultPolicy]. The zero value may do nothing.
type ActorKind string

// Kinds of actors.
const (
	// Host is the embedding program itself.
	Host ActorKind = "host"
	// ExtensionActor is the extension, on its own installations. Its ID is the extension's.
	ExtensionActor ActorKind = "extension"
	// Vendor is the owner of extensions. Its ID is compared with Extension.Owner.
	Vendor ActorKind = "vendor"
	// Customer is the account that an extension is installed in. Its ID is the account's.
	Customer ActorKind = "customer"
	// Platform is the operator of the platform, across accounts.
	Platform ActorKind = "platform"
)

// Policy decides whether an actor may act on an installation. For a write, the service asks the
// policy about the stored state and about the result. If a record cannot be opened, inst has only
// the fields that are stored in plain, and Err. A Policy must not change the installation.
//
// If the policy refuses [ActionSee], the service returns [ErrNotFound]. For any other refusal it
// returns [ErrForbidden]. A custom policy usually calls [DefaultPolicy] and widens or narrows its
// answer. An extension, vendor or customer lists only its own installations, whatever the policy
// says. A policy should let hosts and platforms see every installation: [Service.Count] counts all
// of them.
type Policy func(a Actor, do Action, inst *Installation) bool

// Action is something that a policy allows or refuses.
type Action string

// Actions.
const (
	ActionSee              Action = "see"        // read the public part
	ActionSeeConfiguration Action = "see-config" // read the masked configuration
	ActionReveal           Action = "reveal"     // read plain secrets
	ActionInvite           Action = "invite"     // Invite and Resend
	ActionAccept           Action = "accept"     // Accept, for the account in the installation
	ActionUpsert           Action = "upsert"     // Upsert and Patch, except the configuration
	ActionConfigure        Action = "configure"  // the configuration in Upsert and Patch
	ActionUninstall        Action = "uninstall"  // Uninstall and Expire
	ActionDelete           Action = "delete"     // Delete
	ActionMaintain         Action = "maintain"   // Sweep, Events and so on; inst is nil
)

// DefaultPolicy is the policy of a service without Options.Policy:
//
//	              Host    ExtensionActor  Vendor   Customer  Platform
//	sees          all     its own         its own  its own   all
//	configuration masked  masked          masked   -         -
//	reveal        yes     yes             yes      -         -
//	invite        yes     -               yes      -         yes
//	accept        -       -               -        yes       -
//	upsert        yes     yes             yes      yes       yes
//	configure     yes     yes             yes      -         -
//	uninstall     yes     yes             yes      yes       yes
//	delete        yes     -               yes      -         yes
//	maintain      yes     -               -        -         -
//
// A ReadOnly actor has only the first two rights. The zero Actor has none.
//
// A vendor owns what Options.Owner says, not what its request says.
//
// The right upsert covers every part except the configuration. A host that offers Upsert to
// customers decides which parts it passes on: for example, whether a customer may name a billing
// plan, or install an extension without an invitation. A vendor or an extension can install in any
// account that it names; a host that wants the customer's consent offers only Invite. A host that
// accepts an invitation for an account calls Accept as the Customer of that account.
func DefaultPolicy(a Actor, do Action, inst *Installation) bool {
	if a.ReadOnly && do != ActionSee && do != ActionSeeConfiguration {
		return false
	}
	return owns(a, inst) && slices.Contains(defaultRights[a.Kind], do)
}

// As returns the service for one actor. The host must verify the actor; the service does not.
func (s *Service) As(actor Actor) *Service {
	c := *s
	c.actor = actor
	return &c
}

// noMove is the error for a transition that the lifecycle does not have.
func (d *draft) noMove(from, to Status) error {
	return &ConflictError{Key: d.key, Revision: d.stored.Revision, From: from, To: to}
}

// mayReinstall rejects an Upsert of an ended installation, if its guard names the generation that
// ended or the revision of an invitation that has expired since. Invite needs no such check: it
// never changes a generation that has not ended.
func (d *draft) mayReinstall(g Guard) error {
	refused := d.noMove(d.status(), StatusInstalled)
	switch {
	case g.Generation != 0:
		return fmt.Errorf("%w: generation %d in the guard has ended: leave Generation out to "+
			"install again", refused, g.Generation)
	case g.Revision != 0 && d.lifecycle.status == StatusInvited:
		return fmt.Errorf("%w: the invitation at revision %d in the guard has expired: leave "+
			"Revision out to install", refused, g.Revision)
	}
	return nil
}

// forbidden is the error for a draft that the policy refuses.
func (s *Service) forbidden(d *draft) error {
	if d.created && s.actor.Kind == Vendor && s.opts.Owner == nil {
		return errNoOwner
	}
	return ErrForbidden
}

// ownsAll reports whether every installation is the actor's own.
func (a Actor) ownsAll() bool { return a.Kind == Host || a.Kind == Platform }

// owns reports whether the installation belongs to the actor. Host and platform own everything. A
// nil installation, which stands for no particular one, belongs to every actor.
func owns(a Actor, inst *Installation) bool {
	if a.ownsAll() || inst == nil {
		return true
	}
	var owner string
	switch a.Kind {
	case ExtensionActor:
		owner = inst.Extension.ID
	case Vendor:
		owner = inst.Extension.Owner
	case Customer:
		owner = inst.Account.ID
	}
	return a.ID != "" && a.ID == owner
}

var defaultRights = map[ActorKind][]Action{
	Host: {ActionSee, ActionSeeConfiguration, ActionReveal, ActionInvite, ActionUpsert,
		ActionConfigure, ActionUninstall, ActionDelete, ActionMaintain},
	ExtensionActor: {ActionSee, ActionSeeConfiguration, ActionReveal, ActionUpsert,
		ActionConfigure, ActionUninstall},
	Vendor: {ActionSee, ActionSeeConfiguration, ActionReveal, ActionInvite, ActionUpsert,
		ActionConfigure, ActionUninstall, ActionDelete},
	Customer: {ActionSee, ActionAccept, ActionUpsert, ActionUninstall},
	Platform: {ActionSee, ActionInvite, ActionUpsert, ActionUninstall, ActionDelete},
}

// can reports whether the policy allows an action. It refuses an actor without a kind.
func (s *Service) can(do Action, inst *Installation) bool {
	return s.actor.Kind != "" && s.opts.Policy(s.actor, do, inst)
}

// allow returns ErrNotFound if the policy refuses ActionSee, and ErrForbidden if it refuses one of
// the other actions.
func (s *Service) allow(inst *Installation, actions ...Action) error {
	if !s.can(ActionSee, inst) {
		return ErrNotFound
	}
	if slices.ContainsFunc(actions, func(do Action) bool { return !s.can(do, inst) }) {
		return ErrForbidden
	}
	return nil
}

// hideConfiguration removes the configuration from inst if the actor may not see that of judged.
func (s *Service) hideConfiguration(inst, judged *Installation) {
	if s.can(ActionSeeConfiguration, judged) {
		return
	}
	inst.Configuration = nil
	inst.Sealed = slices.DeleteFunc(inst.Sealed, func(r Ref) bool { return r.Kind() == kindConfig })
}

// actions returns the actions that the policy has to allow for writing the parts: do, and
// ActionConfigure if there is a configuration.
func (p Parts) actions(do Action) []Action {
	if p.Configuration.IsZero() {
		return []Action{do}
	}
	return []Action{do, ActionConfigure}
}

func (req UpsertRequest) actions() []Action {
	actions := req.Parts.actions(ActionUpsert)
	if !req.InstalledAt.IsZero() {
		actions = append(actions, ActionUninstall) // it can end an install
	}
	if req.MoveSecrets || req.AllowDestination != "" {
		actions = append(actions, ActionReveal)
	}
	return actions
}

func (req PatchRequest) actions() []Action {
	actions := req.Parts.actions(ActionUpsert)
	if len(operation.Of(req.Operations, operation.Configuration)) > 0 {
		actions = append(actions, ActionConfigure)
	}
	if req.MoveSecrets || req.AllowDestination != "" {
		actions = append(actions, ActionReveal)
	}
	return actions
}

// withOwner returns the extension part with the owner to store. The request has no say in who that
// is: Options.Owner decides, or else the host and the platform. begins means that the write begins
// an install, so that withOwner asks even if the extension is not given.
func (s *Service) withOwner(
	ctx context.Context, d *draft, part Optional[Extension], begins bool,
) (Optional[Extension], error) {
	old := d.inst.Extension
	next, given := part.Get()
	if part.IsZero() && begins {
		next, next.Owner = old, ""
	} else if !given {
		return part, nil
	}
	switch {
	case next.ID == "", old.ID != "" && old.ID != next.ID:
		return part, nil // applyParts rejects it
	case s.opts.Owner != nil:
	case given && next.Owner != "" && old.Owner == "" && !s.actor.ownsAll():
		return part, errNoOwner
	default:
		return part, nil // checkOwners rejects another owner
	}
	owner, err := s.opts.Owner(ctx, d.key.Tenant, next.ID)
	var l validate.List
	if l.OptionalID("owner", owner); err != nil || l.Err() != nil {
		return part, cmp.Or[error](ctx.Err(), errOwnerFailed)
	}
	d.otherOwner = next.Owner != "" && next.Owner != owner
	next.Owner = owner
	return Value(next), nil
}

// checkDestinations rejects a write that can send kept secrets of the connection elsewhere. Besides
// the documents, the providers and the workspace decide where they go.
//
// Every other field can change alone, because it does not say where secrets go. ID, ExternalRef and
// ConsumerRef are only names. ClientID and Scheme say who logs in and how, at the same provider.
// Account.URL is for people, and no token is sent there.
func (d *draft) checkDestinations(l *validate.List) {
	was, is := cmp.Or(d.before.connection(), &Connection{}), cmp.Or(d.connection(), &Connection{})
	for _, field := range []struct{ path, was, is string }{
		{"connection.provider", was.Provider, is.Provider},
		{"connection.app.provider", was.App.provider(), is.App.provider()},
		{"connection.workspaceRef", was.WorkspaceRef, is.WorkspaceRef},
	} {
		if field.was != field.is {
			d.redirect = cmp.Or(d.redirect, field.path)
		}
	}
	if d.redirect == "" {
		return
	}
	for _, path := range d.keptSecrets() {
		d.redirected = true
		if d.allowed == "" {
			l.AddViolation(validate.Violation{
				Path: path, Related: d.redirect, Rule: validate.RuleDestination,
				Detail: masked.SentElsewhere,
			})
		}
	}
}

// recordRedirect adds an event if kept secrets can go elsewhere, because the request allowed it.
func (d *draft) recordRedirect() {
	if d.redirected {
		d.reason, d.events = d.allowed, append(d.events, event.Redirected)
	}
}

// keptSecrets returns the paths of the secrets of the connection that this write leaves as they
// were. Those in the metadata are already compared with the metadata.
func (d *draft) keptSecrets() []string {
	if d.before.body == nil {
		return nil
	}
	var credentials, metadata []string
	for _, v := range d.before.body.Values {
		ref := Ref(v.Ref)
		switch {
		case !d.vault().Keeps(v):
		case ref.Kind() == kindCredential:
			credentials = append(credentials, "connection"+ref.Pointer())
		case ref.Kind() == kindConnection && !strings.HasPrefix(d.redirect, metadataPath):
			metadata = append(metadata, metadataPath+ref.Pointer())
		}
	}
	return append(credentials, metadata...)
}

func (snap *snapshot) connection() *Connection {
	if snap.inst == nil {
		return nil
	}
	return snap.inst.Connection
}

// provider returns the provider of an app, "" for nil.
func (a *ProviderApp) provider() string {
	if a == nil {
		return ""
	}
	return a.Provider
}

// Errors of Options.Owner and of writes without it.
var (
	errNoOwner = fmt.Errorf("%w: only the host and the platform can set extension.owner: set "+
		"Options.Owner, so that the service asks who owns the extension", ErrForbidden)
	errOtherOwner = fmt.Errorf(
		"%w: extension.owner is not what Options.Owner returns: leave it out", ErrForbidden)
	errOwnerFailed = ownerError{}
)

// ownerError is the error for an Options.Owner that failed. It is [ErrUnavailable], although the
// store did answer.
type ownerError struct{}

func (ownerError) Error() string { return "installation: Options.Owner failed" }

func (ownerError) Is(target error) bool { return target == ErrUnavailable }

// maxClockGap is how far the clock may be ahead of the newest stored time. It is a little more than
// the longest usual validity of an invitation, 1y. So a host that invited somebody for a year, and
// wrote nothing since, can still expire the invitation.
const maxClockGap = 400 * 24 * time.Hour

// checkClock returns ErrClock if now is far ahead of every time that is stored in plain. It looks
// at a due record first, because a host that sweeps regularly finds a recent time there. It then
// reads all records, the newest first. It cannot stop after the first page: a store that is split
// in parts can have its newest record on any page.
func (s *Service) checkClock(ctx context.Context, now time.Time, due *Record) error {
	newest := newestTime(due)
	if now.Sub(newest) <= maxClockGap {
		return nil
	}
	q := everywhere
	q.Reverse = true
	for r, err := range s.records(ctx, q) {
		if err != nil {
			return err
		}
		if t := newestTime(r); t.After(newest) {
			newest = t
		}
		if now.Sub(newest) <= maxClockGap {
			return nil
		}
	}
	return fmt.Errorf("%w: now is %s and the newest stored time is %s: "+
		"correct the clock, or set TrustClock in SweepRequest",
		ErrClock, now.Format(time.RFC3339), newest.Format(time.RFC3339))
}

// newestTime returns the newest time that a write stored in plain in r. A deadline does not count:
// it was in the future when it was stored.
func newestTime(r *Record) time.Time {
	newest := r.Created
	_, life, err := decodeBody(r.Body)
	if err != nil {
		return newest
	}
	for _, e := range []*AuditEntry{life.expired, life.uninstalled} {
		if e != nil && e.At.After(newest) {
			newest = e.At
		}
	}
	return newest
}
