package installation

import (
	"slices"

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
// The right upsert covers every part except the configuration. A host that offers Upsert to
// customers decides which parts it passes on: for example, whether a customer may name a billing
// plan, or install an extension without an invitation. A host that accepts an invitation for an
// account calls Accept as the Customer of that account.
func DefaultPolicy(a Actor, do Action, inst *Installation) bool {
	if a.ReadOnly && do != ActionSee && do != ActionSeeConfiguration {
		return false
	}
	return owns(a, inst) && slices.Contains(defaultRights[a.Kind], do)
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

// checkOwners rejects a write that hands an installation to somebody else. The extension cannot
// change. The owner and the account decide who sees the installation, so only the host and the
// platform may change them.
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
