package installation

import (
	"time"

	"github.com/go-installation/installation/internal/record"
)

// EventType says what happened. Unknown values survive reading and writing.
type EventType string

// Types of events.
const (
	EventCreated     EventType = "created"     // by Upsert
	EventUpdated     EventType = "updated"     // by Upsert or Patch
	EventInvited     EventType = "invited"     // by Invite
	EventResent      EventType = "resent"      // by Resend: a new code, the old one is dead
	EventInstalled   EventType = "installed"   // by Accept, or by Upsert of an ended one
	EventExpired     EventType = "expired"     // by Expire or Sweep
	EventUninstalled EventType = "uninstalled" // by Uninstall
	EventPurged      EventType = "purged"      // secrets and their key are gone
	EventDeleted     EventType = "deleted"     // by Delete
	EventRevealed    EventType = "revealed"    // by Reveal, recorded before the value leaves
	EventRekeyed     EventType = "rekeyed"     // by Rekey: a new data key, nothing else changed
)

// Event is one entry of the change log. It names what changed and holds no value: neither plain secrets nor configuration.
type Event struct {
	ID         string    // given by the store on reading: unique within the store, empty before
	Type       EventType // what happened
	Key        Key       // to which installation
	Revision   int64     // after the change
	Generation int64     // after the change
	Time       time.Time // UTC, microseconds
	Extension  string    // id
	Account    string    // id
	Actor      Actor     // who did it
	Reason     string    // as given by the caller to Reveal or Uninstall
	Changed    []string  // names of the parts and pointers that changed, or were revealed; sorted, the first 256
}

// maxChanged bounds Event.Changed.
const maxChanged = 256

// MarshalBinary returns the event in the form in which a store may keep it, without its ID. It
// never fails.
func (e Event) MarshalBinary() ([]byte, error) {
	return record.Append([]byte{record.Version}, &e, codeEvent), nil
}

// UnmarshalBinary reads what MarshalBinary wrote, in this release or an earlier one. It leaves ID
// empty. The error matches [ErrSealed].
func (e *Event) UnmarshalBinary(b []byte) error {
	message, err := record.CheckVersion(b, "event")
	if err != nil {
		return err
	}
	var read Event
	if err := record.Decode(message, &read, codeEvent); err != nil {
		return err
	}
	*e = read
	return nil
}
