package installation

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/go-installation/installation/event"
	"github.com/go-installation/installation/health"
)

// Store keeps records. A store is dumb on purpose. It never validates content, seals, logs, reads
// a clock or sees a plain secret. The [Service] passes complete changes. The store applies each
// change whole or not at all. Package storetest holds the suite that every implementation must
// pass; nearly every sentence below has a test case there.
//
// Duties that hold for every method:
//
//   - If the context has already ended, the method returns the error of the context, and reads and
//     writes nothing. An error caused by the context matches [context.Canceled] or
//     [context.DeadlineExceeded].
//   - Arguments are neither kept nor changed. What a method returns belongs to the caller, who
//     may change it freely. Only [Body] is shared, because nobody can change it.
//   - Strings are byte-exact: "a" and "A" are two tenants, two IDs, two index terms (see
//     Record.Index). Any bytes but NUL may occur in them.
//   - Times come back equal to the microsecond, in UTC.
//   - A store that cannot answer returns an error that matches [ErrUnavailable], and never
//     [ErrNotFound].
//   - All methods may be called from many goroutines at once.
//
// The Store interface does not grow. Further abilities are optional interfaces: [EventReader],
// [Counter], [HealthChecker], [Namespacer], [Mover], [Trimmer]. Each interface says what the
// Service does without it. The Service does the same if a method returns an error that matches
// [ErrUnsupported]. To write a store around another one, embed a [Decorator].
type Store interface {
	// Get returns the record at key, even if it is a tombstone (see Record.Deleted). It returns an
	// error that matches [ErrNotFound] if a healthy store holds nothing there.
	Get(ctx context.Context, key Key) (*Record, error)

	// Commit applies c, all of it or nothing. It checks these cases in order, and stops at the
	// first that applies:
	//
	//  1. The record at c.Key remembers c.Op: this very change was applied before. Nothing is
	//     written; the receipt has the revision that c led to, and Replayed is true. A record or
	//     tombstone remembers the Op of its last [RememberedOps] changes.
	//  2. c.Epoch is not the epoch of the namespace (see [Namespacer]): an error that matches
	//     [ErrEpoch].
	//  3. c.Idempotency is given and the tenant has an unexpired outcome with the same digest:
	//     nothing is written; the receipt holds that outcome.
	//  4. The stored revision differs from c.If: a [*ConflictError] with the stored revision. A
	//     tombstone has a revision too, and c.If is compared with it. If nothing is stored, the
	//     revision is 0. A change with a nil Record is a conflict then, whatever its If. The error
	//     has NotApplied set if the stored record proves that no try of c was applied. The proof
	//     needs three facts: the revision of the record is above c.If, the record does not remember
	//     c.Op, and its memory reaches back to before c. The memory does so if it holds fewer than
	//     [RememberedOps] changes, or a change that led to c.If or to a lower revision. If neither
	//     c nor the remembered change has a Record, only a change that led to a revision below c.If
	//     counts.
	//  5. Another record of the tenant holds one of c.Record.Claims: an [*ExistsError] with the
	//     ID of the holder.
	//
	// Otherwise Commit stores the record or tombstone of c in place of the old record. The old
	// index terms, claims and deadline are gone. The service chooses the revision, which can be any
	// number above c.If. The store keeps it as it is. It rejects any other revision with an error
	// that matches [ErrInvalid]. This check may come before any of the cases. If c.Record is nil,
	// Commit keeps the stored record and its revision, but the record now remembers c.Op. With or
	// without c.Record, Commit also writes the outcome and the events. If the store cannot know
	// whether c was applied, it returns an error that matches [ErrUnknownOutcome].
	Commit(ctx context.Context, c Change) (Receipt, error)

	// List returns one page of the records that q names; see [Query]. Tombstones are in no list.
	List(ctx context.Context, q Query) (Page, error)

	// Outcome returns the outcome that was committed under d in the tenant, or an error that
	// matches [ErrNotFound]. An expired outcome may still be returned; the caller checks its Until.
	Outcome(ctx context.Context, tenant string, d Digest) (*Outcome, error)
}

// Limits of the store contract.
const (
	// RememberedOps is how many op tokens (see Change.Op) a record remembers.
	RememberedOps = 8
	// MaxPage is the largest Query.Limit and EventQuery.Limit.
	MaxPage = 1000
	// MaxSkip is the largest Query.Skip.
	MaxSkip = 100_000
	// MaxEvent is the maximum length of an encoded [Event] in bytes. If an event would be longer,
	// the service drops the icon of the actor's user, cuts the user's name short, and drops as
	// many names of Changed as it has to. Only if that is not enough, it cuts the reason and other
	// texts short.
	MaxEvent = 2048
)

// Upper bounds of what a store has to take, for columns and indexes. All lengths are in bytes, not
// in characters, and the bytes need not be UTF-8. A store takes a change with all values at their
// bounds. It may reject longer values with an error that matches [ErrInvalid], but never cuts one.
const (
	// MaxTenant is for Key.Tenant. The service does not check it: the host chooses the tenants.
	MaxTenant = 256
	// MaxID is for Key.ID. The service enforces validate.MaxID, which is the same.
	MaxID = 256
	// MaxTerm is for a term of Record.Index. The longest today is a pair of IDs, with 524 bytes.
	MaxTerm = 1024
	// MaxTerms is for the number of terms. A record has at most 11 today.
	MaxTerms = 16
	// MaxClaim is for one of Record.Claims, and enforced by the service.
	MaxClaim = 1024
	// MaxClaims is for the number of claims, and enforced by the service.
	MaxClaims = 16
	// MaxBody is for Record.Body, and enforced by the service.
	MaxBody = 4 << 20
	// MaxOutcome is for Outcome.Data. The service stays below it, because Options.OutcomeBytes has
	// at most 4 MiB.
	MaxOutcome = 5 << 20
	// MaxEvents is for the number of events of a change. Each has at most MaxEvent bytes.
	MaxEvents = 16
)

// Key is the identity of an installation: byte-exact and case-sensitive. The empty tenant is
// the default tenant.
type Key struct{ Tenant, ID string }

// Record is what a store keeps of an installation. A store uses the fields other than Body to find
// the record and to reject conflicting writes. The service derives these fields from the content.
// On each read it checks that they still match the content. It sorts Index and Claims and removes
// duplicates, and a store may rely on both.
type Record struct {
	Key        Key
	Revision   int64     // grows with every commit of a record or tombstone
	Generation int64     // of the installation; see Installation.Generation
	Deleted    bool      // tombstone: only Key, Revision, Generation and Deadline are set
	Created    time.Time // UTC, microseconds; lists are in the order (Created, ID)
	// when an invitation expires, or when an uninstalled record is to be purged; zero = never.
	// A store may forget a tombstone from this time on.
	Deadline time.Time
	Index    []string // index terms: the lists that the record is in, sorted; see GlobalTerm
	Claims   []string // sorted strings; at most one record of a tenant holds each of them
	Body     Body     // sealed content, opaque to the store
}

// Body is the sealed content of a [Record]. It cannot be changed once made, so stores and callers
// may share it freely. The zero value is the empty body of a tombstone.
type Body struct{ raw []byte }

// BodyFromBytes makes a Body from bytes that a store kept. It copies b and never fails: the service
// finds out whether b can be read.
func BodyFromBytes[T ~string | ~[]byte](b T) Body { return Body{raw: append([]byte(nil), b...)} }

// Bytes returns the encoded form for a store to keep. The caller owns the slice.
func (b Body) Bytes() []byte { return bytes.Clone(b.raw) }

// IsZero reports whether b is empty.
func (b Body) IsZero() bool { return len(b.raw) == 0 }

// Change is one commit: everything that one logical mutation writes. Slices and pointers in it
// are read-only to the store.
type Change struct {
	Op [16]byte // random token of this mutation, the same on every try of it
	// time of the service; the store uses it to find expired tombstones and outcomes
	Now         time.Time
	Epoch       int64    // of the namespace, as it was when the service began to build the change
	Key         Key      // of the record to change; the same as Record.Key
	If          int64    // the revision that Key must have; 0 = nothing is stored at Key
	Record      *Record  // new state, Revision above If; nil = keep the record (If is then above 0)
	Idempotency *Outcome // stored with the change; nil = none
	// appended in this order. Every store must keep them; reading them back is optional
	Events []Event
}

// Receipt says what Commit did.
type Receipt struct {
	Revision int64    // of the record after this change; 0 if Outcome is set
	Replayed bool     // an earlier try had already applied the change
	Outcome  *Outcome // not nil: the idempotency key was used before and nothing was written
}

// Query selects records by one index term, or by a deadline that has passed. It covers one tenant,
// or all tenants for maintenance. If a query breaks a rule of its fields, List and Count return an
// error that matches [ErrInvalid]; see [Query.Validate].
type Query struct {
	// Tenant to list; ignored with AllTenants.
	Tenant string
	// AllTenants lists across tenants, in a stable order of the store's own choosing. If Term
	// is set too, it must be a global term. Without AllTenants it must not be one; see
	// [GlobalTerm].
	AllTenants bool

	// Term to list, in the order (Created, ID). Exactly one of Term and DueBefore is set.
	Term string
	// DueBefore lists records whose deadline is set and not after this time. Tombstones are not
	// among them. The order is by deadline. A store that is split in parts may return one part
	// after another, each part in this order.
	DueBefore time.Time

	// After is the Next of an earlier page of the same query; "" starts at the beginning. It marks
	// the position after the last record of that page, so inserted or deleted records do not move
	// it. For a value that no page returned, a store returns an error that matches [ErrInvalid] or
	// starts at any position. It never returns records outside the query.
	After string
	// Skip passes over this many records first, at most [MaxSkip].
	Skip int
	// Limit is the largest number of records in the page, 1 to [MaxPage].
	Limit int
	// Reverse reverses the order of a Term query. It has no meaning with DueBefore.
	Reverse bool
}

// Page is one page of a list. It may hold fewer records than Query.Limit, even none, while Next is
// set: a list has ended when Next is empty. Next consists of printable ASCII characters, because
// hosts pass it on to their clients.
type Page struct {
	Records []*Record
	Next    string // for Query.After
}

// Validate returns an error that matches [ErrInvalid] if q breaks a rule of its fields. Stores call
// it in List. Count ignores some fields, so it calls Validate on Query.Counted.
func (q Query) Validate() error {
	switch {
	case (q.Term == "") == q.DueBefore.IsZero():
		return fmt.Errorf("%w: set exactly one of Term and DueBefore", ErrInvalid)
	case q.Term != "" && q.AllTenants != GlobalTerm(q.Term):
		return fmt.Errorf("%w: a global term needs AllTenants, and other terms exclude it",
			ErrInvalid)
	case q.Limit < 1 || q.Limit > MaxPage:
		return fmt.Errorf("%w: the limit %d is not from 1 to %d", ErrInvalid, q.Limit, MaxPage)
	case q.Skip < 0 || q.Skip > MaxSkip:
		return fmt.Errorf("%w: the skip %d is not from 0 to %d", ErrInvalid, q.Skip, MaxSkip)
	}
	return nil
}

// Counted returns q without the fields that [Counter] ignores: it lists all records that q names.
func (q Query) Counted() Query {
	q.After, q.Skip, q.Limit, q.Reverse = "", 0, MaxPage, false
	return q
}

// GlobalTerm reports whether a term is listed across all tenants (for maintenance), and not within
// its tenant. Other terms are listed within one tenant. Apart from that, a store treats both kinds
// the same.
func GlobalTerm(term string) bool { return strings.HasPrefix(term, "@") }

// Event is one entry of the change log. It names what changed and contains no value: no secret and
// no configuration.
type Event struct {
	ID         string     // unique in the store; set when the event is read, empty in Change.Events
	Type       event.Type // what happened
	Key        Key        // of the installation; the same as Change.Key
	Revision   int64      // after the change
	Generation int64      // after the change
	Time       time.Time  // UTC, microseconds
	Extension  string     // ID
	Account    string     // ID
	Actor      Actor      // who did it
	// as given by the caller of Open, Reveal, Rekey or Uninstall, or in AllowDestination; for a
	// failed connection, the code of its Failure; of the service itself, such as "refresh"
	Reason string
	// names of what changed or was revealed, sorted: a part such as "configuration", or a secret
	// such as "config/api_key"; a name that looks like a secret itself is cut and ends in "..."
	Changed []string
	Omitted int64 // how many names Changed leaves out; see MaxEvent
}

// EventReader is the ability to read the change log back. Without it [Service.Events] returns
// [ErrUnsupported], but Commit still appends events.
type EventReader interface {
	// Events returns one page of the log. Events of one tenant are in the order of their commits.
	// Across tenants, the store chooses a stable order. No event ever appears behind a cursor that
	// was given out. So a store that numbers its events must commit them in the order of their
	// numbers, or hide an event while an earlier number can still commit. If entries after q.After
	// were already trimmed, Events returns an error that matches [ErrTrimmed].
	Events(ctx context.Context, q EventQuery) (EventPage, error)
}

// EventQuery selects events of one tenant, or of all tenants. If Limit is out of range, Events
// returns an error that matches [ErrInvalid].
type EventQuery struct {
	// Tenant whose events are read; ignored with AllTenants.
	Tenant     string
	AllTenants bool
	// After is the Next of an earlier page of the same query; "" starts at the oldest event kept.
	// For a value that no page returned, a store returns an error that matches [ErrInvalid] or
	// [ErrTrimmed], or starts at any position. It never returns events of another tenant.
	After string
	Limit int // 1 to [MaxPage]
}

// Validate returns an error that matches [ErrInvalid] if q breaks a rule of its fields. Stores call
// it in Events.
func (q EventQuery) Validate() error {
	if q.Limit < 1 || q.Limit > MaxPage {
		return fmt.Errorf("%w: the limit %d is not from 1 to %d", ErrInvalid, q.Limit, MaxPage)
	}
	return nil
}

// EventPage is one page of events. Once a reader has received an event, Next is never empty. At the
// end of the log, keep Next and continue from it later. A page without events means the end of the
// log. Its Next is then the After of the query. Next and the IDs of events consist of printable
// ASCII characters.
type EventPage struct {
	Events []Event
	Next   string
}

// Counter is the ability to count the records of a term without reading them. Without it the
// service pages through the records.
type Counter interface {
	// Count returns how many records q names; After, Skip, Limit and Reverse are ignored.
	Count(ctx context.Context, q Query) (int64, error)
}

// HealthChecker is the ability of a store to report problems, such as data that is not durable.
// Without it [Service.Check] makes one read.
type HealthChecker interface {
	// Health returns what it found, good or bad. An error means that the store did not answer.
	Health(ctx context.Context) ([]health.Finding, error)
}

// Decorator forwards all methods of a Store and of the optional interfaces to the Store in it. If
// that Store lacks an optional interface, the methods return [ErrUnsupported]. To write a store
// around another one, for example for metrics or traces, embed a Decorator and override what you
// need. A type that embeds only a Store hides the optional interfaces.
//
// Later releases may add optional interfaces, and then a Decorator forwards them too. So do not
// embed it in a store that changes keys or records: implement the interfaces one by one there.
type Decorator struct{ Store }

// Events implements [EventReader].
func (d Decorator) Events(ctx context.Context, q EventQuery) (EventPage, error) {
	if s, ok := d.Store.(EventReader); ok {
		return s.Events(ctx, q)
	}
	return EventPage{}, ErrUnsupported
}

// Count implements [Counter].
func (d Decorator) Count(ctx context.Context, q Query) (int64, error) {
	if s, ok := d.Store.(Counter); ok {
		return s.Count(ctx, q)
	}
	return 0, ErrUnsupported
}

// Health implements [HealthChecker].
func (d Decorator) Health(ctx context.Context) ([]health.Finding, error) {
	if s, ok := d.Store.(HealthChecker); ok {
		return s.Health(ctx)
	}
	return nil, ErrUnsupported
}

// Namespace implements [Namespacer].
func (d Decorator) Namespace(ctx context.Context) (Namespace, error) {
	if s, ok := d.Store.(Namespacer); ok {
		return s.Namespace(ctx)
	}
	return Namespace{}, ErrUnsupported
}

// AcceptRestore implements [Namespacer].
func (d Decorator) AcceptRestore(ctx context.Context, now time.Time) (Namespace, error) {
	if s, ok := d.Store.(Namespacer); ok {
		return s.AcceptRestore(ctx, now)
	}
	return Namespace{}, ErrUnsupported
}

// Scan implements [Mover].
func (d Decorator) Scan(ctx context.Context) iter.Seq2[Row, error] {
	if s, ok := d.Store.(Mover); ok {
		return s.Scan(ctx)
	}
	return func(yield func(Row, error) bool) { yield(Row{}, ErrUnsupported) }
}

// Put implements [Mover].
func (d Decorator) Put(ctx context.Context, now time.Time, row Row) (bool, error) {
	if s, ok := d.Store.(Mover); ok {
		return s.Put(ctx, now, row)
	}
	return false, ErrUnsupported
}

// Trim implements [Trimmer].
func (d Decorator) Trim(ctx context.Context, now time.Time) error {
	if s, ok := d.Store.(Trimmer); ok {
		return s.Trim(ctx, now)
	}
	return ErrUnsupported
}
