package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/accesslog"
	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/invite"
	"github.com/go-installation/installation/internal/lease"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/outcome"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/schema"
	"github.com/go-installation/installation/internal/schemasource"
	"github.com/go-installation/installation/refresh"
	"github.com/go-installation/installation/validate"
)

// Service manages installations. It is what a host application calls. It owns the policy, the
// lifecycle, validation, sealing and masking. The [Store] only saves what the Service gives it.
//
// A Service is small and immutable. [Service.In] and [Service.As] return copies: make a copy for
// each request. A Service starts no goroutine and is safe for concurrent use.
type Service struct {
	store    Decorator
	keys     crypto.KeyWrapper
	opts     Options
	base     *url.URL    // parsed Options.AcceptURL
	rule     masked.Rule // for documents without a schema
	schemas  *schema.Cache
	outcomes *outcome.Key
	decoy    *atomic.Pointer[Record] // see acceptDecoy
	accesses *accesslog.Log
	leases   *lease.Memory

	// outcomeKeys encrypts the data keys that seal outcomes. It is usually the same KeyWrapper as
	// keys. Some writes can succeed without an answer of the key service. In those writes,
	// outcomeKeys is a wrapper of keys whose calls have a time limit; see withKeyTimeout.
	outcomeKeys crypto.KeyWrapper

	customPolicy bool // Options.Policy was given
	tentative    bool // see On

	tenant string
	actor  Actor
}

// Options configure a [Service]. The zero value of each field is its default.
type Options struct {
	// Now is the clock. Default: time.Now. Times are truncated to microseconds, in UTC.
	Now func() time.Time

	// Policy decides who may do what. Default: DefaultPolicy.
	Policy Policy

	// Claims returns strings that only one installation of a tenant may hold at a time: at most 16,
	// of 1 to 1024 bytes, without NUL. Default: DefaultClaims. The service calls the function in
	// each write that leaves the installation in status installed. Rewrap and Rekey do not call it:
	// they keep the stored claims.
	Claims func(*Installation) []string

	// Schema returns the JSON Schema of an extension's configurations. A zero source means no
	// schema. Default: no schemas; names and forms of values then decide what is sensitive.
	//
	// The service calls the function on each read and write of a configuration, so the function
	// should answer from memory. The service loads and compiles a schema only if its revision is
	// not among those used last. It keeps these up to a weight of 64 MiB. A compiled schema weighs
	// 24 bytes for each byte of its text, and about 2 KiB for each object in it.
	//
	// If the function fails or the schema has a fault, the service masks every value, sets
	// Configuration.Err, and rejects writes of the configuration; see [*validate.SchemaError].
	//
	// Choose a schema by ID and Owner of the extension only. The extension ID of an existing
	// installation cannot change, and Options.Owner or the host decides who the owner is. Anyone
	// who can write the installation can write the other fields, and could pick the schema with
	// them.
	//
	// The schema validates stored secrets too. So the author of the schema can learn whether a
	// stored secret satisfies it. With many schemas an author could learn the whole secret. Use
	// only schemas of authors you trust.
	Schema func(ctx context.Context, tenant string, ext Extension) (validate.SchemaSource, error)

	// Owner returns the ID of the vendor that owns an extension, or "" if none does. The service
	// stores it as Extension.Owner, and never believes the owner that a request names: a request
	// that names another owner fails with [ErrForbidden]. If the function fails, the write fails
	// with [ErrUnavailable], without the text of the error. The service calls the function in each
	// write that begins an install or gives the extension.
	//
	// Default: none. Then only the host and the platform can set an owner, so a vendor cannot
	// install or invite.
	Owner func(ctx context.Context, tenant, extension string) (owner string, err error)

	// AcceptURL is where an invitation code is redeemed, such as "https://portal.example/accept".
	// The service adds query parameters: installation, code, and tenant unless it is the default
	// tenant. The URL must be https, or http for loopback. Default: none, and the service returns
	// only the code.
	AcceptURL string

	// Grace is how long secrets outlive an uninstall that is not final. Default: 24 hours.
	Grace time.Duration

	// IdempotencyTTL is how long the outcome of a request with an idempotency key is kept.
	// Default: 24 hours. OutcomeBytes bounds how much is kept meanwhile.
	IdempotencyTTL time.Duration

	// OutcomeBytes is the size of the largest answer that the outcome of a request with an
	// idempotency key contains. A repeat of a request with a larger answer gets the present state
	// of the record; see Result.FirstRevision. The answer to a request that changed nothing is
	// never kept. So an outcome has at most OutcomeBytes + 1 KiB, and with the default ten thousand
	// requests within IdempotencyTTL leave at most 50 MiB of outcomes. With a key service it can be
	// a little more, because its wrapped keys can be longer. Default: 4 KiB. At most 4 MiB.
	OutcomeBytes int

	// AccessInterval is the time in which a process records only the first Open of an installation
	// by an actor. Default: 1 hour. A process remembers about 3,000 of them, in 1 MiB, and records
	// again what it forgot.
	AccessInterval time.Duration

	// Refresh gets new tokens for a connection, in [Service.Run] and in calls of [Service.Refresh]
	// without a function. If it is set, each write notes when the access token is due. Default:
	// none.
	Refresh RefreshFunc

	// RefreshLease is how long a caller of Refresh, or of Revoke, keeps others away. It gets a
	// third of it for the call of the function, and another third to store the result. So if a
	// process dies meanwhile, others wait for up to this time. Default: 60 seconds. At least 30
	// milliseconds.
	RefreshLease time.Duration

	// Interrupted says for a provider what to do with a refresh token that somebody may have sent
	// already. Default: [refresh.Retry] for each.
	Interrupted func(provider string) refresh.Policy

	// Revoke tells a provider that its tokens must not work any more; see [Service.Run]. It gets an
	// uninstalled installation, or tokens that came too late to be stored. It returns nil if they
	// are revoked, or were invalid already, and returns soon after ctx ends: Run waits for it.
	// Default: none, and nothing is revoked.
	Revoke func(ctx context.Context, inst *Opened) error

	// TombstoneTTL is how long revision and generation of a deleted installation are kept, so that
	// a stale write cannot bring it back. Default: 30 days.
	TombstoneTTL time.Duration
}

// Actor is who makes a request. The host application derives the actor from an identity that it has
// verified. The service does not verify the actor.
type Actor struct {
	Kind     ActorKind
	ID       string    // of the extension, vendor or customer; empty for Host and Platform
	User     Reference // the person or token behind the request, for the audit; optional
	ReadOnly bool      // can read, cannot change anything
}

// ActorKind is the role of an actor; see [DefaultPolicy]. The zero value may do nothing.
type ActorKind string

// Kinds of actors.
const (
	// Host is the embedding program itself.
	Host ActorKind = "host"
	// ExtensionActor is the extension, on its own installations. Its ID is the extension's.
	ExtensionActor ActorKind = "extension"
	// Vendor is the owner of extensions. Its ID is compared with Extension.Owner.
	Vendor ActorKind = "vendor"
	// Customer is the account that an extension is installed in. Its ID is the account's.
	Customer ActorKind = "customer"
	// Platform is the operator of the platform, across accounts.
	Platform ActorKind = "platform"
)

// Policy decides whether an actor may act on an installation. For a write, the service asks the
// policy about the stored state and about the result. If a record cannot be opened, inst has only
// the fields that are stored in plain, and Err. A Policy must not change the installation.
//
// If the policy refuses [ActionSee], the service returns [ErrNotFound]. For any other refusal it
// returns [ErrForbidden]. A custom policy usually calls [DefaultPolicy] and widens or narrows its
// answer. An extension, vendor or customer lists only its own installations, whatever the policy
// says. A policy should let hosts and platforms see every installation: [Service.Count] counts all
// of them.
type Policy func(a Actor, do Action, inst *Installation) bool

// Action is something that a policy allows or refuses.
type Action string

// Actions.
const (
	ActionSee              Action = "see"        // read the public part
	ActionSeeConfiguration Action = "see-config" // read the masked configuration
	ActionReveal           Action = "reveal"     // read plain secrets
	ActionInvite           Action = "invite"     // Invite and Resend
	ActionAccept           Action = "accept"     // Accept, for the account in the installation
	ActionUpsert           Action = "upsert"     // Upsert and Patch, except the configuration
	ActionConfigure        Action = "configure"  // the configuration in Upsert and Patch
	ActionUninstall        Action = "uninstall"  // Uninstall and Expire
	ActionDelete           Action = "delete"     // Delete
	ActionMaintain         Action = "maintain"   // Sweep, Events and so on; inst is nil
)

// DefaultPolicy is the policy of a service without Options.Policy:
//
//	              Host    ExtensionActor  Vendor   Customer  Platform
//	sees          all     its own         its own  its own   all
//	configuration masked  masked          masked   -         -
//	reveal        yes     yes             yes      -         -
//	invite        yes     -               yes      -         yes
//	accept        -       -               -        yes       -
//	upsert        yes     yes             yes      yes       yes
//	configure     yes     yes             yes      -         -
//	uninstall     yes     yes             yes      yes       yes
//	delete        yes     -               yes      -         yes
//	maintain      yes     -               -        -         -
//
// A ReadOnly actor has only the first two rights. The zero Actor has none.
//
// A vendor owns what Options.Owner says, not what its request says.
//
// The right upsert covers every part except the configuration. A host that offers Upsert to
// customers decides which parts it passes on: for example, whether a customer may name a billing
// plan, or install an extension without an invitation. A vendor or an extension can install in any
// account that it names; a host that wants the customer's consent offers only Invite. A host that
// accepts an invitation for an account calls Accept as the Customer of that account.
func DefaultPolicy(a Actor, do Action, inst *Installation) bool {
	if a.ReadOnly && do != ActionSee && do != ActionSeeConfiguration {
		return false
	}
	return owns(a, inst) && slices.Contains(defaultRights[a.Kind], do)
}

// New returns a service on a store, with the keys that protect its secrets. Both are required:
// there is no mode without encryption. New copies opts; nil means all defaults.
//
// The service has no actor and refuses everything until [Service.As] names one.
func New(store Store, keys crypto.KeyWrapper, opts *Options) (*Service, error) {
	switch {
	case isNil(store):
		return nil, errors.New("installation: no store: pass one, such as memstore.New()")
	case isNil(keys):
		return nil, errors.New("installation: no keys: pass a keyring, for example from " +
			"crypto.KeyringFromFile; secrets are never stored in plain")
	case keys.Primary() == "":
		return nil, errors.New("installation: the key wrapper has no primary key")
	}
	s := &Service{
		store: Decorator{store}, keys: keys, rule: classify.NameRule{},
		schemas:  schema.NewCache(schemasource.MaxCached),
		outcomes: &outcome.Key{}, outcomeKeys: keys, decoy: new(atomic.Pointer[Record]),
		accesses: accesslog.New(maxAccesses), leases: lease.New(nil),
	}
	if opts != nil {
		s.opts = *opts
	}
	if min(s.opts.Grace, s.opts.IdempotencyTTL, s.opts.TombstoneTTL, s.opts.AccessInterval) < 0 {
		return nil, errors.New("installation: Grace, IdempotencyTTL, TombstoneTTL and " +
			"AccessInterval in Options must not be negative")
	}
	if l := s.opts.RefreshLease; l != 0 && l < lease.MinDuration {
		return nil, errors.New("installation: RefreshLease in Options must be at least 30 ms")
	}
	if s.opts.OutcomeBytes < 0 || s.opts.OutcomeBytes > record.MaxWritten {
		return nil, fmt.Errorf("installation: OutcomeBytes in Options must be from 0 to %d",
			record.MaxWritten)
	}
	if s.opts.AcceptURL != "" {
		u, err := invite.ParseURL(s.opts.AcceptURL)
		if err != nil {
			return nil, invalid("Options.AcceptURL", validate.RuleFormat, err.Error())
		}
		s.base = u
	}
	s.customPolicy = s.opts.Policy != nil
	if !s.customPolicy {
		s.opts.Policy = DefaultPolicy
	}
	if s.opts.Now == nil {
		s.opts.Now = time.Now
	}
	if s.opts.Claims == nil {
		s.opts.Claims = DefaultClaims
	}
	s.opts.Grace = cmp.Or(s.opts.Grace, 24*time.Hour)
	s.opts.IdempotencyTTL = cmp.Or(s.opts.IdempotencyTTL, 24*time.Hour)
	s.opts.OutcomeBytes = cmp.Or(s.opts.OutcomeBytes, 4<<10)
	s.opts.AccessInterval = cmp.Or(s.opts.AccessInterval, time.Hour)
	s.opts.TombstoneTTL = cmp.Or(s.opts.TombstoneTTL, 30*24*time.Hour)
	s.opts.RefreshLease = cmp.Or(s.opts.RefreshLease, time.Minute)
	return s, nil
}

// isNil reports whether v is nil, or a nil pointer in an interface. Such a pointer would fail only
// at the first request.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

// In returns the service for one tenant, such as a project, a client or a platform. Installations
// of other tenants do not exist for it. Without In, the tenant is the default tenant, "".
func (s *Service) In(tenant string) *Service {
	c := *s
	c.tenant = tenant
	return &c
}

// As returns the service for one actor. The host must verify the actor; the service does not.
func (s *Service) As(actor Actor) *Service {
	c := *s
	c.actor = actor
	return &c
}

// On returns the service on a store that is part of a transaction of the host, such as a Tx of
// package pgstore. Its writes count only if the host commits that transaction. Until then nobody
// else sees them, and an invitation code that a method returns is void.
//
// The service refuses some methods there with an error that matches [ErrUnsupported]. Open and
// Reveal must have committed their event before they answer. AcceptRestore, Events, Rewrap and
// Sweep would keep others waiting until the host commits. CanRetire, Check, VoidInvitations and
// lists of all tenants are about the whole store. All other methods work. They neither use nor fill
// a [crypto.Cache], because the host can roll back a record whose key would then be in the cache.
func (s *Service) On(store Store) *Service {
	c := *s
	c.store, c.tentative = Decorator{store}, true
	c.keys, c.outcomeKeys = crypto.Uncached(s.keys), crypto.Uncached(s.outcomeKeys)
	return &c
}

// now is the time of an operation.
func (s *Service) now() time.Time { return storedTime(s.opts.Now()) }

// storedTime returns t as it is stored: UTC, in microseconds, without a monotonic clock.
func storedTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// maxClockGap is how far the clock may be ahead of the newest stored time. It is a little more than
// the longest usual validity of an invitation, 1y. So a host that invited somebody for a year, and
// wrote nothing since, can still expire the invitation.
const maxClockGap = 400 * 24 * time.Hour

// checkClock returns ErrClock if now is far ahead of every time that is stored in plain. It looks
// at a due record first, because a host that sweeps regularly finds a recent time there. It then
// reads all records, the newest first. It cannot stop after the first page: a store that is split
// in parts can have its newest record on any page.
func (s *Service) checkClock(ctx context.Context, now time.Time, due *Record) error {
	newest := newestTime(due)
	if now.Sub(newest) <= maxClockGap {
		return nil
	}
	q := everywhere
	q.Reverse = true
	for r, err := range s.records(ctx, q) {
		if err != nil {
			return err
		}
		if t := newestTime(r); t.After(newest) {
			newest = t
		}
		if now.Sub(newest) <= maxClockGap {
			return nil
		}
	}
	return fmt.Errorf("%w: now is %s and the newest stored time is %s: "+
		"correct the clock, or set TrustClock in SweepRequest",
		ErrClock, now.Format(time.RFC3339), newest.Format(time.RFC3339))
}

// newestTime returns the newest time that a write stored in plain in r. A deadline does not count:
// it was in the future when it was stored.
func newestTime(r *Record) time.Time {
	newest := r.Created
	_, life, err := decodeBody(r.Body)
	if err != nil {
		return newest
	}
	for _, e := range []*AuditEntry{life.expired, life.uninstalled} {
		if e != nil && e.At.After(newest) {
			newest = e.At
		}
	}
	return newest
}
