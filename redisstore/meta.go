package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// Every bucket has a meta key, which says that the bucket is there, and whose. It never expires. Scripts compare it before
// they do anything, and readers that find nothing look whether it is there: a bucket without it was flushed or evicted, or
// is on a server that never had it, and "nothing" would be a lie. It ends in random bits, so that a namespace made anew
// after a loss is not taken for the one that was lost.
//
// A namespace is made in two steps: every bucket is marked as forming, the last one first, and then every mark is made
// final, that of bucket 0 first. Nothing is written into a bucket before its mark is final. So a mark that is final says
// that there was one in bucket 0: if there is none, it was lost, and is not to be made again.

const (
	layout  = "installation-1" // the form of keys, members and fields that this package writes
	forming = " forming"       // the end of a mark that is not final
)

// meta is the value of the meta keys, the same in every bucket: "installation-1 16 9f86d081884c7d659a2feaa0c55ad015".
type meta struct {
	buckets int
	value   string // without forming
	final   bool
}

func newMeta(buckets int) meta {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return meta{buckets: buckets, value: fmt.Sprintf("%s %d %s", layout, buckets, hex.EncodeToString(id[:]))}
}

func parseMeta(stored string) (meta, error) {
	value, isForming := strings.CutSuffix(stored, forming)
	parts := strings.Split(value, " ")
	if !strings.HasPrefix(value, "installation-") || len(parts) != 3 {
		return meta{}, unavailable("the meta key holds something else")
	}
	if parts[0] != layout {
		return meta{}, unavailable(fmt.Sprintf("the namespace has the layout %q; this release reads %q", parts[0], layout))
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 1 || n > MaxBuckets {
		return meta{}, unavailable("the meta key holds something else")
	}
	return meta{n, value, !isForming}, nil
}

// enter finds the namespace, or makes it. What several processes do at once comes to the same.
func (s *Store) enter(ctx context.Context) error {
	first, err := s.firstMeta(ctx)
	if err != nil {
		return err
	}
	if !first.final {
		if first, err = s.form(ctx); err != nil {
			return err
		}
	}
	if s.opts.Buckets != 0 && s.opts.Buckets != first.buckets {
		return unavailable(fmt.Sprintf("the namespace has %d buckets, the options say %d", first.buckets, s.opts.Buckets))
	}
	s.keys, s.meta = keyspace{s.opts.Namespace, first.buckets}, first.value
	for _, b := range s.keys.all() {
		stored, _, err := s.mark(ctx, b, s.meta)
		switch {
		case err != nil:
			return err
		case stored != s.meta:
			return errForeign(b)
		}
	}
	return nil
}

// firstMeta returns what bucket 0 says; the zero meta if it says nothing.
func (s *Store) firstMeta(ctx context.Context) (meta, error) {
	stored, err := s.readMeta(ctx, keyspace{s.opts.Namespace, 1}.bucket(0))
	if err != nil || stored == "" {
		return meta{}, err
	}
	return parseMeta(stored)
}

// form marks the buckets of a namespace whose mark in bucket 0 is not final: a new one, or one that a process left half
// made. A bucket that holds data, or whose mark is final, is part of neither.
func (s *Store) form(ctx context.Context) (meta, error) {
	m := newMeta(s.newBuckets())
	for n := MaxBuckets - 1; n >= 0; n-- { // more than there will be: what was lost may have had more
		b := keyspace{s.opts.Namespace, m.buckets}.bucket(n)
		stored, err := s.readMeta(ctx, b)
		if err != nil {
			return meta{}, err
		}
		if stored == "" {
			continue
		}
		was, err := parseMeta(stored)
		switch {
		case err != nil:
			return meta{}, err
		case was.final:
			return s.finished(ctx, b, was)
		case was.buckets != m.buckets:
			return meta{}, unavailable(fmt.Sprintf("the namespace is being made with %d buckets by another process", was.buckets))
		}
	}
	for n := m.buckets - 1; n >= 0; n-- {
		b := keyspace{s.opts.Namespace, m.buckets}.bucket(n)
		stored, data, err := s.mark(ctx, b, m.value+forming)
		if err != nil {
			return meta{}, err
		}
		if stored == "" {
			return meta{}, unavailable(fmt.Sprintf("bucket %d holds data and has no meta key: it was lost in part, or something else wrote it", n))
		}
		was, err := parseMeta(stored)
		switch {
		case err != nil:
			return meta{}, err
		case was.final:
			return s.finished(ctx, b, was)
		case data:
			return meta{}, unavailable(fmt.Sprintf("bucket %d holds data, but the namespace is only being made", n))
		case was.buckets != m.buckets:
			return meta{}, unavailable(fmt.Sprintf("the namespace is being made with %d buckets by another process", was.buckets))
		case was.value != m.value && n < m.buckets-1:
			return meta{}, unavailable(fmt.Sprintf("bucket %d is of another namespace than those after it", n))
		}
		m = was
	}
	return m, nil
}

// finished returns the meta of a namespace, one of whose buckets turned out to have a final mark after bucket 0 had none:
// another process was faster, or bucket 0 was lost.
func (s *Store) finished(ctx context.Context, b bucket, was meta) (meta, error) {
	first, err := s.firstMeta(ctx)
	if err == nil && first != was {
		err = unavailable(fmt.Sprintf("bucket %d is there, but bucket 0 has no meta key: it was lost", b.number))
	}
	return first, err
}

// mark marks a bucket that has neither a mark nor data, and makes a mark final that is not. It returns the mark that the
// bucket has then, "" for none, and whether it holds data.
func (s *Store) mark(ctx context.Context, b bucket, value string) (stored string, data bool, err error) {
	var reply []string
	err = s.read(ctx, func(ctx context.Context) (err error) {
		reply, err = s.opening.run(ctx, s.client, []string{b.meta(), b.index(), b.events(), b.tails()}, []string{value, forming})
		return err
	})
	switch {
	case err != nil:
		return "", false, err
	case len(reply) != 2:
		return "", false, errReply
	}
	return reply[0], reply[1] != "", nil
}

// present returns nil if the bucket is there. It is asked by whoever found nothing in it.
func (s *Store) present(ctx context.Context, b bucket) error {
	return s.look(ctx, b, func(redis.Pipeliner) {})
}

// look does the same, and asks more in the same round trip: what is queued must be of the bucket, and may find nothing. A
// server that was made a replica under a client that still asks it may have old data, of which "nothing" says nothing. It
// refuses to write, even where there is nothing to: no index has the empty member. That comes first, as go-redis goes by the first
// error when it closes a connection, so that the next one may lead elsewhere. In a cluster replicas send their clients away.
func (s *Store) look(ctx context.Context, b bucket, queue func(redis.Pipeliner)) error {
	var value string
	err := s.read(ctx, func(ctx context.Context) error {
		pipe := s.client.Pipeline()
		if !s.client.isCluster() {
			pipe.ZRem(ctx, b.index(), "")
		}
		write := pipe.Len()
		mark := pipe.Get(ctx, b.meta())
		queue(pipe)
		commands, _ := pipe.Exec(ctx) // each has its own error
		for i, cmd := range commands {
			err := cmd.Err()
			if i < write && isAnswer(err) && !redis.IsReadOnlyError(err) {
				continue // a primary that takes no writes for now can be read
			}
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
		value = mark.Val()
		return nil
	})
	switch {
	case err != nil:
		return err
	case value != s.meta:
		return errForeign(b)
	}
	return nil
}

// absent returns the error for what was not found in a bucket: [installation.ErrNotFound] if the bucket is there.
func (s *Store) absent(ctx context.Context, b bucket) error {
	if err := s.present(ctx, b); err != nil {
		return err
	}
	return installation.ErrNotFound
}

func (s *Store) readMeta(ctx context.Context, b bucket) (value string, err error) {
	err = s.read(ctx, func(ctx context.Context) (err error) {
		value, err = s.client.Get(ctx, b.meta()).Result()
		if errors.Is(err, redis.Nil) {
			value, err = "", nil
		}
		return err
	})
	return value, err
}

func errForeign(b bucket) error {
	return unavailable(fmt.Sprintf("the meta key of bucket %d is missing or another one: the data was flushed, evicted or replaced", b.number))
}

// errReply is for a script that answers what it never answers.
var errReply = unavailable("a script gave an answer that it does not have")
