package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/operation"
	"github.com/go-installation/installation/validate"
)

// Sentinel errors. Match them with [errors.Is]. Typed errors carry the details and match the
// sentinel of their kind. No error of this library contains a secret, a payload, or the text of
// another library's error that could quote them.
var (
	// ErrInvalid means bad input. The detail is a [*validate.Error]: path, rule and a sentence for
	// each violation, never the value.
	ErrInvalid = validate.ErrInvalid

	// ErrForbidden means that the actor may see the installation, but may not do what the call asks
	// for.
	ErrForbidden = errors.New("installation: forbidden")
	// ErrNotFound means that a healthy store has no such installation, or that the actor has no
	// right to see the installation.
	ErrNotFound = errors.New("installation: not found")
	// ErrExists means that another installation holds a claim, or that Guard.Absent was set and the
	// installation exists. See [*ExistsError].
	ErrExists = errors.New("installation: already exists")
	// ErrConflict means that the stored revision or generation is not the one in the guard, or that
	// the lifecycle or the generation in the guard does not allow the change of status. See
	// [*ConflictError].
	ErrConflict = errors.New("installation: conflict")
	// ErrStale means that the request is about an older generation, or about an install that has
	// ended. The request changed nothing, and a retry fails too.
	ErrStale = errors.New("installation: stale: superseded by a newer generation")
	// ErrInvitation is the one answer to every rejected invitation code.
	ErrInvitation = errors.New("installation: invitation not valid")
	// ErrIdempotencyMismatch means that the idempotency key was used for another request.
	ErrIdempotencyMismatch = errors.New("installation: idempotency key used for another request")

	// ErrSealed means that a record does not open or contradicts itself, because it was damaged or
	// edited. The error has no details.
	ErrSealed = crypto.ErrSealed
	// ErrUnknownKey means that the keyring lacks the key-encryption key that a record names. The
	// text contains the key ID.
	ErrUnknownKey = crypto.ErrUnknownKey
	// ErrKeyUnavailable means that a key service could not be reached. A retry may succeed.
	ErrKeyUnavailable = crypto.ErrKeyUnavailable
	// ErrKeyInUse means that a key-encryption key is still needed. See [*KeyInUseError].
	ErrKeyInUse = errors.New("installation: key in use")
	// ErrShredded means that the data key of the record was destroyed. Its secrets are gone.
	ErrShredded = errors.New("installation: shredded")

	// ErrClock means that the clock is more than 400 days ahead of every stored time, so it is
	// probably wrong. Nothing was changed. See [Service.Sweep].
	ErrClock = errors.New("installation: the clock is far ahead of every stored time")

	// ErrUnavailable means that the store cannot answer, is not the expected one, or is unsafe to
	// use, or that Options.Owner failed. It says nothing about any record.
	ErrUnavailable = errors.New("installation: store unavailable")
	// ErrRestored means that the store went back to an older state: its data was restored from a
	// backup, or a failover lost more than a few seconds. The error also matches [ErrUnavailable].
	// The store answers again after [Service.AcceptRestore].
	ErrRestored = errors.New("installation: the store went back to an older state")
	// ErrEpoch means that a store refused a change that was built before a restore was accepted.
	// The change is not part of what is stored, and never will be. The service builds such a change
	// again, so its callers never get this error.
	ErrEpoch = errors.New("installation: the change was built before a restore was accepted")
	// ErrUnknownOutcome means that a write was sent and its answer was lost, and that no retry
	// settled whether the write was applied. Read the record, or repeat the request with its
	// idempotency key.
	ErrUnknownOutcome = errors.New("installation: outcome unknown: the write may have been applied")
	// ErrNotReplicated means that a write was applied and is visible, but fewer replicas than
	// required confirmed it. The method returns its result with the error, invitation code
	// included.
	ErrNotReplicated = errors.New("installation: applied, not confirmed by replicas")
	// ErrTrimmed means that events after the given cursor were already trimmed.
	ErrTrimmed = errors.New("installation: events trimmed")
	// ErrUnsupported means that the store lacks an optional ability, or that the method cannot be
	// part of a transaction; see [Service.On].
	ErrUnsupported = errors.New("installation: not supported by the store")
)

// ConflictError is the detail of [ErrConflict]. It names either the stored revision that differs
// from the guard, or the two states of a change that the lifecycle does not allow.
type ConflictError struct {
	Key        Key
	Revision   int64  // stored revision, 0 = nothing stored
	Generation int64  // stored generation if the service compared one, else 0
	From, To   Status // set if the lifecycle does not allow this change
	// NotApplied means that the stored record proves that no try of the change was applied, and
	// none will be. If it is false, an earlier try may have been applied, and the record may have
	// forgotten it.
	NotApplied bool
}

// Error implements error.
func (e *ConflictError) Error() string {
	if e.To != "" {
		return fmt.Sprintf("%v: %s cannot go from %s to %s", ErrConflict, e.Key.ID, e.From, e.To)
	}
	at := fmt.Sprintf("%v: %s is at revision %d", ErrConflict, e.Key.ID, e.Revision)
	if e.Generation != 0 {
		at += fmt.Sprintf(" of generation %d", e.Generation)
	}
	return at
}

// Is matches [ErrConflict].
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// ExistsError is the detail of [ErrExists].
type ExistsError struct {
	Key Key // the record that was to be written

	// Holder is the ID of the installation that holds the claim, or Key.ID for Guard.Absent. It is
	// "" if the actor may not see that installation.
	Holder string
}

// Error implements error.
func (e *ExistsError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("%v: another installation holds a claim", ErrExists)
	}
	return fmt.Sprintf("%v: %s is in the way", ErrExists, e.Holder)
}

// Is matches [ErrExists].
func (e *ExistsError) Is(target error) bool { return target == ErrExists }

// KeyInUseError is the detail of [ErrKeyInUse].
type KeyInUseError struct {
	KeyID   string
	Primary bool  // new data keys are wrapped under it
	Records int64 // how many records cannot be opened without it
}

// Error implements error.
func (e *KeyInUseError) Error() string {
	if e.Primary {
		return fmt.Sprintf("%v: %s is the primary key", ErrKeyInUse, e.KeyID)
	}
	return fmt.Sprintf("%v: %s, by %d records", ErrKeyInUse, e.KeyID, e.Records)
}

// Is matches [ErrKeyInUse].
func (e *KeyInUseError) Is(target error) bool { return target == ErrKeyInUse }

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
