package installation

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/health"
)

// Store keeps records. It is dumb on purpose: it never validates, seals, logs, reads a clock or
// sees a plain secret; the [Service] hands it complete changes and it applies each of them
// whole or not at all. Package storetest holds the suite that every implementation must pass;
// nearly every sentence below has a case there.
//
// Duties that hold for every method:
//
//   - A context that is already cancelled or expired is refused with its error before anything
//     is read or written. An error caused by the context matches [context.Canceled] or
//     [context.DeadlineExceeded].
//   - Arguments are neither kept nor changed. What a method returns belongs to the caller, who
//     may change it freely; the one thing shared is [Body], which nobody can change.
//   - Strings are byte-exact: "a" and "A" are two tenants, two ids, two terms. Any bytes but
//     NUL may occur in them.
//   - Times come back equal to the microsecond, in UTC.
//   - A store that cannot answer returns an error that matches [ErrUnavailable]. It never says
//     "not there" because it could not look.
//   - All methods may be called from many goroutines at once.
//
// Store does not grow: further abilities are interfaces of their own ([EventReader], [Counter],
// [HealthChecker]) that an implementation may have, each with a stated fallback. A wrapper that
// embeds a Store hides them and has to hand them on itself.
type Store interface {
	// Get returns the record at key, a tombstone included. It returns an error that matches
	// [ErrNotFound] if a healthy store holds nothing there.
	Get(ctx context.Context, key Key) (*Record, error)

	// Commit applies c, all of it or nothing. It checks, in this order, and stops at the first
	// that applies:
	//
	//  1. The record at c.Key remembers c.Op: this very change was applied before. Nothing is
	//     written; the receipt has the revision after c, and Replayed is true. A record,
	//     tombstones included, remembers its last [RememberedOps].
	//  2. c.Idempotency is given and the tenant has an unexpired outcome with the same digest:
	//     nothing is written; the receipt holds that outcome.
	//  3. The stored revision differs from c.If: a [*ConflictError] with the stored revision. A
	//     tombstone has its revision; 0 stands for nothing stored at all.
	//  4. Another record of the tenant holds one of c.Record.Claims: an [*ExistsError] with the
	//     id of the holder.
	//
	// Otherwise it writes the record in place of what was stored (its old index terms, claims
	// and deadline are gone), or the tombstone. If c.Record is nil, it writes the op token
	// alone, and revision and record stay. In each case it writes the outcome and the events
	// too. A commit whose fate cannot be known returns an error that matches
	// [ErrUnknownOutcome].
	Commit(ctx context.Context, c Change) (Receipt, error)

	// List returns one page of the records that q names; see [Query]. Tombstones are in no list.
	List(ctx context.Context, q Query) (Page, error)

	// Outcome returns what was committed under d in the tenant, or an error that matches
	// [ErrNotFound]. An expired outcome may still be returned; the caller compares its time.
	Outcome(ctx context.Context, tenant string, d Digest) (*Outcome, error)
}

// Limits of the store contract.
const (
	// RememberedOps is how many op tokens a record remembers.
	RememberedOps = 8
	// MaxPage is the largest Query.Limit and EventQuery.Limit.
	MaxPage = 1000
	// MaxSkip is the largest Query.Skip.
	MaxSkip = 100_000
)

// Key is the identity of an installation: byte-exact and case-sensitive. The empty tenant is
// the default tenant.
type Key struct{ Tenant, ID string }

// Record is what a store keeps of an installation. A store uses the fields other than Body to
// find and guard the record. The service derives them from the content, and checks on each read
// that they still follow from it.
type Record struct {
	Key        Key
	Revision   int64     // grows by 1 with every commit of a record or tombstone
	Generation int64     // grows by 1 with every new generation
	Deleted    bool      // tombstone: only Key, Revision, Generation and Deadline are set
	Created    time.Time // UTC, microseconds; lists are in the order (Created, ID)
	// when something is due, zero = never; of a tombstone: from when the store may forget it
	Deadline time.Time
	Index    []string // terms it is listed under, sorted; see GlobalTerm
	Claims   []string // what no other record of the tenant may hold at the same time, sorted
	Body     Body     // sealed content, opaque to the store
}

// Body is the sealed content of a [Record]. It cannot be changed once made, so stores and callers
// may share it freely. The zero value is the empty body of a tombstone.
type Body struct{ raw []byte }

// BodyFromBytes makes a Body from bytes that a store kept. It copies b and never fails: the service
// finds out whether b can be read.
func BodyFromBytes[T ~string | ~[]byte](b T) Body { return Body{raw: append([]byte(nil), b...)} }

// Bytes returns the encoded form for a store to keep. The slice is the caller's.
func (b Body) Bytes() []byte { return bytes.Clone(b.raw) }

// IsZero reports whether b is empty.
func (b Body) IsZero() bool { return len(b.raw) == 0 }

// Change is one commit: everything that one logical mutation writes. Slices and pointers in it
// are read-only to the store.
type Change struct {
	Op          [16]byte  // random token of this mutation, the same on every try of it
	Now         time.Time // the service's clock, against which tombstones and outcomes expire
	Key         Key       // the record that If is compared with; Record.Key is the same
	If          int64     // revision that must be stored; 0 = nothing
	Record      *Record   // new state, Revision If+1; nil = leave the record (If is then above 0)
	Idempotency *Outcome  // recorded with the change
	// appended with the change, in this order; keeping them is a duty, reading them is optional
	Events []Event
}

// Receipt says what Commit did.
type Receipt struct {
	Revision int64    // of the record after this change
	Replayed bool     // the change had been applied before by an earlier try
	Outcome  *Outcome // not nil: the idempotency key was used before and nothing was written
}

// Query names the records of a list: those of one tenant (or of all, for maintenance) that have
// one term, or whose deadline has passed.
type Query struct {
	// Tenant to list; ignored with AllTenants.
	Tenant string
	// AllTenants lists across tenants, in a stable order of the store's own choosing. Term must
	// then be a global one; see [GlobalTerm].
	AllTenants bool

	// Term to list, in the order (Created, ID). Exactly one of Term and DueBefore is set.
	Term string
	// DueBefore lists records whose deadline is set and not after this time. A store may walk
	// its records in groups; within each group the earliest deadline comes first. Tombstones
	// are not among them.
	DueBefore time.Time

	// After is the Next of an earlier page of the same query; "" starts at the beginning. It
	// means "after that member", so records that come or go meanwhile shift nothing. A value
	// that no page returned is refused with an error that matches [ErrInvalid], or starts at
	// some position; it never widens the query.
	After string
	// Skip passes over this many records first, at most [MaxSkip].
	Skip int
	// Limit is the largest number of records in the page, 1 to [MaxPage].
	Limit int
	// Reverse reverses the order of a Term query. It has no meaning with DueBefore.
	Reverse bool
}

// Page is one page of a list. It may hold fewer records than asked for, even none, while Next
// is set: a list has ended when Next is empty.
type Page struct {
	Records []*Record
	Next    string // for Query.After
}

// GlobalTerm reports whether an index term is listed across tenants, for maintenance, rather
// than within the tenant of its record. Otherwise a store treats both kinds the same.
func GlobalTerm(term string) bool { return strings.HasPrefix(term, "@") }

// Digest identifies an idempotency key within a tenant. The key itself never reaches a store.
type Digest [32]byte

// Outcome is what an idempotency key led to. A store keeps it until then, and may forget it
// afterwards.
type Outcome struct {
	Digest Digest
	Until  time.Time // kept up to this time, UTC, microseconds
	Data   []byte    // sealed where it must be; opaque to the store
}

// Event is one entry of the change log. It names what changed and contains no value: no secret and
// no configuration.
type Event struct {
	ID         string     // set by the store on reading: unique within the store, empty before
	Type       event.Type // what happened
	Key        Key        // of the installation
	Revision   int64      // after the change
	Generation int64      // after the change
	Time       time.Time  // UTC, microseconds
	Extension  string     // ID
	Account    string     // ID
	Actor      Actor      // who did it
	Reason     string     // as given by the caller of Reveal, Rekey or Uninstall
	Changed    []string   // what changed or was revealed: parts and pointers; sorted, at most 256
}

// EventReader is the ability to read the change log back. Without it [Service.Events] returns
// [ErrUnsupported]; events are appended all the same.
type EventReader interface {
	// Events returns events in the order in which they were committed: total within one tenant,
	// the store's own stable order across tenants. If entries after q.After were already
	// discarded it returns an error that matches [ErrTrimmed].
	Events(ctx context.Context, q EventQuery) (EventPage, error)
}

// EventQuery names events of one tenant, or of all.
type EventQuery struct {
	Tenant     string
	AllTenants bool
	After      string // EventPage.Next of the page before; "" = from the oldest kept
	Limit      int    // 1 to [MaxPage]
}

// EventPage is one page of events. Once anything was read, Next is never empty: at the end of
// the log, keep it and continue from it later. A page with no events has come to the end, and
// repeats the cursor it was given.
type EventPage struct {
	Events []Event
	Next   string
}

// Counter is the ability to count the records of a term without reading them. Without it the
// service pages through them.
type Counter interface {
	// Count returns how many records q names; After, Skip, Limit and Reverse are ignored.
	Count(ctx context.Context, q Query) (int64, error)
}

// HealthChecker is the ability of a store to say how safe it is. Without it [Service.Check] makes
// one read.
type HealthChecker interface {
	// Health returns what was found. The error is for a store that could not be asked at all.
	Health(ctx context.Context) ([]health.Finding, error)
}
