package installation

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/go-installation/installation/crypto"
)

// Guard says under which conditions a write is meant. The zero Guard is none: the service then reads again and applies the
// request again whenever another writer came between, until the context ends.
type Guard struct {
	Absent  bool // refuse with [ErrExists] if there is one, whatever its state
	Present bool // refuse with [ErrNotFound] if there is none

	// Revision must be the stored one, else [ErrConflict]. 0 = any.
	Revision int64
	// Generation must be the stored one: an older one is refused with [ErrStale], a newer one with [ErrConflict]. 0 = any.
	Generation int64
	// InstalledBefore refuses with [ErrStale] what was installed, or only invited so far, at this time or later. Give the time of an
	// event that was delivered late: it then cannot hurt an installation made since. Beware of times that were cut to seconds: they
	// may lie before an install in the same second.
	InstalledBefore time.Time

	// IdempotencyKey makes the request safe to send again: the same user of the same actor with the same key and request
	// gets the first answer, marked Replayed; with another request [ErrIdempotencyMismatch]. Other users, and none, have keys of their own. Documents are compared byte for byte. The answer is the one given
	// then, be it outdated: an invitation that was resent since comes with its dead code. Once the record is deleted, purged or
	// installed anew its first answer cannot be opened; the present state is returned, and only what is done to which id is still
	// compared. At most 256 bytes; kept for Options.IdempotencyTTL.
	IdempotencyKey string
}

// Parts are what a write may give. What is left out stays as it is.
type Parts struct {
	Name          Optional[string]        `json:",omitzero"`
	Extension     Optional[Extension]     `json:",omitzero"` // needed to create; cannot be removed, its ID cannot change. The service believes Owner: take it from your own catalogue
	Account       Optional[Account]       `json:",omitzero"` // needed to install
	Health        Optional[Health]        `json:",omitzero"`
	Consent       Optional[Consent]       `json:",omitzero"`
	Configuration Optional[Configuration] `json:",omitzero"`
	Connection    Optional[Connection]    `json:",omitzero"`
	BillingPlan   Optional[BillingPlan]   `json:",omitzero"`
	Notification  Optional[Notification]  `json:",omitzero"`
	Extra         Optional[Document]      `json:",omitzero"`
}

// UpsertRequest is the request of [Service.Upsert].
type UpsertRequest struct {
	Guard
	ID string // "" = the service mints one
	Parts
}

// PatchRequest is the request of [Service.Patch].
type PatchRequest struct {
	Guard
	ID string
	Parts
	Operations []Operation // on the configuration, after Parts, in this order
}

// InviteRequest is the request of [Service.Invite].
type InviteRequest struct {
	Guard
	ID string // "" = the service mints one
	Parts
	Message    string
	ExternalID string
	Recipient  string // who alone may accept, compared byte for byte; "" = whoever has the code
	Validity   Period // "" = DefaultValidity
}

// ResendRequest is the request of [Service.Resend]. The validity counts from now.
type ResendRequest struct {
	Guard
	ID       string
	Validity Period // "" = as it was
}

// AcceptRequest is the request of [Service.Accept].
type AcceptRequest struct {
	Guard
	ID        string
	Code      crypto.Secret
	Account   Account           // that accepts; verified by the host
	Consent   Optional[Consent] `json:",omitzero"`
	Recipient string            // verified address or account of who accepts; compared if the invitation names one
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
	Final  bool   // secrets go at once rather than after the grace period
	Reason string // for the event
}

// DeleteRequest is the request of [Service.Delete].
type DeleteRequest struct {
	Guard
	ID string
}

// RevealRequest is the request of [Service.Reveal].
type RevealRequest struct {
	ID     string
	Refs   []Ref  // which secrets, 1 to MaxReveal; see Installation.Sealed
	Reason string // for the event; required
}

// Revealed is one answer of [Service.Reveal].
type Revealed struct {
	Ref   Ref
	Value crypto.Secret // the string itself if the stored JSON is a string, else its JSON text
	Err   error         // ErrNotFound if no secret is stored there, ErrSealed if it does not open
}

// ListRequest says which installations to list. Filters that are given must all hold.
type ListRequest struct {
	Extension  string
	Account    string
	Owner      string   // of the extension
	Connection string   // id
	Status     []Status // any of these

	After   string // Next of the page before; "" = from the start
	Skip    int    // rows to pass over first, at most MaxSkip
	Limit   int    // 0 = 100, at most MaxPage
	Reverse bool   // newest first
}

// List is one page of installations in the order of their creation. It may be shorter than asked for while Next is set.
type List struct {
	Installations []*Installation
	Next          string // for ListRequest.After; "" = that was all
}

// Result is what a write led to: the installation as the actor may see it, masked.
type Result struct {
	*Installation

	Created  bool // a new installation, or a new generation of one
	Changed  bool // false: it was so already, and nothing was written
	Replayed bool // the answer of an earlier request with the same idempotency key, or of the accepted invitation

	Code      crypto.Secret // Invite and Resend: the invitation code, this once
	AcceptURL crypto.Secret // the same within Options.AcceptURL, if that is set
}

// SweepRequest is the request of [Service.Sweep].
type SweepRequest struct {
	Limit int // changes at most; 0 = all that are due
}

// SweepReport counts what [Service.Sweep] did.
type SweepReport struct {
	Expired  int // invitations whose time had run out
	Purged   int // uninstalled ones whose grace had run out
	Shredded int // of the purged ones: without the key, so that only what is stored in plain is left
	Skipped  int // changed by someone else meanwhile
	Failed   int // could not be moved; see the error
}

// Optional is a part of a write that may be left out: the zero value keeps what is stored, [Remove] takes it away, [Value]
// puts something in its place. In JSON an absent key (with omitzero) keeps, null removes.
type Optional[T any] struct {
	given bool
	value *T
}

// Value gives a part.
func Value[T any](v T) Optional[T] { return Optional[T]{given: true, value: &v} }

// Remove takes a part away.
func Remove[T any]() Optional[T] { return Optional[T]{given: true} }

// IsZero reports whether the part is left out.
func (o Optional[T]) IsZero() bool { return !o.given }

// Get returns the value; ok is false if the part is left out or to be removed.
func (o Optional[T]) Get() (v T, ok bool) {
	if o.value == nil {
		return v, false
	}
	return *o.value, true
}

// Removes reports whether the part is to be removed.
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

// UnmarshalJSON reads null as [Remove] and anything else as [Value].
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	var value *T
	if err := json.Unmarshal(b, &value); err != nil {
		return err
	}
	o.given, o.value = true, value
	return nil
}

// content returns the value for the request's fingerprint: nil if it is to be removed.
func (o Optional[T]) content() any {
	if o.value == nil {
		return nil
	}
	return *o.value
}
