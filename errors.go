package installation

import (
	"errors"
	"fmt"

	"github.com/go-installation/installation/crypto"
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
