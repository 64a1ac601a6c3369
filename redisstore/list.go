package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// List implements [installation.Store]. A page takes two round trips: the members of the index, then their records. A record
// that was changed between the two, so that it is no longer what q names, is left out. Across tenants the order is that of
// the buckets, and within each (Created, Tenant, ID), or (Deadline, Tenant, ID).
//
// What somebody else has damaged does not hide the rest. Of a record that cannot be read there is the key alone; a member of the
// index that cannot be read is left out, with a warning to the logger. [Store.Verify] finds both. Only where the order of the
// index itself was lost is there no list.
func (s *Store) List(ctx context.Context, q installation.Query) (installation.Page, error) {
	if err := ctx.Err(); err != nil {
		return installation.Page{}, err
	}
	page, err := s.list(ctx, q)
	if err != nil {
		return installation.Page{}, fmt.Errorf("list: %w", err)
	}
	return page, nil
}

func (s *Store) list(ctx context.Context, q installation.Query) (installation.Page, error) {
	var page installation.Page
	if q.Limit < 1 || q.Limit > installation.MaxPage || q.Skip < 0 || q.Skip > installation.MaxSkip {
		return page, fmt.Errorf("%w: limit or skip out of range", installation.ErrInvalid)
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
		if buckets, position, err = from(buckets, q.After); err != nil {
			return page, err
		}
		sp = sp.behind(position)
	}

	skip := q.Skip
	for i, b := range buckets {
		if i > 0 {
			sp = sp.whole()
		}
		want := q.Limit - len(page.Records)
		names, err := s.names(ctx, b, sp, skip, want+1)
		if err != nil {
			return page, err
		}
		if len(names) == 0 {
			if skip, err = s.pass(ctx, b, sp, skip); err != nil {
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
		records, err := s.fetch(ctx, b, names)
		if err != nil {
			return page, err
		}
		page.Records = append(page.Records, records...)
		if more {
			page.Next = cursor(b, sp.position(names[len(names)-1]))
			break
		}
	}
	return page, nil
}

// errDisorder is for a list that may lack some of its members and have others.
var errDisorder = unavailable("somebody has given members of an index scores, so that its order is lost; Verify puts that right")

// Count implements [installation.Counter]. It reads no record: the index knows the rank of its members.
func (s *Store) Count(ctx context.Context, q installation.Query) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	q.After, q.Reverse = "", false
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
	return sum, nil
}

// bucketsOf returns the buckets that q is about, in the order in which they are walked.
func (s *Store) bucketsOf(q installation.Query) []bucket {
	if q.AllTenants {
		return s.keys.all()
	}
	return []bucket{s.keys.of(q.Tenant)}
}

// names returns members of a span, in its order.
func (s *Store) names(ctx context.Context, b bucket, sp span, skip, limit int) (names []string, err error) {
	words := []any{"zrange", b.index(), sp.lo, sp.hi, "bylex", "limit", skip, limit}
	if sp.reverse {
		words = []any{"zrange", b.index(), sp.hi, sp.lo, "bylex", "rev", "limit", skip, limit}
	}
	err = s.read(ctx, func(ctx context.Context) error {
		cmd := redis.NewStringSliceCmd(ctx, words...) // releases of go-redis differ in which bound comes first in reverse
		err := s.client.Process(ctx, cmd)
		names = cmd.Val()
		return err
	})
	return names, err
}

// count returns how many members a span has.
func (s *Store) count(ctx context.Context, b bucket, sp span) (n int64, err error) {
	err = s.read(ctx, func(ctx context.Context) (err error) {
		n, err = s.client.ZLexCount(ctx, b.index(), sp.lo, sp.hi).Result()
		return err
	})
	if err == nil && n == 0 {
		err = s.present(ctx, b)
	}
	return n, err
}

// pass returns what is left to skip behind a span that had nothing to give.
func (s *Store) pass(ctx context.Context, b bucket, sp span, skip int) (int, error) {
	if skip == 0 {
		return 0, s.present(ctx, b)
	}
	n, err := s.count(ctx, b, sp)
	return max(0, skip-int(n)), err
}

// fetch returns the records that members name, but for those which no longer say the same of themselves. Of a record that
// cannot be read it returns the key alone.
func (s *Store) fetch(ctx context.Context, b bucket, names []string) ([]*installation.Record, error) {
	keys, ours := make([]installation.Key, 0, len(names)), make([]string, 0, len(names))
	for _, name := range names {
		if e, ok := parseMember(name); ok && s.keys.of(e.key.Tenant) == b {
			keys, ours = append(keys, e.key), append(ours, name)
		}
	}
	if n := len(names) - len(ours); n > 0 {
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "redisstore: members of an index cannot be read; Verify finds them", slog.Int("members", n))
	}
	stored, err := s.fields(ctx, keys, recordFields)
	if err != nil {
		return nil, err
	}
	records, gone := make([]*installation.Record, 0, len(keys)), false
	for i, values := range stored {
		r, err := decodeStored(keys[i], values)
		switch {
		case err != nil:
			records = append(records, &installation.Record{Key: keys[i]})
		case r == nil:
			gone = true
		case !r.Deleted && packs(values[4].(string), ours[i]):
			records = append(records, r)
		}
	}
	if gone { // or the bucket is
		err = s.present(ctx, b)
	}
	return records, err
}

// fields returns fields of the records at keys, all in one round trip: nil for a key that holds no record but something else.
func (s *Store) fields(ctx context.Context, keys []installation.Key, names []string) ([][]any, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	values := make([][]any, len(keys))
	err := s.read(ctx, func(ctx context.Context) error {
		pipe := s.client.Pipeline()
		for _, k := range keys {
			pipe.HMGet(ctx, s.keys.of(k.Tenant).record(k), names...)
		}
		commands, _ := pipe.Exec(ctx) // each has its own error
		for i, cmd := range commands {
			if err := cmd.Err(); err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
				return err
			}
			values[i] = cmd.(*redis.SliceCmd).Val()
		}
		return nil
	})
	return values, err
}

// decodeStored is decodeRecord for what fields has returned.
func decodeStored(k installation.Key, values []any) (*installation.Record, error) {
	if values == nil {
		return nil, errDamaged
	}
	return decodeRecord(k, values)
}
