package installation

import (
	"errors"
	"fmt"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/validate"
)

// Sentinels, all of them. Match with [errors.Is]; the details are in typed errors that match the sentinel of their kind. No
// error of this library carries a secret, a payload, or the text of an error that might.
var (
	// ErrInvalid is bad input. The detail is a [*validate.Error]: path, rule and a sentence for each violation, never the value.
	ErrInvalid = validate.ErrInvalid

	// ErrSchema says that the JSON Schema of a configuration cannot be used, so that the configuration cannot be written. The detail is
	// a [*validate.SchemaError].
	ErrSchema = validate.ErrSchema

	// ErrForbidden refuses something on a row that the actor may see but not treat so.
	ErrForbidden = errors.New("installation: forbidden")
	// ErrNotFound says that a healthy store holds no such installation, or none that the actor may know of.
	ErrNotFound = errors.New("installation: not found")
	// ErrExists says that a claim is taken, or that a record stands where Guard.Absent wanted none. See [*ExistsError].
	ErrExists = errors.New("installation: already exists")
	// ErrConflict says that a guard did not hold or that the lifecycle has no such move. See [*ConflictError].
	ErrConflict = errors.New("installation: conflict")
	// ErrStale says that the request speaks of an older generation: it changed nothing and never will.
	ErrStale = errors.New("installation: stale: the installation was made anew since")
	// ErrInvitation is the one answer to every refused invitation code.
	ErrInvitation = errors.New("installation: invitation not valid")
	// ErrIdempotencyMismatch says that the idempotency key was used for another request.
	ErrIdempotencyMismatch = errors.New("installation: idempotency key used for another request")

	// ErrSealed says that a record does not open or does not add up: it was damaged or tampered with. It has no details.
	ErrSealed = crypto.ErrSealed
	// ErrUnknownKey says that the key-encryption key a record names is not in the keyring. The id of the key is in the text.
	ErrUnknownKey = crypto.ErrUnknownKey
	// ErrKeyUnavailable says that a key service could not be reached; a later try may succeed.
	ErrKeyUnavailable = crypto.ErrKeyUnavailable
	// ErrKeyInUse refuses to let go of a key-encryption key that is still needed. See [*KeyInUseError].
	ErrKeyInUse = errors.New("installation: key in use")
	// ErrShredded says that the data key of the record was destroyed: its secrets are gone for good.
	ErrShredded = errors.New("installation: shredded")

	// ErrUnavailable says that the store cannot answer, is not the one it should be, or is unsafe to use. Nothing is known
	// about any record.
	ErrUnavailable = errors.New("installation: store unavailable")
	// ErrUnknownOutcome says that a write was sent and its fate could not be learned: it may or may not have been applied.
	ErrUnknownOutcome = errors.New("installation: outcome unknown: the write may have been applied")
	// ErrNotReplicated says that a write was applied and is visible, but was not confirmed by as many replicas as asked. The result
	// comes with it, invitation code included.
	ErrNotReplicated = errors.New("installation: applied, not confirmed by replicas")
	// ErrTrimmed says that events after the given cursor were already discarded.
	ErrTrimmed = errors.New("installation: events discarded")
	// ErrUnsupported says that the store lacks an optional ability.
	ErrUnsupported = errors.New("installation: not supported by the store")
)

// ConflictError is the detail of [ErrConflict]: either what stands where a guard wanted something else, or the two states between which
// the lifecycle has no move.
type ConflictError struct {
	Key        Key
	Revision   int64  // stored revision, 0 = nothing stored
	Generation int64  // stored generation where a guard was compared by the service, else 0
	From, To   Status // set when the lifecycle refused
}

// Error implements error.
func (e *ConflictError) Error() string {
	if e.To != "" {
		return fmt.Sprintf("%v: %s cannot go from %s to %s", ErrConflict, e.Key.ID, e.From, e.To)
	}
	if e.Generation != 0 {
		return fmt.Sprintf("%v: %s stands at revision %d of generation %d", ErrConflict, e.Key.ID, e.Revision, e.Generation)
	}
	return fmt.Sprintf("%v: %s stands at revision %d", ErrConflict, e.Key.ID, e.Revision)
}

// Is matches [ErrConflict].
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// KeyInUseError is the detail of [ErrKeyInUse].
type KeyInUseError struct {
	KeyID   string
	Primary bool  // it wraps what is written now
	Records int64 // that cannot be opened without it
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

// ExistsError is the detail of [ErrExists].
type ExistsError struct {
	Key    Key    // what was to be written
	Holder string // id of the live installation that is in the way
}

// Error implements error.
func (e *ExistsError) Error() string {
	return fmt.Sprintf("%v: %s is in the way", ErrExists, e.Holder)
}

// Is matches [ErrExists].
func (e *ExistsError) Is(target error) bool { return target == ErrExists }
