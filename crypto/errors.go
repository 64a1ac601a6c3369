package crypto

import (
	"errors"
	"fmt"
)

// Sentinels of this package. Match with [errors.Is]. No error contains key material, a value,
// or the text of another library's error that could quote them. An error about a sealed value
// does not tell what is wrong with the value. The detail of an error, such as a [*SizeError], is a
// value that [errors.As] finds in the error.
var (
	// ErrSealed means that sealed data does not open. The data was changed, cut, moved from another
	// place, sealed under another key, or never sealed. There is one error for all of these,
	// because the difference helps only an attacker. [VersionError] and [WrongKeyError] are the two
	// exceptions.
	ErrSealed = errors.New("installation: sealed data does not open")

	// ErrVersion means that this release does not know the format version or the suite of
	// sealed data. Most likely a newer release sealed it. The detail is a [*VersionError],
	// which matches [ErrSealed] too.
	ErrVersion = errors.New("installation: sealed in an unknown format version")

	// ErrUnknownKey means that a wrapped key names a key-encryption key that is missing. The
	// detail is an [*UnknownKeyError] with the ID.
	ErrUnknownKey = errors.New("installation: unknown key-encryption key")

	// ErrKeyUnavailable means that a key service failed; a retry may succeed. A [Keyring] never
	// returns it. The detail is an [*UnavailableError] with the ID of the key.
	ErrKeyUnavailable = errors.New("installation: key service unavailable")

	// ErrDestroyed means that a [DataKey] is nil or zero, or was used after Destroy.
	ErrDestroyed = errors.New("installation: data key is destroyed or empty")

	// ErrSuite means that a suite cannot be used: it is unknown, or the process runs with
	// GODEBUG=fips140=only and the suite is not approved.
	ErrSuite = errors.New("installation: cipher suite cannot be used")

	// ErrValue means that a value is empty or not UTF-8, so it is not JSON text.
	ErrValue = errors.New("installation: value is not JSON text in UTF-8")

	// ErrSize means that a value is too long to be sealed. The detail is a [*SizeError].
	ErrSize = errors.New("installation: value too long")

	// ErrKeyring means that the arguments do not make a key, a keyring or another key wrapper:
	// bad ID, weak or malformed key, unreadable or unprotected file. The text names the entry,
	// variable or file and what to do. It never quotes content.
	ErrKeyring = errors.New("installation: unusable keyring")
)

// VersionError is the detail of [ErrVersion]. An attacker may have chosen its numbers: they
// were read before anything was authenticated.
type VersionError struct {
	What    string // what does not open: "value", "key"
	Version byte   // its format version
	Suite   Suite  // its suite; 0 = it has none
}

// Error implements error.
func (e *VersionError) Error() string {
	if e.Suite == 0 {
		return fmt.Sprintf("%v: %s of version %d", ErrVersion, e.What, e.Version)
	}
	return fmt.Sprintf("%v: %s of version %d, %v", ErrVersion, e.What, e.Version, e.Suite)
}

// Is matches [ErrVersion] and [ErrSealed].
func (e *VersionError) Is(target error) bool {
	return target == ErrVersion || target == ErrSealed
}

// WrongKeyError means that two keys share the ID. The key of this process is not the key that
// wrapped the data key: the check values differ. The error matches [ErrSealed]. One such error
// proves nothing, because the check value is not authenticated. If all records of a key ID fail
// with this error, the ID now belongs to a different key.
type WrongKeyError struct {
	KeyID string // valid, so it is safe to log
}

// Error implements error.
func (e *WrongKeyError) Error() string {
	return fmt.Sprintf("%v: wrong key %s", ErrSealed, e.KeyID)
}

// Is matches [ErrSealed].
func (e *WrongKeyError) Is(target error) bool { return target == ErrSealed }

// UnknownKeyError is the detail of [ErrUnknownKey].
type UnknownKeyError struct {
	KeyID string // valid, so it is safe to log
}

// Error implements error.
func (e *UnknownKeyError) Error() string { return fmt.Sprintf("%v: %s", ErrUnknownKey, e.KeyID) }

// Is matches [ErrUnknownKey].
func (e *UnknownKeyError) Is(target error) bool { return target == ErrUnknownKey }

// UnavailableError is the detail of [ErrKeyUnavailable]. It does not contain the answer of the
// service, which may quote anything; see KMSOptions.OnError.
type UnavailableError struct {
	KeyID string // valid, so it is safe to log
}

// Error implements error.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("%v: %s", ErrKeyUnavailable, e.KeyID)
}

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
