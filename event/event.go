// Package event names the types of events of an installation. The entries of the change log have
// these types, see installation.Event.
package event

// Type says what happened to an installation. A value that this release does not know is read and
// written unchanged.
type Type string

// The types of events, each with the method that causes it.
const (
	Created     Type = "created"     // Upsert
	Updated     Type = "updated"     // Upsert or Patch
	Invited     Type = "invited"     // Invite
	Resent      Type = "resent"      // Resend: there is a new code, and the old code is invalid
	Installed   Type = "installed"   // Accept, or Upsert that begins a new generation
	Expired     Type = "expired"     // Expire or Sweep
	Uninstalled Type = "uninstalled" // Uninstall
	Purged      Type = "purged"      // Uninstall or Sweep: the secrets and their key are gone
	Deleted     Type = "deleted"     // Delete
	Redirected  Type = "redirected"  // Upsert or Patch with AllowDestination
	Revealed    Type = "revealed"    // Reveal; recorded before the caller gets the value
	Opened      Type = "opened"      // Open, Refresh, Run; once in Options.AccessInterval per actor
	Refreshed   Type = "refreshed"   // Refresh or Run: there are new tokens
	Failed      Type = "failed"      // Refresh or Run: the connection needs a new credential
	Recovered   Type = "recovered"   // a connection that failed has a new credential
	Revoked     Type = "revoked"     // Run: the provider revoked the credentials after an uninstall
	Unrevoked   Type = "unrevoked"   // Sweep: the grace ended, and they were not revoked
	Rekeyed     Type = "rekeyed"     // Rekey: there is a new data key, and nothing else changed
)
