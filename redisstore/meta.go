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

const layout = "installation-1" // the form of keys, members and fields that this package writes

// meta is the value of the meta keys, the same in every bucket: "installation-1 16 9f86d081884c7d659a2feaa0c55ad015".
type meta struct {
	buckets int
	value   string
}

func newMeta(buckets int) meta {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return meta{buckets, fmt.Sprintf("%s %d %s", layout, buckets, hex.EncodeToString(id[:]))}
}

func parseMeta(value string) (meta, error) {
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
	return meta{n, value}, nil
}

// enter finds the namespace, or makes it. The meta key of bucket 0 is written last, so a namespace that has it is complete,
// and what several processes do at once comes to the same.
func (s *Store) enter(ctx context.Context, opening script) error {
	value, err := s.readMeta(ctx, keyspace{s.opts.Namespace, 1}.bucket(0))
	if err != nil {
		return err
	}
	if value == "" {
		return s.form(ctx, opening)
	}
	m, err := parseMeta(value)
	if err != nil {
		return err
	}
	if s.opts.Buckets != 0 && s.opts.Buckets != m.buckets {
		return unavailable(fmt.Sprintf("the namespace has %d buckets, the options say %d", m.buckets, s.opts.Buckets))
	}
	s.adopt(m)
	for _, b := range s.keys.all()[1:] {
		if err := s.present(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) adopt(m meta) {
	s.keys = keyspace{s.opts.Namespace, m.buckets}
	s.meta = m.value
}

// form marks the buckets of a namespace that has no meta key in bucket 0: a new one, or one that a process left half made.
// If a bucket holds data, it is neither.
func (s *Store) form(ctx context.Context, opening script) error {
	m := newMeta(s.newBuckets())
	keys := keyspace{s.opts.Namespace, m.buckets}
	for n := m.buckets - 1; n >= 0; n-- {
		b := keys.bucket(n)
		var reply []string
		err := s.read(ctx, func() (err error) {
			reply, err = opening.run(ctx, s.client, []string{b.meta(), b.index(), b.events(), b.tails()}, []string{m.value})
			return err
		})
		switch {
		case err != nil:
			return err
		case len(reply) != 2:
			return errReply
		case reply[0] == "":
			return unavailable(fmt.Sprintf("bucket %d holds data and has no meta key: it was lost in part, or something else wrote it", n))
		case reply[1] != "" && n > 0:
			return unavailable(fmt.Sprintf("bucket %d holds data, but bucket 0 has no meta key: it was lost", n))
		}
		was, err := parseMeta(reply[0])
		if err != nil {
			return err
		}
		if was.buckets != m.buckets {
			return unavailable(fmt.Sprintf("the namespace is being made with %d buckets by another process", was.buckets))
		}
		if was.value != m.value && n < m.buckets-1 {
			return unavailable(fmt.Sprintf("bucket %d is of another namespace than those after it", n))
		}
		m = was
	}
	s.adopt(m)
	return nil
}

// present returns nil if the bucket is there. It is asked by whoever found nothing in it.
func (s *Store) present(ctx context.Context, b bucket) error {
	value, err := s.readMeta(ctx, b)
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
	err = s.read(ctx, func() (err error) {
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
