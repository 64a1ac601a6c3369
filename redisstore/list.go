package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storecall"
)

// List implements [installation.Store]. Each bucket takes two round trips: the first reads index
// members, the second reads their records. A record that changes between the two and then no longer
// matches q is left out. With q.AllTenants, records are in the order of the buckets. Within a
// bucket the order is (Created, Tenant, ID), or (Deadline, Tenant, ID) with q.DueBefore.
//
// Damaged data does not hide other records. A record that cannot be read is listed with its Key
// only. An index member that cannot be read is left out, with a warning to the logger.
// [Store.Verify] finds both. List fails only if members are out of order, because a member of the
// index has a score other than 0.
func (s *Store) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	if err := s.ready(ctx); err != nil {
		return installation.Page{}, err
	}
	page, err := s.list(ctx, q)
	if err = s.unlessRestored(ctx, err); err != nil {
		return installation.Page{}, fmt.Errorf("list: %w", err)
	}
	return page, nil
}

func (s *Store) list(ctx context.Context, q installation.Query) (installation.Page, error) {
	var page installation.Page
	if err := q.Validate(); err != nil {
		return page, err
	}
	sp, err := spanOf(q)
	if err != nil {
		return page, err
	}
	buckets := s.bucketsOf(q)
	if sp.reverse {
		slices.Reverse(buckets)
	}
	if q.After != "" {
		var position string
		if buckets, position, err = parseCursor(buckets, q.After); err != nil {
			return page, err
		}
		sp = sp.after(position)
	}

	skip := q.Skip
	for i, b := range buckets {
		if i > 0 {
			sp = sp.fromStart()
		}
		want := q.Limit - len(page.Records)
		names, err := s.members(ctx, b, sp, skip, want+1)
		if err != nil {
			return page, err
		}
		if len(names) == 0 {
			if skip, err = s.remainingSkip(ctx, b, sp, skip); err != nil {
				return page, err
			}
			continue
		}
		skip = 0
		more := len(names) > want || len(names) == want && i+1 < len(buckets)
		if !sp.inOrder(names) {
			return page, errDisorder
		}
		names = names[:min(want, len(names))]
		records, err := s.recordsOf(ctx, b, names)
		if err != nil {
			return page, err
		}
		page.Records = append(page.Records, records...)
		if more {
			page.Next = formatCursor(b, sp.position(names[len(names)-1]))
			break
		}
	}
	return page, nil
}

// errDisorder is the error of a list that may lack members or contain wrong ones.
var errDisorder = storecall.Unavailable("index members have scores, so the order of the index is " +
	"lost; run Verify to repair it")

// Count implements [installation.Counter]. It reads no records: Redis counts the index members of a
// list by their ranks.
func (s *Store) Count(ctx context.Context, q installation.Query) (int64, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	q = q.Counted()
	if err := q.Validate(); err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	sp, err := spanOf(q)
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	var sum int64
	for _, b := range s.bucketsOf(q) {
		n, err := s.count(ctx, b, sp)
		if err != nil {
			return 0, fmt.Errorf("count: %w", err)
		}
		sum += n
	}
	return sum, s.unlessRestored(ctx, nil)
}

// bucketsOf returns the buckets of q in order.
func (s *Store) bucketsOf(q installation.Query) []bucket {
	if q.AllTenants {
		return s.keys.all()
	}
	return []bucket{s.keys.of(q.Tenant)}
}

// members returns index members of a span, in the order of the list.
func (s *Store) members(
	ctx context.Context, b bucket, sp span, skip, limit int,
) ([]string, error) {
	words := []any{"zrange", b.index(), sp.lo, sp.hi, "bylex", "limit", skip, limit}
	if sp.reverse {
		words = []any{"zrange", b.index(), sp.hi, sp.lo, "bylex", "rev", "limit", skip, limit}
	}
	return readValue(ctx, s, func(ctx context.Context) ([]string, error) {
		// Releases of go-redis differ in the order of the bounds of a reverse ZRangeArgs.
		cmd := redis.NewStringSliceCmd(ctx, words...)
		_ = s.client.Process(ctx, cmd)
		return cmd.Result()
	})
}

// count returns the number of members in a span.
func (s *Store) count(ctx context.Context, b bucket, sp span) (int64, error) {
	n, err := readValue(ctx, s, func(ctx context.Context) (int64, error) {
		return s.client.ZLexCount(ctx, b.index(), sp.lo, sp.hi).Result()
	})
	if err == nil && n == 0 {
		err = s.checkBucket(ctx, b)
	}
	return n, err
}

// remainingSkip returns how many members are still to be skipped in the next buckets, after a
// bucket with no members left to list.
func (s *Store) remainingSkip(ctx context.Context, b bucket, sp span, skip int) (int, error) {
	if skip == 0 {
		return 0, s.checkBucket(ctx, b)
	}
	n, err := s.count(ctx, b, sp)
	return max(0, skip-int(n)), err
}

// ownMembers returns those members that can be read and whose record belongs to b, and the keys of
// these records.
func (s *Store) ownMembers(b bucket, names []string) (own []string, keys []installation.Key) {
	for _, name := range names {
		if e, ok := parseMember(name); ok && s.keys.of(e.key.Tenant) == b {
			own, keys = append(own, name), append(keys, e.key)
		}
	}
	return own, keys
}

// recordsOf returns the records that index members name, except records that no longer have the
// member. A record that cannot be read has only its Key.
func (s *Store) recordsOf(
	ctx context.Context, b bucket, names []string,
) ([]*installation.Record, error) {
	own, keys := s.ownMembers(b, names)
	if n := len(names) - len(own); n > 0 {
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn,
			"redisstore: index members cannot be read; run Verify", slog.Int("members", n))
	}
	stored, err := s.readRecords(ctx, keys)
	if err != nil {
		return nil, err
	}
	records, gone := make([]*installation.Record, 0, len(keys)), false
	for i, is := range stored {
		switch {
		case is.damaged:
			records = append(records, &installation.Record{Key: keys[i]})
		case is.record == nil:
			gone = true
		case hasMember(is.record, own[i]):
			records = append(records, is.record)
		}
	}
	if gone { // or the whole bucket is gone
		err = s.checkBucket(ctx, b)
	}
	return records, err
}

// stored is what was read under the key of a record.
type stored struct {
	key     installation.Key
	head    string               // see headOf
	record  *installation.Record // nil if there is nothing, or if it is damaged
	ops     []installation.Op    // that the record remembers
	damaged bool
}

// readRecords reads the values of keys in one round trip.
func (s *Store) readRecords(ctx context.Context, keys []installation.Key) ([]stored, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	list := make([]stored, len(keys))
	err := s.read(ctx, func(ctx context.Context) error {
		pipe := s.client.Pipeline() // not MGET: it does not work while a slot moves
		for _, k := range keys {
			pipe.Get(ctx, s.keys.of(k.Tenant).record(k))
		}
		commands, _ := pipe.Exec(ctx) // each has its own error
		for i, cmd := range commands {
			err := cmd.Err()
			wrongType := redis.HasErrorPrefix(err, "WRONGTYPE")
			if err != nil && !wrongType && !errors.Is(err, redis.Nil) {
				return err
			}
			value := cmd.(*redis.StringCmd).Val()
			r, ops, err := decodeRecord(keys[i], value)
			list[i] = stored{
				key: keys[i], head: headOf(value),
				record: r, ops: ops, damaged: err != nil || wrongType,
			}
		}
		return nil
	})
	return list, err
}
