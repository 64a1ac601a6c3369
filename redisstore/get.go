package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// Get implements [installation.Store]. It is one HMGET; where nothing is found, a second command makes sure that there is
// nothing.
func (s *Store) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := s.keys.of(key.Tenant)
	var values []any
	err := s.read(ctx, func(ctx context.Context) (err error) {
		values, err = s.client.HMGet(ctx, b.record(key), recordFields...).Result()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get %q: %w", key.ID, err)
	}
	r, err := decodeRecord(key, values)
	if err == nil && r == nil {
		err = s.absent(ctx, b)
	}
	if err != nil {
		return nil, fmt.Errorf("get %q: %w", key.ID, err)
	}
	return r, nil
}

// Outcome implements [installation.Store]. Outcomes are gone when their time, by the clock of the server, is up.
func (s *Store) Outcome(ctx context.Context, tenant string, d installation.Digest) (*installation.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := s.keys.of(tenant)
	var value string
	var found bool
	err := s.read(ctx, func(ctx context.Context) (err error) {
		value, err = s.client.Get(ctx, b.outcome(tenant, d)).Result()
		if found = !errors.Is(err, redis.Nil); !found {
			return nil
		}
		return err
	})
	if err == nil && !found {
		err = s.absent(ctx, b)
	}
	if err != nil {
		return nil, fmt.Errorf("outcome: %w", err)
	}
	o, err := decodeOutcome(d, value)
	if err != nil {
		return nil, fmt.Errorf("outcome: %w", err)
	}
	return o, nil
}
