// Package refresh says what came of an attempt to refresh the credential of a connection. A host
// application uses it in the function that it gives to installation.Service.Refresh, and to read
// the errors of that method.
package refresh

import (
	"errors"
	"fmt"
	"time"
)

// Answer is what the answer of a provider means for the credential that was sent.
type Answer string

// The answers. An empty or unknown Answer counts as Unknown.
const (
	// Permanent: the provider refused the credential for good, for example with the OAuth error
	// invalid_grant. The service marks the connection as failed.
	Permanent Answer = "permanent"
	// Passing: the provider did not use up the credential, for sure. It refused the request for
	// another reason, such as a rate limit, or the request was not sent.
	Passing Answer = "passing"
	// Unknown: the credential was sent, and the result is unknown. A provider that accepts each
	// credential only once may have used it up.
	Unknown Answer = "unknown"
)

// Reasons that the service itself gives. Any other reason comes from the host's function.
const (
	// Interrupted is the reason of a connection that failed by the policy [Fail].
	Interrupted = "interrupted"
	// Busy is the reason if the caller waited for too long. Either somebody else was still
	// refreshing, or the provider had just come back, and no more requests could be sent to it at
	// the same time.
	Busy = "busy"
	// Paused is the reason if nothing was sent because of a failure a short time ago, of this
	// connection or of its provider.
	Paused = "paused"
	// SlowStore is the reason if nothing was sent because the store took too long to commit the
	// lease.
	SlowStore = "slow-store"
	// NoAnswer is the reason if the host's function returned an error that is not an [Error].
	NoAnswer = "no-answer"
	// BadTokens is the reason if the provider returned tokens that cannot be stored.
	BadTokens = "bad-tokens"
	// NotRevoked is the reason if Options.Revoke returned an error that is not an [Error].
	NotRevoked = "not-revoked"
)

// ErrFailed means that a connection failed and needs a new credential: its provider refused the
// old one for good, or the policy [Fail] gave it up. Errors with the answer [Permanent] match it.
var ErrFailed = errors.New("refresh: the connection failed: it needs a new credential")

// MaxReason is the maximum length of Error.Reason in bytes. What is longer is cut.
const MaxReason = 64

// Error says why there are no new tokens.
type Error struct {
	Answer Answer

	// Reason is a code, such as "invalid_grant". It is stored and shown. So it must not be a text
	// of the provider, which can quote a token. Only letters, digits and the signs _ - . are kept.
	Reason string

	// After is how long the provider asks to wait before the next attempt, for example in
	// Retry-After. 0 = it does not say.
	After time.Duration

	// Err is the cause, for [errors.Is] and [errors.As]. Its text is not shown, because it can
	// quote a token.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	switch reason := e.Code(); e.Answer {
	case Permanent:
		return fmt.Sprintf("refresh: refused for good (%s): the connection needs a new credential",
			reason)
	case Passing:
		return fmt.Sprintf("refresh: not done now (%s): try again later", reason)
	default:
		return fmt.Sprintf("refresh: sent, and no sure answer came (%s)", reason)
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches [ErrFailed] if the answer is permanent.
func (e *Error) Is(target error) bool { return target == ErrFailed && e.Answer == Permanent }

// Code returns the reason as it is stored: only the permitted characters, at most [MaxReason].
// Without any it is "unspecified".
func (e *Error) Code() string {
	code := make([]byte, 0, MaxReason)
	for _, c := range []byte(e.Reason) {
		switch {
		case len(code) == MaxReason:
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '_', c == '-', c == '.':
			code = append(code, c)
		}
	}
	if len(code) == 0 {
		return "unspecified"
	}
	return string(code)
}

// Policy says what to do with a credential that may have been sent already: a process died or
// stopped while it refreshed, or the answer was lost.
type Policy string

// The policies. An empty or unknown Policy counts as Retry.
const (
	// Retry sends the credential again. If the provider has used it up, it refuses the credential,
	// and some providers end the whole grant. Without Retry, the connection would be lost anyway.
	Retry Policy = "retry"
	// Fail marks the connection as failed and sends nothing. So the service never knowingly sends a
	// credential twice. But a person must connect again, even if the credential was not sent.
	Fail Policy = "fail"
)
