package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// Defaults of [Options].
const (
	DefaultNamespace      = "installation"
	DefaultClusterBuckets = 16 // 1 without a cluster
	DefaultMaxEvents      = 100_000
	DefaultReplicaTimeout = time.Second
	DefaultRetryFor       = 10 * time.Second
)

// Limits of [Options].
const (
	MaxNamespace = 64 // bytes
	MaxBuckets   = 64
)

// Options configure [Open]. The zero value of each field is its default.
type Options struct {
	// Namespace separates stores that share a server: 1 to [MaxNamespace] of the characters A-Z
	// a-z 0-9 . _ -. Default: [DefaultNamespace].
	Namespace string

	// Buckets is the number of parts of a new namespace, 1 to [MaxBuckets]. A tenant lives in
	// one of them, and a cluster spreads them over its masters. The number is fixed when the
	// namespace is first opened. Later it may be left out; a different number is rejected.
	// Default: [DefaultClusterBuckets] on a cluster, else 1.
	Buckets int

	// MaxEvents is the approximate length of each bucket's change log; the oldest entries are
	// dropped. Servers trim in steps, by default of 100. Default: [DefaultMaxEvents].
	MaxEvents int

	// RequireReplicas is the number of replicas that must confirm a commit. If they do not
	// within ReplicaTimeout, the error matches [installation.ErrNotReplicated]: the commit was
	// applied, and a failover could still lose it. The server must allow WAIT. On a cluster
	// such commits wait while the slot of their bucket is being moved. Default: 0, the primary
	// only.
	RequireReplicas int
	// ReplicaTimeout limits how long a commit waits for replicas, in whole milliseconds; an
	// earlier deadline of the context limits it further. With RequireReplicas it must be less
	// than the client's ReadTimeout, which [Open] checks if the client shows its options.
	// Default: [DefaultReplicaTimeout].
	ReplicaTimeout time.Duration

	// RetryFor limits how long a call without a deadline retries while the server fails over,
	// loads or is unreachable, or while the slot of the bucket is being moved. It includes the
	// first try, so a value below the normal response or dial time fails healthy calls. A call
	// with a deadline retries until the deadline. Default: [DefaultRetryFor].
	RetryFor time.Duration

	// AllowEviction opens a store on servers that may evict any record. Open otherwise rejects
	// them. Use it for tests and caches: records vanish without an error.
	AllowEviction bool

	// Logger receives each failed try that is retried, as a warning at most once in ten seconds and
	// else at the level debug. It also receives a warning for index members that a list had to
	// leave out. It never gets a key or a payload. Default: no logging.
	Logger *slog.Logger
}

// Store keeps records on Redis. Make one with [Open]. It is safe for concurrent use. It keeps no
// connections or goroutines of its own, so it needs no closing; the caller closes the client.
type Store struct {
	client client
	keys   keyspace
	meta   string // the meta member of every bucket
	opts   Options
	limit  *argumentLimit

	answered atomic.Bool  // a server has answered
	warned   atomic.Int64 // time of the last warning about a retry in nanoseconds

	commit, opening, probe           script
	repair, ends, fixedKeys, lasting script // of Verify
}

var (
	_ installation.Store         = (*Store)(nil)
	_ installation.EventReader   = (*Store)(nil)
	_ installation.Counter       = (*Store)(nil)
	_ installation.HealthChecker = (*Store)(nil)
)

// Open returns a store that uses the caller's client: a [redis.Client] of one server or of
// Sentinel, or a [redis.ClusterClient]. The caller closes the client after the last use of the
// store. Nil options are the defaults; they are copied. Open rejects wrapped clients, and
// clients that read from replicas or a local cache.
//
// Open creates a new namespace. It checks an existing one for missing buckets and for the
// options it was created with. Errors: those of the context; for options and clients that
// cannot work, one that says so; for everything else one that matches
// [installation.ErrUnavailable] and names the cause, such as a namespace that was flushed in
// part, or servers that evict records.
func Open(ctx context.Context, c redis.UniversalClient, o *Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Store{}
	if o != nil {
		s.opts = *o
	}
	var err error
	if s.client, err = newClient(c); err != nil {
		return nil, fmt.Errorf("redisstore: open: %w", err)
	}
	if err := s.opts.check(); err != nil {
		return nil, fmt.Errorf("redisstore: open: %w", err)
	}
	s.opts.setDefaults()
	t := s.client.readTimeout()
	if s.opts.RequireReplicas > 0 && t > 0 && s.opts.ReplicaTimeout >= t {
		return nil, fmt.Errorf("redisstore: open: ReplicaTimeout %v must be less than the "+
			"ReadTimeout %v of the client, which would give up first", s.opts.ReplicaTimeout, t)
	}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("redisstore: open %q: %w", s.opts.Namespace, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	err := s.read(ctx, func(ctx context.Context) (err error) {
		for source, to := range map[string]*script{
			commitSource: &s.commit, openSource: &s.opening,
			probeSource: &s.probe, repairSource: &s.repair,
			endsSource: &s.ends, fixedSource: &s.fixedKeys, lastingSource: &s.lasting,
		} {
			if *to, err = loadScript(ctx, s.client, source); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !isServerError(err) {
		return err
	}
	// What is wrong with a server says more than how it rejects a script.
	if err := cmp.Or(s.rejectServers(ctx), err); err != nil {
		return err
	}
	s.limit = s.readLimit(ctx)
	if err := s.openNamespace(ctx); err != nil {
		return err
	}
	for _, b := range s.keys.all() {
		// A server that rejects writes can still be read, and so can a slot that moves.
		err := s.tryScripts(ctx, b)
		if err != nil && !rejectsWrites(err) && !isSlotMoving(err) {
			return err
		}
	}
	return nil
}

func (o *Options) check() error {
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	switch {
	case len(o.Namespace) > MaxNamespace || strings.Trim(o.Namespace, characters) != "":
		return fmt.Errorf("namespace %q: want 1 to %d of A-Z a-z 0-9 . _ -",
			o.Namespace, MaxNamespace)
	case o.Buckets < 0 || o.Buckets > MaxBuckets:
		return fmt.Errorf("%d buckets: want 1 to %d", o.Buckets, MaxBuckets)
	case o.MaxEvents < 0 || o.RequireReplicas < 0 || o.ReplicaTimeout < 0 || o.RetryFor < 0:
		return errors.New("an option is negative")
	case o.ReplicaTimeout > 0 && o.ReplicaTimeout < time.Millisecond:
		return errors.New("ReplicaTimeout: want a millisecond or more: Redis takes 0 as no limit")
	}
	return nil
}

// setDefaults leaves Buckets unset: the stored number comes before the default.
func (o *Options) setDefaults() {
	o.Namespace = cmp.Or(o.Namespace, DefaultNamespace)
	o.MaxEvents = cmp.Or(o.MaxEvents, DefaultMaxEvents)
	o.ReplicaTimeout = cmp.Or(o.ReplicaTimeout, DefaultReplicaTimeout)
	o.RetryFor = cmp.Or(o.RetryFor, DefaultRetryFor)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
}
