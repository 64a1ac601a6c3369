package installation

// Actor is who asks. The host application makes one from an identity it has verified; the service believes it.
type Actor struct {
	Kind     ActorKind
	ID       string    // extension id, or account id of the vendor or customer; empty for Host and Platform
	User     Reference // the person or token behind it, for the audit trail; may be empty
	ReadOnly bool      // may look, may not change
}

// ActorKind is the part an actor plays; see [DefaultPolicy]. The zero value may do nothing.
type ActorKind string

// Kinds of actors.
const (
	Host           ActorKind = "host"      // the embedding program itself
	ExtensionActor ActorKind = "extension" // the extension, on its own installations; ID is the extension's
	Vendor         ActorKind = "vendor"    // the owner of extensions; ID is its account, compared with Extension.Owner
	Customer       ActorKind = "customer"  // the account an extension is installed in; ID is the account's
	Platform       ActorKind = "platform"  // the operator of the platform, across accounts
)

// Reference names a person, a token or an account.
type Reference struct {
	ID   string
	Name string
	Icon string
}

// Policy says whether an actor may do something to an installation. It is asked about the installation as stored, and about a
// write's result as well, and of a record that cannot be opened about what is known, with Err set; it must not change the installation. An actor to
// whom [ActionSee] is refused gets [ErrNotFound], to whom anything else is refused [ErrForbidden]. A replacement usually calls [DefaultPolicy] and widens or narrows its answer. Lists stay within the own
// rows of an extension, vendor or customer, whatever a policy says; hosts and platforms are taken to see every row.
type Policy func(a Actor, do Action, inst *Installation) bool

// Action is something an actor may be allowed to do.
type Action string

// Actions.
const (
	ActionSee              Action = "see"               // know of the row and read its public part
	ActionSeeConfiguration Action = "see configuration" // masked
	ActionReveal           Action = "reveal"            // plain secrets
	ActionInvite           Action = "invite"            // Invite and Resend
	ActionAccept           Action = "accept"            // for the account in the installation
	ActionUpsert           Action = "upsert"            // Upsert and Patch, but for the configuration
	ActionConfigure        Action = "configure"         // the configuration part of Upsert and Patch
	ActionUninstall        Action = "uninstall"         // Uninstall and Expire
	ActionDelete           Action = "delete"
	ActionMaintain         Action = "maintain" // Sweep, Events and the like, across installations; inst is nil
)

// DefaultPolicy is the policy of a service without Options.Policy:
//
//	                    see        configuration  reveal  invite  accept  upsert  configure  uninstall  delete  maintain
//	Host                all        masked         yes     yes     -       yes     yes        yes        yes     yes
//	ExtensionActor      its own    masked         yes     -       -       yes     yes        yes        -       -
//	Vendor              its own    masked         yes     yes     -       yes     yes        yes        yes     -
//	Customer            its own    -              -       -       yes     yes     -          yes        -       -
//	Platform            all        -              -       yes     -       yes     -          yes        yes     -
//
// An actor that is ReadOnly only sees. The zero Actor may do nothing. Upsert is every part but the configuration: a host that lets customers
// call it decides itself which parts it passes on, such as whether a customer may name a billing plan, and whether an extension may be
// installed without an invitation. A host that accepts for an account does so as its Customer.
func DefaultPolicy(a Actor, do Action, inst *Installation) bool {
	rights, known := defaultRights[a.Kind]
	if !known || !owns(a, inst) {
		return false
	}
	if a.ReadOnly {
		return do == ActionSee || do == ActionSeeConfiguration && rights[do]
	}
	return rights[do]
}

// owns reports whether the row is the actor's own; a nil row is everybody's.
func owns(a Actor, inst *Installation) bool {
	if a.Kind == Host || a.Kind == Platform || inst == nil {
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

func rights(actions ...Action) map[Action]bool {
	m := make(map[Action]bool, len(actions))
	for _, a := range actions {
		m[a] = true
	}
	return m
}

var defaultRights = map[ActorKind]map[Action]bool{
	Host: rights(ActionSee, ActionSeeConfiguration, ActionReveal, ActionInvite, ActionUpsert, ActionConfigure, ActionUninstall,
		ActionDelete, ActionMaintain),
	ExtensionActor: rights(ActionSee, ActionSeeConfiguration, ActionReveal, ActionUpsert, ActionConfigure, ActionUninstall),
	Vendor: rights(ActionSee, ActionSeeConfiguration, ActionReveal, ActionInvite, ActionUpsert, ActionConfigure, ActionUninstall,
		ActionDelete),
	Customer: rights(ActionSee, ActionAccept, ActionUpsert, ActionUninstall),
	Platform: rights(ActionSee, ActionInvite, ActionUpsert, ActionUninstall, ActionDelete),
}
