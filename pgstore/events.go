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
	for more := true; more && err == nil; more = more && len(page.Events) < q.Limit {
		page, more, err = s.events(ctx, []any{tenant, after, int64(q.Limit)})
	}
	if err != nil {
		return installation.EventPage{}, fmt.Errorf("events: %w", err)
	}
	if page.Next == "" {
		page.Next = q.After
	}
	return page, nil
}

// Places in a result of events_1 that are no events.
const (
	placeTrimmed = -1
	placeMore    = -2
)

// events calls events_1. The result more is true if events may be left that have no place yet.
func (s *Store) events(
	ctx context.Context, args []any,
) (page installation.EventPage, more bool, err error) {
	trimmed := false
	err = s.read(ctx, func(ctx context.Context) error {
		page, more, trimmed = installation.EventPage{}, false, false
		return s.db.query(ctx, s.text.events, args, func(r row) error {
			var place int64
			var data []byte
			if err := r.Scan(&place, &data); err != nil {
				return err
			}
			switch place {
			case placeTrimmed:
				trimmed = true
				return nil
			case placeMore:
				more = true
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
	return page, more, err
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

// Trim implements [installation.Trimmer]. It works in batches, each in a transaction of its own,
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
	for more := true; more; {
		err := s.readOne(ctx, s.text.trim, []any{int64(s.opts.MaxEvents)}, &more)
		if err != nil {
			return fmt.Errorf("trim: %w", err)
		}
	}
	return nil
}

// trim trims the log to MaxEvents. The commit that calls it is done, and a later one trims again,
// so an error has no consequence. It ends after Options.RetryFor, because the caller waits.
func (s *Store) trim(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.RetryFor)
	defer cancel()
	_ = s.db.query(ctx, s.text.trim, []any{int64(s.opts.MaxEvents)}, func(row) error { return nil })
}
