package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/health"
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

	// OutcomeBytes is the size of the largest answer that the service keeps for a request with an
	// idempotency key. A repeat of a request with a larger answer gets the present state of the
	// record; see Result.FirstRevision. The answer to a request that changed nothing is never kept.
	// So an outcome has at most OutcomeBytes + 1 KiB. With the default, ten thousand requests
	// within IdempotencyTTL leave at most 50 MiB of outcomes. The wrapped keys of a key service can
	// make it a little more. Default: 4 KiB. At most 4 MiB.
	OutcomeBytes int

	// AccessInterval is the time in which a process records only the first Open of an installation
	// by an actor. Default: 1 hour. A process remembers about 3,000 of them, in 1 MiB, and records
	// again what it forgot.
	AccessInterval time.Duration

	// Refresh gets new tokens for a connection, in [Service.Run] and in calls of [Service.Refresh]
	// without a function. If it is set, each write notes when the access token is due. Default:
	// none.
	Refresh RefreshFunc

	// RefreshLease is how long one refresh or revocation keeps other callers away. The call of the
	// function can take a third of this time, and storing the result another third. If a process
	// dies meanwhile, another one goes on when it has seen the lease for this time. Default: 60
	// seconds. At least 30 milliseconds.
	RefreshLease time.Duration

	// Interrupted says for a provider what to do with a refresh token that somebody may have sent
	// already. Default: [refresh.Retry] for each.
	Interrupted func(provider string) refresh.Policy

	// Revoke tells a provider that tokens must not work any more; see [Service.Run]. It gets an
	// uninstalled installation, or new tokens that could not be stored because the installation
	// changed meanwhile. It returns nil if the tokens are revoked, or were invalid already. It must
	// return soon after ctx ends: Run waits for it. Default: none, and nothing is revoked.
	Revoke func(ctx context.Context, inst *Opened) error

	// TombstoneTTL is how long revision and generation of a deleted installation are kept, so that
	// a stale write cannot bring it back. Default: 30 days.
	TombstoneTTL time.Duration
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

// Report is what [Service.Check] found.
type Report struct {
	Findings []health.Finding // about the store and the keys
	Keys     []KeyCount       // of the available keys, by ID
	Records  int64            // installations of all tenants
}

// OK reports whether no finding is an error.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.Findings, func(f health.Finding) bool {
		return f.Level == health.Error
	})
}

// Check reports whether the store can be reached and is safe, how many records each key protects,
// and whether the keys are the right ones. To test the keys, it wraps and unwraps a new data key,
// and unwraps some stored data keys under each key, without a cache. So a wrong, missing or changed
// key is found before the first request needs it. Findings name a key by its ID alone.
//
// Call it at start-up and for a health endpoint. It is for the host and writes nothing.
//
// Findings about keys: "wrong-key", "key-does-not-open" and "key-missing" are errors.
// "some-records-do-not-open" warns that a key opens only some of the oldest and newest records
// under its ID: the others are damaged, or two keys had one ID. "key-unavailable" means that a key
// service did not answer. "records-without-key" means that some records are under keys that are not
// available, and that the first ten thousand records do not name these keys. "unvouched-ends" names
// uninstalled installations that wait for a key before [Service.Sweep] purges them. Check looks for
// them among the first ten thousand records that are due.
//
// Errors: [ErrForbidden], those of the context, and [ErrUnavailable] if the store does not answer.
func (s *Service) Check(ctx context.Context) (report *Report, err error) {
	defer inMethod("check", &err)
	if err := s.admitMaintenance(nil); err != nil {
		return nil, err
	}
	report = &Report{}
	if report.Findings, err = s.storeHealth(ctx); err != nil {
		return nil, err
	}
	sum, found, err := s.keyCheck().Findings(ctx)
	if err != nil {
		return nil, err
	}
	report.Keys, report.Records = keyCounts(sum.Keys), sum.Records
	report.Findings = append(report.Findings, found...)
	if err := s.checkEnds(ctx, report); err != nil {
		return nil, err
	}
	return report, nil
}

// storeHealth returns what the store reports of itself. If the store has no reports, one read shows
// whether it answers.
func (s *Service) storeHealth(ctx context.Context) ([]health.Finding, error) {
	found, err := s.store.Health(ctx)
	if !errors.Is(err, ErrUnsupported) {
		return found, err
	}
	if _, err = s.store.Get(ctx, Key{ID: "check"}); errors.Is(err, ErrNotFound) {
		err = nil // a healthy store said so
	}
	return nil, err
}

// maxDue is how many due records checkEnds reads at most.
const maxDue = 10_000

// checkEnds adds a finding if ends of installations wait for a key. It opens at most a thousand
// records. It does not open those that are due to be refreshed or revoked: there can be many.
func (s *Service) checkEnds(ctx context.Context, report *Report) error {
	q := Query{AllTenants: true, DueBefore: s.now(), Limit: MaxPage}
	var waiting []string
	due, ends := 0, 0
	for r, err := range s.records(ctx, q) {
		if err != nil {
			return err
		}
		if due++; due > maxDue || ends == MaxPage {
			break
		}
		if !sweeps(r, q.DueBefore) {
			continue
		}
		ends++
		snap := s.open(ctx, r.Key, r)
		if snap.lifecycle.status == StatusUninstalled && (snap.err != nil || snap.unvouched) {
			waiting = append(waiting, fmt.Sprintf("%q of tenant %q", r.Key.ID, r.Key.Tenant))
		}
		snap.wipe()
	}
	if n := len(waiting); n > 0 {
		report.Findings = append(report.Findings, health.Finding{
			Level: health.Warning, Rule: "unvouched-ends",
			Detail: fmt.Sprintf("Sweep does not purge %d or more uninstalled installations yet, "+
				"because no seal vouches for their end or they do not open: %s",
				n, strings.Join(waiting[:min(n, 10)], ", ")),
		})
	}
	return ctx.Err()
}

// CanRetire returns nil if no record needs a key. The key can then be removed from every process:
// the fourth step of a rotation. CanRetire reads every record that the store lists across tenants.
// So a record that lost its place under the key still counts, and an unreadable body is an error.
// It cannot see a record that the store lists nowhere. Promote the new key everywhere first: a
// process that still has the old key as its primary can put a record under it at any time.
//
// It looks only at the store. Backups that need the key cannot be opened once the key is gone.
//
// It is for the host. Errors: [ErrForbidden]; [ErrKeyInUse] for the primary key and for a key that
// a record needs; [ErrUnknownKey] for a key that is not available; an error of the primary key if
// that key does not open what is stored under its ID, since other processes then cannot open what
// this process rewrapped; and any error of the store or of a record that prevents counting.
func (s *Service) CanRetire(ctx context.Context, keyID string) (err error) {
	defer inMethod("can retire", &err)
	if err := s.admitMaintenance(nil); err != nil {
		return err
	}
	switch ids := s.keys.KeyIDs(); {
	case !slices.Contains(ids, keyID):
		// Do not repeat the argument: by mistake it could be the key itself.
		return fmt.Errorf("%w: there are %s", ErrUnknownKey, strings.Join(ids, ", "))
	case keyID == s.keys.Primary():
		return &KeyInUseError{KeyID: keyID, Primary: true}
	}
	check := s.keyCheck()
	if err := check.TryPrimary(ctx); err != nil {
		return err
	}
	n, err := check.Needing(ctx, keyID)
	if err == nil && n > 0 {
		err = &KeyInUseError{KeyID: keyID, Records: n}
	}
	return err
}
