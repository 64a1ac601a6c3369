package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// Defaults of [Options].
const (
	DefaultNamespace      = "installation"
	DefaultClusterBuckets = 16 // on a cluster; elsewhere it is 1
	DefaultMaxEvents      = 100_000
	DefaultReplicaTimeout = time.Second
	DefaultRetryFor       = 5 * time.Second
)

// Limits of [Options].
const (
	MaxNamespace = 64 // bytes
	MaxBuckets   = 64
)

// Options are the choices of [Open]. The zero value of each field is its default.
type Options struct {
	// Namespace keeps stores apart that share a server: 1 to [MaxNamespace] of the characters A-Z a-z 0-9 . _ -. Default:
	// [DefaultNamespace].
	Namespace string

	// Buckets is into how many parts a new namespace is cut, 1 to [MaxBuckets]. A tenant lives in one of them, and a cluster
	// spreads them over its masters. The number is fixed when the namespace is first opened; later it may be left out, and
	// another one is refused. Default: [DefaultClusterBuckets] on a cluster, else 1.
	Buckets int

	// MaxEvents is how many entries the change log of a bucket keeps, about; the oldest go first. Servers cut in steps, by
	// default of 100. Default: [DefaultMaxEvents].
	MaxEvents int

	// RequireReplicas is how many replicas must have a commit before it counts as done. If they do not within ReplicaTimeout
	// the error matches [installation.ErrNotReplicated]: the commit was applied, and a failover could still lose it. The
	// server must allow WAIT. On a cluster such commits wait while the slot of their bucket is being moved. Default: 0, the
	// primary alone.
	RequireReplicas int
	// ReplicaTimeout is how long a commit waits for replicas, in whole milliseconds; less if the context has not as much left.
	// Where RequireReplicas is set it must be below the ReadTimeout of the client, which [Open] checks if the client shows
	// its options. Default: [DefaultReplicaTimeout].
	ReplicaTimeout time.Duration

	// RetryFor is how long a call whose context has no deadline goes on trying while the server fails over, loads or cannot
	// be reached. A call with a deadline tries until then. It bounds the first try, too: a time shorter than a server takes to answer,
	// or a new connection to be made, fails calls that nothing is wrong with. Default: [DefaultRetryFor].
	RetryFor time.Duration

	// AllowEviction opens a store on servers that may drop any record to make room, which Open otherwise refuses. For tests
	// and caches: records vanish without a trace there.
	AllowEviction bool

	// Logger is told, at the debug level, of every try that failed and is repeated, and as a warning of members of an index that
	// a list had to leave out. It never gets a key or a payload. Default: nothing is logged.
	Logger *slog.Logger
}

// Store keeps records on Redis. Make one with [Open]; its methods may be called from many goroutines at once. It holds no
// connection and starts no goroutine, so it needs no closing; the client is the caller's.
type Store struct {
	client client
	keys   keyspace
	meta   string // what every bucket's meta key must hold
	opts   Options

	commit, opening, probe, repair script
}

var (
	_ installation.Store         = (*Store)(nil)
	_ installation.EventReader   = (*Store)(nil)
	_ installation.Counter       = (*Store)(nil)
	_ installation.HealthChecker = (*Store)(nil)
)

// Open returns a store on the servers of a client: a [redis.Client] of one server or of Sentinel, or a
// [redis.ClusterClient]. The client stays the caller's, who closes it after the last use of the store. Nil options are the
// default ones; they are copied. Clients that read from replicas or from a cache of their own are refused, and so is what
// is wrapped around a client.
//
// If the namespace is new, Open marks it as one. If it is not, Open checks that it is whole and was cut as the options
// say. Errors: those of the context; for options and clients that cannot work, one that says so; for all else one that
// matches [installation.ErrUnavailable] and says what was found, such as a namespace of which a part was flushed, or
// servers that evict records.
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
	if t := s.client.readTimeout(); s.opts.RequireReplicas > 0 && t > 0 && s.opts.ReplicaTimeout >= t {
		return nil, fmt.Errorf("redisstore: open: a commit waits %v for replicas (ReplicaTimeout), and the client %v for an answer (ReadTimeout),"+
			" so that it would give up first: want the former below the latter", s.opts.ReplicaTimeout, t)
	}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("redisstore: open %q: %w", s.opts.Namespace, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	err := s.read(ctx, func(ctx context.Context) (err error) {
		for source, to := range map[string]*script{commitSource: &s.commit, openSource: &s.opening, probeSource: &s.probe, repairSource: &s.repair} {
			if *to, err = loadScript(ctx, s.client, source); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.refuseServers(ctx); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	for _, b := range s.keys.all() {
		if err := s.tryScripts(ctx, b); err != nil && !refusesWrites(err) { // a store that is full can still be read
			return err
		}
	}
	return nil
}

func (o *Options) check() error {
	switch {
	case len(o.Namespace) > MaxNamespace || strings.Trim(o.Namespace, namespaceCharacters) != "":
		return fmt.Errorf("namespace %q: want 1 to %d of A-Z a-z 0-9 . _ -", o.Namespace, MaxNamespace)
	case o.Buckets < 0 || o.Buckets > MaxBuckets:
		return fmt.Errorf("%d buckets: want 1 to %d", o.Buckets, MaxBuckets)
	case o.MaxEvents < 0 || o.RequireReplicas < 0 || o.ReplicaTimeout < 0 || o.RetryFor < 0:
		return errors.New("an option is negative")
	case o.ReplicaTimeout > 0 && o.ReplicaTimeout < time.Millisecond:
		return errors.New("ReplicaTimeout: want a millisecond or more: to Redis, 0 is for ever")
	}
	return nil
}

const namespaceCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// setDefaults leaves Buckets alone: what is stored comes before the default.
func (o *Options) setDefaults() {
	o.Namespace = cmp.Or(o.Namespace, DefaultNamespace)
	o.MaxEvents = cmp.Or(o.MaxEvents, DefaultMaxEvents)
	o.ReplicaTimeout = cmp.Or(o.ReplicaTimeout, DefaultReplicaTimeout)
	o.RetryFor = cmp.Or(o.RetryFor, DefaultRetryFor)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// newBuckets is into how many buckets a new namespace is cut.
func (s *Store) newBuckets() int {
	if s.client.isCluster() {
		return cmp.Or(s.opts.Buckets, DefaultClusterBuckets)
	}
	return cmp.Or(s.opts.Buckets, 1)
}
