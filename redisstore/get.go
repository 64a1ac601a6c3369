package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/go-installation/installation"
)

// Get implements [installation.Store]. It is one HMGET; where nothing is found, a second round trip makes sure that there is
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
		r, err = s.lookAgain(ctx, b, key)
	}
	if err != nil {
		return nil, fmt.Errorf("get %q: %w", key.ID, err)
	}
	return r, nil
}

// lookAgain returns what is at a key where nothing was found: the record, if it was made meanwhile, or the error that says
// that there is none, or else what there is in its place.
func (s *Store) lookAgain(ctx context.Context, b bucket, key installation.Key) (*installation.Record, error) {
	var exists *redis.IntCmd
	var values *redis.SliceCmd
	err := s.look(ctx, b, func(pipe redis.Pipeliner) {
		exists = pipe.Exists(ctx, b.record(key)) // first, so that a record which is made in between is found
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
