package installation

import (
	"cmp"
	"context"
	"errors"
	"github.com/go-installation/installation/internal/record"
	"net/url"
	"reflect"
	"time"

	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
	"github.com/google/uuid"
)

// Service is the one way to installations: what a host application calls. It holds the policy, the lifecycle, validation, sealing
// and masking; the [Store] beneath only keeps what it is given.
//
// A Service is small and immutable: [Service.In] and [Service.As] return copies to be made per request. It starts no
// goroutine and is safe for concurrent use.
type Service struct {
	store    Store
	keys     crypto.KeyWrapper
	opts     Options
	accept   *url.URL
	rule     masked.Rule // for documents without a schema
	schemas  *schemaCache
	outcomes *outcomeKey

	ownPolicy bool // Options.Policy was given

	tenant string
	actor  Actor
}

// Options configure a [Service]. The zero value of each field is its default.
type Options struct {
	// Now is the one clock. Default: time.Now. Times are cut to microseconds, in UTC.
	Now func() time.Time
	// Policy decides who may do what. Default: DefaultPolicy.
	Policy Policy
	// Claims says what no two installations of a tenant may hold at once. Default: DefaultClaims. It is asked about every new state
	// that is installed; at most 16 strings of at most 1024 bytes, without NUL. Rewrap and Rekey do not ask and keep the claims as they
	// are stored, so another rule holds for an installation from its next other write on.
	Claims func(*Installation) []string
	// Schema says which JSON Schema the configurations of an extension follow; a zero source is none. It is asked at each read
	// and write of a configuration, so it should answer from memory; the text is loaded and compiled only when a revision is
	// new, and the 256 used last are remembered. Default: no schemas; what is sensitive is then decided by name.
	//
	// While it fails, or the schema has a fault, configurations are shown with every value masked and Configuration.Err set, and
	// cannot be written; see [*validate.SchemaError].
	//
	// Only ID and Owner of the extension can be relied on to choose a schema: they are fixed for everyone but the host and the
	// platform. Its other fields, such as Revision and Name, come from whoever may write the installation, and so would the schema.
	// Whoever writes the schema can learn of a kept secret whether it satisfies the schema, and nothing else.
	Schema func(ctx context.Context, tenant string, ext Extension) (validate.SchemaSource, error)
	// AcceptURL is where an invitation code is redeemed, such as "https://portal.example/accept"; installation, code and tenant (if it is
	// not the default one) are added as query parameters. https, or http for loopback. Default: none, only the code is returned.
	AcceptURL string
	// Grace is how long secrets outlive an uninstall that is not final. Default: 24 hours.
	Grace time.Duration
	// IdempotencyTTL is how long the outcome of a request with an idempotency key is kept. Default: 24 hours.
	IdempotencyTTL time.Duration
	// TombstoneTTL is how long the revision and generation of a deleted installation are kept, so that a stale write cannot bring
	// it back. Default: 30 days.
	TombstoneTTL time.Duration
}

// DefaultClaims claims the pair of extension and account for an installed one: at most one live installation of an extension in an
// account. Invitations and ended ones claim nothing.
func DefaultClaims(inst *Installation) []string {
	if inst.Status != StatusInstalled || inst.Extension.ID == "" || inst.Account.ID == "" {
		return nil
	}
	return []string{"live=" + record.Pair(inst.Extension.ID, inst.Account.ID)}
}

// New returns a service on a store, with the keys that protect its secrets. Both are required; there is no service without
// encryption. A nil *Options is all defaults; the options are copied.
//
// The service has no actor and refuses everything until [Service.As] names one.
func New(store Store, keys crypto.KeyWrapper, opts *Options) (*Service, error) {
	switch {
	case isNil(store):
		return nil, errors.New("installation: New: no store: give one, such as memstore.New()")
	case isNil(keys):
		return nil, errors.New("installation: New: no keys: give a keyring, such as one of crypto.KeyringFromFile; secrets are never stored in plain")
	case keys.Primary() == "":
		return nil, errors.New("installation: New: the keys name no primary key")
	}
	s := &Service{store: store, keys: keys, rule: masked.NameRule{}, schemas: newSchemaCache(), outcomes: &outcomeKey{wrapper: keys}}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.Grace < 0 || s.opts.IdempotencyTTL < 0 || s.opts.TombstoneTTL < 0 {
		return nil, errors.New("installation: New: a duration in Options is negative")
	}
	if s.opts.AcceptURL != "" {
		u, err := parseAcceptURL(s.opts.AcceptURL)
		if err != nil {
			return nil, err
		}
		s.accept = u
	}
	if s.opts.Now == nil {
		s.opts.Now = time.Now
	}
	if s.ownPolicy = s.opts.Policy != nil; !s.ownPolicy {
		s.opts.Policy = DefaultPolicy
	}
	if s.opts.Claims == nil {
		s.opts.Claims = DefaultClaims
	}
	s.opts.Grace = cmp.Or(s.opts.Grace, 24*time.Hour)
	s.opts.IdempotencyTTL = cmp.Or(s.opts.IdempotencyTTL, 24*time.Hour)
	s.opts.TombstoneTTL = cmp.Or(s.opts.TombstoneTTL, 30*24*time.Hour)
	return s, nil
}

// isNil also sees a nil pointer in an interface, which would otherwise fail at the first request rather than here.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

// In returns the service for one tenant: a project, a client, a platform. Installations of other tenants do not exist for it. Without
// In it is the default tenant, "".
func (s *Service) In(tenant string) *Service {
	c := *s
	c.tenant = tenant
	return &c
}

// As returns the service for one actor. The service believes the actor; who it is was verified by the host.
func (s *Service) As(actor Actor) *Service {
	c := *s
	c.actor = actor
	return &c
}

// now is the time of an operation.
func (s *Service) now() time.Time { return moment(s.opts.Now()) }

// moment is t as it is stored: UTC, microseconds, no monotonic clock.
func moment(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// can asks the policy. Nobody may do nothing, whatever the policy is.
func (s *Service) can(do Action, inst *Installation) bool {
	return s.actor.Kind != "" && s.opts.Policy(s.actor, do, inst)
}

// allow returns ErrNotFound if the actor may not know of inst, ErrForbidden if it may not do one of these things to it.
func (s *Service) allow(inst *Installation, actions ...Action) error {
	if !s.can(ActionSee, inst) {
		return ErrNotFound
	}
	for _, do := range actions {
		if !s.can(do, inst) {
			return ErrForbidden
		}
	}
	return nil
}

// newID mints an id that sorts by age: a UUID of version 7.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
