package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// Get implements [installation.Store]. It sends one GET. If the GET finds no record, a second round
// trip confirms that the store has no such record.
func (s *Store) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	b := s.keys.of(key.Tenant)
	stored, err := s.readText(ctx, func(ctx context.Context) *redis.StringCmd {
		return s.client.Get(ctx, b.record(key))
	})
	var r *installation.Record
	if err == nil {
		r, _, err = decodeRecord(key, stored)
	}
	if err == nil && r == nil {
		r, err = s.confirmAbsent(ctx, b, key)
	}
	if err = s.unlessRestored(ctx, err); err != nil {
		return nil, fmt.Errorf("get %q: %w", key.ID, err)
	}
	return r, nil
}

// confirmAbsent confirms that key has no record. It returns the record if one was created
// meanwhile, [installation.ErrNotFound] if the bucket exists, and the bucket's error otherwise.
func (s *Store) confirmAbsent(
	ctx context.Context, b bucket, key installation.Key,
) (*installation.Record, error) {
	var stored *redis.StringCmd
	err := s.checkBucketAnd(ctx, b, func(pipe redis.Pipeliner) {
		stored = pipe.Get(ctx, b.record(key))
	})
	if err != nil {
		return nil, err
	}
	r, _, err := decodeRecord(key, stored.Val())
	if err == nil && r == nil {
		err = installation.ErrNotFound
	}
	return r, err
}

// Outcome implements [installation.Store]. It can return an expired outcome: only later commits
// with an idempotency key remove expired outcomes.
func (s *Store) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (*installation.Outcome, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	b := s.keys.of(tenant)
	value, err := readValue(ctx, s, func(ctx context.Context) (string, error) {
		return s.client.HGet(ctx, b.fields(), outcomeField(tenant, d)).Result()
	})
	if errors.Is(err, redis.Nil) {
		err = s.bucketErrorOr(ctx, b, installation.ErrNotFound)
	}
	var o *installation.Outcome
	if err == nil {
		o, err = decodeOutcome(d, value)
	}
	if err = s.unlessRestored(ctx, err); err != nil {
		return nil, fmt.Errorf("outcome: %w", err)
	}
	return o, nil
}
