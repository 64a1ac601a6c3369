package installation

import (
	"errors"
	"fmt"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// Sentinel errors. Match them with [errors.Is]. Typed errors carry the details and match the
// sentinel of their kind. No error of this library contains a secret, a payload, or the text of a
// foreign error that might.
var (
	// ErrInvalid means bad input. The detail is a [*validate.Error]: path, rule and a sentence for
	// each violation, never the value.
	ErrInvalid = validate.ErrInvalid

	// ErrForbidden means that the actor sees the installation and may not do this to it.
	ErrForbidden = errors.New("installation: forbidden")
	// ErrNotFound means that a healthy store has no such installation, or that the actor may not
	// know of it.
	ErrNotFound = errors.New("installation: not found")
	// ErrExists means that a claim is taken, or that Guard.Absent met a record. See [*ExistsError].
	ErrExists = errors.New("installation: already exists")
	// ErrConflict means that a guard failed, or that the lifecycle has no such move. See
	// [*ConflictError].
	ErrConflict = errors.New("installation: conflict")
	// ErrStale means that the request is about an older generation. It changed nothing and never
	// will.
	ErrStale = errors.New("installation: stale: superseded by a newer generation")
	// ErrInvitation is the one answer to every rejected invitation code.
	ErrInvitation = errors.New("installation: invitation not valid")
	// ErrIdempotencyMismatch means that the idempotency key was used for another request.
	ErrIdempotencyMismatch = errors.New("installation: idempotency key used for another request")

	// ErrSealed means that a record does not open or contradicts itself: it was damaged or edited.
	// It has no details.
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

	// ErrUnavailable means that the store cannot answer, is not the expected one, or is unsafe to
	// use. It says nothing about any record.
	ErrUnavailable = errors.New("installation: store unavailable")
	// ErrUnknownOutcome means that a write was sent and no answer came back: it may or may not have
	// been applied.
	ErrUnknownOutcome = errors.New("installation: outcome unknown: the write may have been applied")
	// ErrNotReplicated means that a write was applied and is visible, but fewer replicas than
	// required confirmed it. The result comes with the error, invitation code included.
	ErrNotReplicated = errors.New("installation: applied, not confirmed by replicas")
	// ErrTrimmed means that events after the given cursor were already discarded.
	ErrTrimmed = errors.New("installation: events discarded")
	// ErrUnsupported means that the store lacks an optional ability.
	ErrUnsupported = errors.New("installation: not supported by the store")
)

// ConflictError is the detail of [ErrConflict]. It names either the stored revision that a guard
// did not match, or the two states between which the lifecycle has no move.
type ConflictError struct {
	Key        Key
	Revision   int64  // stored revision, 0 = nothing stored
	Generation int64  // stored generation if the service compared one, else 0
	From, To   Status // set if the lifecycle has no such move
	// NotApplied means that the store proves that the change was not applied and never will be.
	// Without it, a change that was sent before may have been applied and been forgotten.
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
	Key    Key    // the record that was to be written
	Holder string // ID of the live installation that holds the claim
}

// Error implements error.
func (e *ExistsError) Error() string {
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
