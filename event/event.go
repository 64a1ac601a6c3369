// Package event names what can happen to an installation. The entries of the change log carry
// these types; see installation.Event.
package event

// Type says what happened. Values that this release does not know survive reading and writing.
type Type string

// The types of events, each with the method that causes it.
const (
	Created     Type = "created"     // Upsert
	Updated     Type = "updated"     // Upsert or Patch
	Invited     Type = "invited"     // Invite
	Resent      Type = "resent"      // Resend: there is a new code, and the old one is dead
	Installed   Type = "installed"   // Accept, or Upsert of an ended installation
	Expired     Type = "expired"     // Expire or Sweep
	Uninstalled Type = "uninstalled" // Uninstall
	Purged      Type = "purged"      // Uninstall or Sweep: the secrets and their key are gone
	Deleted     Type = "deleted"     // Delete
	Revealed    Type = "revealed"    // Reveal, recorded before the value leaves
	Rekeyed     Type = "rekeyed"     // Rekey: there is a new data key, nothing else changed
)
