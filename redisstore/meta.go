package redisstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
	"github.com/redis/go-redis/v9"
)

// The index of every bucket has a meta member, which identifies the namespace. Every script except
// open.lua fails without the member. Readers that find nothing check it too: a bucket without the
// member was flushed or evicted, or its server never had the bucket. The member has random bits, so
// a namespace that was lost and created again has a different one.
//
// A namespace is created in two steps. First every bucket gets a forming meta member, the last
// bucket first. Then the members are made final, bucket 0 first. Nothing else is written to a
// bucket before its meta is final. So a final meta in any bucket proves that bucket 0 had a final
// meta. If bucket 0 has none, it was lost, and Open does not create the namespace again.

const (
	layout  = "installation-2" // the layout of keys, members and fields that this package writes
	forming = " forming"       // the end of a meta member that is not final
)

// meta is the value of the meta members, the same in every bucket:
// "installation-2 16 9f86d081884c7d659a2feaa0c55ad015 0 -".
type meta struct {
	buckets int
	id      string // of the namespace: random, in hex
	epoch   int64  // microseconds since 1970; 0 until a restore is accepted
	era     string // random, in hex, or noEra; tells epochs with the same time apart
	final   bool
}

func newMeta(buckets int) meta {
	return meta{buckets: buckets, id: randomHex(), era: noEra}
}

// noEra is the era before the first restore was accepted.
const noEra = "-"

// namespace returns what the service sees of a meta.
func (m meta) namespace() installation.Namespace {
	return installation.Namespace{ID: m.id, Epoch: m.epoch, Era: strings.Trim(m.era, noEra)}
}

// less reports whether m has a lower epoch than other, or the same epoch and a lower era.
func (m meta) less(other meta) bool { return m.compare(other) < 0 }

func (m meta) compare(other meta) int {
	return cmp.Or(cmp.Compare(m.epoch, other.epoch), cmp.Compare(m.era, other.era))
}

func lowest(metas []meta) meta { return slices.MinFunc(metas, meta.compare) }

func highest(metas []meta) meta { return slices.MaxFunc(metas, meta.compare) }

func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// String returns the value without the ending of a forming meta.
func (m meta) String() string {
	return fmt.Sprintf("%s %d %s %d %s", layout, m.buckets, m.id, m.epoch, m.era)
}

// member returns the member of a final meta.
func (m meta) member() string { return scopeMeta + m.String() }

func parseMeta(stored string) (m meta, err error) {
	value, isForming := strings.CutSuffix(stored, forming)
	name, _, _ := strings.Cut(value, " ")
	if strings.HasPrefix(name, "installation-") && name != layout {
		return meta{}, storecall.Unavailable(
			"the namespace has the layout %q; this release reads %q", name, layout)
	}
	m.final = !isForming
	_, err = fmt.Sscanf(value, layout+" %d %s %d %s", &m.buckets, &m.id, &m.epoch, &m.era)
	if err != nil || m.String() != value || m.buckets < 1 || m.buckets > MaxBuckets {
		return meta{}, storecall.Unavailable("the meta of a bucket cannot be read")
	}
	return m, nil
}

// openNamespace finds or creates the namespace. Processes that call it concurrently get the same
// namespace.
func (s *Store) openNamespace(ctx context.Context) error {
	first, err := s.firstMeta(ctx)
	if err != nil {
		return err
	}
	if !first.final && s.opts.Expect.ID != "" {
		return storecall.Unavailable("the server has no namespace of this name, and %s was "+
			"expected: the data was flushed, or this is another server", s.opts.Expect.ID)
	}
	if !first.final {
		if first, err = s.createNamespace(ctx); err != nil {
			return err
		}
	}
	if s.opts.Buckets != 0 && s.opts.Buckets != first.buckets {
		return storecall.Unavailable(
			"the namespace has %d buckets, the options say %d", first.buckets, s.opts.Buckets)
	}
	if id := s.opts.Expect.ID; id != "" && id != first.id {
		return storecall.Unavailable("the namespace is %s, and %s was expected", first.id, id)
	}
	s.keys = keyspace{s.opts.Namespace, first.buckets}
	s.known.Store(&first)
	for _, b := range s.keys.all() {
		if err := s.finish(ctx, b, first); err != nil {
			return err
		}
	}
	metas, err := s.readMetas(ctx)
	if err != nil {
		return err
	}
	if e := lowest(metas).epoch; e < s.opts.Expect.MinEpoch {
		return storecall.Restored("its epoch is %d, and at least %d was expected (open it without "+
			"MinEpoch for that)", e, s.opts.Expect.MinEpoch)
	}
	first = highest(metas) // they differ if a restore was accepted in part; see Store.reload
	s.known.Store(&first)
	return nil
}

// finish makes the meta of a bucket final. If the meta is final already, finish runs no script: a
// script can fail while the slot of the bucket moves.
func (s *Store) finish(ctx context.Context, b bucket, m meta) error {
	stored, err := s.readMeta(ctx, b)
	if err == nil && scopeMeta+stored == m.member()+forming {
		_, _, err = s.writeMeta(ctx, b, m.member())
	}
	return err
}

// firstMeta returns the meta of bucket 0, or the zero meta if the bucket has none.
func (s *Store) firstMeta(ctx context.Context) (meta, error) {
	stored, err := s.readMeta(ctx, keyspace{s.opts.Namespace, 1}.bucket(0))
	if err != nil || stored == "" {
		return meta{}, err
	}
	return parseMeta(stored)
}

// createNamespace writes the forming metas of a namespace. It is called if bucket 0 has no final
// meta: the namespace is new, or a process has left its creation unfinished. Data in a bucket is an
// error.
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
	if first, err := s.rejectRecords(ctx); err != nil || first.final {
		return first, err
	}
	for n := buckets - 1; n >= 0; n-- {
		stored, data, err := s.writeMeta(ctx, keys.bucket(n), m.member()+forming)
		switch {
		case err != nil:
			return meta{}, err
		case stored == "":
			return meta{}, storecall.Unavailable("bucket %d has data and no meta: "+
				"it was lost in part, or something else wrote it", n)
		}
		was, err := parseMeta(stored)
		switch {
		case err != nil:
			return meta{}, err
		case was.final:
			return s.createdByOther(ctx, n, was)
		case data:
			return meta{}, storecall.Unavailable(
				"bucket %d has data, but the namespace is not final", n)
		case was.buckets != buckets:
			return meta{}, errOtherBuckets(was)
		case was.id != m.id && n < buckets-1:
			return meta{}, storecall.Unavailable(
				"bucket %d belongs to another namespace than those after it", n)
		}
		m = was
	}
	return m, nil
}

// rejectRecords returns an error in two cases. If a server has a record of the namespace, the
// namespace has lost its metas. If a server has a key for a meta, the namespace has layout 1. If
// another process has created the namespace meanwhile, rejectRecords returns its meta instead.
func (s *Store) rejectRecords(ctx context.Context) (meta, error) {
	pattern := "{" + s.opts.Namespace + ":[0-9][0-9]}:[mr]*"
	err := s.client.eachPrimary(ctx, func(ctx context.Context, node redis.UniversalClient) error {
		return s.scan(ctx, 1, func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
			return node.Scan(ctx, cursor, pattern, 1000).Result()
		}, func(_ context.Context, found []string) error {
			for _, key := range found {
				switch {
				case strings.Contains(key, "}:r:"):
					return storecall.Unavailable(
						"the namespace has records and no meta: it was lost in part")
				case strings.HasSuffix(key, "}:m"):
					return storecall.Unavailable("the namespace has the layout 1, which no "+
						"release has: delete its keys (%q is one), or choose another "+
						"namespace", key)
				}
			}
			return nil
		})
	})
	if err == nil {
		return meta{}, nil
	}
	first, firstErr := s.firstMeta(ctx)
	if firstErr == nil && first.final {
		return first, nil
	}
	return meta{}, wrapError(ctx, installation.ErrUnavailable, err)
}

func errOtherBuckets(m meta) error {
	return storecall.Unavailable("another process is creating the namespace with %d buckets",
		m.buckets)
}

// createdByOther is called if bucket n has the final meta was, although bucket 0 had none. Either
// another process was faster, and createdByOther returns the meta of the namespace. Or bucket 0 was
// lost, and it returns an error.
func (s *Store) createdByOther(ctx context.Context, n int, was meta) (meta, error) {
	first, err := s.firstMeta(ctx)
	if err == nil && first != was {
		err = storecall.Unavailable("bucket %d exists, but bucket 0 has no meta: it was lost", n)
	}
	return first, err
}

// writeMeta writes a forming meta to a bucket that has neither a meta nor data, or makes a forming
// meta final. It returns the meta that the bucket has afterwards, "" for none, and whether the
// bucket has data.
func (s *Store) writeMeta(
	ctx context.Context, b bucket, member string,
) (stored string, data bool, err error) {
	reply, err := s.runScript(ctx, s.opening, b.fixed(), []string{member, forming})
	switch {
	case err != nil:
		return "", false, err
	case len(reply) != 2:
		return "", false, errReply
	}
	return strings.TrimPrefix(reply[0], scopeMeta), reply[1] != "", nil
}

// checkBucket returns an error if the bucket lacks the meta of this store. Every reader that finds
// nothing calls it.
func (s *Store) checkBucket(ctx context.Context, b bucket) error {
	return s.checkBucketAnd(ctx, b, func(redis.Pipeliner) {})
}

// checkBucketAnd is checkBucket, and sends the commands that queue adds in the same round trip. It
// is no error if one of these commands finds nothing. If the namespace has a new epoch, it sends
// them again.
//
// A server that became a replica while the client still uses it can have old data. Such a server
// rejects writes, so the round trip starts with a write. The write changes nothing, because no
// index has the empty member. It comes first, because the first error decides whether go-redis
// closes the connection, and the next connection may reach the primary. On a cluster the write is
// not needed: replicas redirect their clients.
func (s *Store) checkBucketAnd(ctx context.Context, b bucket, queue func(redis.Pipeliner)) error {
	for {
		used := s.meta()
		found, err := s.hasMeta(ctx, b, used, queue)
		if err != nil || found {
			return err
		}
		if err := s.follow(ctx, b, used); err != nil {
			return err
		}
	}
}

// hasMeta reports whether the bucket has the meta m, and sends the commands that queue adds.
func (s *Store) hasMeta(
	ctx context.Context, b bucket, m meta, queue func(redis.Pipeliner),
) (has bool, err error) {
	var found *redis.FloatCmd
	var alive *redis.StringCmd
	err = s.read(ctx, func(ctx context.Context) error {
		pipe := s.client.Pipeline()
		if !s.client.isCluster() {
			pipe.ZRem(ctx, b.index(), "")
		}
		writes := pipe.Len()
		found = pipe.ZScore(ctx, b.index(), m.member())
		alive = pipe.HGet(ctx, b.fields(), "")
		queue(pipe)
		commands, _ := pipe.Exec(ctx) // each has its own error
		for i, cmd := range commands {
			err := cmd.Err()
			if i < writes && isServerError(err) && !redis.IsReadOnlyError(err) {
				// A primary that rejects writes for now can still be read. A replica can reject the
				// write with the same error, but a script tells that it is a replica.
				_, err = s.probe.run(ctx, s.client, b.fixed(), []string{m.member()})
				if strings.HasPrefix(innerText(serverText(err)), "READONLY") {
					return err
				}
				continue
			}
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
		return nil
	})
	if err == nil && alive.Err() != nil { // redis.Nil
		err = errForeign(b)
	}
	return err == nil && found.Err() == nil, err
}

// bucketErrorOr returns the error of checkBucket, or err if the bucket has its meta.
func (s *Store) bucketErrorOr(ctx context.Context, b bucket, err error) error {
	return cmp.Or(s.checkBucket(ctx, b), err)
}

// readMeta returns the meta of a bucket, "" if it has none.
func (s *Store) readMeta(ctx context.Context, b bucket) (string, error) {
	metas, err := readValue(ctx, s, func(ctx context.Context) ([]string, error) {
		return s.client.ZRangeArgs(ctx, redis.ZRangeArgs{
			Key: b.index(), Start: "[" + scopeMeta, Stop: "(" + string(scopeMeta[0]+1),
			ByLex: true, Count: 2,
		}).Result()
	})
	if err == nil && (len(metas) != 1 || !strings.HasPrefix(metas[0], scopeMeta)) {
		metas, err = s.scanMetas(ctx, b)
	}
	if len(metas) > 1 {
		return "", storecall.Unavailable("bucket %d has several metas", b.number)
	}
	return strings.TrimPrefix(strings.Join(metas, ""), scopeMeta), err
}

// scanMetas returns the meta members of a bucket by scanning its index. If any member has a score
// other than 0, a range can lack the meta members, and a scan still finds them.
func (s *Store) scanMetas(ctx context.Context, b bucket) (metas []string, err error) {
	err = s.scan(ctx, 2, func(ctx context.Context, cursor uint64) ([]string, uint64, error) {
		return s.client.ZScan(ctx, b.index(), cursor, scopeMeta+"*", scanBatch).Result()
	}, func(_ context.Context, found []string) error {
		for scored := range slices.Chunk(found, 2) {
			if !slices.Contains(metas, scored[0]) { // a scan can return a member twice
				metas = append(metas, scored[0])
			}
		}
		return nil
	})
	return metas, err
}

func errForeign(b bucket) error {
	return storecall.Unavailable("the meta of bucket %d is missing or another one: "+
		"the data was flushed, evicted or replaced", b.number)
}
