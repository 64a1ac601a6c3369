package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/operation"
	"github.com/go-installation/installation/validate"
)

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

// rejectedEpoch returns errRetry if a change of another epoch can be built again.
func (s *Service) rejectedEpoch(ctx context.Context, c Change) error {
	in, err := s.namespace(ctx)
	if err == nil && in.Epoch == c.Epoch {
		return fmt.Errorf("%w: the store has epochs, but a store around it hides Namespacer: "+
			"embed a Decorator", ErrUnavailable)
	}
	return cmp.Or(err, errRetry)
}

// inMethod adds the name of a method to its error.
func inMethod(name string, err *error) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", name, *err)
	}
}

// invalidCursor turns a store's refusal of a query into a violation. The cursor is all that can be
// wrong with a query of the service.
func invalidCursor(err error) error {
	if errors.Is(err, ErrInvalid) {
		return invalid("after", validate.RuleFormat, "is not a cursor of this list")
	}
	return err
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

// checkMove rejects a write that gives an installation to another account and keeps a secret that
// was given for the account before.
func (d *draft) checkMove(allowed bool) error {
	if allowed || d.created || d.before.inst == nil {
		return nil
	}
	was := d.before.inst.Account.ID
	if was == "" || was == d.inst.Account.ID || !d.keepsSecrets() {
		return nil
	}
	return invalid("account.id", validate.RuleDestination, "would move stored secrets to another "+
		"account: remove them or give them again in this write, or set MoveSecrets")
}

// keepsSecrets reports whether this write keeps a stored secret, at its place or at another one.
func (d *draft) keepsSecrets() bool {
	return d.shifted || slices.ContainsFunc(d.before.body.Values, d.vault().Keeps)
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
