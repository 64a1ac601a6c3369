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
	DefaultFailoverLoss   = 10 * time.Second
	DefaultCheckInterval  = 10 * time.Second
)

// Limits of [Options].
const (
	MaxNamespace = 64 // bytes
	MaxBuckets   = 64
)

// Options configure [Open]. The zero value of each field is its default.
type Options struct {
	// Namespace separates stores that share a server. It has 1 to [MaxNamespace] of the characters
	// A-Z a-z 0-9 . _ -. Default: [DefaultNamespace].
	Namespace string

	// Buckets is the number of parts into which a new namespace is split, 1 to [MaxBuckets]. All
	// data of a tenant is in one bucket, and a cluster spreads the buckets over its primaries. The
	// number is fixed when the namespace is first opened. After that, Open rejects any other number
	// except 0. Default: [DefaultClusterBuckets] on a cluster, else 1.
	Buckets int

	// MaxEvents is the approximate number of events that each bucket's change log keeps. The oldest
	// events are trimmed. Servers trim in steps, by default of 100 events. An event has at most
	// [installation.MaxEvent] bytes, so the default bounds the log of a bucket to about 200 MB.
	// Default: [DefaultMaxEvents].
	MaxEvents int

	// RequireReplicas is the number of replicas that have to confirm a commit. If fewer replicas
	// confirm it within ReplicaTimeout, the error matches [installation.ErrNotReplicated]: the
	// commit was applied, and a failover can still lose it. The server has to allow WAIT. On a
	// cluster, such commits may have to wait while the slot of their bucket is being moved.
	// Default: 0, which waits for the primary only.
	RequireReplicas int
	// ReplicaTimeout limits how long a commit waits for replicas, in whole milliseconds; an
	// earlier deadline of the context limits it further. With RequireReplicas it must be less
	// than the client's ReadTimeout, which [Open] checks if the client shows its options.
	// Default: [DefaultReplicaTimeout].
	ReplicaTimeout time.Duration

	// RetryFor limits how long a call without a deadline retries while the server fails over, loads
	// or is unreachable, or while the slot of the bucket is being moved. The time includes the
	// first try, so a value below the normal response or dial time fails healthy calls. A call with
	// a deadline retries until the deadline. Default: [DefaultRetryFor].
	RetryFor time.Duration

	// Expect names the namespace that must be there. Open then creates no namespace. Set it
	// wherever the namespace exists already: without it, a process that starts on a flushed server
	// or an empty replica begins a new namespace, and every installation is gone for that process.
	Expect Expect

	// FailoverLoss is how much a failover can lose. An event is settled once this process has
	// looked for it and found it, so long after it first saw the event. If a settled event is gone,
	// the data went back to an older state: every call except Health, Verify and AcceptRestore
	// fails with [installation.ErrRestored]. The loss of newer events is only a finding of
	// [Store.Health]. Default: [DefaultFailoverLoss].
	FailoverLoss time.Duration
	// CheckInterval is how long a store in use goes at most without a comparison of all buckets
	// with the events that it remembers. A store also compares after each FailoverLoss, after a try
	// that got no answer, and after a new connection. Default: [DefaultCheckInterval].
	CheckInterval time.Duration

	// AllowEviction makes Open accept servers that can evict any record. Use it only for tests and
	// caches: evicted records vanish without an error.
	AllowEviction bool

	// Logger gets a line for each failed try that is retried: at most once in ten seconds as a
	// warning, otherwise at the level debug. It also gets a warning when a list leaves out index
	// members that cannot be read. The lines contain no keys and no payloads. Default: no logging.
	Logger *slog.Logger
}

// Expect names a namespace; see [Store.Namespace]. The zero value expects nothing.
type Expect struct {
	ID string
	// MinEpoch is the lowest epoch to accept. With an epoch that AcceptRestore has returned, Open
	// fails on a backup from before that call. It needs ID.
	MinEpoch int64
}

// Store keeps records on Redis. Make one with [Open]. It is safe for concurrent use. It keeps no
// connections or goroutines of its own, so it needs no closing; the caller closes the client.
type Store struct {
	client client
	keys   keyspace
	known  atomic.Pointer[meta] // what Store.meta returns
	opts   Options
	limit  *argumentLimit

	answered atomic.Bool  // a server has answered
	warned   atomic.Int64 // time of the last warning about a retry in nanoseconds

	watch watch

	commit, opening, probe, raising  script
	outcome                          script // of Put
	repair, ends, fixedKeys, lasting script // of Verify
}

var (
	_ installation.Store         = (*Store)(nil)
	_ installation.EventReader   = (*Store)(nil)
	_ installation.Counter       = (*Store)(nil)
	_ installation.HealthChecker = (*Store)(nil)
	_ installation.Namespacer    = (*Store)(nil)
	_ installation.Mover         = (*Store)(nil)
)

// Open returns a store that uses the caller's client: a [redis.Client] of one server or of
// Sentinel, or a [redis.ClusterClient]. The caller closes the client after the last use of the
// store. Open copies the options; nil stands for the defaults. Open rejects wrappers of a
// [redis.Client], and clients that read from replicas or from a local cache.
//
// Open creates the namespace if it is new. In an existing one it checks that no bucket is missing
// and that the options fit. The error is that of the context, or says which option or client cannot
// work. Any other error matches [installation.ErrUnavailable] and names the cause, such as a
// namespace that was flushed in part, or servers that evict records.
func Open(ctx context.Context, c redis.UniversalClient, o *Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Store{watch: watch{began: time.Now()}}
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
			probeSource: &s.probe, repairSource: &s.repair, raiseSource: &s.raising,
			outcomeSource: &s.outcome,
			endsSource:    &s.ends, fixedSource: &s.fixedKeys, lastingSource: &s.lasting,
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
	// If a server is unsuitable, that error says more than how the server rejects a script.
	if err := cmp.Or(s.rejectServers(ctx), err); err != nil {
		return err
	}
	s.limit = s.readLimit(ctx)
	if err := s.openNamespace(ctx); err != nil {
		return err
	}
	for _, b := range s.keys.all() {
		// The store can still read from a server that rejects writes, and while a slot moves.
		err := s.tryScripts(ctx, b)
		if err != nil && !rejectsWrites(err) && !isSlotMoving(err) {
			return err
		}
	}
	// This remembers what is there. Buckets of different epochs have to be open for AcceptRestore.
	if err := s.compare(ctx); !errors.Is(err, installation.ErrRestored) {
		return err
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
	case o.FailoverLoss < 0 || o.CheckInterval < 0 || o.Expect.MinEpoch < 0:
		return errors.New("an option is negative")
	case o.Expect.ID == "" && o.Expect.MinEpoch > 0:
		return errors.New("Expect.MinEpoch needs Expect.ID")
	case o.ReplicaTimeout > 0 && o.ReplicaTimeout < time.Millisecond:
		return errors.New("ReplicaTimeout: want a millisecond or more: Redis takes 0 as no limit")
	}
	return nil
}

// setDefaults leaves Buckets unset, because a stored number has priority over the default.
func (o *Options) setDefaults() {
	o.Namespace = cmp.Or(o.Namespace, DefaultNamespace)
	o.MaxEvents = cmp.Or(o.MaxEvents, DefaultMaxEvents)
	o.ReplicaTimeout = cmp.Or(o.ReplicaTimeout, DefaultReplicaTimeout)
	o.RetryFor = cmp.Or(o.RetryFor, DefaultRetryFor)
	o.FailoverLoss = cmp.Or(o.FailoverLoss, DefaultFailoverLoss)
	o.CheckInterval = cmp.Or(o.CheckInterval, DefaultCheckInterval)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
}
