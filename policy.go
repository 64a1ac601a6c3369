package installation

import (
	"slices"

	"github.com/go-installation/installation/validate"
)

// Actor is who makes a request. The host application derives it from an identity that it has
// verified. The service believes it.
type Actor struct {
	Kind     ActorKind
	ID       string    // of the extension, vendor or customer; empty for Host and Platform
	User     Reference // the person or token behind the request, for the audit; may be empty
	ReadOnly bool      // may read, may not change anything
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

// Policy decides whether an actor may act on an installation. The service calls it for the stored
// state and for the result of a write. For a record that cannot be opened it passes what is known,
// with Err set. A Policy must not change the installation.
//
// An actor that is refused [ActionSee] gets [ErrNotFound]. Any other refusal is [ErrForbidden]. A
// replacement usually calls [DefaultPolicy] and widens or narrows its answer. Lists of an
// extension, vendor or customer contain only its own rows, whatever a policy says. Hosts and
// platforms are expected to see every row.
type Policy func(a Actor, do Action, inst *Installation) bool

// Action is something that an actor may be allowed to do.
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
// An actor that is ReadOnly only sees. The zero Actor may do nothing.
//
// Upsert covers every part except the configuration. A host that lets customers call it decides
// itself which parts it passes on: for example, whether a customer may name a billing plan, or
// install an extension without an invitation. A host that accepts for an account does so as its
// Customer.
func DefaultPolicy(a Actor, do Action, inst *Installation) bool {
	if a.ReadOnly && do != ActionSee && do != ActionSeeConfiguration {
		return false
	}
	return owns(a, inst) && slices.Contains(defaultRights[a.Kind], do)
}

// ownsAll reports whether every installation is the actor's own.
func (a Actor) ownsAll() bool { return a.Kind == Host || a.Kind == Platform }

// owns reports whether the installation belongs to the actor. Host and platform own everything, and
// everybody owns nil.
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

// can asks the policy. An actor without a kind is always refused.
func (s *Service) can(do Action, inst *Installation) bool {
	return s.actor.Kind != "" && s.opts.Policy(s.actor, do, inst)
}

// allow returns ErrNotFound if the actor may not know of inst, and ErrForbidden if it may not do
// one of these actions.
func (s *Service) allow(inst *Installation, actions ...Action) error {
	if !s.can(ActionSee, inst) {
		return ErrNotFound
	}
	if slices.ContainsFunc(actions, func(do Action) bool { return !s.can(do, inst) }) {
		return ErrForbidden
	}
	return nil
}

// checkOwners rejects a write that hands an installation to somebody else. The extension is fixed.
// Only the host and the platform may change the owner and the account, which decide who sees it.
func (s *Service) checkOwners(l *validate.List, d *draft, before Installation) {
	fixed := func(path, was, is string) {
		if was != "" && was != is {
			l.Add(path, validate.RuleImmutable, "cannot change")
		}
	}
	fixed("extension.id", before.Extension.ID, d.inst.Extension.ID)
	if s.actor.ownsAll() || !d.exists {
		return
	}
	fixed("extension.owner", before.Extension.Owner, d.inst.Extension.Owner)
	if !d.created && d.lifecycle.status == d.before.lifecycle.status {
		fixed("account.id", before.Account.ID, d.inst.Account.ID)
	}
}
