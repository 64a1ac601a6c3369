package crypto

import (
	"errors"
	"fmt"
)

// Sentinels of this package. Match with [errors.Is]. No error carries key material, a value, or the text of an error that
// might; an error about a sealed value or a wrapped key does not even say what was wrong with it.
var (
	// ErrSealed says that something does not open: it was tampered with, cut off, moved from another place, sealed under
	// another key, or never sealed at all. There is one error for all of these, since telling them apart helps only an
	// attacker. See [VersionError] for the one detail there is.
	ErrSealed = errors.New("installation: sealed data does not open")

	// ErrVersion says that something was sealed by a format version or cipher suite that this release does not know, most
	// likely by a newer release. The detail is a [*VersionError], which matches [ErrSealed] as well.
	ErrVersion = errors.New("installation: sealed in an unknown format version")

	// ErrUnknownKey says that a wrapped key names a key-encryption key that is not at hand. The detail is an
	// [*UnknownKeyError] with the id.
	ErrUnknownKey = errors.New("installation: unknown key-encryption key")

	// ErrKeyUnavailable says that a key service could not be reached or refused for the moment; a later try may succeed.
	// A [Keyring] never returns it. The detail is a [*UnavailableError] with the id of the key.
	ErrKeyUnavailable = errors.New("installation: key service unavailable")

	// ErrDestroyed says that a [DataKey] was used after Destroy, or was never made by a constructor.
	ErrDestroyed = errors.New("installation: data key is destroyed or empty")

	// ErrSuite says that a cipher suite cannot be used: its number is unknown, or the process runs with
	// GODEBUG=fips140=only and the suite is not an approved one.
	ErrSuite = errors.New("installation: cipher suite cannot be used")

	// ErrValue says that a value cannot be sealed because it is empty or not UTF-8. JSON text is neither.
	ErrValue = errors.New("installation: value is not JSON text in UTF-8")

	// ErrSize says that a value is too long to be sealed. The detail is a [*SizeError].
	ErrSize = errors.New("installation: value too long")

	// ErrKeyring says that a key or a keyring cannot be made from what was given: bad id, weak or malformed key, unreadable
	// or unprotected file. The text says which entry, variable or file, and what to do; it never quotes content.
	ErrKeyring = errors.New("installation: unusable keyring")
)

// VersionError is the detail of [ErrVersion]. The numbers were read before anything could be authenticated, so they may be
// an attacker's choice.
type VersionError struct {
	What    string // what was to be opened: "value", "key"
	Version byte   // its format version
	Suite   Suite  // its cipher suite; 0 = it has none
}

// Error implements error.
func (e *VersionError) Error() string {
	if e.Suite == 0 {
		return fmt.Sprintf("%v: %s of version %d", ErrVersion, e.What, e.Version)
	}
	return fmt.Sprintf("%v: %s of version %d, %v", ErrVersion, e.What, e.Version, e.Suite)
}

// Is matches [ErrVersion] and [ErrSealed].
func (e *VersionError) Is(target error) bool { return target == ErrVersion || target == ErrSealed }

// UnknownKeyError is the detail of [ErrUnknownKey].
type UnknownKeyError struct {
	KeyID string // of valid form, so it is safe to log
}

// Error implements error.
func (e *UnknownKeyError) Error() string { return fmt.Sprintf("%v: %s", ErrUnknownKey, e.KeyID) }

// Is matches [ErrUnknownKey].
func (e *UnknownKeyError) Is(target error) bool { return target == ErrUnknownKey }

// UnavailableError is the detail of [ErrKeyUnavailable]. What the service answered is not in it, as nobody can say what such a text
// quotes; see KMSOptions.OnError.
type UnavailableError struct {
	KeyID string // of valid form, so it is safe to log
}

// Error implements error.
func (e *UnavailableError) Error() string { return fmt.Sprintf("%v: %s", ErrKeyUnavailable, e.KeyID) }

// Is matches [ErrKeyUnavailable].
func (e *UnavailableError) Is(target error) bool { return target == ErrKeyUnavailable }

// SizeError is the detail of [ErrSize].
type SizeError struct {
	Size, Limit int // bytes
}

// Error implements error.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%v: %d bytes, at most %d", ErrSize, e.Size, e.Limit)
}

// Is matches [ErrSize].
func (e *SizeError) Is(target error) bool { return target == ErrSize }
