package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// Get implements [installation.Store]. It is one HMGET. If that finds nothing, a second round
// trip confirms it.
func (s *Store) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := s.keys.of(key.Tenant)
	values, err := readValue(ctx, s, func(ctx context.Context) ([]any, error) {
		return s.client.HMGet(ctx, b.record(key), recordFields...).Result()
	})
	var r *installation.Record
	if err == nil {
		r, err = decodeRecord(key, values)
	}
	if err == nil && r == nil {
		r, err = s.confirmAbsent(ctx, b, key)
	}
	if err != nil {
		return nil, fmt.Errorf("get %q: %w", key.ID, err)
	}
	return r, nil
}

// confirmAbsent confirms that key has no record. It returns the record if one was created
// meanwhile, [installation.ErrNotFound] if the bucket exists, and the bucket's error otherwise.
func (s *Store) confirmAbsent(
	ctx context.Context, b bucket, key installation.Key,
) (*installation.Record, error) {
	var exists *redis.IntCmd
	var values *redis.SliceCmd
	err := s.checkBucketAnd(ctx, b, func(pipe redis.Pipeliner) {
		// HMGET comes second, so that it finds a record which is created in between.
		exists = pipe.Exists(ctx, b.record(key))
		values = pipe.HMGet(ctx, b.record(key), recordFields...)
	})
	switch {
	case err != nil:
		return nil, err
	case exists.Val() == 0:
		return nil, installation.ErrNotFound
	}
	r, err := decodeRecord(key, values.Val())
	if err == nil && r == nil {
		err = errDamaged
	}
	return r, err
}

// Outcome implements [installation.Store]. Outcomes expire by the clock of the server.
func (s *Store) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (*installation.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := s.keys.of(tenant)
	value, err := readValue(ctx, s, func(ctx context.Context) (string, error) {
		return s.client.Get(ctx, b.outcome(tenant, d)).Result()
	})
	if errors.Is(err, redis.Nil) {
		err = s.bucketErrorOr(ctx, b, installation.ErrNotFound)
	}
	var o *installation.Outcome
	if err == nil {
		o, err = decodeOutcome(d, value)
	}
	if err != nil {
		return nil, fmt.Errorf("outcome: %w", err)
	}
	return o, nil
}
