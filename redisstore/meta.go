package redisstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Every bucket has a meta key, which names its namespace and never expires. Scripts compare it
// before they do anything. Readers that find nothing check it, because a bucket without it was
// flushed or evicted, or its server never had it. The value ends in random bits, so that a
// namespace that is created again is not taken for the lost one.
//
// A namespace is created in two steps: every meta key is written as forming, the last bucket
// first, and then made final, bucket 0 first. Nothing else is written to a bucket before its
// meta key is final. So a final meta key proves that bucket 0 had one: if it is missing, it was
// lost and must not be created again.

const (
	layout  = "installation-1" // the layout of keys, members and fields that this package writes
	forming = " forming"       // the end of a meta value that is not final
)

// meta is the value of the meta keys, the same in every bucket: "installation-1 16
// 9f86d081884c7d659a2feaa0c55ad015".
type meta struct {
	buckets int
	value   string // without forming
	final   bool
}

func newMeta(buckets int) meta {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	value := fmt.Sprintf("%s %d %s", layout, buckets, hex.EncodeToString(id[:]))
	return meta{buckets: buckets, value: value}
}

func parseMeta(stored string) (meta, error) {
	value, isForming := strings.CutSuffix(stored, forming)
	parts := strings.Split(value, " ")
	if !strings.HasPrefix(value, "installation-") || len(parts) != 3 {
		return meta{}, unavailable("the meta key holds something else")
	}
	if parts[0] != layout {
		return meta{}, unavailable(
			"the namespace has the layout %q; this release reads %q", parts[0], layout)
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 1 || n > MaxBuckets {
		return meta{}, unavailable("the meta key holds something else")
	}
	return meta{n, value, !isForming}, nil
}

// openNamespace finds or creates the namespace. Processes that do so concurrently get the same one.
func (s *Store) openNamespace(ctx context.Context) error {
	first, err := s.firstMeta(ctx)
	if err != nil {
		return err
	}
	if !first.final {
		if first, err = s.createNamespace(ctx); err != nil {
			return err
		}
	}
	if s.opts.Buckets != 0 && s.opts.Buckets != first.buckets {
		return unavailable(
			"the namespace has %d buckets, the options say %d", first.buckets, s.opts.Buckets)
	}
	s.keys, s.meta = keyspace{s.opts.Namespace, first.buckets}, first.value
	for _, b := range s.keys.all() {
		stored, _, err := s.writeMeta(ctx, b, s.meta)
		if err == nil && stored != s.meta {
			err = errForeign(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// firstMeta returns the meta of bucket 0, or the zero meta if it has none.
func (s *Store) firstMeta(ctx context.Context) (meta, error) {
	stored, err := s.readMeta(ctx, keyspace{s.opts.Namespace, 1}.bucket(0))
	if err != nil || stored == "" {
		return meta{}, err
	}
	return parseMeta(stored)
}

// createNamespace writes the forming meta keys of a namespace whose meta in bucket 0 is not
// final: a new one, or one that a process has left unfinished. It rejects buckets with data.
func (s *Store) createNamespace(ctx context.Context) (meta, error) {
	buckets := cmp.Or(s.opts.Buckets, 1)
	if s.client.isCluster() {
		buckets = cmp.Or(s.opts.Buckets, DefaultClusterBuckets)
	}
	m := newMeta(buckets)
	keys := keyspace{s.opts.Namespace, buckets}
	for n := MaxBuckets - 1; n >= 0; n-- { // a lost namespace may have had more buckets
		stored, err := s.readMeta(ctx, keys.bucket(n))
		if err != nil {
			return meta{}, err
		}
		if stored == "" {
			continue
		}
		switch was, err := parseMeta(stored); {
		case err != nil:
			return meta{}, err
		case was.final:
			return s.createdByOther(ctx, n, was)
		case was.buckets != buckets:
			return meta{}, errOtherBuckets(was)
		}
	}
	for n := buckets - 1; n >= 0; n-- {
		stored, data, err := s.writeMeta(ctx, keys.bucket(n), m.value+forming)
		switch {
		case err != nil:
			return meta{}, err
		case stored == "":
			return meta{}, unavailable("bucket %d has data and no meta key: "+
				"it was lost in part, or something else wrote it", n)
		}
		was, err := parseMeta(stored)
		switch {
		case err != nil:
			return meta{}, err
		case was.final:
			return s.createdByOther(ctx, n, was)
		case data:
			return meta{}, unavailable("bucket %d has data, but the namespace is not final", n)
		case was.buckets != buckets:
			return meta{}, errOtherBuckets(was)
		case was.value != m.value && n < buckets-1:
			return meta{}, unavailable(
				"bucket %d belongs to another namespace than those after it", n)
		}
		m = was
	}
	return m, nil
}

func errOtherBuckets(m meta) error {
	return unavailable("another process is creating the namespace with %d buckets", m.buckets)
}

// createdByOther returns the meta of the namespace after bucket n turned out to have the final meta
// was, although bucket 0 had none. Either another process was faster, or bucket 0 was lost.
func (s *Store) createdByOther(ctx context.Context, n int, was meta) (meta, error) {
	first, err := s.firstMeta(ctx)
	if err == nil && first != was {
		err = unavailable("bucket %d exists, but bucket 0 has no meta key: it was lost", n)
	}
	return first, err
}

// writeMeta writes the meta key of a bucket that has neither one nor data, or makes a forming
// one final. It returns the value that the key has then, "" for none, and whether the bucket
// holds data.
func (s *Store) writeMeta(
	ctx context.Context, b bucket, value string,
) (stored string, data bool, err error) {
	keys := []string{b.meta(), b.index(), b.events(), b.tails()}
	reply, err := s.runScript(ctx, s.opening, keys, []string{value, forming})
	if err == nil && len(reply) != 2 {
		err = errReply
	}
	if err != nil {
		return "", false, err
	}
	return reply[0], reply[1] != "", nil
}

// checkBucket returns nil if the bucket exists. Every reader that finds nothing calls it.
func (s *Store) checkBucket(ctx context.Context, b bucket) error {
	return s.checkBucketAnd(ctx, b, func(redis.Pipeliner) {})
}

// checkBucketAnd does the same and queues more commands for the round trip, which may find nothing.
//
// A server that became a replica while the client still uses it may have old data. It rejects
// writes, even one that changes nothing: no index has the empty member. This write comes first,
// because go-redis closes a connection by the first error, and the next one may lead to the
// primary. In a cluster, replicas redirect their clients.
func (s *Store) checkBucketAnd(ctx context.Context, b bucket, queue func(redis.Pipeliner)) error {
	var value string
	err := s.read(ctx, func(ctx context.Context) error {
		pipe := s.client.Pipeline()
		if !s.client.isCluster() {
			pipe.ZRem(ctx, b.index(), "")
		}
		writes := pipe.Len()
		get := pipe.Get(ctx, b.meta())
		queue(pipe)
		commands, _ := pipe.Exec(ctx) // each has its own error
		for i, cmd := range commands {
			err := cmd.Err()
			if i < writes && isServerError(err) && !redis.IsReadOnlyError(err) {
				continue // a primary that rejects writes for now can be read
			}
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
		value = get.Val()
		return nil
	})
	if err == nil && value != s.meta {
		err = errForeign(b)
	}
	return err
}

// bucketErrorOr returns the error of the bucket, or err if the bucket exists.
func (s *Store) bucketErrorOr(ctx context.Context, b bucket, err error) error {
	return cmp.Or(s.checkBucket(ctx, b), err)
}

// readMeta returns the meta value of a bucket, "" if it has none.
func (s *Store) readMeta(ctx context.Context, b bucket) (string, error) {
	return s.readText(ctx, func(ctx context.Context) *redis.StringCmd {
		return s.client.Get(ctx, b.meta())
	})
}

func errForeign(b bucket) error {
	return unavailable("the meta key of bucket %d is missing or another one: "+
		"the data was flushed, evicted or replaced", b.number)
}

// errReply is the error for an unexpected answer of a script.
var errReply = unavailable("a script gave an unexpected answer")
