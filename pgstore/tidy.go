package pgstore

import (
	"context"
	"fmt"
	"time"
)

// tidyBatch is how many outcomes, and how many tombstones, Tidy deletes at once.
const tidyBatch = 1000

// Tidy deletes the outcomes and tombstones that have expired by now, and trims the change log to
// [Options].MaxEvents. Each commit of a [Store] does a part of this. A commit of a [Tx] does not,
// because others would have to wait for the host. So a host that writes most in its own
// transactions calls Tidy from the timer that calls [installation.Service.Sweep].
//
// Tidy works in short transactions and passes over rows that others have locked. It can be repeated,
// and called by several processes at once. Errors match [installation.ErrUnavailable], or are those
// of the context.
func (s *Store) Tidy(ctx context.Context, now time.Time) error {
	for deleted := int64(1); deleted > 0; {
		err := s.readOne(ctx, s.text.forget, []any{now.UnixMicro(), int64(tidyBatch)}, &deleted)
		if err != nil {
			return fmt.Errorf("tidy: %w", err)
		}
	}
	err := s.read(ctx, func(ctx context.Context) error {
		return s.db.query(ctx, s.text.trim, []any{int64(s.opts.MaxEvents)},
			func(row) error { return nil })
	})
	if err != nil {
		return fmt.Errorf("tidy: %w", err)
	}
	return nil
}
