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
