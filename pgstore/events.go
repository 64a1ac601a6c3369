package pgstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-installation/installation"
)

// Events implements [installation.EventReader]. Across tenants, events are in the order in which
// readers first saw them. A cursor ahead of the log, such as one from after the backup that was
// restored, also returns [installation.ErrTrimmed]. Events writes: it gives new events their place.
func (s *Store) Events(
	ctx context.Context, q installation.EventQuery,
) (page installation.EventPage, err error) {
	if err := ctx.Err(); err != nil {
		return page, err
	}
	if err := q.Validate(); err != nil {
		return page, fmt.Errorf("events: %w", err)
	}
	after, err := parsePlace(q.After)
	if err != nil {
		return page, fmt.Errorf("events: %w", err)
	}
	var tenant []byte // NULL stands for all tenants
	if !q.AllTenants {
		tenant = []byte(q.Tenant)
	}
	trimmed := false
	err = s.read(ctx, func(ctx context.Context) error {
		page, trimmed = installation.EventPage{Next: q.After}, false
		return s.db.query(ctx, s.text.events, []any{tenant, after, int64(q.Limit)},
			func(r row) error {
				var place int64
				var data []byte
				if err := r.Scan(&place, &data); err != nil {
					return err
				}
				if place < 0 {
					trimmed = true
					return nil
				}
				var e installation.Event
				err := e.UnmarshalBinary(data)
				e.ID = strconv.FormatInt(place, 10)
				page.Events, page.Next = append(page.Events, e), e.ID
				return err
			})
	})
	if err == nil && trimmed {
		err = installation.ErrTrimmed
	}
	if err != nil {
		return installation.EventPage{}, fmt.Errorf("events: %w", err)
	}
	return page, nil
}

// parsePlace returns the place that a cursor names, 0 for the start.
func parsePlace(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	place, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || place < 1 {
		return 0, fmt.Errorf("%w: the cursor is not from a page", installation.ErrInvalid)
	}
	return place, nil
}

// trimBatch caps the tombstones and the outcomes that Trim forgets in one transaction.
const trimBatch = 1000

// Trim implements [installation.Trimmer]. It forgets in batches, each in a transaction of its own,
// and passes over what another transaction has locked.
func (s *Store) Trim(ctx context.Context, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for forgotten := int64(1); forgotten > 0; {
		err := s.readOne(ctx, s.text.forget, []any{now.UnixMicro(), int64(trimBatch)}, &forgotten)
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

// trim trims the log to MaxEvents. The commit that calls it is done, and a later one trims again,
// so an error has no consequence.
func (s *Store) trim(ctx context.Context) {
	_ = s.db.query(ctx, s.text.trim, []any{int64(s.opts.MaxEvents)}, func(row) error { return nil })
}
