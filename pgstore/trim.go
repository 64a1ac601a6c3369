package pgstore

import (
	"context"
	"fmt"
	"time"
)

// trimBatch is how many outcomes, and how many tombstones, Trim deletes at once.
const trimBatch = 1000

// Trim implements [installation.Trimmer]. Each commit of a [Store] does a part of this. A commit of
// a [Tx] does not, because others would have to wait for the host. Trim works in short transactions
// and passes over rows that others have locked.
func (s *Store) Trim(ctx context.Context, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for deleted := int64(1); deleted > 0; {
		err := s.readOne(ctx, s.text.forget, []any{now.UnixMicro(), int64(trimBatch)}, &deleted)
		if err != nil {
			return fmt.Errorf("trim: %w", err)
		}
	}
	err := s.read(ctx, func(ctx context.Context) error {
		return s.db.query(ctx, s.text.trim, []any{int64(s.opts.MaxEvents)},
			func(row) error { return nil })
	})
	if err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	return nil
}
