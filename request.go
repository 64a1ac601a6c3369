package installation

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-installation/installation/billing"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/operation"
)

// Guard states the conditions of a write. The zero Guard has no conditions. If another writer was
// faster, the service then reads and applies the request again, until the context ends.
type Guard struct {
	Absent  bool // reject with [ErrExists] if there is a record, whatever its state
	Present bool // reject with [ErrNotFound] if there is no record

	// Revision is the stored revision that the write requires. The service rejects any other with
	// [ErrConflict]. 0 = any revision.
	Revision int64
	// Generation is the generation that the write is about. If the stored generation is newer, the
	// service rejects the write with [ErrStale]; if it is older, with [ErrConflict]. If the named
	// generation has ended, an Upsert does not install again: the error is [ErrConflict]. To
	// install again only if nothing has changed since the end, set Revision. 0 = any generation.
	Generation int64
	// InstalledBefore rejects the write with [ErrStale] if the present install began at this time
	// or later. An install that is only invited began with its invitation. For an event that can
	// arrive late, set InstalledBefore to the time of the event: the event then cannot change a
	// newer install. A time that was truncated to seconds can be earlier than an install in the
	// same second.
	InstalledBefore time.Time

	// IdempotencyKey makes the request safe to repeat. If the same user of the same actor sends the
	// same request with the same key, the service returns the first answer, with Result.Replayed
	// set. If the request differs, the service returns [ErrIdempotencyMismatch]. Different users
	// can use the same key without conflict, and so can different actors. Requests are compared in
	// full, documents byte for byte.
	//
	// The first answer can be outdated: after a Resend, a repeated Invite returns the old code,
	// which no longer works. If the service did not keep the first answer, it returns the present
	// state; see Result.FirstRevision. The service seals the answers that it keeps. If it has no
	// key to seal with, a write with an IdempotencyKey fails with [ErrKeyUnavailable]. An
	// IdempotencyKey has at most 256 bytes. Its answer is kept for Options.IdempotencyTTL, if
	// Options.OutcomeBytes permits.
	IdempotencyKey string
}

// compare returns an error if the stored state does not meet the guard.
func (g Guard) compare(before *snapshot) error {
	stored := before.stored
	switch {
	case g.Absent && before.exists:
		return &ExistsError{Key: before.key, Holder: before.key.ID}
	case g.Present && !before.exists:
		return ErrNotFound
	case g.Generation != 0 && g.Generation < stored.Generation:
		return ErrStale
	case stored.Deleted && (g.Generation == stored.Generation || !g.InstalledBefore.IsZero()):
		return ErrStale // the request is about what was deleted
	case g.Generation > stored.Generation, g.Revision != 0 && g.Revision != stored.Revision:
		return &ConflictError{
			Key: before.key, Revision: stored.Revision, Generation: stored.Generation,
		}
	case g.InstalledBefore.IsZero() || !before.exists:
		return nil
	case before.err != nil:
		return before.err // the time of the install is sealed
	case !before.began().Before(storedTime(g.InstalledBefore)):
		return ErrStale
	}
	return nil
}

// began returns when the present install began: an install that is only invited, with its
// invitation. If the time is lost, it returns the time of the end.
func (snap *snapshot) began() time.Time {
	e := cmp.Or(snap.lifecycle.uninstalled, snap.lifecycle.expired)
	if snap.inst != nil {
		e = cmp.Or(snap.inst.Audit.Installed, snap.inst.Audit.Invited)
	}
	if e == nil {
		return time.Time{}
	}
	return e.At
}

// newInstall reports whether an install at the time at is newer than the present one. It returns
// false if at is the time of the present install.
func (d *draft) newInstall(at time.Time) (bool, error) {
	at = storedTime(at)
	switch began := d.began(); {
	case d.err != nil && !errors.Is(d.err, ErrShredded):
		return false, d.err // the time of the install is sealed
	case at.After(began):
		return true, nil
	case d.status().over():
		return false, fmt.Errorf("%w: the install that has ended is not older than InstalledAt: "+
			"leave InstalledAt out to install again", ErrStale)
	case at.Equal(began) && d.status() == StatusInstalled:
		return false, nil
	default:
		return false, ErrStale
	}
}

// Parts are the parts of an installation that a write can change. A part that is left out stays as
// it is.
type Parts struct {
	Name Optional[string] `json:",omitzero"`
	// Extension is required to create an installation. It cannot be removed, and its ID cannot
	// change. Leave Owner out if Options.Owner is set. Otherwise only the host and the platform can
	// set it.
	Extension     Optional[Extension]     `json:",omitzero"`
	Account       Optional[Account]       `json:",omitzero"` // required to install
	Health        Optional[Health]        `json:",omitzero"`
	Consent       Optional[Consent]       `json:",omitzero"`
	Configuration Optional[Configuration] `json:",omitzero"`
	Connection    Optional[Connection]    `json:",omitzero"`
	BillingPlan   Optional[billing.Plan]  `json:",omitzero"`
	Notification  Optional[Notification]  `json:",omitzero"`
	Extra         Optional[Document]      `json:",omitzero"`
}

// UpsertRequest is the request of [Service.Upsert].
type UpsertRequest struct {
	Guard
	ID string // "" = the service makes a new ID
	Parts

	// AllowDestination lets this write change where stored secrets are sent, and says why. Without
	// it, a write that changes an address, or a value that can be part of one, must give those
	// secrets again. It needs the right to reveal. If the write made use of it, an event
	// "redirected" has it as the reason. "" = not allowed.
	AllowDestination string

	// InstalledAt says that this is a new install, made at this time: the time of the platform's
	// event, which can come twice or late. An install that is older than InstalledAt ends, and a
	// new generation begins in the same commit, even if no uninstall was reported. The new
	// generation starts empty, and its Audit.Installed.At is InstalledAt. So a late uninstall of
	// the old install fails with [ErrStale], if its Guard.InstalledBefore is the time of its event.
	// The change log gets one event, "installed".
	//
	// A repeat with the time of the present install changes nothing. If the install of that time
	// has ended, or the present install is newer, the error is [ErrStale]. Delete forgets the time,
	// so the service does not compare it with a deleted installation.
	//
	// InstalledAt needs the right to uninstall as well, and can be at most five minutes ahead of
	// the clock. It excludes Guard.Generation. Zero = the time of the write, and an installation
	// that has not ended is updated.
	InstalledAt time.Time

	// MoveSecrets lets a write that changes Account.ID keep the stored secrets. Without it, such a
	// write has to remove them or give them again. It needs the right to reveal.
	MoveSecrets bool
}

// PatchRequest is the request of [Service.Patch].
type PatchRequest struct {
	Guard
	ID string
	Parts
	// Operations edit the configuration, and the metadata and credentials of the connection. They
	// are applied after Parts. Those on the same document are applied in this order.
	Operations []Operation

	AllowDestination string // as in UpsertRequest
	MoveSecrets      bool   // as in UpsertRequest
}

// Operation is one edit of a configuration, or of the metadata or a credential of a connection.
// Make operations with package patch.
type Operation = operation.Operation

// InviteRequest is the request of [Service.Invite].
type InviteRequest struct {
	Guard
	ID string // "" = the service makes a new ID
	Parts
	Message    string
	ExternalID string
	// Recipient is the only one who may accept; "" = anyone who has the code. The service compares
	// e-mail addresses without letter case and blanks around them, other names byte for byte.
	Recipient string
	Validity  Period // "" = 7d
}

// ResendRequest is the request of [Service.Resend]. The validity counts from now.
type ResendRequest struct {
	Guard
	ID       string
	Validity Period // "" = as before
}

// AcceptRequest is the request of [Service.Accept].
type AcceptRequest struct {
	Guard
	ID        string
	Code      crypto.Secret
	Account   Account           // the account that accepts; the host has verified it
	Consent   Optional[Consent] `json:",omitzero"`
	Recipient string            // verified as well; compared if the invitation names one
}

// ExpireRequest is the request of [Service.Expire].
type ExpireRequest struct {
	Guard
	ID string
}

// UninstallRequest is the request of [Service.Uninstall].
type UninstallRequest struct {
	Guard
	ID     string
	Final  bool   // purge the secrets now, not after the grace period
	Reason string // for the event
}

// DeleteRequest is the request of [Service.Delete].
type DeleteRequest struct {
	Guard
	ID string
}

// ListRequest selects installations. All given filters must match.
type ListRequest struct {
	Extension  string
	Account    string
	Owner      string   // of the extension
	Connection string   // ID
	Provider   string   // of the connection
	Failed     bool     // only those whose connection failed; see [Connection.Failure]
	Status     []Status // any of these

	// ExpiresBefore lists installed ones whose access token expires before this time. If
	// Options.Refresh is set, the host and the platform get only the tokens that [Service.Run]
	// refreshes, in the order in which they are due: no connections that failed, and no tokens that
	// were written without Options.Refresh. Reverse has no effect then.
	ExpiresBefore time.Time

	// AllTenants lists all tenants, and not only that of the service. It is for the host; see
	// [Service.List].
	AllTenants bool

	After   string // Next of the previous page; "" = from the start
	Skip    int    // rows to pass over first, at most MaxSkip
	Limit   int    // 0 = 100, at most MaxPage
	Reverse bool   // newest first
}

// phase returns the one phase of all requested states, "" if there is no such phase.
func (req ListRequest) phase() string {
	if len(req.Status) == 0 {
		return ""
	}
	phase := req.Status[0].phase()
	if slices.ContainsFunc(req.Status, func(s Status) bool { return s.phase() != phase }) {
		return ""
	}
	return phase
}

// matches reports whether a row matches the filters.
func (req ListRequest) matches(inst *Installation) bool {
	c := Connection{}
	if inst.Connection != nil {
		c = *inst.Connection
	}
	sealed := inst.Err != nil // so the row counts as a match
	if sealed {
		c.ID, c.Provider = req.Connection, req.Provider
	}
	is := func(want, have string) bool { return want == "" || want == have }
	return is(req.Extension, inst.Extension.ID) && is(req.Account, inst.Account.ID) &&
		is(req.Owner, inst.Extension.Owner) && is(req.Connection, c.ID) &&
		is(req.Provider, c.Provider) && (!req.Failed || sealed || c.Failure != nil) &&
		(req.ExpiresBefore.IsZero() || inst.Status == StatusInstalled &&
			(sealed || c.AccessToken.expires(req.ExpiresBefore))) &&
		(len(req.Status) == 0 || slices.Contains(req.Status, inst.Status))
}

// List is one page of installations, in the order of [Service.List]. A page can be shorter than
// requested although Next is set.
type List struct {
	Installations []*Installation
	Next          string // for ListRequest.After; "" = there are no more
}

// Result is the answer to a write: the installation as the actor may see it, masked.
type Result struct {
	*Installation

	Created  bool // a new installation, or a new generation of one
	Changed  bool // false: nothing had to change, and nothing was written
	Replayed bool // the answer to an earlier request with the same idempotency key or code

	// FirstRevision is the revision of the first answer, if an idempotency key was used before. If
	// Revision differs, this answer is the present state, because the first one was too large to
	// keep, changed nothing, or was sealed under a data key that is gone. Without a repeat, both
	// are the same.
	FirstRevision int64

	// Dropped names the secrets that the Connection part of the request removed, sorted:
	// credentials and secrets in the metadata that were stored and are not any more. It is nil for
	// a request without a Connection part and for a repeated answer. To change one credential and
	// keep the others, use [Service.Patch] with patch.SetCredential.
	Dropped []Ref

	Code      crypto.Secret // of Invite and Resend: the invitation code, shown only here
	AcceptURL crypto.Secret // Options.AcceptURL with the code, if Options.AcceptURL is set
}

// Optional is a part of a write that may be left out. The zero value keeps what is stored, [Remove]
// deletes it, and [Value] replaces it. In JSON an absent key (with omitzero) keeps, and null
// removes.
type Optional[T any] struct {
	given bool
	value *T
}

// Value returns a part with the value v.
func Value[T any](v T) Optional[T] { return Optional[T]{given: true, value: &v} }

// Remove returns a part that deletes what is stored.
func Remove[T any]() Optional[T] { return Optional[T]{given: true} }

// IsZero reports whether the part is left out.
func (o Optional[T]) IsZero() bool { return !o.given }

// Get returns the value. It returns false if the part is left out or removes.
func (o Optional[T]) Get() (v T, ok bool) {
	if o.value == nil {
		return v, false
	}
	return *o.value, true
}

// Removes reports whether the part deletes what is stored.
func (o Optional[T]) Removes() bool { return o.given && o.value == nil }

// Format implements [fmt.Formatter]: "keep", "remove", or the value under the same verb.
func (o Optional[T]) Format(f fmt.State, verb rune) {
	switch {
	case o.value != nil:
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), *o.value)
	case o.given:
		_, _ = io.WriteString(f, "remove")
	default:
		_, _ = io.WriteString(f, "keep")
	}
}

// MarshalJSON writes the value, or null.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.value) }

// content returns the value, nil if the part is left out or removes.
func (o Optional[T]) content() any {
	if o.value == nil {
		return nil
	}
	return *o.value
}

// UnmarshalJSON reads null as [Remove] and anything else as [Value].
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	var value *T
	if err := json.Unmarshal(b, &value); err != nil {
		return err
	}
	o.given, o.value = true, value
	return nil
}

// RekeyRequest is the request of [Service.Rekey].
type RekeyRequest struct {
	Guard
	ID     string
	Reason string // for the event
}
