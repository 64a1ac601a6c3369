package pgstore

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-installation/installation"
)

// Defaults of [Options].
const (
	DefaultSchema    = "installation"
	DefaultMaxEvents = 100_000
	DefaultRetryFor  = 10 * time.Second

	DefaultFailoverLoss = 10 * time.Second
)

// MaxSchema is the maximum length of Options.Schema in bytes.
const MaxSchema = 63

// Options configure [Open] and [Migrate]. The zero value of each field is its default.
type Options struct {
	// Schema is the schema with the tables of the store. Stores in different schemas share nothing.
	// It has 1 to [MaxSchema] of the characters A-Z a-z 0-9 _ -, and letter case counts. Names that
	// begin with pg_ are not allowed, nor is information_schema. Use the schema for nothing else.
	// Do not rename it later: its functions name it. Default: [DefaultSchema].
	Schema string

	// MaxEvents is the approximate number of events that the change log keeps. The oldest events
	// are trimmed. An event has at most [installation.MaxEvent] bytes. Default: [DefaultMaxEvents].
	MaxEvents int

	// Expect names the namespace that must be there. [Migrate] ignores it.
	Expect Expect

	// RetryFor limits how long a call without a deadline retries while the server is unreachable or
	// fails over. The time includes the first try. A call with a deadline retries until the
	// deadline. Default: [DefaultRetryFor].
	RetryFor time.Duration

	// FailoverLoss is how much a failover can lose. After each FailoverLoss, after each failed
	// try, and after a read on a new connection, the store looks how far the change log has come.
	// An event is settled once two looks that are FailoverLoss apart have found it. If the log ends
	// before a settled event, the data went back to an older state: every call that reads or writes
	// data fails with [installation.ErrRestored]. Default: [DefaultFailoverLoss].
	FailoverLoss time.Duration

	// ExecMode is how pgx sends statements. Through PgBouncer in transaction mode, set
	// [pgx.QueryExecModeExec]: prepared statements do not work there. Default: that of the pool.
	ExecMode pgx.QueryExecMode
}

// Expect names a namespace; see [Store.Namespace]. The zero value expects nothing.
type Expect struct {
	ID string
	// MinEpoch is the lowest epoch to accept. With an epoch that AcceptRestore has returned, Open
	// fails on a backup from before that call. It needs ID.
	MinEpoch int64
}

// Store keeps records in PostgreSQL. Make one with [Open]. It is safe for concurrent use. It keeps
// no connections or goroutines of its own, so it needs no closing; the caller closes the pool.
type Store struct {
	db    querier
	opts  Options
	text  statements
	known *atomic.Pointer[installation.Namespace] // as it was seen last
	watch *watch
	inTx  bool // the store of a Tx
}

var (
	_ installation.Store         = (*Store)(nil)
	_ installation.EventReader   = (*Store)(nil)
	_ installation.Counter       = (*Store)(nil)
	_ installation.HealthChecker = (*Store)(nil)
	_ installation.Namespacer    = (*Store)(nil)
	_ installation.Mover         = (*Store)(nil)
	_ installation.Trimmer       = (*Store)(nil)
)

// Open returns a store that uses the caller's pool. The caller closes the pool after the last use
// of the store. Open copies the options; nil stands for the defaults.
//
// Open writes nothing. It rejects a server before PostgreSQL 15, a standby, a schema that [Migrate]
// has not brought to the version of this package, a user that lacks a right, and a namespace other
// than Options.Expect. The error is that of the context, or names the option that cannot work. Any
// other error matches [installation.ErrUnavailable] and names the cause.
func Open(ctx context.Context, pool *pgxpool.Pool, o *Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	opts, err := o.complete()
	if err != nil {
		return nil, fmt.Errorf("pgstore: open: %w", err)
	}
	if pool == nil {
		return nil, errors.New("pgstore: open: the pool is nil")
	}
	s := &Store{
		db: poolQuerier{pool, opts.ExecMode}, opts: opts, text: newStatements(opts.Schema),
		known: new(atomic.Pointer[installation.Namespace]), watch: new(watch),
	}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("pgstore: open schema %q: %w", opts.Schema, err)
	}
	return s, nil
}

// complete returns a copy of o with the defaults filled in.
func (o *Options) complete() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	switch {
	case len(opts.Schema) > MaxSchema || strings.Trim(opts.Schema, characters) != "":
		return opts, fmt.Errorf("schema %q: want 1 to %d of A-Z a-z 0-9 _ -", opts.Schema,
			MaxSchema)
	case strings.HasPrefix(opts.Schema, "pg_"), opts.Schema == "information_schema":
		return opts, fmt.Errorf("schema %q: PostgreSQL uses this name itself; choose another",
			opts.Schema)
	case opts.MaxEvents < 0:
		return opts, fmt.Errorf("MaxEvents is %d, want 0 or more", opts.MaxEvents)
	case opts.RetryFor < 0:
		return opts, fmt.Errorf("RetryFor is %v, want 0 or more", opts.RetryFor)
	case opts.FailoverLoss < 0:
		return opts, fmt.Errorf("FailoverLoss is %v, want 0 or more", opts.FailoverLoss)
	case opts.Expect.MinEpoch < 0:
		return opts, fmt.Errorf("Expect.MinEpoch is %d, want 0 or more", opts.Expect.MinEpoch)
	case opts.Expect.MinEpoch != 0 && opts.Expect.ID == "":
		return opts, errors.New("Expect.MinEpoch needs Expect.ID")
	}
	if opts.Schema == "" {
		opts.Schema = DefaultSchema
	}
	if opts.MaxEvents == 0 {
		opts.MaxEvents = DefaultMaxEvents
	}
	if opts.RetryFor == 0 {
		opts.RetryFor = DefaultRetryFor
	}
	if opts.FailoverLoss == 0 {
		opts.FailoverLoss = DefaultFailoverLoss
	}
	return opts, nil
}

// fill replaces the placeholders of SQL: the name of the schema and the numbers of advisory locks.
func fill(schema, sql string) string {
	return strings.NewReplacer(
		"{{schema}}", pgx.Identifier{schema}.Sanitize(),
		"{{epoch_lock}}", lockNumber(schema, "epoch"),
		"{{events_lock}}", lockNumber(schema, "events"),
		"{{migrate_lock}}", lockNumber(schema, "migrate"),
	).Replace(sql)
}

// lockNumber returns the number of an advisory lock. All programs in a database share these
// numbers, so it is a hash that no other program uses by chance.
func lockNumber(schema, purpose string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte("github.com/go-installation/installation/pgstore\x00" + schema + "\x00" +
		purpose)) // never fails
	return "(" + strconv.FormatInt(int64(h.Sum64()), 10) + ")::bigint"
}
