package installation

import (
	"time"

	"github.com/go-installation/installation/crypto"
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

// eventVersion is the first byte of an encoded event.
const eventVersion = 1

type eventV1 struct {
	Type       EventType   `cbor:"1,keyasint"`
	Tenant     string      `cbor:"2,keyasint,omitempty"`
	Record     string      `cbor:"3,keyasint"`
	Revision   int64       `cbor:"4,keyasint"`
	Generation int64       `cbor:"5,keyasint"`
	Time       stamp       `cbor:"6,keyasint"`
	Extension  string      `cbor:"7,keyasint,omitempty"`
	Account    string      `cbor:"8,keyasint,omitempty"`
	Kind       ActorKind   `cbor:"9,keyasint,omitempty"`
	Actor      string      `cbor:"10,keyasint,omitempty"`
	User       referenceV1 `cbor:"11,keyasint,omitzero"`
	ReadOnly   bool        `cbor:"12,keyasint,omitempty"`
	Reason     string      `cbor:"13,keyasint,omitempty"`
	Changed    []string    `cbor:"14,keyasint,omitempty"`
}

// MarshalBinary returns the event in the form in which a store may keep it, without its ID. It never fails.
func (e Event) MarshalBinary() ([]byte, error) {
	w := eventV1{
		e.Type, e.Key.Tenant, e.Key.ID, e.Revision, e.Generation, stampOf(e.Time), e.Extension, e.Account,
		e.Actor.Kind, e.Actor.ID, referenceV1(e.Actor.User), e.Actor.ReadOnly, e.Reason, e.Changed,
	}
	return append([]byte{eventVersion}, encode(w)...), nil
}

// UnmarshalBinary reads what MarshalBinary wrote, in this release or an earlier one, and leaves ID empty. The error matches [ErrSealed].
func (e *Event) UnmarshalBinary(b []byte) error {
	if len(b) == 0 || len(b) > maxBody {
		return ErrSealed
	}
	if b[0] != eventVersion {
		return &crypto.VersionError{What: "event", Version: b[0]}
	}
	var w eventV1
	if decodingAnyText.Unmarshal(b[1:], &w) != nil {
		return ErrSealed
	}
	*e = Event{
		Type: w.Type, Key: Key{w.Tenant, w.Record}, Revision: w.Revision, Generation: w.Generation, Time: w.Time.time(),
		Extension: w.Extension, Account: w.Account, Actor: Actor{w.Kind, w.Actor, Reference(w.User), w.ReadOnly}, Reason: w.Reason, Changed: w.Changed,
	}
	return nil
}
