package boltstore

import (
	"context"
	"fmt"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/internal/storekey"
)

// Get implements [installation.Store].
func (s *Store) Get(ctx context.Context, key installation.Key) (*installation.Record, error) {
	var r *installation.Record
	err := s.view(ctx, func(t *tx) (err error) {
		r, err = t.readRecord(storekey.Record(key))
		return err
	})
	if err == nil && r == nil {
		err = installation.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get %q: %w", key.ID, err)
	}
	return r, nil
}

// Outcome implements [installation.Store].
func (s *Store) Outcome(
	ctx context.Context, tenant string, d installation.Digest,
) (*installation.Outcome, error) {
	var row installation.Row
	err := s.view(ctx, func(t *tx) (err error) {
		row, err = t.outcome(tenant, d)
		return err
	})
	if err == nil && row.Outcome == nil {
		err = installation.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("outcome: %w", err)
	}
	return row.Outcome, nil
}
